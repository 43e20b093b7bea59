"""The simplest expert that can learn any interaction: a multilayer perceptron on all tokens."""

import torch
from torch import Tensor, nn

from i2moe.model.fusion import Fused, Sizes


class Mlp(nn.Module):
    """One hidden layer over the tokens of all modalities."""

    def __init__(self, sizes: Sizes, *, width: int) -> None:
        super().__init__()
        values = sizes.num_modalities * sizes.num_patches * sizes.hidden_dim
        self.body = nn.Sequential(nn.Linear(values, width), nn.ReLU(), nn.Dropout(sizes.dropout))
        self.head = nn.Linear(width, sizes.num_outputs)

    def forward(self, tokens: list[Tensor]) -> Fused:
        """Map M token tensors [B, P, H] to logits [B, C]."""
        latent = self.body(torch.cat([modality.flatten(1) for modality in tokens], dim=1))
        return Fused(self.head(latent), latent)
