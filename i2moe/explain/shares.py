"""Readings that share a model's gain out among terms: one row per seed and term, with intervals over samples.

Terms are named like experts: uniqueness of each modality, synergy, redundancy. A reading is made of numbers by sample
whose means over samples it turns into shares, so that every reading is resampled alike (`i2moe.resampling`).

Where a model is not shown to gain anything over no input and over the best constant prediction there is nothing to
share out: by `shows_gain`, the shares of that seed are NaN in every reading.

Shapes: S seeds, K numbers of a sample, N samples, T terms, R resamples, … any axes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from i2moe.resampling import Units, percentiles, resampled_means
from i2moe.selection import Array, Floats

LEAST_GAIN = 0.03  # of a value, below which no reading claims anything


@dataclass(frozen=True)
class Shares:
    """What one reading gives to each term."""

    terms: list[str]
    share: Floats  # [S, T], sums 1 over terms; NaN where the seed's model shows no gain, or all parts are 0
    low: Floats  # [S, T], 95 % interval over samples; NaN where none is computed
    high: Floats
    on_resamples: Floats  # [R, S, T]; R = 0 where none is computed

    def where(self, shown: NDArray[np.bool_]) -> "Shares":
        """Return the shares of the seeds that show a gain [S], NaN in the others."""
        keep = shown[:, None]
        share, low, high = (np.where(keep, own, np.nan) for own in (self.share, self.low, self.high))
        return Shares(self.terms, share, low, high, np.where(keep, self.on_resamples, np.nan))


def share_out(terms: list[str], by_sample: Array, parts: Callable[[Floats], Floats], units: Units) -> Shares:
    """Turn numbers of samples into the shares of terms.

    Args:
        terms: the T terms.
        by_sample: [S, K, N].
        parts: maps means [..., K] to the terms' parts [..., T], of which only what is above 0 counts.
        units: which of the N samples are resampled together.
    """
    share = normalised(parts(np.asarray(by_sample, np.float64).mean(axis=2)))
    on_resamples = normalised(parts(resampled_means(by_sample, units)))
    intervals = [[percentiles(of_term, units) for of_term in of_seed.T] for of_seed in on_resamples.transpose(1, 0, 2)]
    low, high = (np.array([[getattr(one, end) for one in own] for own in intervals]) for end in ("low", "high"))
    return Shares(terms, share, low, high, on_resamples)


def normalised(parts: Array) -> Floats:
    """Return what is above 0 of parts [..., T] as shares of their sum; NaN where nothing is.

    Examples:
        >>> normalised(np.array([0.3, -0.1, 0.1])).round(6).tolist()
        [0.75, 0.0, 0.25]
    """
    positive = np.maximum(parts, 0.0)
    total = positive.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(positive, total, out=np.full(positive.shape, np.nan), where=total > 0))


@dataclass(frozen=True)
class Gain:
    """What a model gains in each seed over no input, or over the best constant where that is worth more."""

    gain: Floats  # [S]
    low: Floats  # [S], 95 % interval over samples
    high: Floats
    shown: NDArray[np.bool_]  # [S]: at least LEAST_GAIN, and the interval above 0


def shows_gain(whole: Array, none: Array, constant: Array, units: Units) -> Gain:
    """Tell in which seeds a model is shown to gain anything; of the two gains the smaller one counts.

    Args:
        whole: values by sample of the model, [S, N].
        none: of the model without any modality, [S, N].
        constant: of the best constant prediction, [N].
        units: which of the N samples are resampled together.
    """
    gains = np.stack([whole - none, whole - constant], axis=1)  # [S, 2, N]
    gain = gains.mean(axis=2).min(axis=1)
    intervals = [percentiles(own, units) for own in resampled_means(gains, units).min(axis=2).T]
    low, high = np.array([one.low for one in intervals]), np.array([one.high for one in intervals])
    return Gain(gain, low, high, np.asarray((gain >= LEAST_GAIN) & (low > 0)))


@dataclass(frozen=True)
class Leader:
    """Which term has the largest share of a reading, if any."""

    winner: str  # the term with the largest share, where it is shown to be; else empty
    heaviest: str  # the term with the largest mean share over the seeds that have shares; empty where none has
    runner_up: str  # the one after it
    share: float  # mean share of the heaviest
    lead: float  # less that of the runner-up
    lead_low: float  # 95 % interval over samples
    lead_high: float
    seeds_won: int  # in how many seeds the heaviest has the largest share
    seeds_shown: int  # how many seeds have shares
    num_seeds: int


def leader(shares: Shares, units: Units) -> Leader:
    """Find the term with the largest share.

    It wins where it has the largest share in every seed, and the interval of its lead on the term after it, of the
    means over seeds, excludes 0. So nothing wins where a seed shows no gain.
    """
    has: NDArray[np.bool_] = np.asarray(~np.isnan(shares.share).any(axis=1))
    num_seeds = len(has)
    if not has.any() or len(shares.terms) == 1:
        nothing = float("nan")
        return Leader("", "", "", nothing, nothing, nothing, nothing, 0, int(has.sum()), num_seeds)
    means = shares.share[has].mean(axis=0)
    first, second = means.argsort(kind="stable")[::-1][:2]
    on_resamples = shares.on_resamples[:, has]
    interval = percentiles((on_resamples[..., first] - on_resamples[..., second]).mean(axis=1), units)
    seeds_won = int((shares.share[has].argmax(axis=1) == first).sum())
    return Leader(
        winner=shares.terms[first] if seeds_won == num_seeds and interval.low > 0 else "",
        heaviest=shares.terms[first],
        runner_up=shares.terms[second],
        share=float(means[first]),
        lead=float(means[first] - means[second]),
        lead_low=interval.low,
        lead_high=interval.high,
        seeds_won=seeds_won,
        seeds_shown=int(has.sum()),
        num_seeds=num_seeds,
    )
