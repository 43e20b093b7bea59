"""What guards a stage's command: one run at a time, none without the DVC that started it, one version of its files."""

import functools
import hashlib
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from i2moe.base.errors import InputError, numbered

PARENT = os.getppid()  # asked for before it can be gone
WATCH_SECONDS = 0.5  # between looks at whether it still runs
DVC_FOLDER = Path(".dvc")
LEFT = re.compile(r"\.DS_Store|\..*\.sw.|.*~")  # by file managers and editors


def guarded(stage: Callable[..., None], rank: Callable[[], int]) -> Callable[..., None]:
    """Let a stage run alone, and of one version of its files.

    Args:
        stage: the function.
        rank: returns which one this process is of those that run the stage together; the first, 0, is guarded, and
            the others end with who started them.
    """

    @functools.wraps(stage)
    def call(*arguments: Any, **options: Any) -> None:  # noqa: ANN401 (as the stage's)
        if rank():
            end_with([PARENT])
            stage(*arguments, **options)
            return
        with _alone():
            locks = _locks()
            started_by = _up_to_dvc(locks)
            if "DVC_STAGE" in os.environ:
                end_with(started_by)  # who runs DVC again must not meet this process
            paths = _dependencies(locks, started_by[-1])
            before = _states(paths)
            stage(*arguments, **options)
            _require_unchanged(paths, before, _states(paths))
            if paths:
                _leave()

    return call


def _leave() -> None:
    """Let DVC hash the files at once: Python would tidy up first, for up to a second in which they could change."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep a command from running twice at once in a project, since both would write the same files.

    Raises:
        InputError: where it runs.
    """
    from filelock import FileLock, Timeout

    spec = sys.modules["__main__"].__spec__
    if spec is None or not DVC_FOLDER.is_dir():
        yield
        return
    command = " ".join([spec.name.removesuffix(".__main__"), *sys.argv[1:]])
    key = hashlib.blake2b(command.encode(errors="surrogateescape"), digest_size=8).hexdigest()
    lock = DVC_FOLDER / "tmp/stages" / f"{re.sub(r'[^A-Za-z0-9]+', '-', command)[:100]}-{key}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout as error:
        raise InputError(f"`python -m {command}` runs here already: wait until it has ended, then run again") from error


def end_with(ancestors: list[int]) -> None:
    """Let this process end when one of those that started it does, even if that is killed.

    Args:
        ancestors: process ids: the parent, its parent and so on.
    """

    def watch() -> None:
        while _are_ancestors(ancestors):
            time.sleep(WATCH_SECONDS)
        os._exit(1)  # `sys.exit` would only end this thread

    threading.Thread(target=watch, daemon=True).start()


def _are_ancestors(pids: list[int]) -> bool:
    """Return whether these are still the parent, its parent and so on. Who is above them may end."""
    import psutil

    try:
        return [os.getppid(), *(psutil.Process(pid).ppid() for pid in pids[:-1])] == pids
    except psutil.NoSuchProcess:
        return False


class Locks(NamedTuple):
    """By which DVC keeps its runs apart: the ids of its processes that read and write each path."""

    read: dict[str, set[int]]
    write: dict[str, int]


def _locks() -> Locks:
    """Return the locks of all runs of DVC; none while it does not run, or writes them."""
    try:
        locks = json.loads((DVC_FOLDER / "tmp/rwlock").read_bytes())
        return Locks(
            read={path: {reader["pid"] for reader in readers} for path, readers in locks["read"].items()},
            write={path: writer["pid"] for path, writer in locks["write"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return Locks({}, {})


def _up_to_dvc(locks: Locks) -> list[int]:
    """Return the process ids of those that started this one, up to DVC; the parent where none is DVC.

    There is a shell between, unless it makes way for the last of its commands: bash does, others do not.
    """
    import psutil

    ancestors = []
    with suppress(psutil.Error, OSError):  # one has just ended, or there is no /proc
        process = psutil.Process().parent()
        while process:
            ancestors.append(process.pid)
            if process.pid in locks.write.values():
                return ancestors
            process = process.parent()
    return [PARENT]


def _dependencies(locks: Locks, dvc: int) -> list[Path]:
    """Return the files and folders that the running stage depends on; none of a stage run by hand.

    DVC hashes them again when the stage has ended, and takes the result for what its outputs were made of.
    """
    return [Path(path) for path, readers in locks.read.items() if dvc in readers and path not in locks.write]


def _states(paths: list[Path]) -> dict[str, tuple[int, ...]]:
    """Return what tells a version of each file, by its path."""
    return {str(file): _state(file) for path in paths for file in _files(path)}


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or those in a folder but for what .dvcignore leaves out."""
    if path.is_file():
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(folder) / name for name in names if not LEFT.fullmatch(name))


def _state(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:  # removed, or a link to nothing
        return ()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _require_unchanged(
    paths: list[Path], before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]]
) -> None:
    """Refuse a result that may be of two versions of a file.

    Args:
        paths: the stage's dependencies.
        before: the states of their files when it began.
        after: those when it ended.

    Raises:
        InputError: naming the first file that changed, came or went; in a folder of data by its number.
    """
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if changed:
        first = Path(os.path.relpath(changed[0]))
        name = first if Path(changed[0]) in paths or first.suffix == ".py" else numbered(first)
        raise InputError(
            f"{name} changed while the stage ran, so that what it wrote may be of neither version: run again"
        )
