"""How a score falls when a modality is missing in a share of the samples, and what it is by pattern of presence.

A modality is taken from a sample as it is absent from one: by the model's learned token where it has one, else by the
mean tokens of the train samples, which a model without a token knows nothing of. Who loses it is drawn at random.

Shapes: N samples, M modalities, C outputs.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from i2moe.data import Batch, FeatureSet
from i2moe.inference import EVALUATION_BATCH, device_of, mean_tokens, to_device
from i2moe.model.multimodal import MultimodalModel
from i2moe.model.tokens import in_place_of, of_modality, where_present
from i2moe.resampling import Units, resampled
from i2moe.selection import Array, Compute, Floats

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the samples that have the modality
DRAWS = 20  # of who loses it, for shares between none and all
LEAST_SAMPLES = 10  # of a pattern of presence whose score says anything


@dataclass(frozen=True)
class Removed:
    """The score when a modality is missing in a share of the samples that have it."""

    modality: str
    share: float
    score: float  # mean over draws
    spread: float  # standard deviation over draws; 0 where there is one way alone
    replaced_by: str  # token | mean


def scores_without(
    model: MultimodalModel,
    features: FeatureSet,
    split: str,
    whole: Array,
    labels: Array,
    compute: Compute,
    seed: int = 0,
) -> list[Removed]:
    """Score a split with each modality missing at random, in each of SHARES.

    Args:
        model: a trained model.
        features: the dataset.
        split: train | validation | test.
        whole: what the model predicts for it, [N, C].
        labels: [N] or [N, C].
        compute: the metric.
        seed: of who loses it.
    """
    generator = np.random.default_rng(seed)
    presence = features.presence[features.rows(split)]
    found = []
    for index, name in enumerate(features.modalities):
        without, by = logits_without(model, features, split, index), "token" if name in model.absent else "mean"
        has = np.flatnonzero(presence[:, index])
        for share in SHARES:
            count = round(share * len(has))
            scores = []
            for _ in range(DRAWS if 0 < count < len(has) else 1):
                mixed = np.array(whole, np.float64)
                lost = generator.permutation(has)[:count]
                mixed[lost] = without[lost]
                scores.append(float(compute(labels, mixed)))
            found.append(Removed(name, share, float(np.mean(scores)), float(np.std(scores)), by))
    return found


def logits_without(model: MultimodalModel, features: FeatureSet, split: str, index: int) -> Floats:
    """Return what a model predicts for a split when nobody has one of the modalities, [N, C], in the label's units."""
    name, parts = features.modalities[index], []
    mean, std = features.label_scale
    with torch.inference_mode():
        means = None if name in model.absent else mean_tokens(model, features)
        for batch in features.loader(split, EVALUATION_BATCH):
            moved = to_device(batch, device_of(model))
            if means is None:
                parts.append(model(_without(moved, name)).logits)
                continue
            tokens, presence = model.tokens(moved), model.presence(moved)
            tokens[index] = where_present(
                in_place_of(means[index], tokens[index]), tokens[index], of_modality(presence, index)
            )
            parts.append(model.predict(tokens, presence=presence).logits)
    return np.asarray(torch.cat(parts).double().cpu().numpy() * std + mean)


def _without(batch: Batch, name: str) -> Batch:
    """Return a batch in which nobody has a modality."""
    return batch._replace(present=batch.present | {name: torch.zeros_like(batch.present[name])})


@dataclass(frozen=True)
class Pattern:
    """The score of the samples with one pattern of presence."""

    pattern: str
    samples: int
    score: float  # NaN where there are too few
    low: float  # 95 % interval over samples
    high: float


def scores_by_pattern(
    modalities: list[str], presence: NDArray[np.bool_], whole: Array, labels: Array, compute: Compute
) -> list[Pattern]:
    """Score the samples of each pattern of presence apart, the most frequent pattern first.

    Args:
        modalities: the M names.
        presence: [N, M].
        whole: what is predicted, [N, C].
        labels: [N] or [N, C].
        compute: the metric.
    """
    patterns, of_sample, counts = np.unique(presence, axis=0, return_inverse=True, return_counts=True)
    found = []
    for index in np.argsort(-counts, kind="stable"):
        name = " + ".join(np.array(modalities, object)[patterns[index]])
        rows = np.flatnonzero(of_sample.ravel() == index)
        if len(rows) < LEAST_SAMPLES:
            found.append(Pattern(name, len(rows), np.nan, np.nan, np.nan))
            continue
        units = Units(np.arange(len(rows)), np.zeros(len(rows), np.int64))
        on_resamples = resampled(compute, labels[rows], whole[rows][None], units)[:, 0]
        low, high = np.nanpercentile(on_resamples, (2.5, 97.5)) if np.isfinite(on_resamples).any() else (np.nan, np.nan)
        found.append(Pattern(name, len(rows), float(compute(labels[rows], whole[rows])), float(low), float(high)))
    return found
