"""What each expert adds to the mixture: exactly, from stored logits and weights, by mixing every subset of experts.

Leave-one-out and Shapley values (`i2moe.explain.subsets.shapley_values`) follow from the values of all subsets. The
experts of a subset are mixed with their weights, scaled to sum 1 for each sample; no expert at all is the best
constant prediction. No model is run.

Shapes: S seeds, N samples, E experts, C outputs, K = 2^E subsets.
"""

import numpy as np
from numpy.typing import NDArray

from i2moe.explain.subsets import subsets
from i2moe.explain.value import constant_values, sample_values
from i2moe.selection import Array, Floats


def mixture_values(task: str, labels: Array, expert_logits: Array, weights: Array, train_labels: Array) -> Floats:
    """Return by sample the value of the mixture of every subset of experts, [S, K, N].

    Args:
        task: binary | multiclass | multilabel | regression.
        labels: [N] or [N, C].
        expert_logits: [S, N, E, C].
        weights: [S, N, E].
        train_labels: of the train split.
    """
    members = subsets(weights.shape[2])[1:]
    constant = constant_values(task, labels, train_labels)
    found = np.empty((len(weights), len(members) + 1, len(labels)))
    for values, logits, own in zip(found, expert_logits, weights, strict=True):
        mixed = np.moveaxis(restricted_weights(own, members) @ logits, 1, 0)  # [K - 1, N, C]
        values[0], values[1:] = constant, sample_values(task, labels, mixed, train_labels)
    return found


def restricted_weights(weights: Array, members: NDArray[np.bool_]) -> Floats:
    """Return the weights of each subset of experts [N, K, E], scaled to sum 1; equal ones where all weights are 0.

    Args:
        weights: [N, E].
        members: which expert is in which subset, [K, E]; none of them empty.
    """
    kept = weights[:, None, :] * members
    total = kept.sum(axis=2, keepdims=True)
    equal = np.broadcast_to(members / members.sum(axis=1, keepdims=True), kept.shape).astype(np.float64)
    return np.asarray(np.divide(kept, total, out=equal.copy(), where=total > 0))


def leave_one_out(values: Array) -> Floats:
    """Return what the mixture loses without each expert, [..., E], from the values of all subsets [..., K].

    Examples:
        >>> leave_one_out(np.array([0.5, 1.0, 0.5, 0.75])).tolist()  # without the second expert it would be better
        [0.25, -0.25]
    """
    num_experts = values.shape[-1].bit_length() - 1
    without = values[..., -2 : -2 - num_experts : -1]  # subsets of all but one, from the end: first without expert 0
    return np.asarray(values[..., -1:] - without)
