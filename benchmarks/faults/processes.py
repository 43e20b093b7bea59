"""Two runs at once, Ctrl-C, too little memory, and processes that the system ends."""

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.faults.again import COHORT, EXPLAIN, FEATURES, SCREENS, TRAIN, forgotten
from benchmarks.faults.outcomes import Outcome, judge
from benchmarks.faults.project import STAGE_LOCKS, Done, Project, end, is_alone, stages_of

if TYPE_CHECKING:
    import subprocess

BY_HAND = ("python", "-m", "stages.train", "wdbc", "fl-i2moe")
PATIENCE = 120.0  # seconds
MEMORY = 2**33  # bytes, of which a matrix of the large model takes six times as many


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so.

    Raises:
        RuntimeError: when that takes too long.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("what was waited for did not happen")
        time.sleep(0.01)


def has(project: Project, pattern: str) -> Callable[[], bool]:
    """Return what tells whether there is a file."""
    return lambda: any(project.folder.glob(pattern))


def until_stage(process: "subprocess.Popen[str]", name: str, said: list[str]) -> None:
    """Wait until DVC starts a stage.

    Raises:
        RuntimeError: when it does not.
    """
    if not any(stage == name for stage in stages_of(process, said)):
        raise RuntimeError(f"{name} did not run:\n{''.join(said)[-3000:]}")


def two_at_once(undisturbed: Project, folder: Path) -> Iterator[Outcome]:
    """Start a run beside a run: by DVC, and by hand."""
    project = forgotten(undisturbed, folder / "two-repro", TRAIN)
    first, said = project.start("dvc", "repro"), list[str]()
    until_stage(first, TRAIN, said)
    second = project.repro()
    both = end(first, said)
    yield _with_first("two `dvc repro` at once", project, undisturbed, second, both)

    project = forgotten(undisturbed, folder / "two-by-hand", TRAIN)
    first, said = project.start(*BY_HAND), []
    until(has(project, f"{STAGE_LOCKS}/*.lock"))
    until(has(project, "results/.training/wdbc/fl-i2moe/*/*/last.ckpt"))
    second = project.run(*BY_HAND)
    both = end(first, said)
    yield _with_first("a stage by hand, twice at once", project, undisturbed, second, both)


def _with_first(fault: str, project: Project, undisturbed: Project, second: Done, first: Done) -> Outcome:
    outcome = judge(fault, project, undisturbed, second)
    note = f"the first run ended with {first.code}" if first.code else outcome.note
    return Outcome(fault, outcome.said, outcome.code, outcome.accepted, outcome.same, note)


def interrupts(undisturbed: Project, folder: Path) -> Iterator[Outcome]:
    """Press Ctrl-C in stages of each kind."""
    for number, (stage, sign) in enumerate(
        {
            COHORT: None,
            FEATURES: None,
            SCREENS: "data/.images/*/keys.txt",
            TRAIN: "results/.training/wdbc/fl-i2moe/*/*/last.ckpt",
            EXPLAIN: "results/.explaining/wdbc/fl-i2moe/*/*/*",
        }.items()
    ):
        project = forgotten(undisturbed, folder / f"interrupted-{number}", stage)
        process, said = project.start("dvc", "repro"), list[str]()
        until_stage(process, stage, said)
        if sign is None:
            until(has(project, f"{STAGE_LOCKS}/*.lock"))
        else:
            until(has(project, sign))
        os.killpg(process.pid, signal.SIGINT)
        done = end(process, said)
        alone = is_alone(process)
        name = stage.rpartition(":")[2].partition("@")[0]
        outcome = judge(f"Ctrl-C in `{name}` ({stage.rpartition('@')[2]})", project, undisturbed, done)
        yield outcome if alone else _noted(outcome, "processes are left")


def _noted(outcome: Outcome, note: str) -> Outcome:
    return Outcome(outcome.fault, outcome.said, outcome.code, outcome.accepted, outcome.same, note)


def ended_by_the_system(undisturbed: Project, folder: Path) -> Iterator[Outcome]:
    """Kill one seed's process, and a whole stage, as the system does that runs out of memory."""
    project = forgotten(undisturbed, folder / "one-seed", TRAIN)
    process, said = project.start("dvc", "repro"), list[str]()
    until_stage(process, TRAIN, said)
    until(has(project, "results/.training/wdbc/fl-i2moe/*/*/last.ckpt"))
    training_of(process).children()[0].kill()
    yield judge("one seed's process ended by the system", project, undisturbed, end(process, said))

    project = forgotten(undisturbed, folder / "stage", TRAIN)
    process, said = project.start("dvc", "repro"), []
    until_stage(process, TRAIN, said)
    until(has(project, "results/.training/wdbc/fl-i2moe/*/*/last.ckpt"))
    training_of(process).kill()
    yield judge("a stage's process ended by the system", project, undisturbed, end(process, said))


def training_of(process: "subprocess.Popen[str]") -> psutil.Process:
    """Return the stage's process that a DVC started, whether or not a shell is between."""
    below = psutil.Process(process.pid).children(recursive=True)
    return next(child for child in below if child.cmdline()[1:] == list(BY_HAND[1:]))


def too_large(undisturbed: Project, folder: Path) -> Iterator[Outcome]:
    """Train a model that the memory does not hold, and then the one that there was."""
    project = forgotten(undisturbed, folder / "too-large", TRAIN)
    params = (project.folder / "params.yaml").read_bytes()
    project.change_params(lambda own: own["models"]["wdbc"]["defaults"].update(hidden_dim=65_536))
    done = project.run("dvc", "repro", before=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)))
    (project.folder / "params.yaml").write_bytes(params)
    project.must("dvc", "repro", "settings")  # whose outputs were right for the other ones
    yield judge("too little memory in `train`, then a smaller model", project, undisturbed, done)
