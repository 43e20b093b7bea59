"""What every stage's command line shares: --help, one run at a time, and one clear line instead of a traceback."""

import errno
import functools
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from i2moe.base.errors import InputError, first_line
from stages.shared.base.later import LATER, put_off

# Before torch is imported: by default, threads that wait spin for so long that a second program on the machine makes
# small models ten times slower. Spinning a little less costs nothing on an idle machine.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

Dataset = Annotated[str, typer.Argument(help="a name of run.datasets")]
Model = Annotated[str, typer.Argument(help="a name under models.DATASET")]

PARENT = os.getppid()  # of a stage DVC, asked for before it can be gone
INTERRUPTED = 130  # exit code of a program that Ctrl-C stopped
WATCH_SECONDS = 0.5  # between looks at whether DVC still runs
DVC_FOLDER = Path(".dvc")
FULL = "the disk has no room left: free some, then run again"
MEMORY = (
    "not enough memory ({}): end other programs, or lower run.max_batch_size or the number of run.seeds; then run "
    "again, it goes on where it was"
)
REMEDIES = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: "your share of the disk is used up: free some of it, then run again",
    errno.EFBIG: "files may not be that large here (`ulimit -f`): raise the limit, then run again",
    errno.EROFS: "the folder is read-only: let this user write there, then run again",
    errno.EACCES: "this user may not do that: give the right to read and write there, then run again",
    errno.EPERM: "this user may not do that: give the right to read and write there, then run again",
}
# How PyTorch and others word it in errors without a type of their own.
NO_MEMORY = re.compile(
    r"(not enough|can't allocate|cannot allocate|out of) memory|bad.alloc|failed to map segment|can't start new thread",
    re.IGNORECASE,
)
NO_ROOM = re.compile(r"PytorchStreamWriter failed|file write failed|unexpected pos")


def run(stage: Callable[..., None]) -> None:
    """Run a stage function as a command; what a user can mend ends in one line and exit code 1, Ctrl-C in 130."""
    put_off(LATER)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(_guarded(stage))
    interrupted = _catch_interrupts()
    try:
        app()
    except BaseException as error:
        if interrupted.is_set():
            print(f"{_new_line()}stopped by Ctrl-C: run again, it goes on where it was", file=sys.stderr)
            sys.exit(INTERRUPTED)
        if (words := _in_words(error)) is None:
            raise
        sys.exit(f"{_new_line()}error: {words}")


def _new_line() -> str:
    """Return what ends the line of a bar, where there may be one."""
    return "\n" if "tqdm" in sys.modules else ""


def _in_words(error: BaseException) -> str | None:
    """Say what a user can mend; nothing of an error of the code."""
    if isinstance(error, InputError):
        return str(error)
    if not isinstance(error, Exception):
        return None
    is_worded = isinstance(error, RuntimeError | ImportError) and NO_MEMORY.search(str(error))
    if isinstance(error, MemoryError) or is_worded or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return MEMORY.format(first_line(error))
    if isinstance(error, OSError) and error.errno in REMEDIES:
        return f"{error.filename or _fullest()}: {error.strerror}: {REMEDIES[error.errno]}"
    if isinstance(error, RuntimeError) and NO_ROOM.search(str(error)):
        return f"{_fullest()}: {first_line(error)}: {FULL}"
    return None


def _fullest() -> Path:
    """Return the folder with the least room of those that a stage writes to, where an error names no file."""
    folders = [Path.cwd(), *map(Path, ("data", "results", "reports")), Path(tempfile.gettempdir())]
    return min(filter(Path.is_dir, folders), key=lambda folder: shutil.disk_usage(folder).free)


def _catch_interrupts() -> threading.Event:
    """Note a Ctrl-C, for libraries turn it into an exit like any other."""
    interrupted = threading.Event()

    def note(*_: object) -> None:
        interrupted.set()
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, note)
    return interrupted


def _guarded(stage: Callable[..., None]) -> Callable[..., None]:
    """Let a stage run alone, and of one version of its files."""

    @functools.wraps(stage)
    def call(*arguments: Any, **options: Any) -> None:  # noqa: ANN401 (as the stage's)
        if not is_first_process():
            stage(*arguments, **options)
            return
        with _alone():
            _end_with_dvc()
            paths = _dependencies()
            before = _states(paths)
            stage(*arguments, **options)
            _require_unchanged(before, _states(paths))
            if paths:
                _leave()

    return call


def _leave() -> None:
    """Let DVC hash the files at once: Python would tidy up first, for up to a second in which they could change."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def is_first_process() -> bool:
    """Return whether no other process of the same run started this one, for a further device or machine."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


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
    lock = DVC_FOLDER / "tmp/stages" / f"{re.sub(r'[^A-Za-z0-9]+', '-', command)[:200]}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout as error:
        raise InputError(f"`python -m {command}` runs here already: wait until it has ended, then run again") from error


def _end_with_dvc() -> None:
    """End this process once the DVC that started it is gone: who runs DVC again must not meet it."""
    if "DVC_STAGE" not in os.environ:
        return

    def watch() -> None:
        while os.getppid() == PARENT:
            time.sleep(WATCH_SECONDS)
        os._exit(1)  # `sys.exit` would only end this thread

    threading.Thread(target=watch, daemon=True).start()


def _dependencies() -> list[Path]:
    """Return the files and folders that the running stage depends on; none of a stage run by hand.

    DVC hashes them again when the stage has ended, and takes the result for what its outputs were made of. It lists
    them in the file by which it keeps two runs apart.
    """
    try:
        locks = json.loads((DVC_FOLDER / "tmp/rwlock").read_bytes())
        read = {path for path, readers in locks["read"].items() if any(one["pid"] == PARENT for one in readers)}
        return [Path(path) for path in read - set(locks["write"])]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _states(paths: list[Path]) -> dict[str, tuple[int, ...]]:
    """Return what tells a version of each file, by its path."""
    return {str(file): _state(file) for path in paths for file in _files(path)}


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(folder) / name for name in names)


def _state(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:  # removed, or a link to nothing
        return ()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _require_unchanged(before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]]) -> None:
    """Refuse a result that may be of two versions of a file.

    Raises:
        InputError: naming the first file that changed, came or went.
    """
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if changed:
        raise InputError(
            f"{os.path.relpath(changed[0])} changed while the stage ran, so that what it wrote may be of neither "
            "version: run again"
        )
