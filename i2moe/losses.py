"""Task losses and the weakly supervised interaction losses (paper 3.3.2, 3.4 and Appendix C).

Shapes: B samples, C outputs, M modalities, V = M + 1 views. View 0 is intact; in view j + 1 modality j is replaced.
Every interaction loss takes one expert's `outputs` [V, B, C] and returns a scalar to minimise.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

TRIPLET_MARGIN = 1.0  # SPEC of the official code; the paper names the loss only
TRIPLET_EPS = 1e-7
REGRESSION_MARGIN = 1.0  # on standardised labels


class InteractionLosses(NamedTuple):
    """The three role losses for one kind of task."""

    uniqueness: Callable[[Tensor, int], Tensor]
    synergy: Callable[[Tensor], Tensor]
    redundancy: Callable[[Tensor], Tensor]


def triplet_uniqueness(outputs: Tensor, modality: int) -> Tensor:
    """Triplet margin loss, averaged over the other modalities.

    The intact output is the anchor, the output without `modality` the negative, and each output without another
    modality a positive: max(0, |o₀ − o_j| − |o₀ − o_modality| + 1).
    """
    distances = functional.pairwise_distance(outputs[:1], outputs[1:], eps=TRIPLET_EPS)  # [M, B]
    return _positives_before_negative(distances, modality, TRIPLET_MARGIN)


def cosine_synergy(outputs: Tensor) -> Tensor:
    """Cosine similarity of the intact output with each perturbed one: without any modality, synergy is lost."""
    return functional.cosine_similarity(outputs[:1], outputs[1:], dim=-1).mean()


def cosine_redundancy(outputs: Tensor) -> Tensor:
    """One minus that cosine similarity: what is redundant survives the loss of any modality."""
    return 1 - cosine_synergy(outputs)


def squared_uniqueness(outputs: Tensor, modality: int) -> Tensor:
    """Hinged regression form: max(0, MSE to the positive − MSE to the negative + 1), averaged over the positives.

    The official code leaves out the hinge, which makes the loss unbounded below.
    """
    return _positives_before_negative(_squared_errors(outputs), modality, REGRESSION_MARGIN)


def squared_synergy(outputs: Tensor) -> Tensor:
    """Hinged regression form: max(0, 1 − MSE), so that perturbed outputs are pushed away up to the margin.

    The official code minimises +MSE here, which is its redundancy loss again.
    """
    return functional.relu(REGRESSION_MARGIN - _squared_errors(outputs)).mean()


def squared_redundancy(outputs: Tensor) -> Tensor:
    """Mean squared error between the intact output and each perturbed one."""
    return _squared_errors(outputs).mean()


def _squared_errors(outputs: Tensor) -> Tensor:
    """Return the mean squared error of each perturbed view to the intact one, [M, 1]."""
    return (outputs[1:] - outputs[:1]).square().mean(dim=(1, 2)).unsqueeze(1)


def _positives_before_negative(distances: Tensor, modality: int, margin: float) -> Tensor:
    """Average max(0, d_j − d_modality + margin) over samples and over j ≠ modality, for distances [M, ·]."""
    hinged = functional.relu(distances - distances[modality] + margin)
    others = [other for other in range(len(distances)) if other != modality]
    return hinged[others].mean()


CLASSIFICATION = InteractionLosses(triplet_uniqueness, cosine_synergy, cosine_redundancy)
REGRESSION = InteractionLosses(squared_uniqueness, squared_synergy, squared_redundancy)

INTERACTION_LOSSES = {
    "binary": CLASSIFICATION,
    "multiclass": CLASSIFICATION,
    "multilabel": CLASSIFICATION,
    "regression": REGRESSION,
}


def interaction_losses(outputs: Tensor, modalities: list[str], losses: InteractionLosses) -> dict[str, Tensor]:
    """Compute each expert's interaction loss, by name, in the order of the experts.

    Args:
        outputs: [E, V, B, C] with E = M + 2: uniqueness experts in modality order, then synergy, then redundancy.
        modalities: the M names, in order.
        losses: the role losses of the task.
    """
    by_name = {f"uniqueness_{name}": losses.uniqueness(outputs[index], index) for index, name in enumerate(modalities)}
    by_name["synergy"] = losses.synergy(outputs[-2])
    by_name["redundancy"] = losses.redundancy(outputs[-1])
    return by_name


def task_loss(task: str, logits: Tensor, labels: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Compute the loss of the final prediction.

    Args:
        task: binary | multiclass (cross-entropy), multilabel (binary cross-entropy), regression (SmoothL1).
        logits: [B, C]; for regression [B, 1] on standardised labels.
        labels: [B] class indices; [B, C] of 0 and 1 for multilabel; [B] standardised numbers for regression.
        class_weights: [C] for binary | multiclass: a weighted mean over the samples, as in PyTorch.
    """
    if task == "multilabel":
        return functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    if task == "regression":
        return functional.smooth_l1_loss(logits.squeeze(1), labels.to(logits.dtype))
    return functional.cross_entropy(logits, labels, class_weights)


def total_loss(task: Tensor, interaction: dict[str, Tensor], weight: float) -> Tensor:
    """Return task loss + weight · mean over experts of their interaction losses (Appendix C), if there are any."""
    if not interaction:
        return task
    return task + weight * torch.stack(list(interaction.values())).mean()
