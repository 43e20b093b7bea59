"""What evaluation adds to the metrics of `i2moe.selection`: single labels, and chance.

Shapes: N samples, C outputs.
"""

import numpy as np

from i2moe.selection import TASK_METRICS, Array, Compute, Counts, Floats, Metric, ranked_auroc

LABEL_PREFIX = "auroc_of_"  # followed by a label's name: its AUROC


def label_metrics(task: str, classes: list[str]) -> dict[str, Metric]:
    """Return the AUROC of each label of a multilabel task, by its name; other tasks have none."""
    if task != "multilabel":
        return {}
    return {f"{LABEL_PREFIX}{name}": Metric(_auroc_of(index)) for index, name in enumerate(classes)}


def _auroc_of(index: int) -> Compute:
    def auroc_of_label(labels: Array, logits: Array, counts: Counts | None = None) -> Floats:
        return ranked_auroc(labels[:, index] > 0, logits[:, index], counts)

    return auroc_of_label


def lead_metric(task: str) -> str:
    """Name the metric that reports on a task lead with."""
    return next(iter(TASK_METRICS[task]))


def chance(task: str, train_labels: Array, labels: Array) -> float:
    """Return the lead metric on some labels of the constant prediction that is best on the train labels.

    Examples:
        >>> chance("multiclass", np.array([0, 0, 1]), np.array([0, 0, 0, 1]))  # always class 0
        0.75
        >>> chance("regression", np.array([1, 2, 9]), np.array([1, 4]))  # always 2: errors 1 and 2
        1.5
    """
    best = best_constant(task, train_labels)
    compute = TASK_METRICS[task][lead_metric(task)].compute
    return float(compute(labels, np.broadcast_to(best, (len(labels), len(best)))))


def best_constant(task: str, train_labels: Array) -> Floats:
    """Return the logits [C] of the constant prediction that is best on the train labels by the lead metric.

    That is the most frequent class; for multilabel the k most frequent labels with the best k; for regression the
    median, which minimises the absolute error.
    """
    if task == "regression":
        constants = np.full((1, 1), np.median(train_labels))
    elif task == "multilabel":
        rank = (-train_labels.mean(axis=0)).argsort(kind="stable").argsort(kind="stable")
        constants = np.where(rank < np.arange(1, len(rank) + 1)[:, None], 1.0, -1.0)  # row k: the k + 1 most frequent
    else:
        constants = np.eye(1, int(train_labels.max()) + 1, k=int(np.bincount(train_labels).argmax()))
    compute = TASK_METRICS[task][lead_metric(task)].compute
    scores = [compute(train_labels, np.broadcast_to(one, (len(train_labels), len(one)))) for one in constants]
    return np.asarray(constants[int(np.argmax(scores))], dtype=np.float64)


def arrow(metric: str) -> str:
    """Return the direction in which a metric of any task, or of a single label, is better."""
    lower = {name for metrics in TASK_METRICS.values() for name, one in metrics.items() if not one.higher_is_better}
    return "↓" if metric in lower else "↑"
