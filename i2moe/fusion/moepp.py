"""MoE++: MulT whose MLPs are sparse layers in which some experts cost nothing.

After Jin et al. (*MoE++: Accelerating Mixture-of-Experts Methods with Zero-Computation Experts*, 2024): every token
goes to the two experts its router likes best, out of feed-forward (FFN), constant, copy and zero experts; the router
of a layer also sees the scores of the layer before (gating residual); a heterogeneous load-balance loss and capacity
let the cheap experts take more tokens. Sizes follow the official code of I2MoE: SwiGLU FFNs of width 64, two constant
experts, one copy and one zero expert among the `num_experts`, a router of two layers.

Differences from that code: the experts' output is used (there it was discarded), layers build on each other (there
only the last one counted), gates are the softmax's own values and tokens are not doubled, as in Jin et al.'s equations,
the balance loss exists, and the first layer has no gating residual, since no scores come before it.
"""

import math

import torch
from torch import Tensor, nn

from i2moe.fusion.dropout import Dropout
from i2moe.fusion.layers import LayerNorm, Linear
from i2moe.fusion.routing import ExpertLinear, Owners, balance_loss, through_experts, without_autocast
from i2moe.fusion.transformer import SelfAttention, TokenFusion
from i2moe.model.fusion import Fused, Sizes

NUM_CONSTANT = 2
ZERO_COMPUTATION = NUM_CONSTANT + 2  # and one copy, one zero expert
TOP_K = 2
FFN_DIM = 64
ROUTER_WIDTH = 8  # hidden units of the router for each expert


