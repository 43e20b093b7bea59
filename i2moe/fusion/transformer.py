"""The Transformer over the tokens of all modalities that MulT, SwitchGate and MoE++ share.

Shapes: B samples, M modalities, P tokens per modality, H hidden_dim, C outputs, N tokens; see `i2moe.fusion.layers`
for E experts at once.
"""

from abc import abstractmethod
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from i2moe.fusion.dropout import Dropout
from i2moe.fusion.layers import LayerNorm, Linear, may_use_fast_kernels
from i2moe.model.fusion import Fused, Fusion, Sizes


class SelfAttention(nn.Module):
    """Pre-norm multi-head self-attention with a skip around it: x + dropout(attention(norm(x))).

    In training the attention is written out, since PyTorch's fused CPU kernel has no vmap rule: experts run at once
    would fall back to a loop inside it.
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
        self.norm = LayerNorm(hidden_dim)
        self.query_key_value = Linear(hidden_dim, 3 * hidden_dim, bias=bias)
        self.output = Linear(hidden_dim, hidden_dim)

    def project(self, tokens: Tensor) -> Tensor:
        """Map tokens [B, N, H] to queries, keys and values [B, N, 3H]: the part that mixes no tokens."""
        return self.query_key_value(self.norm(tokens))  # type: ignore[no-any-return]

    def forward(
        self,
        tokens: Tensor,
        projected: Tensor | None = None,
        padding: Tensor | None = None,
        maps: list[Tensor] | None = None,
    ) -> Tensor:
        """Map tokens [B, N, H] to [B, N, H].

        Args:
            tokens: [B, N, H].
            projected: what `project` makes of them, where it is known already.
            padding: [B, N], True where there is no token: none attends to it.
            maps: a list to which the attention [B, heads, N, N] is appended.
        """
        heads = self.project(tokens) if projected is None else projected
        heads = torch.unflatten(heads, -1, (3, self.num_heads, -1)).transpose(-4, -2)  # [B, heads, 3, N, H / heads]
        query, key, value = heads.unbind(-3)
        mask = None if padding is None else _mask(padding, query)
        if maps is None and may_use_fast_kernels(query) and not self.training:
            one, two, three = (each.flatten(0, -4) for each in (query, key, value))  # the fused kernel has 4 axes
            flat = None if mask is None else mask.expand(*query.shape[:-3], *mask.shape[-3:]).flatten(0, -4)
            mixed = functional.scaled_dot_product_attention(one, two, three, flat).view(query.shape)
        else:
            scores = (query @ key.transpose(-2, -1)) * query.shape[-1] ** -0.5
            attention = (scores if mask is None else scores + mask).softmax(dim=-1)
            if maps is not None:
                maps.append(attention)
            mixed = self.dropout(attention) @ value
        attended = self.output(mixed.transpose(-3, -2).flatten(-2))
        return tokens + self.dropout(attended)  # type: ignore[no-any-return]


def _mask(padding: Tensor, query: Tensor) -> Tensor:
    """Return what is added to scores for keys with this padding [B, N]: [B, 1, 1, N].

    Less than any score, but finite: a sample that has no token at all then attends to all alike, not to NaN.
    """
    least = torch.finfo(query.dtype).min / 2
    return padding[..., None, None, :].to(query.dtype) * least


class FeedForward(nn.Module):
    """Pre-norm MLP with GELU and a skip around it: x + dropout(MLP(norm(x)))."""

    def __init__(self, hidden_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__()
        self.norm = LayerNorm(hidden_dim)
        self.mlp = nn.Sequential(Linear(hidden_dim, mlp_dim), nn.GELU(), Dropout(dropout), Linear(mlp_dim, hidden_dim))
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

    def forward(
        self,
        tokens: Tensor,
        projected: Tensor | None = None,
        padding: Tensor | None = None,
        maps: list[Tensor] | None = None,
    ) -> Tensor:
        """Map tokens [B, N, H] to [B, N, H]; arguments as those of `SelfAttention`."""
        return self.feed_forward(self.attention(tokens, projected, padding, maps))  # type: ignore[no-any-return]


class TokenFusion(Fusion):
    """Concatenate all tokens, add a learned position table, transform, average each modality, predict linearly.

    Subclasses define the layers, and run them in `transform`; each layer has an `attention`.
    """

    def __init__(self, sizes: Sizes, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(sizes.num_modalities, sizes.num_patches, sizes.hidden_dim))
        self.layers = nn.ModuleList(layers)
        self.head = Linear(sizes.num_modalities * sizes.hidden_dim, sizes.num_outputs)

    def place(self, tokens: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Lay the tokens of all modalities [B, P, H] in one row and add positions, [B, M·P, H].

        Returns:
            Those tokens, and their projections for the first attention, [B, M·P, 3H].
        """
        placed = torch.cat(tokens, dim=-2) + self.position.flatten(-3, -2).unsqueeze(-3)
        return placed, self.layers[0].attention.project(placed)  # type: ignore[union-attr, operator]

    @abstractmethod
    def transform(self, tokens: Tensor, projected: Tensor, num_views: int) -> Fused:
        """Transform tokens [V·B, M·P, H] of V views, with their projections [V·B, M·P, 3H], and predict."""

    def forward(self, tokens: list[Tensor]) -> Fused:
        """Fuse M token tensors [B, P, H]."""
        return self.transform(*self.place(tokens), 1)

    def embed(self, tokens: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Place each modality's tokens [B, P, H] and project them, to [B, P, 3H]."""
        parts = (each.chunk(len(tokens), dim=-2) for each in self.place(tokens))
        return list(zip(*parts, strict=True))

    def fuse(self, embedded: list[tuple[Tensor, Tensor]]) -> Fused:
        """Fuse the M modalities, embedded."""
        return self.fuse_views(embedded, 1)

    def fuse_views(self, embedded: list[tuple[Tensor, Tensor]], num_views: int) -> Fused:
        """Do the same for V views; a sparse method gives each of them the capacity that it would have alone."""
        tokens, projected = (torch.cat(parts, dim=-2) for parts in zip(*embedded, strict=True))
        return self.transform(tokens, projected, num_views)

    def predict(self, tokens: Tensor, balance_loss: Tensor | None = None) -> Fused:
        """Average each modality's tokens [B, M·P, H] and predict."""
        latent = torch.unflatten(tokens, -2, (self.position.shape[-3], -1)).mean(dim=-2).flatten(-2)
        return Fused(self.head(latent), latent, balance_loss)
