"""What every stage's command line shares: --help, and one clear line instead of a traceback."""

import errno
import inspect
import io
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from i2moe.base.errors import InputError, first_line
from stages.shared.base.guard import guarded
from stages.shared.base.later import LATER, put_off

# Before torch is imported: by default, threads that wait spin for so long that a second program on the machine makes
# small models ten times slower. Spinning a little less costs nothing on an idle machine.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

Dataset = Annotated[str, typer.Argument(help="a name of run.datasets")]
Model = Annotated[str, typer.Argument(help="a name under models.DATASET")]

INTERRUPTED = 130  # exit code of a program that Ctrl-C stopped
FULL = "the disk has no room left: free some, then run again"
FAILING = "the disk, or the network that it is on, fails: see to it, or move the project to another, then run again"
MEMORY = (
    "not enough memory ({}): end other programs, or lower run.max_batch_size or the number of run.seeds; then run "
    "again, it goes on where it was"
)
REMEDIES = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: "your share of the disk is used up: free some of it, then run again",
    errno.EFBIG: "files may not be that large here (`ulimit -f`): raise the limit, then run again",
    errno.EIO: FAILING,
    errno.ESTALE: FAILING,
    errno.EMFILE: "a program may not open that many files here (`ulimit -n`): raise the limit, then run again",
    errno.EROFS: "the folder is read-only: let this user write there, then run again",
    errno.EACCES: "this user may not do that: give the right to read and write there, then run again",
    errno.EPERM: "this user may not do that: give the right to read and write there, then run again",
}
# How PyTorch and others word it in errors without a type of their own.
NO_MEMORY = re.compile(
    r"(not enough|can't allocate|cannot allocate|out of) memory|bad.alloc|failed to map segment|can't start new thread",
    re.IGNORECASE,
)
OF_CODE = re.compile(r"\n\n(?:Args|Raises):\n")  # what a docstring says to readers of the code alone
NO_ROOM = re.compile(r"PytorchStreamWriter failed|file write failed|unexpected pos")


def run(stage: Callable[..., None], rank: Callable[[], int] = lambda: 0) -> None:
    """Run a stage function as a command; what a user can mend ends in one line and exit code 1, Ctrl-C in 130.

    Args:
        stage: the function.
        rank: returns which one this process is of several that run the stage together.
    """
    put_off(LATER)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a sign that the terminal lacks is no reason to fail
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=OF_CODE.split(inspect.getdoc(stage) or "")[0])(guarded(stage, rank))
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
