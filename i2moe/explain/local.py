"""How a model uses its modalities on one sample: a lattice of its own, and the prediction without each modality.

What counts is the probability of the class that is predicted from all modalities, so that no label is needed: of a
multilabel task its mean over the labels that are predicted, of all labels the likeliest where none is. Of a number it
is minus the squared distance from the prediction from all modalities, in variances of the train labels.

It is valid only where training saw missing modalities (`modality_dropout`): a model that never did may say anything
where one is missing. On data whose samples follow one of four rules, the largest local share named the rule of .47 to
.67 of samples without, and of .85 to .90 with it.

Shapes: N samples, K = 2^M subsets, C outputs, T = M + 2 terms.
"""

import numpy as np

from i2moe.explain.lattice import lattice_parts
from i2moe.explain.shares import normalised
from i2moe.explain.value import sigmoid
from i2moe.selection import Array, Floats, softmax


def local_values(task: str, logits: Array, train_labels: Array) -> Floats:
    """Return the value of each subset of modalities for each sample, [..., K, N].

    Args:
        task: binary | multiclass | multilabel | regression.
        logits: with every subset of modalities intact, [..., K, N, C]; all of them last.
        train_labels: of the train split.

    Examples:
        >>> logits = np.log(np.array([[[0.5, 0.5]], [[0.5, 0.5]], [[0.9, 0.1]], [[0.9, 0.1]]]))
        >>> local_values("binary", logits, np.array([0, 1])).round(3).ravel().tolist()  # of class 0
        [0.5, 0.5, 0.9, 0.9]
    """
    whole = logits[..., -1:, :, :]
    if task == "regression":
        return np.asarray(-(np.square(logits - whole)[..., 0] / (float(np.var(train_labels)) or 1.0)))
    chosen = np.equal(whole, whole.max(axis=-1, keepdims=True))
    if task == "multilabel":
        chosen = (whole > 0) | (chosen & ~(whole > 0).any(axis=-1, keepdims=True))
        return np.asarray((sigmoid(logits) * chosen).sum(axis=-1) / chosen.sum(axis=-1))
    return np.asarray((softmax(logits) * chosen).sum(axis=-1) / chosen.sum(axis=-1))


def local_shares(values: Floats) -> Floats:
    """Return the terms' shares of each sample's gain, [..., N, T], from its values [..., K, N]; NaN without any gain.

    Examples:
        >>> local_shares(np.array([[0.5], [0.5], [0.9], [0.9]])).round(3).tolist()  # only the second modality matters
        [[0.0, 1.0, 0.0, 0.0]]
    """
    return normalised(lattice_parts(np.asarray(np.moveaxis(values, -2, -1))))


def without_each(values: Floats) -> Floats:
    """Return the value of each sample without each modality, [..., N, M], from those of all subsets [..., K, N].

    Examples:
        >>> without_each(np.array([[0.5], [0.5], [0.9], [0.9]])).tolist()
        [[0.9, 0.5]]
    """
    num_modalities = values.shape[-2].bit_length() - 1
    return np.moveaxis(values[..., -2 : -2 - num_modalities : -1, :], -2, -1)
