"""The Transformer over the tokens of all modalities that MulT, SwitchGate and MoE++ share.

Shapes: B samples, M modalities, P tokens per modality, H hidden_dim, C outputs, N tokens.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from i2moe.fusion.dropout import Dropout
from i2moe.model.fusion import Fused, Fusion, Sizes


class SelfAttention(nn.Module):
    """Pre-norm multi-head self-attention with a skip around it: x + dropout(attention(norm(x))).

    The attention is written out, since PyTorch's fused CPU kernel has no vmap rule: experts run at once would
    fall back to a loop inside it. With tens of tokens the fused kernel has nothing to save.
    """

    def __init__(self, hidden_dim: int, num_heads: int, dropout: float, *, bias: bool = False) -> None:
        """Build the block.

        Raises:
            ValueError: if `num_heads` does not divide `hidden_dim`.
        """
        super().__init__()
        if hidden_dim % num_heads:
            raise ValueError(f"num_heads={num_heads} does not divide hidden_dim={hidden_dim}")
        self.num_heads = num_heads
        self.dropout = Dropout(dropout)
        self.norm = nn.LayerNorm(hidden_dim)
        self.query_key_value = nn.Linear(hidden_dim, 3 * hidden_dim, bias=bias)
        self.output = nn.Linear(hidden_dim, hidden_dim)

    def project(self, tokens: Tensor) -> Tensor:
        """Map tokens [B, N, H] to queries, keys and values [B, N, 3H]: the part that mixes no tokens."""
        return self.query_key_value(self.norm(tokens))  # type: ignore[no-any-return]

    def forward(self, tokens: Tensor, projected: Tensor | None = None) -> Tensor:
        """Map tokens [B, N, H], and their `project` where it is known already, to [B, N, H]."""
        batch, length, width = tokens.shape
        heads = self.project(tokens) if projected is None else projected
        heads = heads.view(batch, length, 3, self.num_heads, width // self.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)  # each [B, heads, N, H / heads]
        scores = (query @ key.transpose(2, 3)) * query.shape[-1] ** -0.5
        mixed = self.dropout(scores.softmax(dim=3)) @ value
        attended = self.output(mixed.transpose(1, 2).reshape(batch, length, width))
        return tokens + self.dropout(attended)  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """Pre-norm MLP with GELU and a skip around it: x + dropout(MLP(norm(x)))."""

    def __init__(self, hidden_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden_dim)
        self.mlp = nn.Sequential(
            nn.Linear(hidden_dim, mlp_dim), nn.GELU(), Dropout(dropout), nn.Linear(mlp_dim, hidden_dim)
        )
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens [B, N, H] to [B, N, H]."""
        return tokens + self.dropout(self.mlp(self.norm(tokens)))  # type: ignore[no-any-return]


class TransformerLayer(nn.Module):
    """Self-attention, then a dense MLP."""

    def __init__(self, hidden_dim: int, num_heads: int, mlp_dim: int, dropout: float, *, bias: bool = False) -> None:
        super().__init__()
        self.attention = SelfAttention(hidden_dim, num_heads, dropout, bias=bias)
        self.feed_forward = FeedForward(hidden_dim, mlp_dim, dropout)

    def forward(self, tokens: Tensor, projected: Tensor | None = None) -> Tensor:
        """Map tokens [B, N, H], and their queries, keys and values where they are known already, to [B, N, H]."""
        return self.feed_forward(self.attention(tokens, projected))  # type: ignore[no-any-return]


class TokenFusion(Fusion):
    """Concatenate all tokens, add a learned position table, transform, average each modality, predict linearly.

    Subclasses define the layers, and run them in `fuse`; each layer has an `attention`.
    """

    def __init__(self, sizes: Sizes, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(sizes.num_modalities, sizes.num_patches, sizes.hidden_dim))
        self.layers = nn.ModuleList(layers)
        self.head = nn.Linear(sizes.num_modalities * sizes.hidden_dim, sizes.num_outputs)

    def embed(self, tokens: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Add positions to each modality's tokens [B, P, H]; project them for the first attention, to [B, P, 3H]."""
        placed = torch.cat(tokens, dim=1) + self.position.flatten(0, 1)
        projected = self.layers[0].attention.project(placed)  # type: ignore[union-attr, operator]
        return list(zip(placed.chunk(len(tokens), dim=1), projected.chunk(len(tokens), dim=1), strict=True))

    def concatenate(self, embedded: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Lay the tokens of all modalities in one row [B, M·P, H], and their projections [B, M·P, 3H]."""
        tokens, projected = zip(*embedded, strict=True)
        return torch.cat(tokens, dim=1), torch.cat(projected, dim=1)

    def predict(self, tokens: Tensor, balance_loss: Tensor | None = None) -> Fused:
        """Average each modality's tokens [B, M·P, H] and predict."""
        latent = torch.unflatten(tokens, 1, (len(self.position), -1)).mean(dim=2).flatten(1)
        return Fused(self.head(latent), latent, balance_loss)
