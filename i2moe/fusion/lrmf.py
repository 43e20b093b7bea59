"""LRMF: low-rank multimodal fusion, the outer product of all modalities without ever forming it.

After Liu et al. (*Efficient Low-rank Multimodal Fusion with Modality-Specific Factors*, ACL 2018). A modality is the
mean of its tokens (one token per modality makes it the encoder's output, as published). Differences from the official
code: the factors and the rank weights are parameters, so that they are trained and saved; dropout follows the fusion,
as in Liu et al.'s own code.
"""

import functools
import operator

import torch
from torch import Tensor, nn

from i2moe.fusion.dropout import Dropout
from i2moe.fusion.layers import Linear
from i2moe.model.fusion import Fused, Fusion, Sizes


class LowRankFusion(Fusion):
    """Product over modalities of [x, 1]·W_m, summed over ranks with learned weights, then a small MLP.

    Parameters: MR(H + 1)D + R + D + (DF + F) + (FC + C) for rank R, fused width D and MLP width F.
    """

    takes_stacked = True

    def __init__(
        self,
        sizes: Sizes,
        *,
        rank: int,
        fused_dim: int,
        mlp_dim: int,
    ) -> None:
        super().__init__()
        self.rank = rank
        self.factors = nn.ParameterList(
            nn.Parameter(torch.empty(sizes.hidden_dim + 1, rank * fused_dim)) for _ in range(sizes.num_modalities)
        )
        self.rank_weights = nn.Parameter(torch.empty(1, rank))
        self.bias = nn.Parameter(torch.zeros(fused_dim))
        for matrix in self.factors:
            # Xavier's variance for one rank's factor [H + 1, D]
            nn.init.normal_(matrix, std=(2 / (sizes.hidden_dim + 1 + fused_dim)) ** 0.5)
        nn.init.xavier_normal_(self.rank_weights)
        self.dropout = Dropout(sizes.dropout)
        self.hidden = nn.Sequential(Linear(fused_dim, mlp_dim), nn.ReLU())
        self.head = Linear(mlp_dim, sizes.num_outputs)

    def embed(self, tokens: list[Tensor]) -> list[Tensor]:
        """Map each modality's tokens [B, P, H] to their products with its factor, [B, R·D]."""
        return [
            own.mean(dim=-2) @ matrix[..., :-1, :] + matrix[..., -1:, :]
            for own, matrix in zip(tokens, self.factors, strict=True)
        ]

    def fuse(self, embedded: list[Tensor]) -> Fused:
        """Fuse M products [B, R·D]."""
        product = torch.unflatten(functools.reduce(operator.mul, embedded), -1, (self.rank, -1))  # [B, R, D]
        fused = (self.rank_weights.unsqueeze(-3) @ product).squeeze(-2) + self.bias.unsqueeze(-2)
        latent = self.hidden(self.dropout(fused))
        return Fused(self.head(latent), latent)
