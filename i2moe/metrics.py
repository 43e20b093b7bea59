"""The paper's metrics for each kind of task, and bootstrap intervals.

Every metric takes arrays whose last axes are samples (and outputs) and broadcasts over the axes before them, so that
one call computes a metric for all bootstrap resamples. A metric that the data do not define is NaN, never 0.

Shapes: … any axes, N samples, C outputs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from i2moe.errors import InputError

Array = NDArray[np.floating] | NDArray[np.integer]
Floats = NDArray[np.float64]

LABEL_PREFIX = "auroc_of_"  # and a label's name: its AUROC
BOOTSTRAP_RESAMPLES = 1000
BOOTSTRAP_MEMORY = 2**24  # elements of one [resamples, N, C] block, 128 MiB in float64


@dataclass(frozen=True)
class Metric:
    """A metric: labels [..., N] or [..., N, C] and logits [..., N, C] to a value [...]."""

    compute: Callable[[Array, Array], Floats]
    higher_is_better: bool = True


def accuracy(labels: Array, logits: Array) -> Floats:
    """Share of samples whose largest logit is that of their class."""
    return np.asarray((logits.argmax(axis=-1) == labels).mean(axis=-1))


def auroc(labels: Array, logits: Array) -> Floats:
    """Area under the ROC curve on softmax probabilities.

    Binary: of the second class. More classes: each against the rest, averaged without weights (macro).
    """
    probabilities = softmax(logits)
    num_classes = logits.shape[-1]
    if num_classes == 2:  # noqa: PLR2004
        return _ranked_auroc(labels == 1, probabilities[..., 1])
    areas = [_ranked_auroc(labels == index, probabilities[..., index]) for index in range(num_classes)]
    return np.asarray(np.mean(areas, axis=0))


def macro_auroc(labels: Array, logits: Array) -> Floats:
    """Area under the ROC curve of each label of a multilabel task, averaged without weights."""
    areas = [_ranked_auroc(labels[..., index] > 0, logits[..., index]) for index in range(logits.shape[-1])]
    return np.asarray(np.mean(areas, axis=0))


def macro_f1(labels: Array, logits: Array) -> Floats:
    """F1 of each class, averaged without weights; a class neither present nor predicted counts 0."""
    truth, predicted = _one_hot(labels, logits)
    return _f1(truth, predicted, axis=-2).mean(axis=-1)  # type: ignore[no-any-return]


def micro_f1(labels: Array, logits: Array) -> Floats:
    """F1 over all sample-label pairs of a multilabel task."""
    truth, predicted = _one_hot(labels, logits)
    return _f1(truth, predicted, axis=(-2, -1))


def mean_absolute_error(labels: Array, logits: Array) -> Floats:
    """Mean of |prediction − label|, in the label's units."""
    return np.asarray(np.abs(logits[..., 0] - labels).mean(axis=-1))


def r_squared(labels: Array, logits: Array) -> Floats:
    """Share of the labels' variance that the predictions explain; NaN for constant labels."""
    residual = np.square(logits[..., 0] - labels).sum(axis=-1)
    total = np.square(labels - labels.mean(axis=-1, keepdims=True)).sum(axis=-1)
    return _ratio(total - residual, total, undefined=np.nan)


def pearson(labels: Array, logits: Array) -> Floats:
    """Pearson correlation of predictions and labels; NaN where either is constant."""
    predicted = logits[..., 0] - logits[..., 0].mean(axis=-1, keepdims=True)
    centred = labels - labels.mean(axis=-1, keepdims=True)
    norms = np.sqrt(np.square(predicted).sum(axis=-1) * np.square(centred).sum(axis=-1))
    return _ratio((predicted * centred).sum(axis=-1), norms, undefined=np.nan)


def sign_accuracy_neutral_negative(labels: Array, logits: Array) -> Floats:
    """Share of samples where prediction and label are both above 0 or both not; NaN where all labels are alike.

    A neutral label, 0, counts as negative, as the official code counts it.
    """
    positive = labels > 0
    return _share((logits[..., 0] > 0) == positive, np.ones_like(positive), _has_both_signs(labels))


def sign_accuracy_neutral_excluded(labels: Array, logits: Array) -> Floats:
    """Share of the samples with a label above or below 0 whose prediction is above 0 just there; NaN as above."""
    return _share((logits[..., 0] > 0) == (labels > 0), labels != 0, _has_both_signs(labels))


def _has_both_signs(labels: Array) -> NDArray[np.bool_]:
    """Tell where some labels are above 0 and others below: elsewhere their sign says nothing."""
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


def label_metrics(task: str, classes: list[str]) -> dict[str, Metric]:
    """Return the AUROC of each label of a multilabel task, by its name; other tasks have none."""
    if task != "multilabel":
        return {}
    return {f"{LABEL_PREFIX}{name}": Metric(_auroc_of(index)) for index, name in enumerate(classes)}


def _auroc_of(index: int) -> Callable[[Array, Array], Floats]:
    return lambda labels, logits: _ranked_auroc(labels[..., index] > 0, logits[..., index])


def lead_metric(task: str) -> str:
    """Name the metric that reports on a task lead with."""
    return next(iter(TASK_METRICS[task]))


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


def chance(task: str, train_labels: Array, labels: Array) -> float:
    """Return the lead metric of the constant prediction that is best on the train labels.

    That is the most frequent class; for multilabel the k most frequent labels with the best k; for regression the
    median, which minimises the absolute error.
    """
    name = lead_metric(task)
    if task == "regression":
        constants = np.full((1, 1), np.median(train_labels))
    elif task == "multilabel":
        rank = (-train_labels.mean(axis=0)).argsort(kind="stable").argsort(kind="stable")
        constants = np.where(rank < np.arange(1, len(rank) + 1)[:, None], 1.0, -1.0)  # row k: the k + 1 most frequent
    else:
        constants = np.eye(1, int(train_labels.max()) + 1, k=int(np.bincount(train_labels).argmax()))
    compute = TASK_METRICS[task][name].compute
    scores = [compute(train_labels, np.broadcast_to(one, (len(train_labels), len(one)))) for one in constants]
    best = constants[int(np.argmax(scores))]
    return float(compute(labels, np.broadcast_to(best, (len(labels), len(best)))))


def bootstrap_interval(
    metric: Metric, labels: Array, logits: Array, *, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of a metric's mean over seeds, resampling the samples.

    Args:
        metric: the metric.
        labels: [N] or [N, C].
        logits: [S, N, C] of S seeds on the same samples; every seed sees the same resamples.
        seed: of the resampling.
        level: coverage.
    """
    values = np.concatenate(
        [
            np.mean([metric.compute(labels[rows], one_seed[rows]) for one_seed in logits], axis=0)
            for rows in _resamples(len(labels), logits.shape[-1], seed)
        ]
    )
    if np.isnan(values).all():
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _resamples(num_samples: int, num_outputs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield blocks [r, N] of resampled rows, BOOTSTRAP_RESAMPLES in all, that keep memory bounded."""
    generator = np.random.default_rng(seed)
    block = max(1, BOOTSTRAP_MEMORY // (num_samples * num_outputs))
    for start in range(0, BOOTSTRAP_RESAMPLES, block):
        size = min(block, BOOTSTRAP_RESAMPLES - start)
        yield generator.integers(num_samples, size=(size, num_samples))


def softmax(logits: Array) -> Floats:
    """Probabilities over the last axis."""
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=-1, keepdims=True), dtype=np.float64)


def _ranked_auroc(positive: NDArray[np.bool_], scores: Array) -> Floats:
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
