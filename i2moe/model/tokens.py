"""The tokens of one modality: a tensor [B, P, H], or a sequence of up to N tokens per sample with a padding mask.

Shapes: B samples, P tokens that every sample has, N tokens with padding, H hidden_dim. All of these may have the E
experts in front. Use `num_samples` for B: `len` of padded tokens counts the fields of the tuple.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Padded(NamedTuple):
    """Tokens of which not every sample has equally many."""

    values: Tensor  # [B, N, H]; at padding, anything finite
    padding: Tensor  # [B, N] bool, True where there is no token


Tokens = Tensor | Padded


def values_of(tokens: Tokens) -> Tensor:
    """Return the values [B, P or N, H]."""
    return tokens.values if isinstance(tokens, Padded) else tokens


def with_values(tokens: Tokens, values: Tensor) -> Tokens:
    """Return other values in the place of the tokens' own; padding stays as it is."""
    return Padded(values, tokens.padding) if isinstance(tokens, Padded) else values


def num_samples(tokens: Tokens) -> int:
    """Return B."""
    return values_of(tokens).shape[-3]


def samples(tokens: Tokens, index: Tensor) -> Tokens:
    """Return some samples, by their indices [n]; they may repeat."""
    return Padded(*(each[index] for each in tokens)) if isinstance(tokens, Padded) else tokens[index]


def mean_of(tokens: Tokens) -> Tensor:
    """Return the mean over each sample's tokens [B, H], padding left out; 0 for a sample that has none.

    Examples:
        >>> import torch
        >>> values, padding = torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[False, False, True]])
        >>> mean_of(Padded(values, padding)).tolist()
        [[2.0]]
    """
    if not isinstance(tokens, Padded):
        return tokens.mean(dim=-2)
    return _real(tokens).sum(dim=-2) / (~tokens.padding).sum(dim=-1, keepdim=True).clamp(min=1)


def sum_over_samples(tokens: Tokens, present: Tensor | None = None) -> tuple[Tensor, Tensor | int]:
    """Return the sum over samples, and of how many: by position [1, P, H] of B; of padded tokens [1, 1, H] of all.

    Padded tokens are those of sequences, whose positions mean nothing: their mean is that of all tokens. Where some
    samples lack the modality, `present` [B] tells which ones count.
    """
    if present is not None:
        tokens = samples(tokens, present.nonzero().flatten())
    if not isinstance(tokens, Padded):
        return tokens.sum(dim=0, keepdim=True), len(tokens)
    return _real(tokens).sum(dim=(0, 1)).view(1, 1, -1), (~tokens.padding).sum()


def where_present(replacement: Tokens, tokens: Tokens, present: Tensor | None) -> Tokens:
    """Return a replacement where the modality is present [B], and else the tokens: who lacks it has nothing to lose."""
    if present is None:
        return replacement
    values = torch.where(present.view(-1, 1, 1), values_of(replacement), values_of(tokens))
    if not isinstance(tokens, Padded):
        return values
    assert isinstance(replacement, Padded)  # noqa: S101 (of one modality)
    return Padded(values, torch.where(present.view(-1, 1), replacement.padding, tokens.padding))


def of_modality(presence: Tensor | None, index: int) -> Tensor | None:
    """Return which samples [B] have a modality, by presence [B, M]; None where all have all."""
    return None if presence is None else presence[:, index]


def in_place_of(mean: Tensor, tokens: Tokens) -> Tokens:
    """Return mean tokens, [1, P, H] or [1, 1, H], in the place of every sample's; padding stays as it is."""
    return with_values(tokens, mean.expand_as(values_of(tokens)))


def _real(tokens: Padded) -> Tensor:
    """Return the values, 0 at padding."""
    return tokens.values.masked_fill(tokens.padding.unsqueeze(-1), 0)
