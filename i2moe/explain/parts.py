"""What the parts of a sealed mixture have saved of the loss: shares of the experts, over all samples and of each.

A gain is the constant prediction's loss less that of a prediction, so with cross-entropy a gain in log-likelihood. All
are gains of sums of parts:

- *synergy* has what the whole prediction gains over the sum of all functions of one modality each;
- *redundancy* has what its expert still gains by itself, rescaled, without the modality whose loss hurts it most;
- *uniqueness* of a modality has the modality's Shapley value in the game of the sums of functions of one modality each
  (its echo, if that is heard, and its own word), less its Shapley value in the game of redundancy.

So they add up to the gain of the whole prediction, and are shares of *additive attribution*: how the model's logits
come about as a sum. They are not the partial information of the data, with which they agree where evidence adds up and
not, for example, on AND. `docs/sealed.md` says more.

Shapes: N samples, M modalities, T terms (M + 2), K = 2^M subsets in the order of `i2moe.explain.subsets`, G = 2K + 1
gains: of each subset's functions of one modality, of each subset's echoes, of the whole prediction; … any axes.
"""

import numpy as np
import torch
from torch import Tensor

from i2moe.explain.subsets import shapley_values, subsets
from i2moe.model.losses import imitation_losses
from i2moe.model.sealed import Said, SealedMixture
from i2moe.selection import Array, Floats


def part_gains(mixture: SealedMixture, said: Said, labels: Tensor | None = None) -> Floats:
    """Return the gains of each sample, [G, N].

    Args:
        mixture: the model.
        said: what its modules say of N samples.
        labels: as `task_loss` takes them; None: the gains that the model itself expects, with its own prediction in the
            place of the label, so that what is read of a sample does not depend on its label.
    """
    kept = mixture.kept
    parts = mixture.parts_of(said, kept)
    of_one = parts[:-2] + kept[-1] * mixture.loudness[-1] * said.echoes
    nothing = torch.zeros_like(parts[:1])
    additive = torch.einsum("tm,mnc->tnc", mixture.sets, of_one)
    whole = parts.sum(dim=0, keepdim=True)
    logits = torch.cat([nothing, additive, nothing, kept[-1] * mixture.shared(said), whole])
    if labels is None:
        predicted = mixture.constant + logits
        losses = imitation_losses(mixture.task, predicted, predicted[-1:].expand_as(predicted))
    else:
        losses = mixture.sample_losses(logits, labels)
    return (losses[0] - losses).detach().double().cpu().numpy()


def part_contributions(gains: Array) -> Floats:
    """Divide the whole gain among the terms, [..., T] of [..., G]; the values add up to it.

    Examples:
        >>> additive, shared, whole = [0, 0.5, 0.4, 0.7], [0, 0.3, 0.2, 0.4], [0.8]
        >>> part_contributions(np.array(additive + shared + whole)).round(3).tolist()
        [0.3, 0.2, 0.1, 0.2]
    """
    half = gains.shape[-1] // 2
    additive, shared, whole = gains[..., :half], gains[..., half:-1], gains[..., -1:]
    survives = _survives(shared)
    uniqueness = shapley_values(additive) - shapley_values(survives)
    return np.concatenate([uniqueness, whole - additive[..., -1:], survives[..., -1:]], axis=-1)


def _survives(shared: Array) -> Floats:
    """Return what each subset's echoes gain without the modality whose loss hurts most; at least 0, [..., K]."""
    members = subsets(shared.shape[-1].bit_length() - 1)
    survives = np.zeros(shared.shape)
    for row, inside in enumerate(members):
        has_one_less = (members <= inside).all(axis=1) & (members.sum(axis=1) == inside.sum() - 1)
        if has_one_less.any():
            survives[..., row] = np.maximum(0, shared[..., has_one_less].min(axis=-1))
    return survives


def sample_shares(gains: Array, least: float) -> Floats:
    """Return the terms' shares in each sample's gain, [N, T]; NaN where the whole gain is not above `least`.

    Args:
        gains: of samples, [G, N], as `part_gains` returns them without labels.
        least: in the units of the loss.
    """
    positive = np.maximum(part_contributions(gains.T), 0)
    total = positive.sum(axis=1, keepdims=True)
    shown = (total > 0) & (gains[-1][:, None] > least)
    return np.asarray(np.where(shown, positive / np.where(shown, total, 1), np.nan))
