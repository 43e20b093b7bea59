"""GShard: Dense whose first MLP is a mixture of experts that all modalities share, two of them for each token.

After Lepikhin et al. (*GShard*, ICLR 2021, algorithm 1): the two experts with the largest probabilities, weighted by
them; in training the second one by chance, the more likely the larger its weight, and up to a capacity. It is a
baseline of FL-I2MoE's follow-up (arXiv 2606.29613), whose code takes the layer from FastMoE. Differences: the balance
loss and the capacity are those of each view alone inside an I2MoE; evaluation drops no token; padding goes to no
expert, takes no capacity and counts for nothing in the balance loss. The capacity itself is a share of the places for
tokens, padding included, since it fixes the shape of a buffer: with much padding little is dropped.
"""

import math

import torch
from torch import Tensor, nn

from i2moe.fusion.dropout import Dropout
from i2moe.fusion.layers import LayerNorm, Linear
from i2moe.fusion.routing import ExpertLinear, Owners, balance_loss, through_experts, without_autocast
from i2moe.fusion.sequence import SequenceFusion
from i2moe.fusion.transformer import SelfAttention, TransformerLayer
from i2moe.model.fusion import Sizes

CHOICES = 2  # experts of a token


class GShardFeedForward(nn.Module):
    """Pre-norm mixture of expert MLPs of width 2H, with a skip around it."""

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

    def forward(self, tokens: Tensor, padding: Tensor | None, num_views: int) -> tuple[Tensor, Tensor]:
        """Map tokens [V·B, N, H], view after view, with padding [V·B, N], to [V·B, N, H] and the balance loss."""
        normed = self.norm(tokens).flatten(-3, -2)  # [n, H]
        absent = None if padding is None else padding.flatten(-2)  # [n]
        with without_autocast(tokens.device):
            probabilities = torch.softmax(self.router(normed.to(self.router.weight.dtype)).float(), dim=-1)
        gates, choices = self.choose(probabilities, absent)
        num_places = normed.shape[-2] // num_views
        even_share = CHOICES * num_places / self.num_experts
        capacity = math.ceil(self.capacity_factor * even_share) if self.training else None
        gates = gates.to(normed.dtype)
        mixed = through_experts(self._mlp, normed, gates, choices, self.num_experts, capacity, num_views)
        loss = balance_loss(probabilities, choices[..., :1], self.penalties, num_views, absent)
        return tokens + self.dropout(mixed.view(tokens.shape)), loss

    def choose(self, probabilities: Tensor, absent: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the weights and the indices of each token's experts, [n, 2]; the index is E where there is none.

        Args:
            probabilities: [n, E].
            absent: [n], True where there is no token.
        """
        gates, choices = probabilities.topk(CHOICES, dim=-1)
        gates = gates / gates.sum(dim=-1, keepdim=True)
        first, second = torch.split(choices, 1, dim=-1)
        if self.training:
            likely = 2 * gates[..., 1:]
            second = second.masked_fill(torch.rand_like(likely) >= likely, self.num_experts)
        choices = torch.cat([first, second], dim=-1)
        if absent is not None:
            choices = choices.masked_fill(absent.unsqueeze(-1), self.num_experts)
        return gates, choices

    def _mlp(self, buffer: Tensor, owners: Owners) -> Tensor:
        hidden = self.inner_dropout(self.gelu(self.inner(buffer, owners)))
        return self.outer(hidden, owners)  # type: ignore[no-any-return]


class GShardLayer(nn.Module):
    """Self-attention, then a mixture of expert MLPs."""

    def __init__(
        self, hidden_dim: int, num_heads: int, num_experts: int, capacity_factor: float, dropout: float
    ) -> None:
        super().__init__()
        self.attention = SelfAttention(hidden_dim, num_heads, dropout)
        self.feed_forward = GShardFeedForward(hidden_dim, num_experts, capacity_factor, dropout)

    def forward(
        self, tokens: Tensor, projected: Tensor, padding: Tensor | None, num_views: int, maps: list[Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """Map tokens [V·B, N, H], view after view, to [V·B, N, H] and the balance loss."""
        attended = self.attention(tokens, projected, padding, maps)
        return self.feed_forward(attended, padding, num_views)  # type: ignore[no-any-return]


class GShard(SequenceFusion):
    """Dense with a mixture of expert MLPs in the first layer.

    Parameters: Dense's, where E(4H² + 3H) + EH + E replaces the MLP's 4H² + 3H in the first layer.
    """

    takes_stacked = True

    def __init__(
        self, sizes: Sizes, *, num_layers: int, num_heads: int, num_experts: int, capacity_factor: float
    ) -> None:
        """Build the module.

        Raises:
            ValueError: if `num_heads` does not divide `hidden_dim`.
        """
        width = sizes.hidden_dim
        dense = (TransformerLayer(width, num_heads, 2 * width, sizes.dropout) for _ in range(num_layers - 1))
        sparse = GShardLayer(width, num_heads, num_experts, capacity_factor, sizes.dropout)
        super().__init__(sizes, [sparse, *dense])

    def transform(
        self,
        tokens: Tensor,
        projected: Tensor,
        padding: Tensor | None,
        num_views: int,
        maps: list[Tensor] | None,
    ) -> tuple[Tensor, Tensor]:
        """Transform all tokens [V·B, N, H]; the balance loss is the mean over views."""
        sparse, *dense = self.layers
        tokens, loss = sparse(tokens, projected, padding, num_views, maps)
        for layer in dense:
            tokens = layer(tokens, None, padding, maps)
        return tokens, loss
