"""What every fusion method shares: its interface and what it returns.

Shapes: B samples, M modalities, P tokens a modality, H hidden_dim, C outputs, D width of the fused latent.
"""

from typing import Any, NamedTuple

from torch import Tensor, nn


class Fused(NamedTuple):
    """What a fusion method says of a batch."""

    logits: Tensor  # [B, C]
    latent: Tensor | None = None  # [B, D], what the head sees
    balance_loss: Tensor | None = None  # scalar, of a sparse method in training: how unevenly its experts are used


class Fusion(nn.Module):
    """A fusion method in two steps, so that views of a sample can share the first one.

    `embed` treats each modality by itself and draws no random numbers; an I2MoE's views of a sample differ in one
    modality, so that each modality is embedded once intact and once replaced, not once a view. `fuse` is the rest.
    """

    def embed(self, tokens: list[Tensor]) -> list[Any]:
        """Map each of M token tensors [B, P, H] to a tensor, or a tuple of tensors, with B rows."""
        return list(tokens)

    def fuse(self, embedded: list[Any]) -> Fused:
        """Fuse what `embed` gave for each of the M modalities."""
        raise NotImplementedError

    def forward(self, tokens: list[Tensor]) -> Fused:
        """Fuse M token tensors [B, P, H]."""
        return self.fuse(self.embed(tokens))
