"""How long a seed's training and inference took, for the paper's Table 6.

Kept beside the weights in results/.training, in no output of a stage: two runs that are otherwise the same differ here.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from i2moe.base.errors import InputError
from i2moe.base.strict import Strict
from stages.shared.base import paths
from stages.shared.files import write_whole

if TYPE_CHECKING:
    from pytorch_lightning import Callback

FILE = "seconds.json"


class Seconds(Strict):
    """Of one seed; devices in words."""

    epochs: list[float] = Field(default_factory=list)  # training batches of each; of none that a kill interrupted
    trained_on: str = ""
    inference: float | None = None  # all test samples, from the disk to logits
    predicted_on: str = ""


def now() -> float:
    """Return a clock's seconds, once the GPU is done with what it was given."""
    import torch

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # else this process would open the GPU
        torch.cuda.synchronize()
    return time.perf_counter()


def device_name(kind: str) -> str:
    """Name a device of this kind (cpu, cuda, mps); a CPU with the number of PyTorch's threads."""
    import torch

    if kind == "cuda":
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'' if threads == 1 else 's'}" if kind == "cpu" else kind


def epoch_timer(folder: Path, device: str) -> "Callback":
    """Return what writes how long each epoch's training batches take, without validation and checkpoints."""
    from pytorch_lightning.callbacks import LambdaCallback

    started = 0.0

    def start(*_: Any) -> None:  # noqa: ANN401 (Lightning's trainer and module)
        nonlocal started
        started = now()

    def stop(trainer: Any, *_: Any) -> None:  # noqa: ANN401
        seconds = now() - started
        if trainer.is_global_zero:
            before = read(folder)
            epochs = before.epochs if before.trained_on == device else []
            write(folder, before.model_copy(update={"epochs": [*epochs, seconds], "trained_on": device}))

    return LambdaCallback(on_train_epoch_start=start, on_validation_start=stop)


def write_inference(folder: Path, seconds: float, device: str) -> None:
    """Add how long inference took to what is known of a training."""
    write(folder, read(folder).model_copy(update={"inference": seconds, "predicted_on": device}))


def write(folder: Path, seconds: Seconds) -> None:
    """Write the seconds of one seed."""
    write_whole(folder / FILE, lambda partial: partial.write_text(seconds.model_dump_json() + "\n", encoding="utf-8"))


def read(folder: Path) -> Seconds:
    """Read the seconds of one seed; nothing where nothing was measured.

    Raises:
        InputError: for a file that is something else.
    """
    path = folder / FILE
    try:
        return Seconds.model_validate_json(path.read_bytes()) if path.exists() else Seconds()
    except (ValidationError, OSError) as error:
        raise InputError(f"{path} is not what the train stage writes: delete it") from error


def of_model(dataset: str, model: str) -> list[Seconds]:
    """Read the seconds of all of a model's seeds that were measured here, sorted by seed."""
    return [read(path.parent) for path in sorted(paths.trainings(dataset, model).glob(f"*/*/{FILE}"))]
