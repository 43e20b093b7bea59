"""Which parts of a sealed mixture stay: those that gain on the validation split what noise does not gain.

Shapes: B samples, M modalities, C outputs, E experts (M + 2), T sets of modalities.
"""

import torch
from torch import Tensor

from i2moe.model.sealed import Said, SealedMixture

STANDARD_ERRORS = 2.0  # by which a gain must exceed 0


def parts_to_keep(mixture: SealedMixture, said: Said, labels: Tensor) -> Tensor:
    """Decide which parts stay, [E] of 1 and 0, in the order redundancy, uniqueness, synergy.

    - Redundancy stays if its gain over the constant survives the loss of any one modality.
    - Of the modalities' own words, the one that gains least given all others is dropped until each one gains enough.
    - Synergy stays if it gains over all others.

    Args:
        mixture: the model.
        said: what its modules say of the validation split.
        labels: of the same samples, as `task_loss` takes them.
    """
    constant = mixture.sample_losses(torch.zeros_like(said.joint), labels)
    enough = mixture.config.min_gain * float(constant.mean())
    kept = torch.ones_like(mixture.kept)
    without_one = mixture.shared(said)[mixture.sets.sum(dim=1) == len(said.own) - 1]  # [M, B, C]
    gains = constant - mixture.sample_losses(without_one, labels)
    kept[-1] = _gains(gains[gains.mean(dim=1).argmin()], enough)
    parts = mixture.parts_of(said, kept)
    for _ in said.own:
        losses = _without_each(mixture, parts * kept.view(-1, 1, 1), labels)  # [M, B]
        present = kept[:-2] > 0
        if not present.any():
            break
        least = losses.mean(dim=1).masked_fill(~present, torch.inf).argmin()
        additive = (parts * kept.view(-1, 1, 1)).sum(dim=0) - parts[-2]
        if _gains(losses[least] - mixture.sample_losses(additive, labels), enough):
            break
        kept[least] = 0
    additive = (parts * kept.view(-1, 1, 1)).sum(dim=0) - parts[-2]
    losses = mixture.sample_losses(torch.stack([additive, additive + parts[-2]]), labels)
    kept[-2] = _gains(losses[0] - losses[1], enough)
    return kept


def _without_each(mixture: SealedMixture, parts: Tensor, labels: Tensor) -> Tensor:
    """Return the losses [M, B] of the sum of parts [E, B, C] but synergy and each modality's own word in turn."""
    return mixture.sample_losses(parts.sum(dim=0) - parts[-2] - parts[:-2], labels)


def _gains(gains: Tensor, enough: float) -> bool:
    """Return whether a gain [B] is enough on average, and not by chance."""
    error = gains.std() / len(gains) ** 0.5
    return bool(gains.mean() >= max(enough, STANDARD_ERRORS * float(error)))
