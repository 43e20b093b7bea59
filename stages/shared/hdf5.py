"""Foreign HDF5 files, which can crash the HDF5 library, hold it for ever, or name other files and endless arrays."""

import math
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from i2moe.base.errors import InputError
from i2moe.contract.reading import check_unpacked
from stages.shared.processes import START

if TYPE_CHECKING:
    import h5py

SECONDS = 0.5  # of the processor, for a file of any size
BYTES_PER_SECOND = 2**20  # and one more for so many bytes, of which it reads and unpacks a hundred times as many


def try_out(path: Path, read: Callable[[], object]) -> None:
    """Read a file in a child process whose time on the processor is limited, and forget what was read.

    Python cannot interrupt a library that never returns. What fails with an exception is left to the caller, who reads
    the same again.

    Args:
        path: of the file.
        read: does what the caller is about to do; a module's function, or `partial` of one.

    Raises:
        InputError: when the child's time ends, or the library crashes it.
    """
    seconds = SECONDS + path.stat().st_size / BYTES_PER_SECOND
    start: Any = multiprocessing.get_context(START).Process  # type: ignore[attr-defined]  # of every context
    child = start(target=_read, args=(read, seconds), daemon=True)
    child.start()
    child.join()
    if child.exitcode:
        raise InputError(
            f"{path} is broken: it crashes the HDF5 library, or keeps it busy for more than {math.ceil(seconds)} s: "
            "download or save it again"
        )


def _read(read: Callable[[], object], seconds: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent, which Ctrl-C reaches too, ends this process
    if sys.platform != "win32":  # which has no such limits
        import resource

        limit = math.ceil(time.process_time() + seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(Exception):
        read()


def check_stored(path: Path, datasets: "Mapping[str, h5py.Dataset]") -> None:
    """Refuse arrays that are in another file, which HDF5 can name, or that the file is too small to hold.

    Raises:
        InputError: naming the array, or how large they all are.
    """
    for name, own in datasets.items():
        if own.file.filename != str(path) or own.external or own.is_virtual:
            raise InputError(f"{path}: {name} is in another file: save the array itself")
    check_unpacked(path, sum(own.nbytes for own in datasets.values()))
