"""A trained model that is asked about the tokens of some samples: what it, or one expert, says of only some of them.

A token that is out is set, after the encoder, to its modality's mean token over the train split; padding stays. Of an
I2MoE each expert is asked by itself, or all of them mixed:

- `mixture`: their weights follow from the tokens that are left, so that evidence which acts through them counts;
- `mixture, weights fixed`: the weights stay those of the whole sample.

What a modality's tokens are before they meet those of others (`Fusion.embed`) is worked out once, for the sample's own
tokens and for the mean ones, not for each set of tokens that is left.

Shapes: S samples, n tokens of all modalities (padding included), B sets of tokens, M modalities, H hidden_dim,
C outputs, E experts.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from i2moe.explain.tokens.game import Ints, Players
from i2moe.explain.tokens.target import Scale, targets_of, value_of
from i2moe.model.fusion import AttentionFusion, Fused
from i2moe.model.interaction import InteractionMoE
from i2moe.model.multimodal import MultimodalModel
from i2moe.model.tokens import Padded, Tokens, in_place_of, num_samples, samples, values_of, with_values
from i2moe.selection import Bools, Floats

MIXTURE, FIXED = "mixture", "mixture, weights fixed"
VALUES_AT_ONCE = 2**22  # token values of one pass, 16 MiB in float32: what follows from them is several times as much


def can_be_read(model: MultimodalModel) -> bool:
    """Return whether a model, or each expert of it, is one whose tokens can be asked about."""
    mixture = model.fusion
    alone = mixture.experts.alone(0) if isinstance(mixture, InteractionMoE) else mixture
    return isinstance(alone, AttentionFusion)


@dataclass(frozen=True)
class Reading:
    """A model and the tokens of S samples."""

    model: MultimodalModel
    tokens: list[Tokens]  # of M modalities, of S samples, on the model's device
    means: list[Tensor]  # [1, P, H] or [1, 1, H], of M modalities
    task: str

    @cached_property
    def players(self) -> Players:
        """The tokens, as games know them."""
        counts = [values_of(own).shape[1] for own in self.tokens]
        real = [
            ~own.padding if isinstance(own, Padded) else torch.ones(own.shape[:2], dtype=torch.bool)
            for own in self.tokens
        ]
        modality = np.repeat(np.arange(len(counts)), counts)
        return Players(modality, torch.cat([each.cpu() for each in real], dim=1).numpy())

    @cached_property
    def fusions(self) -> dict[str, AttentionFusion]:
        """Each expert as a module of its own, by name; of a model without experts the whole, as the mixture."""
        mixture = self.model.fusion
        if isinstance(mixture, InteractionMoE):
            found: dict[str, Any] = {
                name: mixture.experts.alone(index).eval() for index, name in enumerate(mixture.expert_names)
            }
            return found
        return {MIXTURE: mixture}  # type: ignore[dict-item]

    @property
    def names(self) -> list[str]:
        """Who can be asked: each expert, then the mixture in both ways; of a model without experts the model alone."""
        return [*self.fusions, MIXTURE, FIXED] if len(self.fusions) > 1 else [MIXTURE]

    @cached_property
    def weights(self) -> Tensor:
        """The experts' weights from all tokens, [S, E]; 1 of a model without experts."""
        return self._weigh(self.tokens)

    @cached_property
    def targets(self) -> Tensor:
        """What is asked about, [S, C]: what the whole model predicts from all tokens."""
        with torch.no_grad():
            everyone = torch.arange(num_samples(self.tokens[0]))
            parts = [self.logits(MIXTURE, self._all(index), index) for index in torch.split(everyone, self.at_once)]
            return targets_of(self.task, torch.cat(parts))

    @property
    def at_once(self) -> int:
        """How many sets of tokens one pass takes."""
        return max(1, VALUES_AT_ONCE // sum(values_of(own)[0].numel() for own in self.tokens))

    def logits(self, name: str, keep: Tensor, index: Tensor) -> Tensor:
        """Return what one of `names` says, [B, C].

        Args:
            name: an expert, or the mixture in one of two ways.
            keep: [B, n], which tokens are left.
            index: [B], of which sample each set of tokens is.
        """
        if name in self.fusions:
            return self._fuse(name, keep, index).logits
        each = torch.stack([self._fuse(expert, keep, index).logits for expert in self.fusions], dim=1)
        weights = self.weights[index] if name == FIXED else self._weigh(self._left(keep, index))
        return torch.einsum("bec,be->bc", each, weights)

    def _fuse(self, name: str, keep: Tensor, index: Tensor) -> Fused:
        """Fuse what is left, from the halves that `embed` made."""
        intact, absent = self._embedded[name]
        kept = torch.split(keep.unsqueeze(-1), [values_of(own).shape[1] for own in self.tokens], dim=1)
        return self.fusions[name].fuse([_choose(*each, index) for each in zip(kept, intact, absent, strict=True)])

    @cached_property
    def _embedded(self) -> dict[str, tuple[list[Any], list[Any]]]:
        """What each expert's `embed` makes of the samples' own tokens, and of mean tokens in their places."""
        first = [samples(own, torch.tensor([0])) for own in self.tokens]
        absent = [in_place_of(mean, own) for mean, own in zip(self.means, first, strict=True)]
        with torch.no_grad():
            return {name: (fusion.embed(self.tokens), fusion.embed(absent)) for name, fusion in self.fusions.items()}

    def _left(self, keep: Tensor, index: Tensor) -> list[Tokens]:
        """Return tokens of which those that are out are mean ones."""
        kept = torch.split(keep.unsqueeze(-1), [values_of(own).shape[1] for own in self.tokens], dim=1)
        return [
            with_values(own, torch.where(inside, values_of(own), mean))
            for inside, own, mean in zip(kept, (samples(each, index) for each in self.tokens), self.means, strict=True)
        ]

    def _weigh(self, tokens: list[Tokens]) -> Tensor:
        mixture = self.model.fusion
        if not isinstance(mixture, InteractionMoE):
            return torch.ones(num_samples(tokens[0]), 1, device=values_of(tokens[0]).device)
        with torch.no_grad():
            weights: Tensor = mixture.reweighting(tokens)
        return weights

    def _all(self, index: Tensor) -> Tensor:
        """Return that all tokens are left, [B, n]."""
        return torch.ones(len(index), len(self.players.modality), dtype=torch.bool, device=self.device)

    @property
    def device(self) -> torch.device:
        """Where the tokens are."""
        return values_of(self.tokens[0]).device


@dataclass(frozen=True)
class ReadingGame:
    """The value of coalitions of tokens to one of a reading's names: a `i2moe.explain.tokens.game.Game`."""

    reading: Reading
    name: str
    scale: Scale

    def __call__(self, keep: Bools, rows: Ints) -> Floats:
        """Return the values [S, R] of coalitions keep [S, R, n] of the samples `rows`."""
        flat = torch.from_numpy(keep.reshape(-1, keep.shape[-1]))
        index = torch.from_numpy(np.repeat(rows, keep.shape[1]))
        values, at_once = [], self.reading.at_once
        with torch.no_grad():
            for some, own in zip(torch.split(flat, at_once), torch.split(index, at_once), strict=True):
                logits = self.reading.logits(self.name, some.to(self.reading.device), own)
                values.append(value_of(self.reading.task, logits, self.reading.targets[own], self.scale))
        return torch.cat(values).double().cpu().numpy().reshape(keep.shape[:2])


def _choose(keep: Tensor, intact: Any, absent: Any, index: Tensor) -> Any:  # noqa: ANN401 (what a fusion embeds)
    """Take the sample's own tokens where they are left, else the mean ones; a mask is the sample's own."""
    if isinstance(intact, Tensor):
        return intact[index] if intact.dtype == torch.bool else torch.where(keep, intact[index], absent)
    return tuple(_choose(keep, *pair, index) for pair in zip(intact, absent, strict=True))
