"""Remove all that was made of one dataset: its files, its objects in DVC's cache, its entries in lock files.

Raw files stay, but for synthetic ones. What git has of the dataset stays too: scores, and hashes in lock files.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import parse_yaml, read_params
from stages.shared.outputs import (
    REPORT,
    Objects,
    Output,
    git,
    known_outputs,
    lock_files,
    locked_stages,
    owner,
    run_entries,
    run_outputs,
)

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.repo.experiments.refs import ExpRefInfo

# Features of single images and texts by their content, whichever dataset they are of.
STORES = (paths.image_features(""), paths.text_features(""))
PAGES = (*REPORT, Path("against.html"), Path("against"), Path("dvc_plots"))  # which show several datasets
EXPERIMENTS = Path(".dvc", "tmp", "exps")  # where DVC runs queued and temporary ones
WORKERS = ("*/.dvc", "standalone/*/.dvc")  # of these, each with a project of its own


@dataclass(frozen=True)
class Found:
    """What there is of a dataset."""

    files: list[Path]  # files and folders of the project
    stages: dict[Path, list[str]]  # by lock file
    runs: list[Path]  # entries of DVC's run cache
    objects: list[Path]  # in DVC's cache
    shared: int  # objects that other datasets have too
    unknown: int  # objects of a cache of several projects, which nothing here names
    experiments: list["ExpRefInfo"]  # that ran this dataset alone
    others: list[str]  # names of experiments that ran further datasets


def forget(
    dataset: Annotated[str, typer.Argument(help="the dataset whose derived files are removed")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,  # noqa: FBT002 (an option)
) -> None:
    """Remove all that was made of a dataset, from the project's folder and from DVC's cache; raw files stay.

    Raises:
        InputError: for a dataset of which there is nothing, raw files among the derived ones, or while DVC runs.
    """
    with held() as repo:
        found = find(dataset, repo)
        print(describe(dataset, found))
        if not yes:
            typer.confirm("Remove them?", abort=True)
        count, size = remove(found, repo)
    print(f"removed {count} files, {size / 1e6:.1f} MB")
    if dataset in read_params().get("run", {}).get("datasets", []):
        print(f"run.datasets still names {dataset}: without it, `dvc repro` does not make all of this again")


@contextmanager
def held() -> Iterator["Repo"]:
    """Keep DVC from running meanwhile, here and in the folders of experiments.

    Raises:
        InputError: when it runs.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.lock import LockError
    from dvc.repo import Repo, lock_repo
    from dvc.rwlock import rwlock

    try:
        with ExitStack() as stack:
            for root in [*workers(), Path.cwd()]:
                stack.close()  # what nobody holds is of an experiment that was killed: nobody will
                repo = Repo(str(root))
                stack.enter_context(lock_repo(repo))
                written = [str(root / name) for name in ("data", "results", "reports")]
                stack.enter_context(rwlock(repo.tmp_dir, repo.fs, "stages.forget", [], written, hardlink=False))
            yield repo
    except NotDvcRepoError as error:
        raise InputError("there is no .dvc here: run this in the project's root") from error
    except LockError as error:
        raise InputError("DVC runs, here or in an experiment: try again when it has ended") from error
    except DvcException as error:  # a file of DVC's own, which a kill cut off
        raise InputError(f"{error}: docs/faults.md has the remedy") from error


def workers() -> list[Path]:
    """Return the folders of experiments outside of the project's own: those that run, and those that were killed."""
    return [path.parent.absolute() for pattern in WORKERS for path in EXPERIMENTS.glob(pattern)]


def find(dataset: str, repo: "Repo") -> Found:
    """Find all there is of a dataset.

    Raises:
        InputError: when there is nothing, or its raw files are among the derived ones.
    """
    cache = Path(repo.cache.legacy.path)
    objects, known = Objects(cache), known_outputs(cache / "runs")
    datasets = {output.dataset for output in known} | {owner(path) for path in project_files()}
    if dataset not in datasets:
        raise InputError(f"there is nothing of {dataset!r}; {nearest(dataset, sorted(filter(None, datasets)))}")
    shown = {output.md5 for output in known if output.path in REPORT and objects.names(output.md5, dataset)}
    own = {output.md5 for output in known if output.dataset == dataset} | shown
    others_own = {output.md5 for output in known if output.dataset != dataset and output.md5 not in shown}
    gone, kept = objects.whole(own), objects.whole(others_own)
    unknown = set(objects.files) - gone - kept
    is_own = cache.resolve().is_relative_to(Path.cwd())
    doomed = (gone - kept) | (unknown if is_own else set())
    alone, others = experiments(dataset, repo)
    return Found(
        files=derived_files(dataset),
        stages={path: names for path in lock_files() if (names := stages_of(dataset, shown, path))},
        runs=[path for path in run_entries(cache / "runs") if is_of(dataset, shown, run_outputs(path))],
        objects=[path for md5 in sorted(doomed) for path in objects.files.get(md5, [])],
        shared=len(gone & kept & set(objects.files)),
        unknown=0 if is_own else len(unknown),
        experiments=alone,
        others=others,
    )


def project_files() -> list[Path]:
    """Return what lies in the folders of outputs, where files and folders are named after datasets."""
    return [path for kind in ("data", "results") for path in sorted(Path(kind).glob("*/*"))]


