"""Train a model: seeds, best epoch, resume, devices. Adam without a schedule, as the official code trains."""

import logging
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torch.utils.data import DataLoader

from i2moe.base.errors import InputError
from i2moe.checkpoints import Curves, WholeCheckpoints, going_on_from, kept_in
from i2moe.data import Batch, FeatureSet, SharedBatches, Sharing
from i2moe.inference import EVALUATION_BATCH, build_for, mean_tokens, prune
from i2moe.model.config import ModelConfig
from i2moe.model.interaction import InteractionMoE, Prediction
from i2moe.model.losses import task_loss, total_loss
from i2moe.model.multimodal import MultimodalModel
from i2moe.model.tokens import Tokens, in_place_of, of_modality, sum_over_samples, where_present
from i2moe.model.whole_batch import gather, shared_batch, whole, whole_tokens
from i2moe.progress import TrainingBar
from i2moe.selection import SELECTION, check_selection, compute_metrics


@dataclass(frozen=True)
class Hardware:
    """Where training runs; the names and values are Lightning's.

    A model's batch size is that of a step of the optimiser, wherever it runs: a batch is cut into
    `accumulate_grad_batches` pieces one after the other, and each of these is shared out among all devices.
    """

    accelerator: str = "auto"
    devices: int = 1  # of each node
    num_nodes: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    compile: bool = False  # the fusion's training pass by `torch.compile`, with PyTorch's defaults
    accumulate_grad_batches: int = 1
    num_workers: int = 0

    @property
    def num_processes(self) -> int:
        """Of all nodes, one for each device."""
        return self.devices * self.num_nodes


