"""What a prediction is worth to a reading: a number for each sample, whose mean is the value of the prediction.

Classes: the probability of the true class, every class counted alike however rare, so that any constant prediction
is worth 1 / classes and a model that only learned which class is frequent gains nothing. Labels of a multilabel task:
the probability that each label is what it is, its two states counted alike, averaged over the labels that have both.
Numbers: minus the squared error, in variances of the train labels.

Shapes: N samples, C outputs, … any axes.
"""

import numpy as np

from i2moe.selection import Array, Floats, softmax


def sample_values(task: str, labels: Array, logits: Array, train_labels: Array) -> Floats:
    """Return what each sample adds to the value of predictions, [..., N]; the value is the mean over samples.

    Args:
        task: binary | multiclass | multilabel | regression.
        labels: [N] or [N, C].
        logits: [..., N, C]; for regression in the label's units.
        train_labels: of the train split, which set the scale of numbers.

    Examples:
        >>> labels, logits = np.array([0, 0, 0, 1]), np.zeros((4, 2))
        >>> logits[:, 0] = np.log(3)  # 3/4 for the frequent class, always
        >>> sample_values("binary", labels, logits, labels).mean().round(6).item()
        0.5
    """
    if task == "regression":
        return np.asarray(-(np.square(logits[..., 0] - labels) / _variance(train_labels)))
    if task == "multilabel":
        positive = labels > 0
        has_both = positive.any(axis=0) & ~positive.all(axis=0)
        probability = sigmoid(logits)
        right = np.where(positive, probability, 1 - probability)[..., has_both]
        own = positive[:, has_both]
        weight = np.where(own, 1 / np.maximum(own.sum(axis=0), 1), 1 / np.maximum((~own).sum(axis=0), 1))
        return np.asarray((right * weight).sum(axis=-1) * len(labels) / (2 * max(1, has_both.sum())))
    counts = np.bincount(labels, minlength=logits.shape[-1])
    weight = len(labels) / (counts[labels] * (counts > 0).sum())
    return np.asarray(softmax(logits)[..., np.arange(len(labels)), labels] * weight)


def constant_values(task: str, labels: Array, train_labels: Array) -> Floats:
    """Return what each sample adds to the value of the best constant prediction, [N]; arguments as in `sample_values`.

    Of numbers that is the train labels' mean. Of classes and labels all constants are worth the same.
    """
    if task == "regression":
        return np.asarray(-(np.square(np.mean(train_labels) - labels) / _variance(train_labels)))
    if task == "multilabel":
        return sample_values(task, labels, np.zeros(labels.shape), train_labels)
    return np.full(len(labels), 1 / len(np.unique(labels)))


def sigmoid(logits: Array) -> Floats:
    """Return the probability of each label alone."""
    from scipy.special import expit

    return np.asarray(expit(logits), np.float64)


def _variance(train_labels: Array) -> float:
    return float(np.var(train_labels)) or 1.0
