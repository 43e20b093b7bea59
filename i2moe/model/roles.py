"""Role supervision: experts learn the label where their role may know it, and to say nothing where it may not.

Another objective than the paper's, after the finding that the published role losses have optima that no label reaches:
for each expert and view, the task's loss against the label where the role may know it (uniqueness of modality i: the
intact view and those that replace another modality; synergy: the intact view; redundancy: every view), and the
divergence of its prediction from one that says nothing where it may not. Of samples that lack modalities, uniqueness
learns where its modality is there, and synergy where two are.

It makes experts *able* in their role, not only in it: nothing keeps an expert that sees everything from solving the
task another way. `i2moe.model.sealed` restricts what experts see instead.

Shapes: B samples, C outputs, M modalities, V views; as in `i2moe.model.losses`.
"""

from dataclasses import dataclass
from functools import partial
from math import log

import torch
from torch import Tensor

from i2moe.model.losses import InteractionLosses, Shown, imitation_losses, sample_losses


@dataclass(frozen=True)
class RoleSupervision:
    """The set of role losses that look at labels, for one kind of task."""

    task: str  # binary | multiclass | multilabel | regression

    def given(self, labels: Tensor | None) -> InteractionLosses:
        """Return the losses for a batch with these labels, as `task_loss` takes them.

        Raises:
            ValueError: without labels.
        """
        if labels is None:
            raise ValueError("role supervision learns from labels: training needs them")
        return InteractionLosses(
            uniqueness=partial(_uniqueness, task=self.task, labels=labels),
            synergy=partial(_synergy, task=self.task, labels=labels),
            redundancy=partial(_redundancy, task=self.task, labels=labels),
        )


def silence(task: str, logits: Tensor) -> Tensor:
    """Return how far each prediction is from one that says nothing, [..., B]; 0 for logits of 0.

    That is the divergence of equal probabilities for all classes (for both values of a label) from the prediction; for
    regression the loss against the train split's mean, 0 on standardised labels.

    Examples:
        >>> round(silence("binary", torch.tensor([[0.0, 1.0986]])).item(), 4)  # probabilities 1/4, 3/4: ln(2 / √3)
        0.1438
        >>> silence("regression", torch.tensor([[0.5], [2.0]])).tolist()
        [0.125, 1.5]
    """
    least = {"regression": 0.0, "multilabel": log(2)}.get(task, log(logits.shape[-1]))
    return imitation_losses(task, logits, torch.zeros_like(logits)) - least


def _supervise(task: str, labels: Tensor, outputs: Tensor, may_know: Tensor) -> Tensor:
    """Return the loss of each view and sample, [..., V, B], of outputs [..., V, B, C]; `may_know` has that shape."""
    return torch.where(may_know, sample_losses(task, outputs, labels), silence(task, outputs))


def _views(outputs: Tensor, shown: Shown) -> Tensor:
    """Return the modality that each view replaces, [V, B]; -1 in the intact one."""
    num_views, batch = outputs.shape[-3:-1]
    if shown.replaced is None:
        return torch.arange(-1, num_views - 1, device=outputs.device).unsqueeze(1).expand(-1, batch)
    return torch.cat([shown.replaced.new_full((1, batch), -1), shown.replaced])


def _mean(losses: Tensor, shown: Shown, views: Tensor, own: Tensor | None = None) -> Tensor:
    """Average losses [..., V, B] over the views that count: intact ones, and those that replace what is there.

    Args:
        losses: of views and samples.
        shown: which views show what.
        views: what `_views` returns.
        own: [..., B], samples of which an expert must say something at all; None: all.
    """
    if shown.counted is None:
        return losses.mean(dim=(-2, -1))
    counted = shown.counted.gather(0, views.clamp(min=0)) | (views < 0)  # [V, B]
    counts = (counted if own is None else counted & own.unsqueeze(-2)).to(losses.dtype)
    return (losses * counts).sum(dim=(-2, -1)) / counts.sum(dim=(-2, -1)).clamp(min=1)


def _uniqueness(outputs: Tensor, shown: Shown, *, task: str, labels: Tensor) -> Tensor:
    own, views = torch.arange(len(outputs), device=outputs.device).view(-1, 1, 1), _views(outputs, shown)
    return _mean(_supervise(task, labels, outputs, views != own), shown, views, shown.present)


def _synergy(outputs: Tensor, shown: Shown, num_modalities: int, *, task: str, labels: Tensor) -> Tensor:  # noqa: ARG001
    views = _views(outputs, shown)
    several = None if shown.counted is None else shown.counted.any(dim=0)
    return _mean(_supervise(task, labels, outputs, views < 0), shown, views, several)


def _redundancy(outputs: Tensor, shown: Shown, num_modalities: int, *, task: str, labels: Tensor) -> Tensor:  # noqa: ARG001
    return _mean(sample_losses(task, outputs, labels), shown, _views(outputs, shown))
