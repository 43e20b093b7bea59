"""MulT: one Transformer over the concatenated tokens of all modalities.

The paper calls this MulT after Tsai et al. (ACL 2019), but describes and runs a single self-attention stack
over the concatenation instead of Tsai's directional cross-modal attention; so do we. One difference from the official
code: attention has a skip connection (there, the attention output replaced the residual stream).

Shapes: B samples, M modalities, P tokens a modality, H hidden_dim, C outputs, N = M·P tokens.
"""

import torch
from torch import Tensor, nn

from i2moe.dropout import Dropout


class SelfAttention(nn.Module):
    """Multi-head self-attention over a token sequence; query, key and value projections have no bias.

    The attention is written out, since PyTorch's fused CPU kernel has no vmap rule: experts run at once would
    fall back to a loop inside it. With tens of tokens the fused kernel has nothing to save.
    """

    def __init__(self, hidden_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = Dropout(dropout)
        self.query_key_value = nn.Linear(hidden_dim, 3 * hidden_dim, bias=False)
        self.output = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens [B, N, H] to [B, N, H]."""
        batch, length, width = tokens.shape
        heads = self.query_key_value(tokens).view(batch, length, 3, self.num_heads, width // self.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)  # each [B, heads, N, H / heads]
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)
        mixed = self.dropout(scores.softmax(dim=3)) @ value
        return self.output(mixed.transpose(1, 2).reshape(batch, length, width))  # type: ignore[no-any-return]


class TransformerLayer(nn.Module):
    """Pre-norm block: x + attention(norm(x)), then x + MLP(norm(x)) with an MLP of width 2H and GELU."""

    def __init__(self, hidden_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(hidden_dim)
        self.attention = SelfAttention(hidden_dim, num_heads, dropout)
        self.mlp_norm = nn.LayerNorm(hidden_dim)
        self.mlp = nn.Sequential(
            nn.Linear(hidden_dim, 2 * hidden_dim),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(2 * hidden_dim, hidden_dim),
        )
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens [B, N, H] to [B, N, H]."""
        tokens = tokens + self.dropout(self.attention(self.attention_norm(tokens)))
        return tokens + self.dropout(self.mlp(self.mlp_norm(tokens)))  # type: ignore[no-any-return]


class MulT(nn.Module):
    """Concatenate all tokens, add a learned position table, transform, average each modality, predict linearly.

    Parameters: L(8H² + 8H) + (MHC + C) + MPH, which reproduces the paper's Table 6 (1,072,131 for ADNI).
    """

    def __init__(
        self,
        *,
        num_modalities: int,
        num_patches: int,
        hidden_dim: int,
        num_outputs: int,
        dropout: float,
        num_layers: int,
        num_heads: int,
    ) -> None:
        """Build the module.

        Raises:
            ValueError: if `num_heads` does not divide `hidden_dim`.
        """
        super().__init__()
        if hidden_dim % num_heads:
            raise ValueError(f"num_heads={num_heads} does not divide hidden_dim={hidden_dim}")
        self.num_modalities = num_modalities
        self.position = nn.Parameter(torch.zeros(1, num_modalities * num_patches, hidden_dim))
        self.layers = nn.Sequential(
            *(TransformerLayer(hidden_dim, num_heads, dropout) for _ in range(num_layers)),
        )
        self.head = nn.Linear(num_modalities * hidden_dim, num_outputs)

    def forward(self, tokens: list[Tensor]) -> Tensor:
        """Map M token tensors [B, P, H] to logits [B, C]."""
        mixed = self.layers(torch.cat(tokens, dim=1) + self.position)  # [B, M·P, H]
        means = [modality.mean(dim=1) for modality in mixed.chunk(self.num_modalities, dim=1)]
        return self.head(torch.cat(means, dim=1))  # type: ignore[no-any-return]
