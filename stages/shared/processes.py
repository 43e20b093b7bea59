"""Calls side by side, each in a process of its own; one that the parent starts ends with it, even when it is killed."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from i2moe.base.errors import InputError
from stages.shared.base.later import LATER, put_off

# A fork has what its parent imported. Elsewhere than on Linux, libraries do not bear it.
START = "fork" if sys.platform == "linux" else "spawn"


def side_by_side(function: Callable[..., None], calls: Sequence[tuple[Any, ...]], at_once: int) -> None:
    """Call a function with each of the arguments, some at once.

    Every call ends, also where one fails. The parent must not have used torch's threads before, which a fork lacks.

    Raises:
        InputError: that of the first call that fails so, or when the system ended a process.
    """
    context = multiprocessing.get_context(START)
    with ProcessPoolExecutor(min(len(calls), at_once), mp_context=context, initializer=_begin) as pool:
        futures = [pool.submit(function, *arguments) for arguments in calls]
        try:
            for future in futures:
                future.result()
        except BrokenProcessPool as error:
            raise InputError(
                "a process was ended from outside, perhaps for want of memory: run again, it goes on where it was; if "
                "that ends too, lower run.max_batch_size or the number of run.seeds"
            ) from error
        except KeyboardInterrupt:
            for process in multiprocessing.active_children():
                process.kill()  # what they keep, they write whole
            raise


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent, which Ctrl-C reaches too, ends them
    put_off(LATER)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 (only processes of a pool begin so)
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)  # `sys.exit` would only end this thread
