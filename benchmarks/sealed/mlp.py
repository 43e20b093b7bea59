"""The simplest expert that can learn any interaction: a multilayer perceptron on all tokens."""

import torch
from torch import Tensor, nn

from i2moe.model.fusion import Sizes


class Mlp(nn.Module):
    """Two hidden layers over the tokens of all modalities."""

    def __init__(self, sizes: Sizes, *, width: int) -> None:
        super().__init__()
        values = sizes.num_modalities * sizes.num_patches * sizes.hidden_dim
        self.layers = nn.Sequential(
            nn.Linear(values, width),
            nn.ReLU(),
            nn.Dropout(sizes.dropout),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, sizes.num_outputs),
        )

    def forward(self, tokens: list[Tensor]) -> Tensor:
        """Map M token tensors [B, P, H] to logits [B, C]."""
        return self.layers(torch.cat([modality.flatten(1) for modality in tokens], dim=1))  # type: ignore[no-any-return]
