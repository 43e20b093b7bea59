"""Two runs to be compared: each as a folder with its parameters and what its stages wrote.

What the stages wrote at a revision is in DVC's cache. Of it, only what the comparison reads is copied, to a temporary
folder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from i2moe.base.errors import InputError
from stages.shared.base import paths
from stages.shared.base.params import check, read_params

if TYPE_CHECKING:
    from dvc.api import DVCFileSystem

READINGS = ("behaviour", "leaders", "shares")  # the explanations that are compared
THIS = "this run"


class RunNames(BaseModel):
    """What of `run` in params.yaml says which models ran on which datasets; its other keys may be another version's."""

    datasets: list[str]
    models: list[str]


@dataclass(frozen=True)
class ComparedRun:
    """One of two runs."""

    name: str  # what the user calls it
    root: Path  # below which its files are
    params: dict[str, Any]  # all of params.yaml
    names: RunNames

    @classmethod
    def read(cls, name: str, root: Path) -> "ComparedRun":
        """Read which run a folder holds.

        Raises:
            InputError: where params.yaml is missing, or does not say what runs.
        """
        path = root / paths.PARAMS
        params = read_params(path)
        return cls(name, root, params, check(params.get("run"), RunNames, path, "run"))

    def common(self, other: "ComparedRun") -> list[tuple[str, str]]:
        """Return the datasets and models that both runs have, in this one's order.

        Raises:
            InputError: where there are none.
        """
        found = [
            (dataset, model)
            for dataset in self.names.datasets
            for model in self.names.models
            if dataset in other.names.datasets and model in other.names.models
        ]
        if not found:
            models, datasets = ", ".join(other.names.models), ", ".join(other.names.datasets)
            raise InputError(
                f"{other.name} has no model on a dataset in common with {self.name}: it ran {models} on {datasets}; "
                "set run.models and run.datasets and run `dvc repro`"
            )
        return found


@contextmanager
def other_run(against: str, this: ComparedRun) -> Iterator[ComparedRun]:
    """Open the run that is compared with this one, while the context lasts.

    Args:
        against: the root folder of a run, or a Git revision or the name of a DVC experiment.
        this: the run in the working directory.

    Raises:
        InputError: where it is neither, or a file of it is missing.
    """
    folder = Path(against)
    if (folder / paths.PARAMS).is_file():
        yield ComparedRun.read(against, folder)
        return
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        try:
            fetch(against, root, this)
            yield ComparedRun.read(against, root)
        except InputError as error:  # the user knows the revision, not where its files are for the moment
            raise InputError(str(error).replace(f"{root}/", f"{against}: ")) from error


def fetch(revision: str, root: Path, this: ComparedRun) -> None:
    """Copy what is compared from a revision's parameters and outputs.

    Raises:
        InputError: for an unknown revision, or an output that is not in DVC's cache.
    """
    from dvc.api import DVCFileSystem

    files = DVCFileSystem(rev=revision)
    copy(files, paths.PARAMS, root, revision)
    for dataset, model in this.common(ComparedRun.read(revision, root)):
        for path in (paths.predictions(dataset, model), paths.card(dataset), paths.cohort(dataset)):
            copy(files, path, root, revision)
        explanations = paths.explanations(dataset, model)
        with reading(explanations, revision):
            there = {Path(name).name for name in files.ls(explanations.as_posix(), detail=False)}
        for name in READINGS:
            if f"{name}.parquet" in there:  # not every method applies to every model
                copy(files, explanations / f"{name}.parquet", root, revision)


def copy(files: "DVCFileSystem", path: Path, root: Path, revision: str) -> None:
    """Copy a file from a revision to its place below a root.

    Raises:
        InputError: for an unknown revision, or a file that is not there.
    """
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with reading(path, revision):
        files.get_file(path.as_posix(), str(target))


@contextmanager
def reading(path: Path, revision: str) -> Iterator[None]:
    """Turn what DVC raises into an InputError: the revision is looked up when something of it is first read.

    Args:
        path: that is read.
        revision: at which.

    Raises:
        InputError: for an unknown revision, or a path that is not there.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.scm import SCMError
    from dvc_data.index import DataIndexDirError

    try:
        yield
    except (SCMError, NotDvcRepoError) as error:
        raise InputError(
            f"{revision} is neither a folder with {paths.PARAMS}, nor a Git revision or DVC experiment of this project "
            f"({error}): `git log` and `dvc exp list --all` name them"
        ) from error
    except (OSError, DvcException, DataIndexDirError) as error:
        raise InputError(
            f"{path} of {revision} is not in DVC's cache: it was never made, or made on another machine, or removed by "
            f"`dvc gc`. Make it again in a clone (`git checkout {revision}`, `dvc repro`), and give the clone's folder"
        ) from error
