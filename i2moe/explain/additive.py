"""How much of a model's score needs its modalities together: the EMAP gap (Hessel and Lee 2020).

The projection of a model onto sums of functions of one modality each has the logits sum over m of E[f | x_m] less
(M - 1) · E[f]; expectations are over other samples for the modalities that are not given. The gap is the model's score
less that of its projection: 0 where a model adds its modalities up, however much it uses each.

The other samples are a few of the train split, the same for all, so that the projection is exactly additive, and
exactly the model where that is additive.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from i2moe.data import Batch, FeatureSet
from i2moe.inference import EVALUATION_BATCH, device_of, to_device
from i2moe.model.multimodal import MultimodalModel
from i2moe.model.tokens import Tokens, num_samples, samples
from i2moe.selection import Floats

DONORS = 16  # other samples over which expectations are taken
SAMPLES = 256  # of the split at most, since each takes M · DONORS predictions


@dataclass(frozen=True)
class Projection:
    """A model's logits on some samples of a split, and those of its additive projection; in the label's units."""

    positions: np.ndarray  # [n], of the samples in the split
    logits: Floats  # [n, C]
    additive: Floats  # [n, C]


def additive_projection(model: MultimodalModel, features: FeatureSet, split: str, seed: int = 0) -> Projection:
    """Project a trained model onto sums of functions of single modalities, on at most SAMPLES samples of a split.

    Args:
        model: a trained model.
        features: the dataset.
        split: train | validation | test.
        seed: of the choice of samples and donors.
    """
    generator = np.random.default_rng(seed)
    rows, train = features.rows(split), features.rows("train")
    positions = np.sort(generator.permutation(len(rows))[:SAMPLES])
    donors = generator.permutation(train)[:DONORS]
    mean, std = features.label_scale
    with torch.inference_mode():
        own, others = (
            _encoded(model, to_device(features.__getitems__(one.tolist()), device_of(model)))
            for one in (rows[positions], donors)
        )
        logits = model.predict(own.tokens, presence=own.presence).logits
        parts = [_given(model, own, others, index) for index in range(len(own.tokens))]
        level = torch.stack([_given(model, others, others, index).mean(dim=0) for index in range(len(parts))]).mean(0)
    additive = torch.stack(parts).sum(dim=0) - (len(parts) - 1) * level
    return Projection(positions, *((one.double().cpu().numpy() * std + mean) for one in (logits, additive)))


class _Encoded(NamedTuple):
    """Samples as the fusion sees them."""

    tokens: list[Tokens]
    presence: Tensor | None  # [n, M]


def _encoded(model: MultimodalModel, batch: Batch) -> _Encoded:
    return _Encoded(model.tokens(batch), model.presence(batch))


def _given(model: MultimodalModel, own: _Encoded, others: _Encoded, index: int) -> Tensor:
    """Return E[f | x_m] for modality m of some samples, [n, C]: its mean over the others' further modalities.

    A modality is given with its absence where a sample lacks it.
    """
    num_own, num_others = num_samples(own.tokens[index]), num_samples(others.tokens[index])
    sample = torch.arange(num_own).repeat_interleave(num_others)
    other = torch.arange(num_others).repeat(num_own)
    parts = []
    for one, donor in zip(torch.split(sample, EVALUATION_BATCH), torch.split(other, EVALUATION_BATCH), strict=True):
        mixed = [
            samples(part, one) if m == index else samples(others.tokens[m], donor) for m, part in enumerate(own.tokens)
        ]
        presence = None
        if own.presence is not None and others.presence is not None:
            presence = others.presence[donor]
            presence[:, index] = own.presence[one, index]
        parts.append(model.predict(mixed, presence=presence).logits)
    return torch.unflatten(torch.cat(parts), 0, (num_own, num_others)).mean(dim=1)
