"""Foreign HDF5 files, which can crash the HDF5 library, hold it for ever, or name other files and endless arrays."""

import math
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from i2moe.base.errors import InputError
from i2moe.contract.unpacking import allowed, check_unpacked
from stages.shared.processes import START

if TYPE_CHECKING:
    import h5py

SECONDS = 0.5  # of the processor, for a file of any size
TEXTS, BYTES_PER_TEXT = "SUO", 64  # kinds of NumPy's dtypes, whose values become texts of Python's
BYTES_PER_SECOND = 2**20  # and one more for so many bytes, of which it reads and unpacks a hundred times as many


def try_out(path: Path, read: Callable[[], object]) -> None:
    """Read a file in a child process whose time on the processor and memory are limited, and forget what was read.

    Python cannot interrupt a library that never returns, and a text that is stored once may be meant often. What else
    fails with an exception is left to the caller, who reads the same again.

    Args:
        path: of the file.
        read: does what the caller is about to do; a module's function, or `partial` of one.

    Raises:
        InputError: when the child's time or memory ends, or the library crashes it.
    """
    seconds = SECONDS + path.stat().st_size / BYTES_PER_SECOND
    start: Any = multiprocessing.get_context(START).Process  # type: ignore[attr-defined]  # of every context
    memory = allowed(path.stat().st_size)
    child = start(target=_read, args=(read, seconds, memory), daemon=True)
    child.start()
    child.join()
    if child.exitcode:
        raise InputError(
            f"{path} is broken: it crashes the HDF5 library, keeps it busy for more than {math.ceil(seconds)} s, or "
            f"needs more than {memory / 1e6:.0f} MB: download or save it again"
        )


def _read(read: Callable[[], object], seconds: float, memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent, which Ctrl-C reaches too, ends this process
    if sys.platform != "win32":  # which has no such limits
        import resource

        limit = math.ceil(time.process_time() + seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # elsewhere addresses are no measure of memory
        held = psutil.Process().memory_info().vms
        resource.setrlimit(resource.RLIMIT_AS, (held + memory, held + memory))
    try:
        read()
    except Exception as error:  # noqa: BLE001 (the caller meets all others again)
        if isinstance(error, MemoryError) or "allocat" in str(error):  # of the HDF5 library
            sys.exit(1)


def check_stored(path: Path, datasets: "Mapping[str, h5py.Dataset]") -> None:
    """Refuse arrays that are in another file, which HDF5 can name, or that the file is too small to hold.

    Raises:
        InputError: naming the array, or how large they all are.
    """
    for name, own in datasets.items():
        if own.file.filename != str(path) or own.external or own.is_virtual:
            raise InputError(f"{path}: {name} is in another file: save the array itself")
    texts = sum(own.size for own in datasets.values() if own.dtype.kind in TEXTS)
    check_unpacked(path, sum(own.nbytes for own in datasets.values()) + BYTES_PER_TEXT * texts)
