"""Share a run through a DVC remote: what is open or synthetic, and nothing else.

Every output is `push: false`, so that DVC's own `push` sends nothing, whatever its options. Only this sends, and it
looks at each dataset's licence, in a cohort that is up to date.
"""

from enum import StrEnum
from logging import ERROR, getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from i2moe.base.errors import InputError
from i2moe.contract.descriptions import CohortDescription
from i2moe.contract.planted import read_planted
from stages.settings.params import Params, load_params
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.outputs import owner

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo
    from dvc.stage import Stage

REPORT = "report"


class Direction(StrEnum):
    """Where to."""

    PUSH = "push"
    PULL = "pull"


def share(
    direction: Annotated[Direction, typer.Argument(help="push to the remote, or pull from it")],
    remote: Annotated[str, typer.Argument(help="its name, as `dvc remote add` gave it")],
) -> None:
    """Push what was made of each open or synthetic dataset of `run.datasets`, or pull what others pushed.

    Raises:
        InputError: for an unknown remote, or when DVC runs.
    """
    from dvc.config import ConfigError
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.lock import LockError
    from dvc.repo import Repo, lock_repo

    params = load_params()
    getLogger("dvc").setLevel(ERROR)  # it warns of each file that a remote does not have
    try:
        repo = Repo()
        repo.cloud.get_remote_odb(remote)
        with lock_repo(repo):
            (push if direction is Direction.PUSH else pull)(repo, remote, params)
    except NotDvcRepoError as error:
        raise InputError("there is no .dvc here: run this in the project's root") from error
    except ConfigError as error:
        raise InputError(f"{remote}: {error}: `dvc remote add {remote} URL` names a remote") from error
    except LockError as error:
        raise InputError("DVC runs: try again when it has ended") from error
    except DvcException as error:
        raise InputError(f"{remote}: {error}") from error


def push(repo: "Repo", remote: str, params: Params) -> None:
    """Send the outputs of each dataset that may be shared; say of every other why not."""
    refused = []
    for dataset in params.run.datasets:
        stages = stages_of(repo, dataset)
        if reason := out_of_date(repo, stages) or restriction(dataset, params):
            refused.append(dataset)
            print(f"{dataset}: stays here: {reason}")
        else:
            print(f"{dataset}: {transfer(repo, outputs_of(stages, dataset), remote, Direction.PUSH)}")
    if reason := f"it shows {', '.join(refused)}" if refused else out_of_date(repo, repo.stage.collect(REPORT)):
        print(f"{REPORT}: stays here: {reason}")
    else:
        print(f"{REPORT}: {transfer(repo, report_of(repo), remote, Direction.PUSH)}")


def out_of_date(repo: "Repo", stages: list["Stage"]) -> str | None:
    """Return which of some stages is not up to date, or nothing.

    What DVC finds changed is never sent: only then is all of it made of the cohort whose licence is read.
    """
    changed = repo.status(targets=[stage.addressing for stage in stages])
    return f"{min(changed)} is not up to date: run `dvc repro`" if changed else None


def restriction(dataset: str, params: Params) -> str | None:
    """Return why a dataset may not be shared by its licence, or nothing.

    It is open only where its settings and its cohort both say so: what a file says can be edited.
    """
    cohort = CohortDescription.read(paths.cohort(dataset).with_suffix(".json"))
    raw = Path(params.data.raw()[dataset])
    is_synthetic = params.is_synthetic(dataset) and cohort.planted is not None and read_planted(raw) is not None
    is_open = cohort.licence == params.data.blocks()[dataset].licence == "open"
    return None if is_open or is_synthetic else "its licence is restricted"


def pull(repo: "Repo", remote: str, params: Params) -> None:
    """Fetch the outputs that the lock files name, and put them where they belong; say what the remote does not have."""
    wanted = {dataset: outputs_of(stages_of(repo, dataset), dataset) for dataset in params.run.datasets}
    for name, outputs in {**wanted, REPORT: report_of(repo)}.items():
        print(f"{name}: {transfer(repo, outputs, remote, Direction.PULL)}")
        if here := [output.fs_path for output in outputs if not output.changed_cache()]:
            repo.checkout(targets=here)


def stages_of(repo: "Repo", dataset: str) -> list["Stage"]:
    """Return the stages that made a dataset's results, and all that they follow from."""
    ends = [stage for stage in repo.index.stages if any(is_result(output, dataset) for output in stage.outs)]
    found = [stage for end in ends for stage in repo.stage.collect(end.addressing, with_deps=True)]
    return list({stage.addressing: stage for stage in found}.values())


def is_result(output: "Output", dataset: str) -> bool:
    """Return whether an output is a dataset's, and under results/."""
    path = place(output)
    return path.parts[0] == "results" and owner(path) == dataset


def outputs_of(stages: list["Stage"], dataset: str) -> list["Output"]:
    """Return the outputs of a dataset that were made, and are in DVC's cache rather than in git."""
    outputs = [output for stage in stages for output in stage.outs if output.use_cache and output.hash_info]
    return [output for output in outputs if owner(place(output)) == dataset]


def report_of(repo: "Repo") -> list["Output"]:
    """Return the report, where one was made."""
    return [output for output in repo.index.outs if place(output) == paths.REPORTS and output.hash_info]


def place(output: "Output") -> Path:
    """Return an output's path from the project's root."""
    return Path(output.fs_path).relative_to(output.repo.root_dir)


def transfer(repo: "Repo", outputs: list["Output"], remote: str, direction: Direction) -> str:
    """Send or fetch outputs; return what became of them.

    Raises:
        InputError: where not all could be sent.
    """
    used = [output.get_used_objs(remote=remote, force=True) for output in outputs]
    hashes = {own for by_store in used for objects in by_store.values() for own in objects}
    result = getattr(repo.cloud, direction)(hashes, remote=remote)
    whole = sum(not output.changed_cache() for output in outputs)
    if direction is Direction.PULL:
        return f"{whole} of {len(outputs)} outputs are here" + (
            "" if whole == len(outputs) else "; nobody pushed the rest"
        )
    if result.failed or whole < len(outputs):
        raise InputError(
            f"{remote} did not get all files: {len(result.failed)} failed, {len(outputs) - whole} outputs are not in "
            "DVC's cache; start it again, after `dvc repro` if the cache lacks any"
        )
    return f"the remote has all {len(hashes)} files, {len(result.transferred)} of them new"


if __name__ == "__main__":
    run(share)
