"""Which expert has the largest weight, if any, and whether it matters that weights differ by sample.

Shapes: S seeds, N samples, E experts, C outputs.
"""

from dataclasses import dataclass

import numpy as np

from i2moe.resampling import Units, difference, mean_difference, resampled
from i2moe.selection import Array, Compute

STILL = 0.01  # a gate whose weights vary by less than this over samples (standard deviation in each seed) ignores them


@dataclass(frozen=True)
class Gate:
    """The weights of one model."""

    winner: str  # the expert with the largest mean weight, where it is shown to be; else empty
    heaviest: str  # the expert with the largest mean weight over samples and seeds
    runner_up: str  # the one after it
    lead: float  # mean weight of the heaviest less that of the runner-up
    lead_low: float  # 95 % interval over samples
    lead_high: float
    seeds_won: int  # in how many seeds the heaviest has the largest mean weight
    num_seeds: int
    most_std: float  # the largest standard deviation over samples that an expert's weight has in a seed
    ignores_samples: bool  # that this is next to nothing
    score: float  # lead metric of the model
    uniform_score: float  # the same with equal weights for all experts
    uniform_difference: float  # score less uniform score
    uniform_low: float  # 95 % interval over samples and seeds
    uniform_high: float


def read_gate(
    compute: Compute, names: list[str], labels: Array, logits: Array, expert_logits: Array, weights: Array, units: Units
) -> Gate:
    """Compare the experts' weights with each other, and the model with one of equal weights.

    An expert wins where its mean weight is the largest in every seed, and the interval of its lead on the expert after
    it, of the means over seeds, excludes 0.

    Args:
        compute: the lead metric.
        names: of the E experts.
        labels: [N] or [N, C].
        logits: the model's, [S, N, C].
        expert_logits: [S, N, E, C].
        weights: [S, N, E].
        units: which of the N samples are resampled together.
    """
    means = weights.mean(axis=1)  # [S, E]
    first, second = means.mean(axis=0).argsort(kind="stable")[::-1][:2]
    lead = mean_difference(np.asarray(weights[:, :, first] - weights[:, :, second], float), units)
    seeds_won = int((means.argmax(axis=1) == first).sum())
    most_std = float(weights.std(axis=1).max())
    uniform = expert_logits.mean(axis=2)
    scores, equal = (np.array([compute(labels, own) for own in each]) for each in (logits, uniform))
    against = difference(
        (scores, resampled(compute, labels, logits, units)),
        (equal, resampled(compute, labels, uniform, units)),
        units,
        is_same_run=True,
    )
    return Gate(
        winner=names[first] if seeds_won == len(means) and lead.low > 0 else "",
        heaviest=names[first],
        runner_up=names[second],
        lead=lead.value,
        lead_low=lead.low,
        lead_high=lead.high,
        seeds_won=seeds_won,
        num_seeds=len(means),
        most_std=most_std,
        ignores_samples=most_std < STILL,
        score=float(scores.mean()),
        uniform_score=float(equal.mean()),
        uniform_difference=against.value,
        uniform_low=against.low,
        uniform_high=against.high,
    )
