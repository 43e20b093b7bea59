"""What evaluation adds to the metrics of `i2moe.selection`: single labels, chance, and bootstrap intervals.

Shapes: N samples, C outputs, S seeds.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from i2moe.selection import TASK_METRICS, Array, Floats, Metric, ranked_auroc

LABEL_PREFIX = "auroc_of_"  # followed by a label's name: its AUROC
BOOTSTRAP_RESAMPLES = 1000
BOOTSTRAP_MEMORY = 2**24  # elements of one [resamples, N, C] block, 128 MiB in float64
LEVEL = 0.95  # of intervals


def label_metrics(task: str, classes: list[str]) -> dict[str, Metric]:
    """Return the AUROC of each label of a multilabel task, by its name; other tasks have none."""
    if task != "multilabel":
        return {}
    return {f"{LABEL_PREFIX}{name}": Metric(_auroc_of(index)) for index, name in enumerate(classes)}


def _auroc_of(index: int) -> Callable[[Array, Array], Floats]:
    return lambda labels, logits: ranked_auroc(labels[..., index] > 0, logits[..., index])


def lead_metric(task: str) -> str:
    """Name the metric that reports on a task lead with."""
    return next(iter(TASK_METRICS[task]))


def chance(task: str, train_labels: Array, labels: Array) -> float:
    """Return the lead metric of the constant prediction that is best on the train labels.

    That is the most frequent class; for multilabel the k most frequent labels with the best k; for regression the
    median, which minimises the absolute error.

    Examples:
        >>> chance("multiclass", np.array([0, 0, 1]), np.array([0, 0, 0, 1]))  # always class 0
        0.75
        >>> chance("regression", np.array([1, 2, 9]), np.array([1, 4]))  # always 2: errors 1 and 2
        1.5
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


def bootstrap_interval(metric: Metric, labels: Array, logits: Array, *, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of a metric's mean over seeds, resampling the samples.

    Args:
        metric: the metric.
        labels: [N] or [N, C].
        logits: [S, N, C] of S seeds on the same samples; every seed sees the same resamples.
        seed: of the resampling.
    """
    values = np.concatenate(
        [
            np.mean([metric.compute(labels[rows], one_seed[rows]) for one_seed in logits], axis=0)
            for rows in _resamples(len(labels), logits.shape[-1], seed)
        ]
    )
    if np.isnan(values).all():
        return float("nan"), float("nan")
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _resamples(num_samples: int, num_outputs: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield blocks [r, N] of resampled rows, BOOTSTRAP_RESAMPLES in all, that keep memory bounded."""
    generator = np.random.default_rng(seed)
    block = max(1, BOOTSTRAP_MEMORY // (num_samples * num_outputs))
    for start in range(0, BOOTSTRAP_RESAMPLES, block):
        size = min(block, BOOTSTRAP_RESAMPLES - start)
        yield generator.integers(num_samples, size=(size, num_samples))
