"""What training looks at on the validation split: the paper's metrics by task, one of which picks the best epoch.

Every metric takes arrays whose last axes are samples (and outputs) and broadcasts over the axes before them, so that
one call computes a metric for all bootstrap resamples. A metric that the data do not define is NaN, never 0.

Shapes: … any axes, N samples, C outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError

Array = NDArray[np.floating] | NDArray[np.integer]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A metric: labels [..., N] or [..., N, C] and logits [..., N, C] to a value [...]."""

    compute: Callable[[Array, Array], Floats]
    higher_is_better: bool = True


def accuracy(labels: Array, logits: Array) -> Floats:
    """Share of samples whose largest logit is that of their class.

    Examples:
        >>> float(accuracy(np.array([0, 1, 1, 1]), np.array([[2, 1], [0, 1], [0, 3], [1, 0]])))
        0.75
    """
    return np.asarray((logits.argmax(axis=-1) == labels).mean(axis=-1))


def auroc(labels: Array, logits: Array) -> Floats:
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
        return ranked_auroc(labels == 1, probabilities[..., 1])
    areas = [ranked_auroc(labels == index, probabilities[..., index]) for index in range(num_classes)]
    return np.asarray(np.mean(areas, axis=0))


def macro_auroc(labels: Array, logits: Array) -> Floats:
    """Area under the ROC curve of each label of a multilabel task, averaged without weights.

    Examples:
        >>> labels, logits = np.array([[1, 1], [0, 0]]), np.array([[2, 0], [1, 3]])
        >>> float(macro_auroc(labels, logits))  # 1 for the first label, 0 for the second
        0.5
    """
    areas = [ranked_auroc(labels[..., index] > 0, logits[..., index]) for index in range(logits.shape[-1])]
    return np.asarray(np.mean(areas, axis=0))


def macro_f1(labels: Array, logits: Array) -> Floats:
    """F1 of each class, averaged without weights; a class neither present nor predicted counts 0.

    Examples:
        >>> labels, logits = np.array([0, 1, 1, 1]), np.array([[1, 0], [0, 1], [0, 1], [0, 1]])
        >>> float(macro_f1(labels, logits))
        1.0
        >>> round(float(macro_f1(labels[:3], logits[[0, 0, 1]])), 3)  # 2 · 1 / (1 + 2) for either class
        0.667
    """
    truth, predicted = _one_hot(labels, logits)
    return _f1(truth, predicted, axis=-2).mean(axis=-1)  # type: ignore[no-any-return]


def micro_f1(labels: Array, logits: Array) -> Floats:
    """F1 over all sample-label pairs of a multilabel task.

    Examples:
        >>> labels, logits = np.array([[1, 0], [1, 1]]), np.array([[1, -1], [1, -1]])
        >>> float(micro_f1(labels, logits))  # 2 hits, 3 labels, 2 predictions: 2 · 2 / (3 + 2)
        0.8
    """
    truth, predicted = _one_hot(labels, logits)
    return _f1(truth, predicted, axis=(-2, -1))


def mean_absolute_error(labels: Array, logits: Array) -> Floats:
    """Mean of |prediction − label|, in the label's units.

    Examples:
        >>> float(mean_absolute_error(np.array([1, 2]), np.array([[2], [5]])))
        2.0
    """
    return np.asarray(np.abs(logits[..., 0] - labels).mean(axis=-1))


def r_squared(labels: Array, logits: Array) -> Floats:
    """Share of the labels' variance that the predictions explain; NaN for constant labels.

    Examples:
        >>> float(r_squared(np.array([1, 2, 3]), np.array([[1], [2], [2]])))  # 1 - 1 / 2
        0.5
    """
    residual = np.square(logits[..., 0] - labels).sum(axis=-1)
    total = np.square(labels - labels.mean(axis=-1, keepdims=True)).sum(axis=-1)
    return _ratio(total - residual, total, undefined=np.nan)


