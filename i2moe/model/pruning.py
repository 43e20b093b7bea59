"""Which parts of a sealed mixture stay: those that gain on the validation split what noise does not gain.

Shapes: B samples, M modalities, C outputs, E experts (M + 2), T sets of modalities.
"""

import torch
from torch import Tensor

from i2moe.model.sealed import Said, SealedMixture

STANDARD_ERRORS = 2.0  # by which a gain must exceed 0


@torch.no_grad()
def parts_to_keep(mixture: SealedMixture, said: Said, labels: Tensor) -> Tensor:
    """Decide which parts stay, [E] of 1 and 0, in the order redundancy, uniqueness, synergy.

    - Redundancy stays if its gain over the constant survives the loss of any one modality.
    - Of the modalities' own words, the one that gains least given all others is dropped until each one gains enough;
      all are where they gain nothing together.
    - Synergy stays if it gains over all others.

    Args:
        mixture: the model.
        said: what its modules say of the validation split.
        labels: of the same samples, as `task_loss` takes them.
    """
    nothing = torch.zeros_like(said.joint)
    constant = mixture.sample_losses(nothing, labels)
    enough = mixture.config.min_gain * float(constant.mean())
    kept = torch.ones_like(mixture.kept)

    without_one = mixture.shared(said)[mixture.sets.sum(dim=1) == len(said.own) - 1]  # [M, B, C]
    gains = constant - mixture.sample_losses(without_one, labels)
    kept[-1] = _gains(gains[gains.mean(dim=1).argmin()], enough)

    parts = mixture.parts_of(said, kept)
    kept[:-2] = _words_to_keep(mixture, parts[:-2], parts[-1], labels, enough)
    additive = parts[-1] + (parts[:-2] * kept[:-2].view(-1, 1, 1)).sum(dim=0)
    saved = mixture.sample_losses(additive, labels) - mixture.sample_losses(additive + parts[-2], labels)
    kept[-2] = _gains(saved, enough)
    return kept


def _words_to_keep(mixture: SealedMixture, words: Tensor, base: Tensor, labels: Tensor, enough: float) -> Tensor:
    """Decide which of the modalities' own words [M, B, C] stay on top of a base [B, C], [M]."""
    kept = words.new_ones(len(words))
    while kept.any():
        heard = words * kept.view(-1, 1, 1)
        whole = base + heard.sum(dim=0)
        gains = mixture.sample_losses(whole - heard, labels) - mixture.sample_losses(whole, labels)  # [M, B]
        least = gains.mean(dim=1).masked_fill(kept == 0, torch.inf).argmin()
        if _gains(gains[least], enough):
            together = mixture.sample_losses(base, labels) - mixture.sample_losses(whole, labels)
            return kept * _gains(together, enough)
        kept[least] = 0
    return kept


def _gains(gains: Tensor, enough: float) -> bool:
    """Return whether a gain [B] is enough on average, and not by chance."""
    error = gains.std() / len(gains) ** 0.5
    return bool(gains.mean() >= max(enough, STANDARD_ERRORS * float(error)))