class TrainingModule(lightning.LightningModule):
    """A model with its losses, optimiser and validation metrics.

    Attributes:
        predict: the model's, as a training step calls it; `fit` may put a compiled one here. It is a function, not a
            module, so that checkpoints have the same keys either way.
    """

    def __init__(
        self,
        model: MultimodalModel,
        features: FeatureSet,
        config: ModelConfig,
        seed: int,
        hardware: Hardware | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.predict = model.predict
        self.features = features
        self.config = config
        self.seed = seed
        self.hardware = hardware or Hardware()
        self.sharing = Sharing()  # of a batch among processes; known once they have started
        self.piece: tuple[int, int] | None = None  # samples of the current piece of a batch, and of the batch
        self.label_mean, self.label_std = features.label_scale
        self.class_weights: Tensor | None
        weights = _class_weights(features, config)
        self.register_buffer("class_weights", weights, persistent=False)  # follows the model's device
        self.curves: Curves = []
        self.train_losses: dict[str, Tensor] = {}  # sums over the epoch's samples
        self.validation_logits: list[Tensor] = []
        self.validation_rows: list[Tensor] = []

    def setup(self, stage: str) -> None:  # noqa: ARG002 (Lightning's signature)
        """Find out which part of each batch is this process's."""
        pieces = self.hardware.accumulate_grad_batches
        self.sharing = Sharing(pieces, self.trainer.world_size, self.global_rank)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return this process's part of the train split, in the order of the seed."""
        return self.features.loader(
            "train",
            self.config.batch_size,
            shuffle_seed=self.seed,
            num_workers=self.hardware.num_workers,
            sharing=self.sharing,
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return this process's part of the validation split."""
        sharing = self.sharing._replace(pieces=1)
        size = EVALUATION_BATCH * sharing.processes
        return self.features.loader("validation", size, num_workers=self.hardware.num_workers, sharing=sharing)

    def on_train_epoch_start(self) -> None:
        """Refresh the mean tokens that replace modalities, if they do, with what the encoders now make of train."""
        mixture = self.model.fusion
        if isinstance(mixture, InteractionMoE) and mixture.config.replacement == "mean":
            mixture.mean_tokens = mean_tokens(self.model, self.features)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 (Lightning's signature)
        """Give each epoch its own random stream, so that a resumed run draws what an uninterrupted one draws.

        At the first batch, not at the start of the epoch: until then, data loaders draw too, and not always equally.
        """
        batches = self.trainer.train_dataloader.batch_sampler  # type: ignore[union-attr]
        assert isinstance(batches, SharedBatches)  # noqa: S101 (of `train_dataloader`)
        self.piece = batches.pieces[batch_idx]
        if batch_idx == 0:
            stream = np.random.default_rng([self.seed, self.current_epoch, self.global_rank])
            torch.manual_seed(int(stream.integers(2**62)))

    def training_step(self, batch: Batch) -> Tensor:
        """Return the total loss of a batch, and add it and its parts, by expert name, to the epoch's sums.

        Of a piece of a batch, the loss is so large that Lightning's mean over pieces is the batch's.
        """
        size, batch_size = self.piece or (len(batch.rows), len(batch.rows))
        with shared_batch(self.sharing.sizes(size)):
            parts = self._losses(batch, size)
        for name, value in parts.items():
            self.train_losses[name] = self.train_losses.get(name, 0) + value.detach() * size
        share = self.sharing.pieces * size / batch_size
        return parts["total_loss"] if share == 1 else parts["total_loss"] * share

    def _losses(self, batch: Batch, size: int) -> dict[str, Tensor]:
        """Return the losses of a batch, the total one among them, of which this process has a part."""
        batch = batch._replace(labels=self._scaled(batch.labels))
        tokens = self.model.tokens(batch)
        presence = self.model.presence(batch)
        prediction = self.predict(tokens, batch.labels, presence)
        task = self._task_loss(prediction, batch.labels)
        balance = prediction.balance_loss
        if balance is not None and self.sharing.processes > 1:  # each process balances its own part
            own = self.sharing.sizes(size)[self.sharing.rank]
            balance = balance * (own * self.sharing.processes / size)
        total = total_loss(
            task,
            prediction.interaction_losses,
            self.config.role_weight,
            balance,
            getattr(self.config.fusion, "balance_weight", 0.0),
        )
        parts = {"task_loss": task}
        if self.config.modality_dropout:
            parts["missing_loss"] = self._missing_loss(tokens, batch.labels, presence)
            total = total + self.config.modality_dropout * parts["missing_loss"]
        if prediction.decorrelation_loss is not None:
            parts["decorrelation_loss"] = prediction.decorrelation_loss
            total = total + self.config.decorrelation_weight * prediction.decorrelation_loss
        parts["total_loss"] = total
        if balance is not None:
            parts["balance_loss"] = balance
        return parts | {f"{name}_loss": loss for name, loss in prediction.interaction_losses.items()}

    def on_validation_epoch_start(self) -> None:
        """Drop the parts of a sealed mixture that gain nothing, so that the epoch is judged without them."""
        prune(self.model, self.features)

    def validation_step(self, batch: Batch) -> None:
        """Collect the predictions of a batch."""
        self.validation_logits.append(self.model(batch).logits)
        self.validation_rows.append(batch.rows)

    def on_validation_epoch_end(self) -> None:
        """Add the epoch's training losses, and the task's metrics and loss over the whole validation split, to curves.

        Before the epoch's checkpoint is written, which holds the curves, so that a kill loses none of them.
        """
        logits = self._of_all(torch.cat(self.validation_logits))
        rows = self._of_all(torch.cat(self.validation_rows)).cpu().numpy()
        self.validation_logits.clear()
        self.validation_rows.clear()
        # A process without a sample in the last batch was given one of another's.
        rows, first = np.unique(rows, return_index=True)
        logits = logits[torch.from_numpy(first).to(logits.device)].float()
        labels = torch.from_numpy(self.features.labels[rows]).to(self.device)
        loss = self._task_loss(Prediction(logits), self._scaled(labels))
        unscaled = (logits * self.label_std + self.label_mean).cpu().numpy()
        metrics = compute_metrics(self.features.task, self.features.labels[rows], unscaled)
        own = {"loss": float(loss)} | {name: float(value) for name, value in metrics.items()}
        if not np.isfinite(unscaled).all():  # some metrics only compare, and would let NaN win as the best epoch
            own = dict.fromkeys(own, np.nan)
        validation = {f"validation_{name}": value for name, value in own.items()}
        # What picks the best epoch looks here. Lightning's own logging takes longer than a small model's step.
        self.trainer.callback_metrics.update({name: torch.tensor(value) for name, value in validation.items()})
        samples = len(self.features.rows("train"))
        # Every process has the loss of the whole batch, but for the balance of its own part.
        average = partial(self.trainer.strategy.reduce, reduce_op="mean")
        train = {f"train_{name}": float(average(total)) / samples for name, total in self.train_losses.items()}
        self.train_losses = {}
        self.curves.append({"epoch": self.current_epoch + 1} | dict(sorted((train | validation).items())))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the curves with the weights."""
        checkpoint["curves"] = self.curves

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the curves of the epochs before."""
        self.curves = checkpoint["curves"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return Adam with PyTorch's defaults except for the learning rate; one fused call where the device has it."""
        return torch.optim.Adam(self.parameters(), lr=self.config.learning_rate, fused=True)

    def _of_all(self, own: Tensor) -> Tensor:
        """Return the rows of every process, from this one's."""
        return gather(own) if self.sharing.processes > 1 else own

    def _scaled(self, labels: Tensor) -> Tensor:
        """Standardise the labels of a regression task."""
        return (labels - self.label_mean) / self.label_std if self.features.task == "regression" else labels

    def _task_loss(self, prediction: Prediction, labels: Tensor) -> Tensor:
        return task_loss(self.features.task, whole(prediction.logits), whole(labels), self.class_weights)

    def _missing_loss(self, tokens: list[Tokens], labels: Tensor, presence: Tensor | None) -> Tensor:
        """Return the task loss without one modality, drawn for the batch, whose tokens are at their mean over it.

        The fusion method runs as it does when it is explained, without dropout and without views of its experts.
        """
        lost = int(self._of_all(torch.randint(len(tokens), (1,)).to(self.device))[0])
        present = of_modality(presence, lost)
        total, count = sum_over_samples(whole_tokens(tokens[lost]), None if present is None else whole(present))
        mean = in_place_of((total / max(1, count)).detach(), tokens[lost])
        seen = [*tokens]
        seen[lost] = where_present(mean, tokens[lost], present)
        self.model.fusion.eval()
        prediction = self.model.predict(seen, presence=presence)
        self.model.fusion.train()
        return self._task_loss(prediction, labels)


def _class_weights(features: FeatureSet, config: ModelConfig) -> Tensor | None:
    """Return the weights [C] of the cross-entropy, if there are any."""
    if config.class_weights is None:
        return None
    if features.task not in ("binary", "multiclass"):
        raise InputError(
            f"class_weights have no meaning for task {features.task!r}; allowed: for binary and multiclass"
        )
    if len(config.class_weights) != len(features.classes):
        raise InputError(
            f"class_weights {config.class_weights}: one weight per class is needed, in the order {features.classes}"
        )
    return torch.tensor(config.class_weights)


def fit(
    features: FeatureSet,
    config: ModelConfig,
    seed: int,
    *,
    folder: Path,
    hardware: Hardware,
    on_epoch: Callable[[Curves], object] = lambda _: None,
    callbacks: Sequence[lightning.Callback] = (),
    progress: bool = True,
) -> Path:
    """Train on the train split and keep the epoch that is best on the validation split.

    A checkpoint is written after every epoch; called again with the same folder, training goes on from the last
    one and ends with the same weights as without the interruption.

    Args:
        features: the dataset.
        config: the model.
        seed: of initial weights, order of samples, dropout and replacement noise.
        folder: for the checkpoints; must belong to exactly this dataset, configuration and seed.
        hardware: where to train.
        on_epoch: called after each epoch with the curves so far; on the process of rank 0.
        callbacks: of Lightning's, besides our own.
        progress: whether to show a bar.

    Returns:
        The checkpoint `best.ckpt` of the best epoch, beside `last.ckpt` of the last; `save` and `curves_of` read them.

    Raises:
        InputError: when the selection metric is not one of the task's, class weights do not fit the classes, the
            machine does not have that hardware, training cannot go on from what an earlier call left in the folder, or
            no epoch predicts finite numbers.
    """
    selection = config.selection or SELECTION[features.task]
    higher_is_better = check_selection(features.task, selection)
    _quiet()
    lightning.seed_everything(seed, workers=True, verbose=False)
    module = TrainingModule(build_for(features, config), features, config, seed, hardware)
    if hardware.compile:
        module.predict = torch.compile(module.predict)
    best = kept_in(
        folder / "best.ckpt",
        monitor=f"validation_{selection}",
        mode="max" if higher_is_better else "min",
    )
    # A callback of its own: `save_last=True` writes nothing after an epoch that is not the best. After the best one, in
    # order to know of it.
    unfinished = folder / "last.ckpt"
    last = kept_in(unfinished)
    bars = [TrainingBar(seed)] if progress else []
    trainer = _trainer(
        config.epochs, hardware, [best, last, *bars, _AfterEpoch(on_epoch), *callbacks], progress=progress
    )
    with going_on_from(unfinished, trainer):
        trainer.fit(module, ckpt_path=unfinished if unfinished.exists() else None, weights_only=True)
    if all(np.isnan(epoch["validation_loss"]) for epoch in module.curves):
        raise InputError(
            f"seed {seed}: in no epoch are all predictions of the validation samples finite, so that no model is kept: "
            "lower learning_rate, or mend what makes them so in a fusion method of your own"
        )
    return folder / "best.ckpt"


class _AfterEpoch(lightning.Callback):
    def __init__(self, call: Callable[[Curves], object]) -> None:
        self.call = call

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Hand the curves on."""
        assert isinstance(pl_module, TrainingModule)  # noqa: S101 (this file trains nothing else)
        if trainer.is_global_zero:
            self.call(pl_module.curves)


def _trainer(
    epochs: int, hardware: Hardware, callbacks: list[lightning.Callback], *, progress: bool
) -> lightning.Trainer:
    _be_deterministic()
    try:
        return lightning.Trainer(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            num_nodes=hardware.num_nodes,
            strategy=hardware.strategy,
            precision=hardware.precision,  # type: ignore[arg-type]
            accumulate_grad_batches=hardware.accumulate_grad_batches,
            use_distributed_sampler=False,  # the loaders know which part of a batch is this process's
            max_epochs=epochs,
            num_sanity_val_steps=0,
            logger=False,
            callbacks=callbacks,
            enable_model_summary=False,
            enable_progress_bar=progress,
            plugins=[WholeCheckpoints()],
        )
    except (MisconfigurationException, ValueError) as error:  # of what this machine does not have
        chosen = f"accelerator {hardware.accelerator}, devices {hardware.devices}, strategy {hardware.strategy}"
        words = " ".join(str(error).split())  # in one line
        raise InputError(f"training cannot run here with {chosen}, precision {hardware.precision}: {words}") from error


def _be_deterministic() -> None:
    """Do what Lightning's `deterministic=True` does, whose function imports PyTorch's compiler for two seconds."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.set_deterministic_debug_mode("error")


def _quiet() -> None:
    """Silence what Lightning says about every run; progress and errors stay."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", message=".*number of training batches.*")
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
    warnings.filterwarnings("ignore", message=".*Grad strides do not match bucket view strides.*")
