"""Apply a trained model. Knows nothing of the training loop, whose library takes seconds to import."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2moe.config import ModelConfig
from i2moe.data import Batch, FeatureSet
from i2moe.model import MultimodalModel, build_model

EVALUATION_BATCH = 256


def build_for(features: FeatureSet, config: ModelConfig) -> MultimodalModel:
    """Build the model for a dataset, on PyTorch's current random state."""
    return build_model(
        config,
        kinds=features.kinds,
        shapes=features.shapes,
        task=features.task,
        num_outputs=features.num_outputs,
    )


def load(features: FeatureSet, config: ModelConfig, weights: Path) -> MultimodalModel:
    """Build the model and give it saved weights; on the CPU, in evaluation mode."""
    model = build_for(features, config)
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return model.eval()


def label_scale(features: FeatureSet) -> tuple[float, float]:
    """Return mean and standard deviation of the training labels of a regression task; 0 and 1 for other tasks."""
    if features.task != "regression":
        return 0.0, 1.0
    train = features.labels[features.rows("train")]
    return float(train.mean()), float(train.std()) or 1.0


@dataclass(frozen=True)
class Predictions:
    """What a model says of N samples: logits [N, C], for an I2MoE expert logits [N, E, C] and weights [N, E].

    For regression, logits are in the label's units.
    """

    logits: NDArray[np.float32]
    expert_logits: NDArray[np.float32] | None
    weights: NDArray[np.float32] | None


def predict(model: MultimodalModel, features: FeatureSet, split: str, *, device: str = "cpu") -> Predictions:
    """Predict every sample of a split, in cohort order."""
    mean, std = label_scale(features)
    with torch.inference_mode():
        model.to(device).eval()
        parts = [model(to_device(batch, device)) for batch in features.loader(split, EVALUATION_BATCH)]
    experts = None if parts[0].expert_logits is None else _stack([part.expert_logits for part in parts]) * std + mean
    weights = None if parts[0].weights is None else _stack([part.weights for part in parts])
    return Predictions(_stack([part.logits for part in parts]) * std + mean, experts, weights)


def mean_tokens(model: MultimodalModel, features: FeatureSet, *, device: str | torch.device = "cpu") -> list[Tensor]:
    """Return each modality's mean tokens [1, P, H] over the train split, encoders in evaluation mode."""
    was_training = model.training
    model.eval()
    sums: list[Tensor] = []
    with torch.no_grad():
        for batch in features.loader("train", EVALUATION_BATCH):
            own = [tokens.sum(dim=0, keepdim=True) for tokens in model.tokens(to_device(batch, device))]
            sums = own if not sums else [total + part for total, part in zip(sums, own, strict=True)]
    model.train(was_training)
    return [total / len(features.rows("train")) for total in sums]


def _stack(parts: list[Tensor | None]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = torch.cat([part for part in parts if part is not None]).float().cpu().numpy()
    return values


def to_device(batch: Batch, device: str | torch.device) -> Batch:
    """Move a batch's tensors to a device."""
    return Batch(
        inputs={name: value.to(device) for name, value in batch.inputs.items()},
        lengths={name: value.to(device) for name, value in batch.lengths.items()},
        labels=batch.labels.to(device),
        rows=batch.rows,
    )
