"""Kill -9 in every stage: of all processes at once, in mid-write, and of DVC alone."""

import contextlib
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.faults.outcomes import Outcome, judge, message
from benchmarks.faults.project import RWLOCK, Done, Project, end, kill_all, stages_of

if TYPE_CHECKING:
    import subprocess

CUT_OFF = "Unable to read RWLock-file"
LOCK_FILE = re.compile(r"^'(\S*dvc\.lock)' (?:is invalid|validation failed)", re.MULTILINE)
RUNS_ALREADY = "runs here already: wait until it has ended"
LONGEST = 30.0  # seconds that a stage may take before it is killed anyway
Strike = Callable[["subprocess.Popen[str]", Project, float], None]


def durations(project: Project) -> dict[str, float]:
    """Run the pipeline; return how long each stage took, its entry in a lock file included."""
    process = project.start("dvc", "repro")
    said: list[str] = []
    starts = [(name, time.monotonic()) for name in stages_of(process, said)]
    done = end(process, said)
    if done.code:
        raise RuntimeError(done.said[-3000:])
    ends = [*(start for _, start in starts[1:]), time.monotonic()]
    return {name: stop - start for (name, start), stop in zip(starts, ends, strict=True)}


def kill_each(
    project: Project, seconds: dict[str, float], strike: Strike, seed: int, said_after: list[str]
) -> Iterator[str]:
    """Run the pipeline until each stage was killed once; yield the names of the stages.

    Args:
        project: where to.
        seconds: of each stage.
        strike: kills.
        seed: of the moments.
        said_after: gets what a repetition asks for, if it asks for anything.

    Raises:
        RuntimeError: when a run fails that was not killed.
    """
    rng = random.Random(seed)  # noqa: S311
    killed: set[str] = set()
    while True:
        process = project.start("dvc", "repro")
        said: list[str] = []
        for stage in stages_of(process, said):
            if stage not in killed:
                killed.add(stage)
                strike(process, project, rng.uniform(0, seconds.get(stage, 1.0)))
                yield stage
                break
        else:
            done = end(process, said)
            if not done.code:
                return
            if not mend(done, project):
                raise RuntimeError(f"after kills in {sorted(killed)}:\n{done.said[-3000:]}")
            said_after.append(message(done, str(project.folder)))


def mend(done: Done, project: Project) -> bool:
    """Do what a message asks for that a kill can leave; return whether there was such a message."""
    if RUNS_ALREADY in done.said:  # what DVC left ends by itself
        time.sleep(1)
    elif CUT_OFF in done.said:  # DVC was killed while it wrote this file
        (project.folder / RWLOCK).unlink()
    elif found := LOCK_FILE.search(done.said):  # likewise
        (project.folder / found[1]).unlink()
    else:
        return False
    return True


def at_random(process: "subprocess.Popen[str]", project: Project, delay: float) -> None:  # noqa: ARG001 (as all)
    """Kill all processes after some seconds."""
    time.sleep(delay)
    kill_all(process)


def in_mid_write(process: "subprocess.Popen[str]", project: Project, delay: float) -> None:
    """Kill all processes when a file is half written, or after twice the delay."""
    deadline = time.monotonic() + min(2 * delay + 1, LONGEST)
    while time.monotonic() < deadline and not half_written(project.folder):
        time.sleep(0.0005)
    kill_all(process)


def half_written(folder: Path) -> bool:
    """Return whether a file or folder is being written."""
    with contextlib.suppress(OSError):
        for top in ("data", "results", "reports"):
            for _, folders, names in os.walk(folder / top):
                if any(name.endswith((".partial", ".tmp")) for name in [*folders, *names]):
                    return True
    return False


def dvc_alone(process: "subprocess.Popen[str]", project: Project, delay: float) -> None:  # noqa: ARG001 (as all)
    """Kill DVC and leave the stage alone, on which the next run must not stumble."""
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


STRIKES: dict[str, Strike] = {
    "at a random moment": at_random,
    "as soon as a file is half written": in_mid_write,
    "of DVC alone, at a random moment": dvc_alone,
}


def kills(new: Project, undisturbed: Project, folder: Path, seconds: dict[str, float]) -> Iterator[Outcome]:
    """Kill each stage once in each way.

    Args:
        new: a project that never ran.
        undisturbed: one that did.
        folder: for copies.
        seconds: of each stage.
    """
    for number, (way, strike) in enumerate(STRIKES.items()):
        project = new.copy(folder / f"killed-{number}")
        wrong: set[str] = set()
        stages, asked = [], list[str]()
        for stage in kill_each(project, seconds, strike, number, asked):
            stages.append(stage)
            right = undisturbed.done()
            wrong |= {name for name, text in project.done().items() if text != right.get(name)}
        said = "(killed)" + "".join(f"; then {count} x {words}" for words, count in Counter(asked).items())
        outcome = judge(f"kill -9 {way} of each of {len(stages)} stages", project, undisturbed, Done(-9, ""), said=said)
        note = f"wrong: {sorted(wrong)}" if wrong else outcome.note
        yield replace(outcome, accepted=len(wrong) + outcome.accepted, note=note)
