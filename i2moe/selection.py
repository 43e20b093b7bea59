"""What training looks at on the validation split: the paper's metrics by task, one of which picks the best epoch.

Every metric takes how often each sample counts, [..., N], and so computes its value on all bootstrap resamples at once:
sums over samples are matrix products, and ranks follow from cumulated counts of the samples sorted once. Without counts
each sample counts once. A metric that the data do not define is NaN, never 0.

Shapes: … any axes, N samples, C outputs.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError

Array = NDArray[np.floating] | NDArray[np.integer]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Counts = NDArray[np.int32]  # floats would take half as long again to cumulate


class Compute(Protocol):
    """Compute a metric."""

    def __call__(self, labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
        """Map labels [N] or [N, C], logits [N, C] and counts [..., N] to values [...]."""


@dataclass(frozen=True)
class Metric:
    """A metric, and which of two values is the better one."""

    compute: Compute
    higher_is_better: bool = True


def accuracy(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
    """Share of samples whose largest logit is that of their class.

    Examples:
        >>> float(accuracy(np.array([0, 1, 1, 1]), np.array([[2, 1], [0, 1], [0, 3], [1, 0]])))
        0.75
    """
    return _mean(logits.argmax(axis=-1) == labels, counts)


def auroc(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
    """Area under the ROC curve on softmax probabilities.

    Binary: of the second class. More classes: each against the rest, averaged without weights (macro).

    Examples:
        >>> labels = np.array([0, 0, 1, 1])
        >>> logits = np.array([[0, 1], [0, 3], [0, 2], [0, 4]])  # of four pairs one is in the wrong order: 3 and 2
        >>> float(auroc(labels, logits))
        0.75
    """
    probabilities = softmax(logits)
    num_classes = logits.shape[-1]
    if num_classes == 2:  # noqa: PLR2004
        return ranked_auroc(labels == 1, probabilities[:, 1], counts)
    areas = [ranked_auroc(labels == index, probabilities[:, index], counts) for index in range(num_classes)]
    return np.asarray(np.mean(areas, axis=0))


def macro_auroc(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
    """Area under the ROC curve of each label of a multilabel task, averaged without weights.

    Examples:
        >>> labels, logits = np.array([[1, 1], [0, 0]]), np.array([[2, 0], [1, 3]])
        >>> float(macro_auroc(labels, logits))  # 1 for the first label, 0 for the second
        0.5
    """
    areas = [ranked_auroc(labels[:, index] > 0, logits[:, index], counts) for index in range(logits.shape[-1])]
    return np.asarray(np.mean(areas, axis=0))


def macro_f1(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
    """F1 of each class, averaged without weights; a class neither present nor predicted counts 0.

    Examples:
        >>> labels, logits = np.array([0, 1, 1, 1]), np.array([[1, 0], [0, 1], [0, 1], [0, 1]])
        >>> float(macro_f1(labels, logits))
        1.0
        >>> round(float(macro_f1(labels[:3], logits[[0, 0, 1]])), 3)  # 2 · 1 / (1 + 2) for either class
        0.667
    """
    return _mean_f1(_tallies(labels, logits), counts)


def micro_f1(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
    """F1 over all sample-label pairs of a multilabel task.

    Examples:
        >>> labels, logits = np.array([[1, 0], [1, 1]]), np.array([[1, -1], [1, -1]])
        >>> float(micro_f1(labels, logits))  # 2 hits, 3 labels, 2 predictions: 2 · 2 / (3 + 2)
        0.8
    """
    return _mean_f1(_tallies(labels, logits).sum(axis=-1, keepdims=True), counts)


def mean_absolute_error(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
    """Mean of |prediction − label|, in the label's units.

    Examples:
        >>> float(mean_absolute_error(np.array([1, 2]), np.array([[2], [5]])))
        2.0
    """
    return _mean(np.abs(logits[:, 0] - labels), counts)


def r_squared(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
    """Share of the labels' variance that the predictions explain; NaN for constant labels.

    Examples:
        >>> float(r_squared(np.array([1, 2, 3]), np.array([[1], [2], [2]])))  # 1 - 1 / 2
        0.5
    """
    residual = _sums(np.square(logits[:, 0] - labels), counts)
    centred = _centred(labels, _or_once(counts, len(labels)))
    total = _products(centred, centred, _or_once(counts, len(labels)))
    return _ratio(total - residual, total, undefined=np.nan)


def pearson(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
    """Pearson correlation of predictions and labels; NaN where either is constant.

    Examples:
        >>> float(pearson(np.array([1, 2, 3]), np.array([[2], [4], [6]])))
        1.0
    """
    return correlation(labels, logits[:, 0], counts)


def sign_accuracy_neutral_negative(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
    """Share of samples where prediction and label are both above 0 or both not; NaN where all labels are alike.

    A neutral label, 0, counts as negative, as the official code counts it.

    Examples:
        >>> labels, logits = np.array([-1, 0, 0, 2]), np.array([[-1], [1], [1], [1]])
        >>> float(sign_accuracy_neutral_negative(labels, logits))  # both neutral ones count as wrong
        0.5
    """
    return _sign_accuracy(labels, logits, np.ones(len(labels), bool), counts)


def sign_accuracy_neutral_excluded(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
    """Share of the samples with a label above or below 0 whose prediction is above 0 exactly there; NaN as above.

    Examples:
        >>> labels, logits = np.array([-1, 0, 0, 2]), np.array([[-1], [1], [1], [1]])
        >>> float(sign_accuracy_neutral_excluded(labels, logits))
        1.0
    """
    return _sign_accuracy(labels, logits, labels != 0, counts)


CLASSIFICATION = {"accuracy": Metric(accuracy), "auroc": Metric(auroc), "macro_f1": Metric(macro_f1)}
# The first metric of a task is the one that reports lead with, and that tells whether an expert alone knows anything:
# for two classes AUROC, which class weights and unequal classes do not move.
TASK_METRICS: dict[str, dict[str, Metric]] = {
    "binary": {name: CLASSIFICATION[name] for name in ("auroc", "accuracy", "macro_f1")},
    "multiclass": CLASSIFICATION,
    "multilabel": {"micro_f1": Metric(micro_f1), "macro_f1": Metric(macro_f1), "macro_auroc": Metric(macro_auroc)},
    "regression": {
        "mae": Metric(mean_absolute_error, higher_is_better=False),
        "pearson": Metric(pearson),
        "r2": Metric(r_squared),
        "acc2_neutral_negative": Metric(sign_accuracy_neutral_negative),
        "acc2_neutral_excluded": Metric(sign_accuracy_neutral_excluded),
    },
}


# What selects the best epoch of a task unless a model says otherwise.
SELECTION = {"binary": "accuracy", "multiclass": "accuracy", "multilabel": "micro_f1", "regression": "mae"}


def check_selection(task: str, selection: str) -> bool:
    """Return whether higher is better for the metric that selects the best epoch: one of the task's, or `loss`.

    Raises:
        InputError: for a metric the task does not have.
    """
    if selection == "loss":
        return False
    if selection not in TASK_METRICS[task]:
        allowed = ", ".join([*TASK_METRICS[task], "loss"])
        raise InputError(f"selection {selection!r} is not a metric of a {task} task; allowed: {allowed}")
    return TASK_METRICS[task][selection].higher_is_better


def compute_metrics(task: str, labels: Array, logits: Array) -> dict[str, float]:
    """Compute every metric of the task.

    Args:
        task: binary | multiclass | multilabel | regression.
        labels: [N] class indices or numbers, [N, C] of 0 and 1 for multilabel.
        logits: [N, C]; for regression [N, 1] in the label's units.
    """
    return {name: float(metric.compute(labels, logits)) for name, metric in TASK_METRICS[task].items()}


def softmax(logits: Array) -> Floats:
    """Probabilities over the last axis."""
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True), dtype=np.float64)


def ranked_auroc(positive: Bools, scores: Array, counts: Counts | None = None) -> Floats:
    """Mann-Whitney form: the share of positive-negative pairs in the right order, ties counting half.

    Args:
        positive: [N].
        scores: [N].
        counts: how often each sample counts, [..., N].
    """
    counts = _or_once(counts, len(scores))
    rows = np.flatnonzero(positive)
    of_positive = np.take(counts, rows, axis=-1)
    num_positive = of_positive.sum(axis=-1)
    num_negative = counts.sum(axis=-1) - num_positive
    rank_sums = np.einsum("...n,...n->...", ranks(scores, counts, rows), of_positive)
    in_order = rank_sums - num_positive * (num_positive + 1) / 2
    return _ratio(in_order, num_positive * num_negative, undefined=np.nan)


def ranks(values: Array, counts: Counts | None = None, rows: NDArray[np.int64] | None = None) -> Floats:
    """Rank samples among those that count, from 1; tied ones share their mean rank. NaN where any value is.

    Args:
        values: [N].
        counts: how often each sample counts, [..., N].
        rows: [n], the samples whose rank is wanted; None: all.

    Returns:
        [..., n]; that of a sample that does not count is where it would stand.

    Examples:
        >>> ranks(np.array([5, 7, 6])).tolist()
        [1.0, 3.0, 2.0]
        >>> ranks(np.array([5, 7, 6]), np.array([[2, 1, 0], [0, 1, 2]])).tolist()
        [[1.5, 3.0, 2.5], [0.5, 3.0, 1.5]]
    """
    counts = _or_once(counts, len(values))
    wanted = values if rows is None else values[rows]
    if np.isnan(values).any():
        return np.full((*counts.shape[:-1], len(wanted)), np.nan)
    order = values.argsort()
    before = np.zeros((*counts.shape[:-1], len(values) + 1), np.int32)
    np.cumsum(np.take(counts, order, axis=-1), axis=-1, out=before[..., 1:])
    first, last = (values[order].searchsorted(wanted, side) for side in ("left", "right"))
    return np.asarray((np.take(before, first, axis=-1) + np.take(before, last, axis=-1) + 1) / 2)


def correlation(first: Array, second: Array, counts: Counts | None = None) -> Floats:
    """Pearson correlation of two numbers of samples, [N] or [..., N]; NaN where either is constant."""
    counts = _or_once(counts, first.shape[-1])
    left, right = _centred(first, counts), _centred(second, counts)
    norms = np.sqrt(_products(left, left, counts) * _products(right, right, counts))
    return _ratio(_products(left, right, counts), norms, undefined=np.nan)


def is_constant(values: Array, counts: Counts | None = None) -> Bools:
    """Tell where all values [N] or [..., N] of the samples that count are the same, [...]."""
    counted = _or_once(counts, values.shape[-1]) > 0
    lowest = np.where(counted, values, np.inf).min(axis=-1)
    return np.asarray(lowest == np.where(counted, values, -np.inf).max(axis=-1))


def _centred(values: Array, counts: Counts) -> Floats:
    """Take from values [N] or [..., N] their mean over the samples that count, [..., N]; 0 where they are constant.

    Not only nearly 0: the mean of equal numbers has a rounding error, of which a ratio would make anything.
    """
    mean = _products(values, np.ones(values.shape[-1]), counts) / counts.sum(axis=-1)
    return np.where(is_constant(values, counts)[..., None], 0.0, values - mean[..., None])


def _products(first: Array, second: Array, counts: Counts) -> Floats:
    """Sum the products of two numbers of samples, [N] or [..., N], over the samples that count, [...]."""
    return np.asarray(np.einsum("...n,...n,...n->...", counts, first, second))


def _or_once(counts: Counts | None, num_samples: int) -> Counts:
    """Return the counts, by default 1 for each of the samples."""
    return np.ones(num_samples, np.int32) if counts is None else counts


def _sums(values: Array | Bools, counts: Counts | None) -> Floats:
    """Sum values over their first axis, the samples that count."""
    return np.asarray(np.tensordot(_or_once(counts, len(values)), values.astype(np.float64), axes=1))


def _mean(values: Array | Bools, counts: Counts | None) -> Floats:
    """Return the mean of values [N] over the samples that count, [...]."""
    return np.asarray(_sums(values, counts) / _or_once(counts, len(values)).sum(axis=-1))


def _sign_accuracy(labels: Array, logits: Array, counted: Bools, counts: Counts | None) -> Floats:
    """Return the share of counted samples [N] whose sign is right; NaN unless labels of both signs are there."""
    has_both = (_sums(labels > 0, counts) > 0) & (_sums(labels < 0, counts) > 0)
    right = (logits[:, 0] > 0) == (labels > 0)
    return _ratio(_sums(right & counted, counts), np.where(has_both, _sums(counted, counts), 0), undefined=np.nan)


def _tallies(labels: Array, logits: Array) -> Bools:
    """Tell of each sample and class or label whether it is hit, whether there, and whether predicted, [N, 3, C].

    Multilabel predicts where sigmoid(logit) > 0.5.
    """
    if labels.ndim == logits.ndim:
        truth, predicted = labels > 0, logits > 0
    else:
        classes = np.arange(logits.shape[-1])
        truth, predicted = labels[:, None] == classes, logits.argmax(axis=-1)[:, None] == classes
    return np.stack([truth & predicted, truth, predicted], axis=1)


def _mean_f1(tallies: Array | Bools, counts: Counts | None) -> Floats:
    """Return F1 of tallies [N, 3, C], averaged over C; what is neither there nor predicted counts 0."""
    hits, present, predicted = np.moveaxis(_sums(tallies, counts), -2, 0)
    return np.asarray(_ratio(2.0 * hits, present + predicted, undefined=0.0).mean(axis=-1))


def _ratio(numerator: Array, denominator: Array, undefined: float) -> Floats:
    """Divide, with a value for a denominator of 0."""
    numerator = np.asarray(numerator, dtype=np.float64)
    filled = np.full(np.broadcast_shapes(numerator.shape, np.shape(denominator)), undefined)
    return np.asarray(np.divide(numerator, denominator, out=filled, where=np.asarray(denominator) != 0))
