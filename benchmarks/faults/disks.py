"""Disks that are full, and folders that are read-only: mounted, which needs root."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.again import COHORT, FEATURES, TRAIN, forgotten
from benchmarks.faults.outcomes import Outcome, judge, message
from benchmarks.faults.project import OF_DVC, Done, Project

STEP = 2  # by which a disk grows after each refusal
LARGEST = 2**30  # bytes, which are enough
PAGE = os.sysconf("SC_PAGE_SIZE")
WHOLE = "."  # of the project


def can_mount() -> bool:
    """Return whether this user may mount."""
    return os.geteuid() == 0


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Callable[[int], None]]:
    """Let a folder be a disk of its own for so many bytes; give what makes it larger."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield lambda more: _mount("-o", f"remount,size={more}", str(folder))
    finally:
        _unmount(folder)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write into a folder, root included."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,ro,bind", str(folder))
        yield
    finally:
        _unmount(folder)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)  # noqa: S603, S607


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607


def full_disks(new: Project, undisturbed: Project, folder: Path) -> Iterator[Outcome]:
    """Run on a disk that is full, and a little larger after each refusal, until all is done.

    Args:
        new: a project that never ran.
        undisturbed: one that did.
        folder: for copies.
    """
    for name in ("data", "results", ".dvc/cache"):  # `reports` is an output, which DVC could not remove
        project = new.copy(folder / f"full-{Path(name).name.strip('.')}")
        with small_disk(project.folder / name, 2**16) as enlarge:
            yield _staircase(f"disk under `{name}/` full", project, undisturbed, 2**16, enlarge)
    size = sum(map(_taken, new.folder.rglob("*"))) * 5 // 4
    with small_disk(folder / "full", size) as enlarge:
        project = new.copy(folder / "full/project")
        yield _staircase("disk under the whole project full", project, undisturbed, size, enlarge)


def _taken(path: Path) -> int:
    """Return the bytes that a file takes of a disk in memory, which gives it whole pages."""
    return -(-path.stat().st_size // PAGE) * PAGE if path.is_file() else PAGE


def _staircase(
    fault: str, project: Project, undisturbed: Project, size: int, enlarge: Callable[[int], None]
) -> Outcome:
    right = undisturbed.done()
    said: dict[str, int] = {}
    wrong, silent, first = 0, 0, Done(0, "")
    while (done := project.repro()).code:
        first = first if first.code else done
        words = message(done, str(project.folder))
        said[words] = said.get(words, 0) + 1
        silent += not words or "Traceback" in done.said
        wrong += sum(text != right.get(name) for name, text in project.done().items())
        if size > LARGEST:
            raise RuntimeError(done.said[-3000:])
        size = int(size * STEP)
        enlarge(size)
    for words, count in said.items():
        print(f"  {fault}: {count} x {words}", flush=True)
    outcome = judge(fault, project, undisturbed, first)
    note = f"{silent} of them no message, or a traceback" if silent else outcome.note
    words = f"{outcome.said} ({sum(said.values())} refusals on the way)"
    return Outcome(fault, words, outcome.code, wrong + outcome.accepted, outcome.same, note)


def read_only_folders(undisturbed: Project, folder: Path) -> Iterator[Outcome]:
    """Run stages that write into folders nobody may write into."""
    for stage, name in (
        (COHORT, "data"),
        (FEATURES, "data/features"),
        (TRAIN, "results"),
        (TRAIN, "results/.training"),
        (FEATURES, ".dvc/cache"),
        (FEATURES, str(OF_DVC)),
        (FEATURES, WHOLE),
    ):
        project = forgotten(undisturbed, folder / f"read-only-{name.strip('.').replace('/', '-')}", stage)
        if name not in ("results/.training", ".dvc/cache", str(OF_DVC), WHOLE):
            project.must("dvc", "status")  # notes hashes while it may
        with read_only(project.folder / name):
            done = project.repro()
        yield judge(f"`{name}/` read-only", project, undisturbed, done)
