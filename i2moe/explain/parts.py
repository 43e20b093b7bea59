"""What the parts of a sealed mixture have saved of the loss: shares of the experts, over all samples and of each.

A gain is the constant prediction's loss less that of a prediction, so with cross-entropy a gain in log-likelihood. All
are gains of sums of parts, none of an expert by itself outside its sum:

- *synergy* has what the whole prediction gains over the sum of all functions of one modality each;
- *redundancy* has what its expert still gains by itself, rescaled, without the modality whose loss hurts it most;
- *uniqueness* of a modality has the modality's Shapley value in the game of the sums of functions of one modality each
  (its echo, if that is heard, and its own word), less its Shapley value in the game of redundancy.

So they add up to the gain of the whole prediction, and are shares of *additive attribution*: how the model's logits come
about as a sum. They are not the partial information of the data, with which they agree where evidence adds up and not,
for example, on AND. `docs/sealed.md` says more.

Shapes: N samples, M modalities, E experts (M + 2), G = 2^M sets of modalities: bit i of a set's place is modality i.
"""

from math import factorial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from i2moe.model.losses import imitation_losses
from i2moe.model.sealed import Said, SealedMixture, modality_sets
from i2moe.selection import Array, Floats


class Gains(NamedTuple):
    """Gains over the constant prediction; the last axis may be that of samples, resamples or seeds."""

    additive: Floats  # [G, ...], of each set's functions of one modality
    shared: Floats  # [G, ...], of each set's echoes, rescaled; 0 where the redundancy expert is dropped
    whole: Floats  # [...], of the prediction
    constant: Floats  # [...], the loss that is there to be saved


def part_gains(mixture: SealedMixture, said: Said, labels: Tensor | None = None) -> Gains:
    """Return the gains of each sample, [G, N] and [N].

    Args:
        mixture: the model.
        said: what its modules say of N samples.
        labels: as `task_loss` takes them; None: the gains that the model itself expects, with its own prediction in the
            place of the label, so that the shares of a sample do not depend on its label.
    """
    parts = mixture.parts_of(said, mixture.kept)
    echoes = mixture.kept[-1] * mixture.loudness[-1] * said.echoes
    sets = mixture.sets.to(echoes)
    additive = torch.einsum("tm,mnc->tnc", sets, parts[:-2] + echoes)
    shared = mixture.kept[-1] * mixture.shared(said)
    whole = parts.sum(dim=0, keepdim=True)
    constant = torch.zeros_like(whole)
    logits = torch.cat([constant, whole, additive, shared])
    losses = _losses(mixture, logits, labels).double().cpu().numpy()
    gains = losses[0] - losses
    of_sets = gains[2:].reshape(2, len(sets), -1)
    order = [sum(2**i for i in own) for own in modality_sets(len(parts) - 2)]
    by_place = np.zeros((2, len(sets) + 1, gains.shape[1]))
    by_place[:, order] = of_sets
    return Gains(by_place[0], by_place[1], gains[1], losses[0])


def _losses(mixture: SealedMixture, logits: Tensor, labels: Tensor | None) -> Tensor:
    if labels is not None:
        return mixture.sample_losses(logits, labels)
    logits = mixture.constant + logits
    return imitation_losses(mixture.task, logits, logits[1].expand_as(logits))


def contributions(gains: Gains) -> Floats:
    """Divide the whole gain among the experts, [E, ...]; the values add up to it.

    Examples:
        >>> additive, shared = np.array([0, 0.5, 0.4, 0.7]), np.array([0, 0.3, 0.2, 0.4])
        >>> contributions(Gains(additive, shared, np.array(0.8), np.array(1.0))).round(3).tolist()
        [0.3, 0.2, 0.1, 0.2]
    """
    num_modalities = int(np.log2(len(gains.additive)))
    survives = np.stack([_without_any(gains.shared, place, num_modalities) for place in range(len(gains.shared))])
    uniqueness = shapley(gains.additive) - shapley(survives)
    return np.concatenate([uniqueness, (gains.whole - gains.additive[-1])[None], survives[-1:]])


def _without_any(shared: Floats, place: int, num_modalities: int) -> Floats:
    """Return what a set's echoes gain without the modality of it whose loss hurts most; at least 0."""
    fewer = [shared[place ^ (1 << i)] for i in range(num_modalities) if place >> i & 1]
    return np.maximum(0, np.min(fewer, axis=0)) if fewer else np.zeros_like(shared[0])


def shares(gains: Gains, least: float = 0.0) -> Floats:
    """Return the experts' shares [E, ...], which sum to 1; what costs instead of gaining has none.

    Args:
        gains: of samples, or their means.
        least: share of the constant's loss that the whole prediction must save; elsewhere shares are NaN.
    """
    positive = np.maximum(contributions(gains), 0)
    total = positive.sum(axis=0)
    defined = (gains.whole > least * gains.constant) & (total > 0)
    return np.asarray(np.where(defined, positive / np.where(defined, total, 1), np.nan))


def shapley(values: Array) -> Floats:
    """Return the Shapley values [M, ...] of a game: the mean over orders of what each player adds.

    Args:
        values: [2^M, ...], of each set of players; bit i of a set's place is player i.

    Examples:
        >>> shapley(np.array([0.0, 0.5, 0.25, 1.0])).tolist()
        [0.625, 0.375]
    """
    num_players = int(np.log2(len(values)))
    found = []
    for player in range(num_players):
        others = [place for place in range(len(values)) if not place >> player & 1]
        sizes = [place.bit_count() for place in others]
        weights = [factorial(size) * factorial(num_players - size - 1) / factorial(num_players) for size in sizes]
        added = [values[place | (1 << player)] - values[place] for place in others]
        found.append(np.tensordot(weights, np.stack(added), axes=1))
    return np.stack(found)


def mean_gains(gains: Gains, rows: Array) -> Gains:
    """Return the mean gains over samples [..., n] of each set and of the whole, such as over resamples."""
    return Gains(*(np.asarray(value[..., rows].mean(axis=-1)) for value in gains))