def pearson(labels: Array, logits: Array) -> Floats:
    """Pearson correlation of predictions and labels; NaN where either is constant.

    Examples:
        >>> float(pearson(np.array([1, 2, 3]), np.array([[2], [4], [6]])))
        1.0
    """
    predicted = logits[..., 0] - logits[..., 0].mean(axis=-1, keepdims=True)
    centred = labels - labels.mean(axis=-1, keepdims=True)
    norms = np.sqrt(np.square(predicted).sum(axis=-1) * np.square(centred).sum(axis=-1))
    return _ratio((predicted * centred).sum(axis=-1), norms, undefined=np.nan)


def sign_accuracy_neutral_negative(labels: Array, logits: Array) -> Floats:
    """Share of samples where prediction and label are both above 0 or both not; NaN where all labels are alike.

    A neutral label, 0, counts as negative, as the official code counts it.

    Examples:
        >>> labels, logits = np.array([-1, 0, 0, 2]), np.array([[-1], [1], [1], [1]])
        >>> float(sign_accuracy_neutral_negative(labels, logits))  # both neutral ones count as wrong
        0.5
    """
    positive = labels > 0
    return _share((logits[..., 0] > 0) == positive, np.ones_like(positive), _has_both_signs(labels))


def sign_accuracy_neutral_excluded(labels: Array, logits: Array) -> Floats:
    """Share of the samples with a label above or below 0 whose prediction is above 0 exactly there; NaN as above.

    Examples:
        >>> labels, logits = np.array([-1, 0, 0, 2]), np.array([[-1], [1], [1], [1]])
        >>> float(sign_accuracy_neutral_excluded(labels, logits))
        1.0
    """
    return _share((logits[..., 0] > 0) == (labels > 0), labels != 0, _has_both_signs(labels))


def _has_both_signs(labels: Array) -> NDArray[np.bool_]:
    """Return where some labels are above 0 and others below: elsewhere their sign says nothing."""
    return np.asarray((labels > 0).any(axis=-1) & (labels < 0).any(axis=-1))


def _share(right: NDArray[np.bool_], counted: NDArray[np.bool_], defined: NDArray[np.bool_]) -> Floats:
    return _ratio((right & counted).sum(axis=-1), np.where(defined, counted.sum(axis=-1), 0), undefined=np.nan)


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


def ranked_auroc(positive: NDArray[np.bool_], scores: Array) -> Floats:
    """Mann-Whitney form: the share of positive-negative pairs in the right order, ties counting half."""
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=-1)
    num_positive = positive.sum(axis=-1).astype(np.float64)
    num_negative = positive.shape[-1] - num_positive
    in_order = (ranks * positive).sum(axis=-1) - num_positive * (num_positive + 1) / 2
    return _ratio(in_order, num_positive * num_negative, undefined=np.nan)


def _one_hot(labels: Array, logits: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return truth and prediction as [..., N, C] booleans; multilabel predicts where sigmoid(logit) > 0.5."""
    if labels.ndim == logits.ndim:
        return labels > 0, logits > 0
    classes = np.arange(logits.shape[-1])
    return labels[..., None] == classes, logits.argmax(axis=-1)[..., None] == classes


def _f1(truth: NDArray[np.bool_], predicted: NDArray[np.bool_], axis: int | tuple[int, ...]) -> Floats:
    hits = (truth & predicted).sum(axis=axis)
    return _ratio(2.0 * hits, truth.sum(axis=axis) + predicted.sum(axis=axis), undefined=0.0)


def _ratio(numerator: Array, denominator: Array, undefined: float) -> Floats:
    """Divide, with a value for a denominator of 0."""
    numerator = np.asarray(numerator, dtype=np.float64)
    filled = np.full(np.broadcast_shapes(numerator.shape, np.shape(denominator)), undefined)
    return np.asarray(np.divide(numerator, denominator, out=filled, where=np.asarray(denominator) != 0))