class MixedExperts(nn.Module):
    """Pre-norm MoE++ layer with a skip around it; experts in the order FFN, constant, copy, zero."""

    penalties: Tensor

    def __init__(
        self, hidden_dim: int, num_experts: int, capacity_factor: float, tau: float, dropout: float, *, first: bool
    ) -> None:
        super().__init__()
        self.num_ffn = num_experts - ZERO_COMPUTATION
        # Shares of the tokens: an FFN's is tau times that of a zero-computation expert.
        self.capacity_share = capacity_factor * TOP_K * tau / (tau * self.num_ffn + ZERO_COMPUTATION)
        self.register_buffer("penalties", torch.tensor([1.0] * self.num_ffn + [tau] * ZERO_COMPUTATION))
        self.norm = LayerNorm(hidden_dim)
        self.router = nn.Sequential(
            Linear(hidden_dim, ROUTER_WIDTH * num_experts, bias=False),
            nn.Tanh(),
            Linear(ROUTER_WIDTH * num_experts, num_experts, bias=False),
        )
        self.residual = None if first else Linear(num_experts, num_experts, bias=False)
        self.gate = ExpertLinear(self.num_ffn, hidden_dim, FFN_DIM, bias=False)
        self.inner = ExpertLinear(self.num_ffn, hidden_dim, FFN_DIM, bias=False)
        self.outer = ExpertLinear(self.num_ffn, FFN_DIM, hidden_dim, bias=False)
        self.constants = nn.Parameter(torch.randn(NUM_CONSTANT, hidden_dim))
        self.mixing = Linear(hidden_dim, 2 * NUM_CONSTANT, bias=False)
        self.silu = nn.SiLU()
        self.dropout = Dropout(dropout)

    def forward(
        self, tokens: Tensor, earlier_scores: Tensor | None, num_views: int = 1
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Map tokens [V·B, N, H], view after view, and the scores [n, E] of the layer before.

        Returns:
            Tokens, scores and the balance loss.
        """
        normed = self.norm(tokens).flatten(-3, -2)  # [n, H]
        with without_autocast(tokens.device):
            scores = self.router(normed.to(self.constants.dtype))
            if self.residual is not None and earlier_scores is not None:
                scores = scores + self.residual(earlier_scores)
            probabilities = torch.softmax(scores.float(), dim=-1)
        gates, choices = probabilities.topk(TOP_K, dim=-1)  # [n, k]
        gates = gates.to(normed.dtype)
        mixed = self._ffn(normed, gates, choices, num_views) + self._zero_computation(normed, gates, choices)
        loss = balance_loss(probabilities, choices, self.penalties, num_views)
        return tokens + self.dropout(mixed.view(tokens.shape)), scores, loss

    def _ffn(self, normed: Tensor, gates: Tensor, choices: Tensor, num_views: int) -> Tensor:
        """Return what the FFN experts add to each token, [n, H]."""
        capacity = math.ceil(self.capacity_share * (normed.shape[-2] // num_views)) if self.training else None
        return through_experts(self._swiglu, normed, gates, choices, self.num_ffn, capacity, num_views)

    def _swiglu(self, buffer: Tensor, owners: Owners) -> Tensor:
        hidden = self.silu(self.gate(buffer, owners)) * self.inner(buffer, owners)
        return self.outer(hidden, owners)  # type: ignore[no-any-return]

    def _zero_computation(self, normed: Tensor, gates: Tensor, choices: Tensor) -> Tensor:
        """Return what the constant and copy experts add, [n, H]: a share of the token, and shares of the constants."""
        others = torch.arange(NUM_CONSTANT + 1, device=choices.device) + self.num_ffn
        weights = (gates.unsqueeze(-1) * (choices.unsqueeze(-1) == others)).sum(dim=-2)  # [n, constants and copy]
        of_constants, of_copy = weights[..., :NUM_CONSTANT], weights[..., NUM_CONSTANT:]
        mixing = self.mixing(normed).unflatten(-1, (NUM_CONSTANT, 2)).softmax(dim=-1)  # token's and constant's part
        kept = of_copy + (of_constants * mixing[..., 0]).sum(dim=-1, keepdim=True)
        added: Tensor = kept * normed + (of_constants * mixing[..., 1]) @ self.constants
        return added


class MixedLayer(nn.Module):
    """Self-attention, then a MoE++ layer."""

    def __init__(
        self,
        hidden_dim: int,
        num_heads: int,
        num_experts: int,
        capacity_factor: float,
        tau: float,
        dropout: float,
        *,
        first: bool,
    ) -> None:
        super().__init__()
        self.attention = SelfAttention(hidden_dim, num_heads, dropout)
        self.feed_forward = MixedExperts(hidden_dim, num_experts, capacity_factor, tau, dropout, first=first)

    def forward(
        self, tokens: Tensor, projected: Tensor | None, earlier_scores: Tensor | None, num_views: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Map tokens [V·B, N, H], view after view, to [V·B, N, H], router scores and the balance loss."""
        attended = self.attention(tokens, projected)
        return self.feed_forward(attended, earlier_scores, num_views)  # type: ignore[no-any-return]


class MoEPlusPlus(TokenFusion):
    """MulT with MoE++ layers.

    Parameters: L(4H² + 5H + 8EH + 9E² + 192H(E − 4) + 6H) − E² + MHC + C + MPH. The official code has E² more, the
    first layer's gating residual, which no input ever reaches (968,323 for ADNI's Table 10; here 968,259).
    """

    takes_stacked = True

    def __init__(
        self, sizes: Sizes, *, num_layers: int, num_heads: int, num_experts: int, capacity_factor: float, tau: float
    ) -> None:
        """Build the module.

        Raises:
            ValueError: if `num_heads` does not divide `hidden_dim`, or no FFN expert is left.
        """
        if num_experts <= ZERO_COMPUTATION:
            raise ValueError(
                f"num_experts={num_experts} leaves no FFN expert: 2 constant, 1 copy and 1 zero expert are among them; "
                f"allowed: {ZERO_COMPUTATION + 1} and more"
            )
        layers = (
            MixedLayer(sizes.hidden_dim, num_heads, num_experts, capacity_factor, tau, sizes.dropout, first=index == 0)
            for index in range(num_layers)
        )
        super().__init__(sizes, layers)

    def transform(self, tokens: Tensor, projected: Tensor, num_views: int) -> Fused:
        """Transform all tokens [V·B, N, H] and predict; the balance loss is the mean over layers and views."""
        scores, losses = None, []
        for index, layer in enumerate(self.layers):
            tokens, scores, loss = layer(tokens, projected if index == 0 else None, scores, num_views)
            losses.append(loss)
        return self.predict(tokens, torch.stack(losses).mean(dim=0))
