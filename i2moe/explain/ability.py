"""Whether an expert alone knows something of the labels: by how it ranks the samples, never by a threshold.

Accuracy or F1 of an expert's own logits mostly tells whether they are calibrated alone, which nothing in training asks
for: an expert that ranks every sample right may predict one class throughout. So what counts is the AUROC, for numbers
Spearman's rank correlation. Three outcomes:

- knows something: better than when the labels are permuted (one-sided), corrected by Holm's method over all experts and
  seeds of the model, at 1 %. Whole groups change places where all are of one size. Where they are not, no labels of one
  fit another, and each group's part in the metric changes its sign by chance instead; simulated with 14 or 40 such
  groups, within-group correlations of .1 to .9 and nothing to know, that test at 5 % finds something in 5 to 6 %.
- at chance: not so, and the 95 % interval of the metric lies within a margin of chance.
- cannot tell: neither, for there are too few samples.

Shapes: N samples, E experts, S seeds, C outputs, K = E · S, P permutations.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from i2moe.resampling import MEMORY, Interval, Units, bootstrap_interval, holm, samples_of
from i2moe.selection import Array, Compute, Counts, Floats, correlation, is_constant, ranked_auroc, ranks, softmax

KNOWS, AT_CHANCE, UNCLEAR = "knows something", "at chance", "cannot tell"
SIGNIFICANCE = 0.01  # for all experts and seeds of a model together
PERMUTATIONS = 999  # at least; more where the correction needs smaller shares


@dataclass(frozen=True)
class Ranking:
    """The metric of a task that has no threshold."""

    name: str
    chance: float
    margin: float  # an interval this near to chance on both sides is at chance


AUROC_MARGIN = 0.05  # of pairs in the right order; for a rank correlation twice that, as Somers' D is 2 AUROC - 1
RANKINGS = {
    "binary": Ranking("auroc", 0.5, AUROC_MARGIN),
    "multiclass": Ranking("auroc", 0.5, AUROC_MARGIN),
    "multilabel": Ranking("macro_auroc", 0.5, AUROC_MARGIN),
    "regression": Ranking("spearman", 0.0, 2 * AUROC_MARGIN),
}


@dataclass(frozen=True)
class Ability:
    """What one expert alone knows in one seed."""

    value: float  # the ranking metric
    p_value: float  # of the permutation test, corrected
    interval: Interval | None  # None where the test was enough
    outcome: str


def abilities(task: str, labels: Array, expert_logits: Array, units: Units) -> list[list[Ability]]:
    """Tell for every expert and seed whether it alone knows something; [E][S].

    Args:
        task: binary | multiclass | multilabel | regression.
        labels: [N] or [N, C].
        expert_logits: [S, N, E, C].
        units: which of the N samples belong together.
    """
    num_seeds, _, num_experts, _ = expert_logits.shape
    each = expert_logits.transpose(2, 0, 1, 3).reshape(num_experts * num_seeds, *expert_logits.shape[1::2])
    compute = ranking_metric(task, labels)
    values = [float(compute(labels, own)) for own in each]
    corrected = holm(permutation_p_values(task, labels, each, units))
    found = []
    for value, p_value, own in zip(values, corrected, each, strict=True):
        if p_value <= SIGNIFICANCE:
            found.append(Ability(value, float(p_value), None, KNOWS))
            continue
        interval = bootstrap_interval(compute, labels, own[None], units)
        found.append(Ability(value, float(p_value), interval, _not_known(RANKINGS[task], interval)))
    return [found[first : first + num_seeds] for first in range(0, len(found), num_seeds)]


def _not_known(ranking: Ranking, interval: Interval) -> str:
    """Tell an expert at chance from one of which nothing can be said; NaN says nothing."""
    is_near = ranking.chance - ranking.margin <= interval.low <= interval.high <= ranking.chance + ranking.margin
    return AT_CHANCE if is_near else UNCLEAR


def ranking_metric(task: str, labels: Array) -> Compute:
    """Return the ranking metric, with counts as those of `i2moe.selection`.

    With more than one output it is the mean over those that the labels [N] or [N, C] of the data define.
    """
    if task == "regression":
        return spearman
    columns = np.flatnonzero(_is_defined(_positives(task, labels)))

    def mean_area(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
        positives, scores = _positives(task, labels, logits.shape[-1]), _scores(task, logits)
        areas = [ranked_auroc(positives[:, column], scores[:, column], counts) for column in columns]
        nothing = np.full(() if counts is None else counts.shape[:-1], np.nan)
        return np.asarray(np.mean(areas, axis=0)) if areas else nothing

    return mean_area


def spearman(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
    """Rank correlation of predictions [N, 1] and labels [N]; 0 for constant predictions, which rank nothing.

    NaN for constant labels.
    """
    predicted = logits[:, 0]
    found = correlation(ranks(labels, counts), ranks(predicted, counts), counts)
    ranks_nothing = is_constant(predicted, counts) & ~is_constant(labels, counts)
    return np.asarray(np.where(ranks_nothing, 0.0, found))


def permutation_p_values(task: str, labels: Array, each: Array, units: Units, seed: int = 0) -> Floats:
    """Return for each of K predictions the share of permutations with at least its metric, itself among them; [K].

    All metrics are sums over samples of a score's rank times a number of the label, which one matrix product computes
    for a block of permutations and all predictions.

    Args:
        task: binary | multiclass | multilabel | regression.
        labels: [N] or [N, C].
        each: logits, [K, N, C].
        units: which of the N samples belong together.
        seed: of the permutations.
    """
    centred, numbers = _ranks_and_numbers(task, labels, each)
    if not numbers.size:
        return np.ones(len(each))
    wanted = max(PERMUTATIONS, int(2 * len(each) / SIGNIFICANCE))
    sizes = np.bincount(units.of_sample)
    changed: Iterator[Floats]
    if (sizes == sizes[0]).all():
        values, flat = numbers, centred.reshape(len(each), -1).T  # [N · C, K]
        changed = (
            numbers[orders].reshape(len(orders), -1) for orders in permutations(units, wanted, numbers.shape[1], seed)
        )
    else:
        of_sample = (centred * numbers).sum(axis=2)  # [K, N]
        flat = np.stack([np.bincount(units.of_sample, own) for own in of_sample], axis=1)  # [U, K]
        values = np.ones(len(sizes))
        changed = iter([np.random.default_rng(seed).choice([-1.0, 1.0], size=(wanted, len(sizes)))])
    observed = values.ravel() @ flat
    tolerance = 1e-9 * np.abs(flat).sum(axis=0) * np.abs(values).max()  # equal but for rounding
    at_least = sum((block @ flat >= observed - tolerance).sum(axis=0) for block in changed)
    return np.asarray((1 + at_least) / (1 + wanted))


def _ranks_and_numbers(task: str, labels: Array, each: Array) -> tuple[Floats, Floats]:
    """Return centred ranks of K predictions [K, N, C] and what they are multiplied by [N, C], for the defined outputs.

    Summed over samples and outputs, their product is the ranking metric times a positive factor, less chance.
    """
    if task == "regression":
        scores, numbers = each, ranks(labels)[:, None]
    else:
        positives = _positives(task, labels, each.shape[2])
        positives, scores = positives[:, _is_defined(positives)], _scores(task, each)[..., _is_defined(positives)]
        numbers = positives / (positives.sum(axis=0) * (~positives).sum(axis=0))
    found = np.apply_along_axis(ranks, 1, scores) if scores.size else scores
    return found - found.mean(axis=1, keepdims=True), numbers - numbers.mean(axis=0)


def permutations(units: Units, wanted: int, num_outputs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield blocks [r, N] that say whose label each sample gets; whole units, of one size, change places."""
    generator = np.random.default_rng(seed)
    num_units = len(units.strata)
    places = samples_of(units, np.arange(num_units)[None])[0]
    block = max(1, MEMORY // (len(places) * num_outputs))
    for first in range(0, wanted, block):
        size = min(block, wanted - first)
        shuffled = generator.permuted(np.tile(np.arange(num_units), (size, 1)), axis=1)
        orders = np.empty((size, len(places)), np.int64)
        orders[:, places] = samples_of(units, shuffled)
        yield orders


def _positives(task: str, labels: Array, num_classes: int = 0) -> NDArray[np.bool_]:
    """Return which sample has which class or label, [..., N, C]; of two classes the second alone, [..., N, 1]."""
    if task == "multilabel":
        return np.asarray(labels > 0)
    if task == "binary":
        return np.asarray(labels == 1)[..., None]
    return np.asarray(labels[..., None] == np.arange(num_classes or int(labels.max()) + 1))


def _is_defined(positives: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which columns of [N, C] hold both kinds."""
    return np.asarray(positives.any(axis=0) & ~positives.all(axis=0))


def _scores(task: str, logits: Array) -> Array:
    """Return by what samples are ranked, [..., N, C]: of two classes by the probability of the second, [..., N, 1]."""
    if task == "multilabel":
        return logits
    return softmax(logits)[..., 1:] if task == "binary" else softmax(logits)
