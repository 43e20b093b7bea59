"""Task losses and the weakly supervised interaction losses (paper 3.3.2, 3.4 and Appendix C).

Shapes: B samples, C outputs, M modalities, V = M + 1 views. View 0 is intact; in view j + 1 modality j is replaced.
What else is true of the views says `Shown`; losses then count what there is.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

TRIPLET_MARGIN = 1.0  # of the official code; the paper only names the loss
TRIPLET_EPS = 1e-7
REGRESSION_MARGIN = 1.0  # on standardised labels


class Shown(NamedTuple):
    """Which views show what."""

    replaced: Tensor | None = None  # [V - 1, B], the modality that view v + 1 replaces; None: view v + 1 modality v
    present: Tensor | None = None  # [M, B], which modality a sample has; None: all

    @property
    def counted(self) -> Tensor | None:
        """Which samples' views without a modality say something, [M, B]: those that have it, and another one."""
        return None if self.present is None else self.present & (self.present.sum(dim=0) > 1)


ALL = Shown()  # every view replaces another modality, and every sample has all


class InteractionLosses(NamedTuple):
    """The three role losses for one kind of task."""

    uniqueness: Callable[[Tensor, Shown], Tensor]  # of all M uniqueness experts: [M, V, B, C] to [M]
    synergy: Callable[[Tensor, Shown, int], Tensor]  # of the expert's [V, B, C], and M, to a scalar
    redundancy: Callable[[Tensor, Shown, int], Tensor]

    def given(self, labels: Tensor | None) -> "InteractionLosses":  # noqa: ARG002
        """Return the losses for a batch; these look at no labels."""
        return self


class RoleLosses(Protocol):
    """A set of role losses, which may look at the labels of a batch."""

    def given(self, labels: Tensor | None) -> InteractionLosses:
        """Return the losses for a batch with these labels, as `task_loss` takes them."""


def triplet_uniqueness(outputs: Tensor, shown: Shown) -> Tensor:
    """Triplet margin loss, averaged over the other modalities.

    For modality i's expert the intact output is the anchor, the output without i the negative, and each output without
    another modality j a positive: max(0, |o₀ − o_j| − |o₀ − o_i| + 1).

    Examples:
        >>> outputs = torch.tensor([[[3.0, 4.0]], [[0.0, 4.0]], [[3.0, 3.0]]])  # distances 3 and 1 from the intact one
        >>> losses = triplet_uniqueness(torch.stack([outputs, outputs]), ALL)  # max(0, 1 - 3 + 1), max(0, 3 - 1 + 1)
        >>> losses.round(decimals=3).tolist()
        [0.0, 3.0]
    """
    distances = functional.pairwise_distance(outputs[:, :1], outputs[:, 1:], eps=TRIPLET_EPS)  # [M, V - 1, B]
    return _positives_before_negative(*_by_modality(distances, shown, len(outputs)), TRIPLET_MARGIN)


def cosine_synergy(outputs: Tensor, shown: Shown, num_modalities: int) -> Tensor:
    """Cosine similarity of the intact output with each perturbed one: without any modality, synergy is lost.

    Examples:
        >>> outputs = torch.tensor([[[1.0, 0.0]], [[3.0, 4.0]], [[2.0, 0.0]]])  # similarities 3/5 and 1
        >>> round(cosine_synergy(outputs, ALL, 2).item(), 3)
        0.8
    """
    similarities = functional.cosine_similarity(outputs[:1], outputs[1:], dim=-1)  # [V - 1, B]
    return similarities.mean() if shown.present is None else _mean(*_by_modality(similarities, shown, num_modalities))


def cosine_redundancy(outputs: Tensor, shown: Shown, num_modalities: int) -> Tensor:
    """One minus that cosine similarity: what is redundant survives the loss of any modality.

    Examples:
        >>> outputs = torch.tensor([[[1.0, 0.0]], [[3.0, 4.0]], [[2.0, 0.0]]])  # similarities 3/5 and 1
        >>> round(cosine_redundancy(outputs, ALL, 2).item(), 3)
        0.2
    """
    if shown.present is None:
        return 1 - cosine_synergy(outputs, shown, num_modalities)
    distances = 1 - functional.cosine_similarity(outputs[:1], outputs[1:], dim=-1)
    return _mean(*_by_modality(distances, shown, num_modalities))


def squared_uniqueness(outputs: Tensor, shown: Shown) -> Tensor:
    """Hinged regression form: max(0, MSE to the positive − MSE to the negative + 1), averaged over the positives.

    The official code leaves out the hinge, which makes the loss unbounded below.

    Examples:
        >>> outputs = torch.tensor([[[1.0]], [[3.0]], [[1.5]]])  # squared errors 4 and 0.25: 4 - 0.25 + 1 is left
        >>> squared_uniqueness(torch.stack([outputs, outputs]), ALL).tolist()
        [0.0, 4.75]
    """
    return _positives_before_negative(*_errors(outputs, shown, len(outputs)), REGRESSION_MARGIN)


