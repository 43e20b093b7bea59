"""Intervals from resampled samples: whole groups where there are groups, and every class in every resample.

What is drawn are units: the groups, or the samples where each is its own group. Units are drawn within strata, which
hold those with the same rarest class (or label), so that a resample lacks no class that the units of its stratum all
have: without strata many a resample of a few samples has no AUROC.

A percentile interval of few units is too narrow. Two corrections for that, both exact for a mean of normal numbers:
with U units in H strata, a resample's variance is too small by (U - H) / U, and the normal distribution that the
percentiles rest on should be Student's with U - H degrees of freedom. So a percentile interval is taken further out
(Hesterberg 2015, The American Statistician 69, section 5.3: expanded percentiles), and the standard error of a
t interval is enlarged.

Shapes: N samples, C outputs, S seeds, U units, R resamples.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from i2moe.selection import Array, Compute, Counts, Floats

RESAMPLES = 1000
MEMORY = 2**20  # elements of one block of resamples or permutations, 8 MiB in float64
LEVEL = 0.95  # of intervals


@dataclass(frozen=True)
class Interval:
    """Where a value lies, with 95 % confidence; NaN where no resample defines it."""

    low: float
    high: float
    usable: float  # share of resamples that define the value


@dataclass(frozen=True)
class Units:
    """Which samples are drawn together, and which units are drawn from one pot."""

    of_sample: NDArray[np.int64]  # [N], the unit of each sample
    strata: NDArray[np.int64]  # [U], the stratum of each unit

    @property
    def spare(self) -> int:
        """Return the degrees of freedom, U - H; 0 where a single unit says nothing of others."""
        return len(self.strata) - len(np.unique(self.strata))

    @property
    def enlargement(self) -> float:
        """Return by how much a resample's standard deviation is too small."""
        return float(np.sqrt(len(self.strata) / self.spare))

    @cached_property
    def one_pot(self) -> "Units":
        """Return the same units in one stratum, so that resamples differ in how frequent classes are."""
        return Units(self.of_sample, np.zeros_like(self.strata))

    @cached_property
    def drawn(self) -> Counts:
        """Return how often each resample holds each unit, [R, U]: of each stratum as many as it has.

        Drawn once for all metrics and models, with replacement, from a fixed seed. Rows go from resamples of few
        samples to those of many; `difference` draws seeds row by row, so that another order would change its figures.
        """
        generator = np.random.default_rng(0)
        counts = np.empty((RESAMPLES, len(self.strata)), np.int32)
        for stratum in np.unique(self.strata):
            pot = np.flatnonzero(self.strata == stratum)
            places = generator.integers(len(pot), size=(RESAMPLES, len(pot)))
            places += np.arange(RESAMPLES)[:, None] * len(pot)  # a row of places for each resample
            counts[:, pot] = np.bincount(places.ravel(), minlength=places.size).reshape(places.shape)
        return counts[(counts @ np.bincount(self.of_sample)).argsort(kind="stable")]


def units_of(task: str, labels: Array, groups: NDArray[np.object_] | None = None) -> Units:
    """Return the units of samples and their strata.

    Args:
        task: binary | multiclass | multilabel | regression; for numbers there is one stratum.
        labels: [N] or [N, C].
        groups: [N], the group of each sample; None: each sample is its own.
    """
    samples = np.arange(len(labels))
    of_sample = samples if groups is None else np.unique(groups, return_inverse=True)[1]
    num_units = int(of_sample.max()) + 1
    one_pot = Units(of_sample, np.zeros(num_units, np.int64))
    if task == "regression":
        return one_pot
    has = labels > 0 if task == "multilabel" else labels[:, None] == np.arange(int(labels.max()) + 1)
    by_frequency = has.sum(axis=0).argsort(kind="stable")
    in_unit = np.zeros((num_units, has.shape[1]), bool)
    np.logical_or.at(in_unit, of_sample, has)
    rarest = np.where(in_unit.any(axis=1), in_unit[:, by_frequency].argmax(axis=1), has.shape[1])
    stratified = Units(of_sample, rarest.astype(np.int64))
    return stratified if stratified.spare else one_pot


