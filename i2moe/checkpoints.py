"""What is kept of a training: the best and the last epoch, written whole, and read back as nothing but tensors."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.plugins.io import TorchCheckpointIO

from i2moe.base.errors import InputError, first_line
from i2moe.contract.unpacking import check_members
from i2moe.inference import read_tensors

MOMENTS = ("exp_avg", "exp_avg_sq")  # of Adam, for each parameter
Curves = list[dict[str, float]]  # a row per epoch: epoch, train_task_loss, validation_accuracy and the like


def kept_in(path: Path, **settings: Any) -> ModelCheckpoint:  # noqa: ANN401 (Lightning's)
    """Return what writes a checkpoint to this path after every epoch, or after the best ones where settings say so."""
    return ModelCheckpoint(
        path.parent, filename=path.stem, save_on_train_epoch_end=True, enable_version_counter=False, **settings
    )


class WholeCheckpoints(TorchCheckpointIO):
    """Moves a complete file into place. Lightning's own comes from the temporary folder, maybe on another disk."""

    def load_checkpoint(self, path: str | Path, *arguments: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401 (Lightning's)
        """Read a checkpoint, unless it unpacks to far more than it has."""
        check_members(Path(path))
        content: dict[str, Any] = super().load_checkpoint(path, *arguments, **options)
        return content

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ANN401, ARG002 (Lightning's)
        """Write a checkpoint whole or not at all."""
        partial = Path(f"{path}.partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            torch.save(checkpoint, stream)
        partial.replace(path)


@contextmanager
def going_on_from(checkpoint: Path, trainer: lightning.Trainer) -> Iterator[None]:
    """Name the checkpoint, if there is one, where training fails before it begins.

    Raises:
        InputError: for a checkpoint that is broken, or of another model.
    """
    started = _Started()
    trainer.callbacks.append(started)  # type: ignore[attr-defined]
    is_there = checkpoint.exists()
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # Lightning and PyTorch name many kinds of broken or foreign file
        if not is_there or started.is_set:
            raise
        raise InputError(
            f"training cannot go on from {checkpoint} ({first_line(error)}): {_anew(checkpoint)}"
        ) from error


class _Started(lightning.Callback):
    """Knows whether training has begun, with everything that a checkpoint holds in its place."""

    is_set = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:  # noqa: ARG002
        """Note it, once the optimizer and what keeps the best epoch have all that they need."""
        for optimizer in trainer.optimizers:
            if isinstance(optimizer, torch.optim.Adam):  # a strategy may wrap it in something else
                _check_optimizer(optimizer)
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint):
                _check_best(callback)
        self.is_set = True


def _check_optimizer(optimizer: torch.optim.Adam) -> None:
    """Refuse an optimizer whose settings or moments a checkpoint replaced by fewer, or by some of another kind.

    Raises:
        ValueError: naming the setting or moment.
    """
    for group in optimizer.param_groups:
        for name, default in optimizer.defaults.items():
            if name not in group or type(group[name]) is not type(default):
                raise ValueError(f"its optimizer has no {name}, or one of another type")
    for parameter, state in optimizer.state.items():
        for name in MOMENTS:
            if not isinstance(state.get(name), torch.Tensor) or state[name].shape != parameter.shape:
                raise ValueError(f"its optimizer has no {name} of a parameter, or one of another shape")


def _check_best(kept: ModelCheckpoint) -> None:
    """Refuse what a checkpoint says of the best epoch so far where it contradicts itself.

    Raises:
        ValueError: saying so.
    """
    best = kept.best_k_models
    if best and (
        kept.kth_best_model_path not in best or not all(isinstance(one, torch.Tensor) for one in best.values())
    ):
        raise ValueError("it does not say which epoch was the best")


def curves_of(checkpoint: Path) -> Curves:
    """Return the curves of all epochs up to a training checkpoint's.

    Raises:
        InputError: for a checkpoint that is missing or broken.
    """
    curves: Curves = _part(checkpoint, "curves", list)
    if not all(isinstance(row, dict) for row in curves):
        raise InputError(f"{checkpoint} holds no learning curves: {_anew(checkpoint)}")
    return curves


def save(checkpoint: Path, target: Path) -> None:
    """Keep only the model's weights of a training checkpoint, written whole or not at all.

    Raises:
        InputError: for a checkpoint that is missing or broken.
    """
    state = _part(checkpoint, "state_dict", dict)
    prefix = "model."
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    torch.save({str(name).removeprefix(prefix): value for name, value in state.items()}, partial)
    shutil.move(partial, target)


def _part(checkpoint: Path, name: str, kind: type) -> Any:  # noqa: ANN401 (of any type)
    found = read_tensors(checkpoint).get(name)
    if not isinstance(found, kind):
        raise InputError(f"{checkpoint} has no {name}: {_anew(checkpoint)}")
    return found


def _anew(checkpoint: Path) -> str:
    return f"delete the folder {checkpoint.parent}, and train again"