def squared_synergy(outputs: Tensor, shown: Shown, num_modalities: int) -> Tensor:
    """Hinged regression form: max(0, 1 − MSE), so that perturbed outputs are pushed away up to the margin.

    The official code minimises +MSE here, which is its redundancy loss again.

    Examples:
        >>> outputs = torch.tensor([[[1.0]], [[3.0]], [[1.5]]])  # squared errors 4 and 0.25: 0 and 0.75 are left
        >>> squared_synergy(outputs, ALL, 2).item()
        0.375
    """
    errors, seen = _errors(outputs, shown, num_modalities)
    return _mean(functional.relu(REGRESSION_MARGIN - errors), seen)


def squared_redundancy(outputs: Tensor, shown: Shown, num_modalities: int) -> Tensor:
    """Mean squared error between the intact output and each perturbed one.

    Examples:
        >>> outputs = torch.tensor([[[1.0]], [[3.0]], [[1.5]]])  # squared errors 4 and 0.25
        >>> squared_redundancy(outputs, ALL, 2).item()
        2.125
    """
    return _mean(*_errors(outputs, shown, num_modalities))


def _errors(outputs: Tensor, shown: Shown, num_modalities: int) -> tuple[Tensor, Tensor | None]:
    """Return the mean squared error without each modality, [..., M, 1], and which of them there are (None: all)."""
    intact, perturbed = outputs.tensor_split([1], dim=-3)
    squared = (perturbed - intact).square().mean(dim=-1)  # [..., V - 1, B]
    by_modality, seen = _by_modality(squared, shown, num_modalities)
    if seen is None:
        return by_modality.mean(dim=-1, keepdim=True), None
    count = seen.sum(dim=-1, keepdim=True)
    return by_modality.sum(dim=-1, keepdim=True) / count.clamp(min=1), (count > 0).to(squared.dtype)


def _by_modality(distances: Tensor, shown: Shown, num_modalities: int) -> tuple[Tensor, Tensor | None]:
    """Sort distances by view [..., V - 1, B] to distances by modality [..., M, B], 0 where there is none that counts.

    Also return 1 where there is one, else 0, as [M, B]; None where all are there.
    """
    counted = None if shown.counted is None else shown.counted.to(distances.dtype)
    if shown.replaced is None:
        return distances if counted is None else distances * counted, counted
    *experts, _, batch = distances.shape
    index = shown.replaced.expand_as(distances)
    sorted_ = distances.new_zeros(*experts, num_modalities, batch).scatter(-2, index, distances)
    seen = distances.new_zeros(num_modalities, batch).scatter(0, shown.replaced, 1.0)
    return (sorted_, seen) if counted is None else (sorted_ * counted, seen * counted)


def _positives_before_negative(distances: Tensor, seen: Tensor | None, margin: float) -> Tensor:
    """Average max(0, d_j − d_i + margin) over samples and over j ≠ i, for every expert i of distances [M, M, ·]."""
    num_modalities = len(distances)
    negatives = distances.diagonal().t().unsqueeze(1)  # [M, 1, ·]
    hinged = functional.relu(distances - negatives + margin)
    is_positive = 1 - torch.eye(num_modalities, device=distances.device).unsqueeze(2)
    if seen is None:
        return (hinged * is_positive).sum(dim=(1, 2)) / ((num_modalities - 1) * distances.shape[2])
    counted = is_positive * seen * seen.unsqueeze(1)  # [M, M, ·]; j and i must both be there
    return (hinged * counted).sum(dim=(1, 2)) / counted.sum(dim=(1, 2)).clamp(min=1)


def _mean(values: Tensor, seen: Tensor | None) -> Tensor:
    """Average the values that are there; 0 when there is none."""
    return values.mean() if seen is None else (values * seen).sum() / seen.sum().clamp(min=1)


CLASSIFICATION = InteractionLosses(triplet_uniqueness, cosine_synergy, cosine_redundancy)
REGRESSION = InteractionLosses(squared_uniqueness, squared_synergy, squared_redundancy)

INTERACTION_LOSSES = {
    "binary": CLASSIFICATION,
    "multiclass": CLASSIFICATION,
    "multilabel": CLASSIFICATION,
    "regression": REGRESSION,
}


def interaction_losses(
    outputs: Tensor,
    expert_names: list[str],
    num_modalities: int,
    losses: InteractionLosses,
    shown: Shown = ALL,
) -> dict[str, Tensor]:
    """Compute each expert's interaction loss, by name.

    Args:
        outputs: [E, V, B, C]: of the M uniqueness experts in modality order, unless they are left out, then of the
            synergy and the redundancy expert.
        expert_names: the E names.
        num_modalities: M.
        losses: the role losses of the task.
        shown: which views show what.
    """
    by_name = {}
    if len(outputs) > 2:  # noqa: PLR2004 (synergy and redundancy)
        by_name = dict(zip(expert_names, losses.uniqueness(outputs[:-2], shown), strict=False))
    by_name["synergy"] = losses.synergy(outputs[-2], shown, num_modalities)
    by_name["redundancy"] = losses.redundancy(outputs[-1], shown, num_modalities)
    return by_name