def resamples(units: Units) -> Iterator[Counts]:
    """Yield blocks [r, N] of how often each sample is in a resample, RESAMPLES in all; blocks keep memory bounded."""
    block = max(1, MEMORY // len(units.of_sample))
    for first in range(0, len(units.drawn), block):
        yield np.take(units.drawn[first : first + block], units.of_sample, axis=1)


def samples_of(units: Units, drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the samples of units [r, n], unit after unit, where every row has as many samples."""
    sizes = np.bincount(units.of_sample)
    members = units.of_sample.argsort(kind="stable")
    starts = sizes.cumsum() - sizes
    own = drawn.ravel()
    before = sizes[own].cumsum() - sizes[own]
    positions = np.repeat(starts[own] - before, sizes[own]) + np.arange(sizes[own].sum())
    return np.asarray(members[positions].reshape(len(drawn), -1))


def resampled(compute: Compute, labels: Array, logits: Array, units: Units) -> Floats:
    """Return a metric of each seed on every resample, [R, S]; every seed and model sees the same resamples.

    Args:
        compute: the metric.
        labels: [N] or [N, C].
        logits: [S, N, C].
        units: of the N samples.
    """
    return np.concatenate(
        [np.stack([compute(labels, own, counts) for own in logits], axis=1) for counts in resamples(units)]
    )


def resampled_means(values: Array, units: Units) -> Floats:
    """Return the mean over samples of values [..., N] on every resample, [R, ...]; resamples as in `resampled`."""
    flat = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
    means = np.concatenate([counts @ flat.T / counts.sum(axis=1, keepdims=True) for counts in resamples(units)])
    return np.asarray(means.reshape(len(means), *values.shape[:-1]))


def bootstrap_interval(compute: Compute, labels: Array, logits: Array, units: Units) -> Interval:
    """Return the expanded percentile interval of a metric's mean over seeds; arguments as in `resampled`."""
    return percentiles(resampled(compute, labels, logits, units).mean(axis=1), units)


def percentiles(values: Floats, units: Units) -> Interval:
    """Return the expanded percentile interval of a value on the resamples, [R]."""
    from scipy.special import ndtr, stdtrit

    usable = values[~np.isnan(values)]
    share = len(usable) / len(values)
    if not len(usable) or not units.spare:
        return Interval(float("nan"), float("nan"), share)
    tail = ndtr(-units.enlargement * stdtrit(units.spare, (1 + LEVEL) / 2))
    low, high = np.quantile(usable, [tail, 1 - tail])
    return Interval(float(low), float(high), share)


@dataclass(frozen=True)
class Difference:
    """A difference and where it lies, with 95 % confidence."""

    value: float
    low: float
    high: float
    p_value: float  # of a difference of 0, two-sided
    usable: float  # share of resamples that define it


Scores = tuple[Floats, Floats]  # of a model: the metric of each seed [S], and on every resample [R, S]


def difference(first: Scores, second: Scores, units: Units, *, is_same_run: bool = False, seed: int = 0) -> Difference:
    """Return the t interval of the difference of two models' means over seeds, resampling samples and seeds.

    Of S seeds S - 1 are drawn, which makes the variance of their mean that of the seeds' mean without bias. Degrees of
    freedom are Satterthwaite's for what samples and seeds contribute: with three seeds that differ much it takes far
    more to show a difference than with thirty.

    Args:
        first: scores of one model.
        second: scores of the other, on the same resamples.
        units: of the samples.
        is_same_run: that the seeds of both are the same trained models, which are then drawn together.
        seed: of the drawing of seeds.
    """
    from scipy.special import stdtr, stdtrit

    generator = np.random.default_rng(seed)
    parts = [first, (-second[0], -second[1])]
    if is_same_run:
        parts = [(first[0] - second[0], first[1] - second[1])]
    value = float(sum(of_seeds.mean() for of_seeds, _ in parts))
    fixed = np.sum([on_resamples.mean(axis=1) for _, on_resamples in parts], axis=0)
    drawn = np.sum([_mean_of_drawn(on_resamples, generator) for _, on_resamples in parts], axis=0)
    usable = ~np.isnan(fixed)
    if usable.sum() < 2 or not units.spare:  # noqa: PLR2004
        return Difference(value, float("nan"), float("nan"), 1.0, float(usable.mean()))
    variance = float(drawn[usable].var() * units.enlargement**2)
    of_samples = float(fixed[usable].var() * units.enlargement**2)
    pieces = [(of_samples, units.spare)]
    pieces += [(of_seeds.var(ddof=1) / len(of_seeds), len(of_seeds) - 1) for of_seeds, _ in parts if len(of_seeds) > 1]
    squares = sum(piece**2 / spare for piece, spare in pieces)
    degrees = sum(piece for piece, _ in pieces) ** 2 / squares if squares else units.spare
    error = float(np.sqrt(variance))
    half = error * float(stdtrit(degrees, (1 + LEVEL) / 2))
    p_value = float(2 * stdtr(degrees, -abs(value) / error)) if error else float(value == 0)
    return Difference(value, value - half, value + half, p_value, float(usable.mean()))


def _mean_of_drawn(on_resamples: Floats, generator: np.random.Generator) -> Floats:
    """Return the mean over S - 1 seeds drawn anew for each resample [R, S]; of a single seed its values."""
    count, num_seeds = on_resamples.shape
    if num_seeds == 1:
        return on_resamples[:, 0]
    chosen = generator.integers(num_seeds, size=(count, num_seeds - 1))
    return np.asarray(np.take_along_axis(on_resamples, chosen, axis=1).mean(axis=1))


def mean_difference(values: Floats, units: Units) -> Difference:
    """Return the t interval of a mean over samples [S, N], each the mean over its S seeds."""
    of_sample = values.mean(axis=0)
    on_resamples = resampled_means(of_sample, units)[:, None]
    nothing = np.zeros((len(on_resamples), 1))
    return difference((of_sample.mean(keepdims=True), on_resamples), (np.zeros(1), nothing), units)


def holm(p_values: Floats) -> Floats:
    """Correct p-values [K] for being K, by Holm's step-down method."""
    order = p_values.argsort(kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.maximum.accumulate(np.minimum(1, factors * p_values[order]))
    return corrected