def derived_files(dataset: str) -> list[Path]:
    """Return the files and folders that were made of a dataset, or may hold something of it.

    Raises:
        InputError: when raw files are among them.
    """
    found = [path for path in project_files() if owner(path) == dataset]
    raw = [Path(block["raw"]).absolute() for block in raw_blocks()]
    for path in found:
        own = path.absolute()
        if any(own.is_relative_to(one) or one.is_relative_to(own) for one in raw if not is_made(one)):
            raise InputError(
                f"{path} is named as what is made of {dataset}, but holds raw files: move them to data/raw"
            )
    pages = [path for path in PAGES if mentions(path, dataset)]
    return [*found, *pages, *(path for path in STORES if path.exists()), *workers()]


def raw_blocks() -> list[dict[str, str]]:
    """Return the settings of every dataset that has raw files."""
    data = read_params().get("data", {})
    blocks = [*data.get("tables", {}).values(), *data.values()]
    return [block for block in blocks if isinstance(block, dict) and isinstance(block.get("raw"), str)]


def is_made(raw: Path) -> bool:
    """Return whether raw files are synthetic, or examples: stages make them."""
    return any(raw.is_relative_to(folder.absolute()) for folder in (paths.synthetic(""), paths.EXAMPLES))


def mentions(path: Path, dataset: str) -> bool:
    """Return whether a file, or a file of a folder, has a dataset's name in its name or in its bytes."""
    files = [own for own in path.rglob("*") if own.is_file()] if path.is_dir() else [path]
    return any(dataset in own.name or dataset.encode() in own.read_bytes() for own in files if own.exists())


def stages_of(dataset: str, shown: set[str], path: Path) -> list[str]:
    """Return the stages of a lock file that are of a dataset, or whose report shows it."""
    stages = locked_stages(path.read_text(encoding="utf-8", errors="replace"), path)
    return [name for name, outputs in stages.items() if is_of(dataset, shown, outputs)]


def is_of(dataset: str, shown: set[str], outputs: Iterable[Output]) -> bool:
    """Return whether a stage made something of a dataset, or a report that shows it."""
    return any(output.dataset == dataset or (output.path in REPORT and output.md5 in shown) for output in outputs)


def experiments(dataset: str, repo: "Repo") -> tuple[list["ExpRefInfo"], list[str]]:
    """Return DVC's experiments that ran a dataset alone, and the names of those that ran further ones too.

    Raises:
        InputError: for an experiment whose parameters cannot be read.
    """
    from dvc.repo.experiments.utils import exp_refs
    from ruamel.yaml.error import YAMLError

    alone, others = [], []
    for ref in exp_refs(repo.scm):
        try:
            params = parse_yaml(git("show", f"{ref}:./{paths.PARAMS}").decode(), str(paths.PARAMS)) or {}
            datasets = params.get("run", {}).get("datasets", [])
        except (YAMLError, ValueError, RecursionError, AttributeError) as error:
            raise InputError(
                f"the {paths.PARAMS} of experiment {ref.name} cannot be read, so that it may have run {dataset}: "
                f"`dvc exp remove {ref.name}`, then run again"
            ) from error
        if datasets == [dataset]:
            alone.append(ref)
        elif dataset in datasets:
            others.append(ref.name)
    return alone, others


def describe(dataset: str, found: Found) -> str:
    """Return what is to be removed and what stays, a line each."""
    stages = sum(len(names) for names in found.stages.values())
    lines = [
        f"of {dataset}, to be removed:",
        f"  {len(found.files)} files and folders: {', '.join(str(path) for path in found.files)}",
        f"  {len(found.objects)} objects of DVC's cache; {found.shared} more stay, for other datasets have the same",
        f"  {stages} stages in {len(found.stages)} lock files, {len(found.runs)} entries of the run cache",
        f"  {len(found.experiments)} experiments on it alone",
        "what stays: raw files, params.yaml, and in git's history scores and hashes",
    ]
    if found.others:
        lines.append(
            f"  {len(found.others)} experiments on further datasets, with its scores: {', '.join(found.others)}"
        )
    if found.unknown:
        lines.append(
            f"  {found.unknown} objects of the shared cache that this project does not know: of other projects"
        )
    return "\n".join(lines)


def remove(found: Found, repo: "Repo") -> tuple[int, int]:
    """Remove what was found; return how many files that were, and their bytes."""
    from dvc.repo.experiments.utils import remove_exp_refs
    from dvc.utils.serialize import modify_yaml

    whole = [*found.files, *found.objects, *found.runs]
    files = {path for top in whole for path in [top, *top.rglob("*")] if not path.is_dir() or path.is_symlink()}
    sizes = {(stat.st_dev, stat.st_ino): stat.st_size for stat in map(os.lstat, files)}  # some have several names
    for path in whole:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    # Last, for a repetition after a kill finds the rest by it.
    for path, names in found.stages.items():
        with modify_yaml(path) as lock:
            for name in names:
                del lock["stages"][name]
    remove_exp_refs(repo.scm, found.experiments)
    return len(files), sum(sizes.values())


if __name__ == "__main__":
    run(forget)
