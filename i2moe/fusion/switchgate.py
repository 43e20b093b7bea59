"""SwitchGate: MulT whose MLPs are Switch layers, where a router sends each token to one of several expert MLPs.

After Fedus et al. (*Switch Transformers*, JMLR 2022): top-1 routing under multiplicative input jitter,
capacity factor, load-balance loss. The paper replaces "the MLP layer in MulT", so every layer is sparse here (Fedus et
al. and the official code: every other one). Differences from the official code: the balance loss counts the tokens of
all modalities and has a gradient, jitter multiplies the router's input in training only, and evaluation drops no
token. Inside an I2MoE each view of a batch has the capacity and the balance loss that it would have alone.
"""

import math

import torch
from torch import Tensor, nn

from i2moe.fusion.dropout import Dropout
from i2moe.fusion.layers import LayerNorm, Linear
from i2moe.fusion.routing import ExpertLinear, Owners, balance_loss, through_experts, without_autocast
from i2moe.fusion.transformer import SelfAttention, TokenFusion
from i2moe.model.fusion import Fused, Sizes

JITTER = 1e-2  # Fedus et al. 2022, appendix F


class SwitchFeedForward(nn.Module):
    """Pre-norm Switch layer with a skip around it; each expert is MulT's MLP of width 2H."""

    penalties: Tensor

    def __init__(self, hidden_dim: int, num_experts: int, capacity_factor: float, dropout: float) -> None:
        super().__init__()
        self.num_experts = num_experts
        self.capacity_factor = capacity_factor
        self.register_buffer("penalties", torch.full((num_experts,), float(num_experts)))
        self.norm = LayerNorm(hidden_dim)
        self.router = Linear(hidden_dim, num_experts)
        self.inner = ExpertLinear(num_experts, hidden_dim, 2 * hidden_dim)
        self.outer = ExpertLinear(num_experts, 2 * hidden_dim, hidden_dim)
        self.gelu = nn.GELU()
        self.inner_dropout = Dropout(dropout)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, num_views: int = 1) -> tuple[Tensor, Tensor]:
        """Map tokens [V·B, N, H], view after view, to [V·B, N, H] and the balance loss."""
        normed = self.norm(tokens).flatten(-3, -2)  # [n, H]
        with without_autocast(tokens.device):
            seen = normed.to(self.router.weight.dtype)
            if self.training:
                seen = seen * (1 + JITTER * (2 * torch.rand_like(seen) - 1))
            probabilities = torch.softmax(self.router(seen).float(), dim=-1)
        gates, choices = probabilities.max(dim=-1, keepdim=True)
        num_tokens = normed.shape[-2] // num_views
        capacity = math.ceil(self.capacity_factor * num_tokens / self.num_experts) if self.training else None
        gates = gates.to(normed.dtype)
        mixed = through_experts(self._mlp, normed, gates, choices, self.num_experts, capacity, num_views)
        loss = balance_loss(probabilities, choices, self.penalties, num_views)
        return tokens + self.dropout(mixed.view(tokens.shape)), loss

    def _mlp(self, buffer: Tensor, owners: Owners) -> Tensor:
        hidden = self.inner_dropout(self.gelu(self.inner(buffer, owners)))
        return self.outer(hidden, owners)  # type: ignore[no-any-return]


class SwitchLayer(nn.Module):
    """Self-attention, then a Switch layer."""

    def __init__(
        self, hidden_dim: int, num_heads: int, num_experts: int, capacity_factor: float, dropout: float
    ) -> None:
        super().__init__()
        self.attention = SelfAttention(hidden_dim, num_heads, dropout)
        self.feed_forward = SwitchFeedForward(hidden_dim, num_experts, capacity_factor, dropout)

    def forward(self, tokens: Tensor, projected: Tensor | None, num_views: int) -> tuple[Tensor, Tensor]:
        """Map tokens [V·B, N, H], view after view, to [V·B, N, H] and the balance loss."""
        return self.feed_forward(self.attention(tokens, projected), num_views)  # type: ignore[no-any-return]


class SwitchGate(TokenFusion):
    """MulT with Switch layers.

    Parameters: MulT's, where E(4H² + 3H) + EH + E replaces the MLP's 4H² + 3H in every layer.
    """

    takes_stacked = True

    def __init__(
        self, sizes: Sizes, *, num_layers: int, num_heads: int, num_experts: int, capacity_factor: float
    ) -> None:
        """Build the module.

        Raises:
            ValueError: if `num_heads` does not divide `hidden_dim`.
        """
        layers = (
            SwitchLayer(sizes.hidden_dim, num_heads, num_experts, capacity_factor, sizes.dropout)
            for _ in range(num_layers)
        )
        super().__init__(sizes, layers)

    def transform(self, tokens: Tensor, projected: Tensor, num_views: int) -> Fused:
        """Transform all tokens [V·B, N, H] and predict; the balance loss is the mean over layers and views."""
        losses = []
        for index, layer in enumerate(self.layers):
            tokens, loss = layer(tokens, projected if index == 0 else None, num_views)
            losses.append(loss)
        return self.predict(tokens, torch.stack(losses).mean(dim=0))
