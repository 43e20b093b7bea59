"""How long a training takes, from its first steps, and how much it writes."""

import math
import os
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.estimate.plan import Job
from stages.shared.seconds import now
from stages.train import SEEDS_AT_ONCE

if TYPE_CHECKING:
    from i2moe.data import FeatureSet
    from i2moe.training import Hardware


@dataclass(frozen=True)
class Measured:
    """One seed's first steps: seconds and bytes."""

    step: float  # median
    spread: float  # half the distance between the quartiles
    steps: int  # of an epoch; where batches go through in pieces, of these
    rest: float  # of an epoch: validation and checkpoints
    once: float  # before the first epoch, and what the first step takes longer
    inference: float  # all samples
    weights: int  # bytes
    checkpoints: int  # bytes while it trains
    predictions: int  # bytes

    def seconds(self, job: Job) -> tuple[float, float]:
        """Return how long one seed trains and predicts alone, and plus or minus how much."""
        epoch = self.steps * self.step + self.rest
        return self.once + job.config.epochs * epoch + self.inference, job.config.epochs * self.steps * self.spread


def measure(features: "FeatureSet", job: Job, hardware: "Hardware", num_steps: int) -> Measured:
    """Train for some steps, then validate, in a temporary folder.

    Args:
        features: of the dataset.
        job: whose model is trained.
        hardware: where; one device of it is used.
        num_steps: after the first one, which is slower.
    """
    from pytorch_lightning.callbacks import LambdaCallback

    from i2moe.checkpoints import save
    from i2moe.data import Sharing
    from i2moe.training import fit

    marks: list[float] = []

    def mark(*_: Any) -> None:  # noqa: ANN401 (Lightning's trainer and module)
        marks.append(now())

    def mark_step(trainer: Any, *_: Any) -> None:  # noqa: ANN401
        mark()
        trainer.should_stop = len(marks) > num_steps + 1

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = now()
        best = fit(
            features,
            job.config.model_copy(update={"epochs": 1}),
            0,
            folder=folder,
            hardware=replace(hardware, devices=1, num_nodes=1, strategy="auto"),
            callbacks=[LambdaCallback(on_train_epoch_start=mark, on_train_batch_end=mark_step)],
            progress=False,
        )
        rest = now() - marks[-1]
        checkpoints = sum(path.stat().st_size for path in folder.iterdir())
        save(best, folder / "weights.ckpt")
        inference, predictions = predicting(features, job, folder / "weights.ckpt", hardware.accelerator)
        weights = (folder / "weights.ckpt").stat().st_size
    each = np.diff(marks)
    steady = each[1:] if len(each) > 1 else each
    low, middle, high = np.quantile(steady, [0.25, 0.5, 0.75])
    return Measured(
        step=float(middle),
        spread=float(high - low) / 2,
        steps=len(features.loader("train", job.config.batch_size, sharing=Sharing(hardware.accumulate_grad_batches))),
        rest=rest,
        once=marks[0] - started + max(0.0, float(each[0] - middle)),
        inference=inference,
        weights=weights,
        checkpoints=checkpoints,
        predictions=predictions,
    )


def predicting(features: "FeatureSet", job: Job, weights: Path, accelerator: str) -> tuple[float, int]:
    """Return the seconds and bytes of one seed's predictions of all samples, from those of the validation split."""
    from i2moe.inference import choose_device, load, predict

    model = load(features, job.config, weights, choose_device(accelerator))
    started = now()
    found = predict(model, features, "validation")
    seconds = now() - started
    arrays = [array for array in (found.logits, found.expert_logits, found.weights) if array is not None]
    times = len(features.table) / len(features.rows("validation"))
    return seconds * times, round(sum(array.nbytes for array in arrays) * times)


def side_by_side(seconds: float, num_seeds: int, *, on_cpu: bool, threads: int) -> float:
    """Return how long several seeds take that take this long alone: on a CPU three share its cores.

    Examples:
        >>> side_by_side(10.0, 3, on_cpu=False, threads=1)
        30.0
        >>> cores = os.cpu_count() or 1
        >>> side_by_side(10.0, 3, on_cpu=True, threads=cores)  # each wants all cores
        30.0
        >>> side_by_side(10.0, 0, on_cpu=True, threads=1)
        0.0
    """
    if not (on_cpu and num_seeds):
        return seconds * num_seeds
    at_once = min(num_seeds, SEEDS_AT_ONCE)
    slower = max(1.0, at_once * threads / (os.cpu_count() or 1))
    return seconds * slower * math.ceil(num_seeds / at_once)
