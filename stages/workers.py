"""Start a worker of DVC's queue for each device, so that queued experiments run side by side on GPUs of their own."""

import os
import re
import subprocess
import sys
import time
from typing import Annotated

import typer

from i2moe.base.errors import InputError
from stages.shared.base.command import run

Devices = Annotated[list[str], typer.Argument(help="of each worker, what CUDA_VISIBLE_DEVICES says: 0 1 2, or 0,1 2,3")]
DVC = [sys.executable, "-m", "dvc"]
WORKERS = re.compile(r"Worker status: (\d+) active, (\d+) idle")
PATIENCE = 120  # seconds in which a worker must answer


def workers(devices: Devices) -> None:
    """Start a worker of DVC's queue for each of the devices, as long as experiments wait for one.

    A worker, and all that it runs, sees its own devices alone. It ends when the queue is empty, like any of DVC's.

    Raises:
        InputError: where workers run already, nothing is queued, or a worker does not start.
    """
    running, queued = status()
    if running:
        raise InputError("workers of the queue are running: wait for them, or end them with `dvc queue stop`")
    if not queued:
        raise InputError("no experiment is queued: queue some with `dvc exp run --queue`")
    for number, own in enumerate(devices, start=1):
        # This starts one worker more than there are, and the others keep theirs: DVC gives them names by number.
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": own}
        started = subprocess.run([*DVC, "queue", "start", "--jobs", str(number)], env=environment, check=False)  # noqa: S603
        if started.returncode:
            raise InputError(f"worker {number} of the queue does not start: see what DVC says above")
        print(f"worker {number} of the queue has CUDA_VISIBLE_DEVICES={own}", flush=True)
        if not wait_for(number):
            break


def status() -> tuple[int, int]:
    """Return how many workers answer, and how many experiments wait for one.

    Raises:
        InputError: where DVC cannot say.
    """
    said = subprocess.run([*DVC, "queue", "status"], capture_output=True, encoding="utf-8", check=False)  # noqa: S603
    counts = WORKERS.search(said.stdout)
    if counts is None:
        raise InputError(f"`dvc queue status` says nothing of workers: {said.stderr.strip()}")
    return sum(map(int, counts.groups())), len(re.findall(r"Queued$", said.stdout, re.MULTILINE))


def wait_for(number: int) -> bool:
    """Wait until so many workers answer, for before that DVC would start the last one again.

    Returns:
        Whether there is anything left to do for another worker.

    Raises:
        InputError: if they do not answer.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        running, queued = status()
        if running >= number or not queued:
            return queued > 0
        time.sleep(1)
    raise InputError(f"worker {number} of the queue does not answer: see `dvc queue status`")


if __name__ == "__main__":
    run(workers)
