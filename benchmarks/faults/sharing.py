"""A push and a pull that are killed."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults.outcomes import Outcome, judge
from benchmarks.faults.project import Done, Project, kill_all

MOMENTS = 4  # of a transfer


def transfers(undisturbed: Project, folder: Path) -> Iterator[Outcome]:
    """Kill a push to a folder and a pull from it, each at several moments."""
    project, remote = undisturbed.copy(folder / "push"), folder / "remote"
    project.must("dvc", "remote", "add", "--local", "--default", "team", str(remote))
    push = ("python", "-m", "stages.share", "push", "team")
    for number in range(MOMENTS):
        _kill_after(project, push, remote, number)
    project.must(*push)
    pushed = judge("`stages.share push` killed, and repeated", project, undisturbed, Done(-9, ""), said="(killed)")

    whole = folder / "whole"
    other = undisturbed.copy(folder / "whole-push")
    other.must("dvc", "remote", "add", "--local", "--default", "team", str(whole))
    other.must(*push)
    yield pushed if _contents(whole) == _contents(remote) else _differs(pushed)

    clone = undisturbed.copy(folder / "pull")
    for name in ("data/cohorts", "data/features", "data/synthetic", "data/examples", ".dvc/cache", "reports"):
        clone.must("rm", "-r", name)
    clone.must("bash", "-c", "rm -r results/[bcdeips]* results/m[eo]dels results/predictions 2>/dev/null; true")
    clone.must("dvc", "remote", "add", "--local", "--default", "team", str(remote))
    pull = ("python", "-m", "stages.share", "pull", "team")
    for number in range(MOMENTS):
        _kill_after(clone, pull, clone.folder / ".dvc/cache", number)
    clone.must(*pull)
    yield judge("`stages.share pull` killed, and repeated", clone, undisturbed, Done(-9, ""), said="(killed)")


def _kill_after(project: Project, command: tuple[str, ...], target: Path, number: int) -> None:
    """Kill a transfer once so many files more are there."""
    before = len(_contents(target))
    process = project.start(*command)
    while process.poll() is None and len(_contents(target)) < before + 1 + 7 * number:
        time.sleep(0.001)
    kill_all(process)


def _contents(remote: Path) -> dict[str, int]:
    found = {}
    for path in remote.rglob("*"):
        try:
            if path.is_file():
                found[str(path.relative_to(remote))] = path.stat().st_size
        except OSError:  # moved meanwhile
            continue
    return found


def _differs(outcome: Outcome) -> Outcome:
    return Outcome(outcome.fault, outcome.said, outcome.code, outcome.accepted, same=False, note="the remote differs")
