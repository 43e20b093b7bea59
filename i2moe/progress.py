"""What a training shows while it runs."""

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import ProgressBar


class TrainingBar(ProgressBar):
    """One line for the whole training: batches done, time left, and the latest validation metrics."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def disable(self) -> None:
        """Do nothing where Lightning asks for no bar, on all devices but the first: none is shown there anyway."""

    def on_train_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Open the bar where training resumes."""
        from tqdm import tqdm

        epochs = trainer.max_epochs or 0
        self.bar = tqdm(
            total=epochs * int(trainer.num_training_batches),
            initial=trainer.current_epoch * int(trainer.num_training_batches),
            unit="batch",
            mininterval=1.0,
            dynamic_ncols=True,
            disable=not trainer.is_global_zero,
            desc=f"seed {self.seed}",
        )

    def on_train_batch_end(self, *_: object) -> None:
        """Count a batch."""
        self.bar.update()

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Show the epoch and its validation metrics."""
        metrics = {
            name.removeprefix("validation_"): f"{float(value):.3f}" for name, value in trainer.callback_metrics.items()
        }
        epoch = f"seed {self.seed}, epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        self.bar.set_description(epoch, refresh=False)
        self.bar.set_postfix(metrics, refresh=False)

    def on_train_end(self, *_: object) -> None:
        """Close the bar, leaving its last state."""
        self.bar.close()
