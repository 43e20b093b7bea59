"""What the weights of a mixture are good for: its score with other ones in their place.

Uniform weights, each sample's weights given to another sample (shuffled), or all weight on the single expert that is
best on validation. From stored logits and weights; no model is run.

Shapes: S seeds, N samples, E experts, C outputs.
"""

from dataclasses import dataclass

import numpy as np

from i2moe.resampling import Difference, Units, difference, resampled
from i2moe.selection import Array, Compute, Floats, Metric

LEARNED, UNIFORM, SHUFFLED, BEST_SINGLE = "learned", "uniform", "shuffled", "best single"


@dataclass(frozen=True)
class Reweighted:
    """The mixture with other weights."""

    weights: str  # learned | uniform | shuffled | best single
    scores: Floats  # of each seed, [S]
    difference: Difference  # of the learned weights' score less this one, over samples and seeds
    experts: list[str]  # by seed, the single expert; empty names for other weights


def best_single(metric: Metric, labels: Array, expert_logits: Array) -> list[int]:
    """Return for each seed the expert whose logits alone score best, such as on validation; [S].

    Args:
        metric: of the task.
        labels: [N] or [N, C].
        expert_logits: [S, N, E, C].
    """
    sign = 1 if metric.higher_is_better else -1
    scores = np.array([[metric.compute(labels, own) for own in np.moveaxis(seed, 1, 0)] for seed in expert_logits])
    return [int(own) for own in np.nan_to_num(sign * scores, nan=-np.inf).argmax(axis=1)]


def reweight(
    compute: Compute,
    names: list[str],
    labels: Array,
    logits: Array,
    expert_logits: Array,
    weights: Array,
    singles: list[int],
    units: Units,
) -> list[Reweighted]:
    """Score the mixture with its own weights and with each of the others.

    Args:
        compute: the lead metric.
        names: of the E experts.
        labels: [N] or [N, C].
        logits: the model's, [S, N, C].
        expert_logits: [S, N, E, C].
        weights: [S, N, E].
        singles: the expert that takes all weight in each seed, chosen on validation.
        units: which of the N samples are resampled together.
    """
    generator = np.random.default_rng(0)
    shuffled = np.stack([own[generator.permutation(len(own))] for own in weights])
    predictions = {
        LEARNED: logits,
        UNIFORM: expert_logits.mean(axis=2),
        SHUFFLED: np.einsum("snec,sne->snc", expert_logits, shuffled),
        BEST_SINGLE: np.stack([own[:, index] for own, index in zip(expert_logits, singles, strict=True)]),
    }
    scored = {
        name: (np.array([compute(labels, one) for one in own]), resampled(compute, labels, own, units))
        for name, own in predictions.items()
    }
    return [
        Reweighted(
            weights=name,
            scores=own[0],
            difference=difference(scored[LEARNED], own, units, is_same_run=True),
            experts=[names[index] if name == BEST_SINGLE else "" for index in singles],
        )
        for name, own in scored.items()
    ]