def task_loss(task: str, logits: Tensor, labels: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """Compute the loss of the final prediction.

    Args:
        task: binary | multiclass (cross-entropy), multilabel (binary cross-entropy), regression (SmoothL1).
        logits: [B, C]; for regression [B, 1] on standardised labels.
        labels: [B] class indices; [B, C] of 0 and 1 for multilabel; [B] standardised numbers for regression.
        class_weights: [C] for binary | multiclass: a weighted mean over the samples, as in PyTorch.

    Examples:
        >>> task_loss("regression", torch.tensor([[0.0], [3.0]]), torch.tensor([0.5, 1.0])).item()  # 0.5²/2 and 2 - 0.5
        0.8125
        >>> round(task_loss("binary", torch.zeros(3, 2), torch.tensor([0, 1, 1])).item(), 4)  # ln 2: it knows nothing
        0.6931
    """
    if task == "multilabel":
        return functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    if task == "regression":
        return functional.smooth_l1_loss(logits.squeeze(1), labels.to(logits.dtype))
    return functional.cross_entropy(logits, labels, class_weights)


def sample_losses(task: str, logits: Tensor, labels: Tensor) -> Tensor:
    """Return the task loss of each sample, [..., B]; arguments as in `task_loss`, logits [..., B, C].

    Examples:
        >>> sample_losses("regression", torch.tensor([[0.0], [3.0]]), torch.tensor([0.5, 1.0])).tolist()
        [0.125, 1.5]
        >>> sample_losses("binary", torch.zeros(3, 2, 2), torch.tensor([0, 1])).shape
        torch.Size([3, 2])
    """
    if task == "multilabel":
        wanted = labels.to(logits.dtype).expand_as(logits)
        return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(dim=-1)
    if task == "regression":
        wanted = labels.to(logits.dtype).expand(logits.shape[:-1])
        return functional.smooth_l1_loss(logits.squeeze(-1), wanted, reduction="none")
    index = labels.expand(logits.shape[:-1]).unsqueeze(-1)
    return -logits.log_softmax(dim=-1).gather(-1, index).squeeze(-1)


def imitation_losses(task: str, logits: Tensor, taught: Tensor) -> Tensor:
    """Return the task loss of each sample, [..., B], with the prediction of other logits in the place of the label.

    Args:
        task: binary | multiclass | multilabel | regression.
        logits: of the one that imitates, [..., B, C].
        taught: of the one that is imitated, of the same shape.

    Examples:
        >>> taught = torch.tensor([[0.0, 1.0986]])  # probabilities 1/4 and 3/4
        >>> round(imitation_losses("binary", torch.tensor([[0.0, 0.0]]), taught).item(), 4)  # ln 2
        0.6931
    """
    if task == "multilabel":
        wanted = taught.sigmoid()
        return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(dim=-1)
    if task == "regression":
        return functional.smooth_l1_loss(logits, taught, reduction="none").squeeze(-1)
    return -(taught.softmax(dim=-1) * logits.log_softmax(dim=-1)).sum(dim=-1)


def best_constant_logits(task: str, labels: Tensor, num_outputs: int, class_weights: Tensor | None = None) -> Tensor:
    """Return the logits [C] of the constant prediction with the lowest task loss; classes that are absent count half.

    Args:
        task: binary | multiclass | multilabel | regression.
        labels: of the train split, [N] or [N, C]; standardised numbers for regression, whose constant is 0.
        num_outputs: C.
        class_weights: [C].

    Examples:
        >>> best_constant_logits("binary", torch.tensor([0, 0, 0, 1]), 2).softmax(0).numpy().round(4).tolist()
        [0.75, 0.25]
    """
    if task == "regression":
        return torch.zeros(num_outputs)
    if task == "multilabel":
        count = labels.float().sum(dim=0)
        return count.clamp(min=0.5).log() - (len(labels) - count).clamp(min=0.5).log()
    count = torch.bincount(labels, minlength=num_outputs).float().clamp(min=0.5)
    logits = (count if class_weights is None else count * class_weights).log()
    return logits - logits.mean()


def total_loss(
    task: Tensor, interaction: dict[str, Tensor], weight: float, balance: Tensor | None, balance_weight: float
) -> Tensor:
    """Add λ · mean over experts of their interaction losses (Appendix C) and γ · balance loss to the task loss.

    Args:
        task: the task loss.
        interaction: by expert; empty for a vanilla model.
        weight: λ.
        balance: load-balance loss of a sparse fusion method, if it is one.
        balance_weight: γ.

    Examples:
        >>> interaction = {"synergy": torch.tensor(2.0), "redundancy": torch.tensor(4.0)}
        >>> total_loss(torch.tensor(1.0), interaction, 0.5, torch.tensor(2.0), 0.25).item()  # 1 + 0.5 · 3 + 0.25 · 2
        3.0
    """
    total = task
    if interaction:
        total = total + weight * torch.stack(list(interaction.values())).mean()
    if balance is not None:
        total = total + balance_weight * balance
    return total
