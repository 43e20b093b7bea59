"""A trained model with all of its seeds, as it is kept in a folder.

`model.json` says what it is, `<seed>.ckpt` holds its weights, and `<seed>.means.npz` the mean tokens of each modality
over the train samples, which stand for a modality that is taken away when the model is explained.

Shapes: S seeds, N samples, M modalities, E experts, C outputs, P tokens, H hidden_dim.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2moe.base.errors import InputError, first_line
from i2moe.contract.json_file import Description
from i2moe.data import SampleSet
from i2moe.inference import Predictions, build_for, choose_device, fill, predict_samples
from i2moe.model.config import ModelConfig
from i2moe.model.multimodal import MultimodalModel
from i2moe.preparation.fitted import read_fitted, write_fitted
from i2moe.selection import softmax
from i2moe.signature import Signature

DESCRIPTION = "model.json"
TOKEN_AXES = 3  # samples, tokens, features


class ModelDescription(Description):
    """`model.json`: what the model is made of, and what it must know of its data."""

    signature: Signature
    config: ModelConfig


@dataclass(frozen=True)
class SeedPredictions:
    """What all seeds predict for N samples; for regression, logits are in the label's units."""

    seeds: list[int]
    experts: list[str]  # E names; none of a vanilla model
    logits: NDArray[np.float64]  # [S, N, C]
    expert_logits: NDArray[np.float64] | None  # [S, N, E, C]
    weights: NDArray[np.float64] | None  # [S, N, E]; none where experts add up, too


@dataclass(frozen=True)
class TrainedModel:
    """A model that was trained with one seed or several."""

    signature: Signature
    config: ModelConfig
    models: Mapping[int, MultimodalModel]  # by seed
    means: Mapping[int, list[Tensor]]  # by seed, the mean tokens [1, P, H] of each modality over the train samples

    @classmethod
    def open(cls, folder: Path, accelerator: str = "auto") -> Self:
        """Open what a training left in a folder.

        Args:
            folder: with `model.json` and a file of weights for each seed.
            accelerator: where to apply it, as `choose_device` takes it.

        Raises:
            InputError: for a folder that is missing, or holds something else.
        """
        if not (folder / DESCRIPTION).is_file():
            raise InputError(f"{folder} holds no trained model ({DESCRIPTION} is missing): train it first")
        about = ModelDescription.read(folder / DESCRIPTION)
        files = sorted((path for path in folder.glob("*.ckpt") if path.stem.isdigit()), key=lambda path: int(path.stem))
        if not files:
            raise InputError(f"{folder} holds no weights (such as 0.ckpt): train the model first")
        device = choose_device(accelerator)
        models = {int(path.stem): _load(about, path, device) for path in files}
        num = len(about.signature.inputs)
        means = {seed: read_means(folder / f"{seed}.means.npz", num, device) for seed in models}
        return cls(about.signature, about.config, models, means)

    def write(self, folder: Path) -> None:
        """Write what `open` reads."""
        about = ModelDescription(signature=self.signature, config=self.config)
        (folder / DESCRIPTION).write_text(about.to_json(), encoding="utf-8")
        for seed, model in self.models.items():
            torch.save({name: value.cpu() for name, value in model.state_dict().items()}, folder / f"{seed}.ckpt")
            write_means(folder / f"{seed}.means.npz", self.means[seed])

    @property
    def expert_names(self) -> list[str]:
        """The E experts' names, in order; none of a vanilla model."""
        return next(iter(self.models.values())).expert_names

    def predict(self, samples: SampleSet) -> SeedPredictions:
        """Predict new samples with every seed.

        Raises:
            InputError: for samples that are not what the model was trained on.
        """
        found = [predict_samples(model, samples, self.signature) for model in self.models.values()]
        return self.joined(found)

    def joined(self, found: list[Predictions]) -> SeedPredictions:
        """Join the predictions of all seeds, in order."""

        def stacked(parts: list[NDArray[np.float32] | None]) -> NDArray[np.float64] | None:
            return None if parts[0] is None else np.stack([part for part in parts if part is not None]).astype(float)

        logits = np.stack([own.logits for own in found]).astype(float)
        experts, weights = stacked([own.expert_logits for own in found]), stacked([own.weights for own in found])
        return SeedPredictions(list(self.models), self.expert_names, logits, experts, weights)


def write_means(path: Path, means: list[Tensor]) -> None:
    """Write each modality's mean tokens, in order."""
    write_fitted(path, {str(index): mean.float().cpu().numpy() for index, mean in enumerate(means)})


def read_means(path: Path, num: int, device: torch.device) -> list[Tensor]:
    """Read what `write_means` wrote of so many modalities.

    Raises:
        InputError: for a file that is missing or broken.
    """
    found = read_fitted(path)
    means = [found[str(index)] for index in range(num)]
    if not all(mean.dtype == np.float32 and mean.ndim == TOKEN_AXES for mean in means):
        raise InputError(f"{path} does not hold mean tokens: train again")
    return [torch.from_numpy(mean).to(device) for mean in means]


def _load(about: ModelDescription, path: Path, device: torch.device) -> MultimodalModel:
    try:
        model = build_for(about.signature, about.config)
    except InputError as error:
        raise InputError(f"{path.with_name(DESCRIPTION)}: {error}") from error
    except Exception as error:  # sizes that do not fit each other or the machine
        raise InputError(
            f"{path.with_name(DESCRIPTION)} describes a model that cannot be built ({first_line(error)}): train again"
        ) from error
    fill(model, path)
    return model.to(device).eval()


def probabilities(task: str, logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of each class, or of each label of a multilabel task; [..., C] of logits [..., C].

    Examples:
        >>> probabilities("multilabel", np.zeros((1, 2))).tolist(), probabilities("binary", np.zeros((1, 2))).tolist()
        ([[0.5, 0.5]], [[0.5, 0.5]])
    """
    return np.asarray(1 / (1 + np.exp(-logits))) if task == "multilabel" else softmax(logits)
