"""A training on several devices has a process for each: which one this is, and how all of them end together.

The processes are started by Lightning, which runs the command of the first one again, or by torchrun, or by SLURM's
`srun`. `docs/scale.md` shows each.
"""

import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from i2moe.base.errors import InputError, first_line

if TYPE_CHECKING:
    import subprocess

    from pytorch_lightning import Callback

ENDING = threading.Lock()  # held by the one that says which process was lost
PATIENCE = 3.0  # seconds in which the first process finds out which other one is lost
LOST = "a process of a training on several devices was lost{why}: run again, it goes on where it was"


def rank_of(devices: int, num_nodes: int) -> int:
    """Return the number of this process among those of all nodes; 0 is the first one, which alone writes results.

    Args:
        devices: of each node.
        num_nodes: of the training.

    Raises:
        InputError: when torchrun or SLURM started another number of processes than the training has.
    """
    started = _started()
    if started is None:
        return int(os.environ.get("NODE_RANK", "0")) * devices + int(os.environ.get("LOCAL_RANK", "0"))
    program, rank, size = started
    if size == devices * num_nodes:
        return rank
    if devices * num_nodes == 1 and program == "SLURM":  # tasks that each train another model, say
        return 0
    raise InputError(
        f"{program} started {size} processes, but the training has {devices * num_nodes}, one for each device "
        f"(train.devices {devices} × train.num_nodes {num_nodes}): make these equal, see docs/scale.md"
    )


def check_start(devices: int, num_nodes: int) -> None:
    """Refuse a training on several nodes that nothing started on the others.

    Raises:
        InputError: when it would wait for processes that never come.
    """
    if num_nodes > 1 and _started() is None and "NODE_RANK" not in os.environ:
        raise InputError(
            f"train.num_nodes {num_nodes}: start {devices} processes on each node by srun or torchrun: docs/scale.md"
        )


def _started() -> tuple[str, int, int] | None:
    """Return what started a process for each device, the number of this one and of all; None if it was Lightning."""
    own = os.environ
    if "TORCHELASTIC_RUN_ID" in own:
        return "torchrun", int(own["RANK"]), int(own["WORLD_SIZE"])
    # As Lightning decides: jobs of these names are a person's shell, in which Lightning starts processes.
    if "SLURM_NTASKS" in own and own.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        return "SLURM", int(own.get("SLURM_PROCID", "0")), int(own["SLURM_NTASKS"])
    return None


def ends_together() -> "Callback":
    """Return what ends the first process, with one message, when one that Lightning started for it fails.

    Lightning by itself kills all without a word; and where GPUs wait for each other, nothing else would happen.
    """
    from pytorch_lightning.callbacks import LambdaCallback

    def start(trainer: "object", *_: object) -> None:
        others = getattr(trainer.strategy.launcher, "procs", [])  # type: ignore[attr-defined]
        for process in others:
            threading.Thread(target=_watch, args=(process, list(others)), daemon=True).start()

    return LambdaCallback(on_fit_start=start)


def _watch(process: "subprocess.Popen[bytes]", others: "list[subprocess.Popen[bytes]]") -> None:
    # Waiting, not polling: Lightning polls too, and who sees the end first has the last word.
    if process.wait() == 0 or not ENDING.acquire(blocking=False):
        return
    for other in others:
        other.kill()
    sys.stderr.write("\nerror: " + LOST.format(why=f" (exit status {process.returncode})") + "\n")
    sys.stderr.flush()
    os._exit(1)


def lost_process(error: Exception, rank: int) -> Exception:
    """Return what to raise for an error of a training on several devices: one message, where another one was lost."""
    from torch.distributed import DistError

    if not (isinstance(error, DistError) or "gloo" in str(error)):
        return error
    if rank:
        os._exit(1)  # the first process says it
    time.sleep(PATIENCE)  # who started the others knows more: see `_watch`
    return InputError(LOST.format(why=f" ({first_line(error)})"))
