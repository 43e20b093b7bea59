"""An example of a fusion method of your own: docs/own-fusion.md explains how to use it."""

import torch
from torch import Tensor, nn

from i2moe.model.fusion import Sizes


class GatedSum(nn.Module):
    """Average each modality's tokens, weight each average by a gate of its own, and predict from their sum."""

    def __init__(self, sizes: Sizes, *, sharpness: float) -> None:
        super().__init__()
        self.sharpness = sharpness
        self.gates = nn.ModuleList(nn.Linear(sizes.hidden_dim, 1) for _ in range(sizes.num_modalities))
        self.head = nn.Sequential(nn.Dropout(sizes.dropout), nn.Linear(sizes.hidden_dim, sizes.num_outputs))

    def forward(self, tokens: list[Tensor]) -> Tensor:
        """Map M token tensors [B, P, H] to logits [B, C]."""
        means = [modality.mean(dim=1) for modality in tokens]
        gated = [
            torch.sigmoid(self.sharpness * gate(mean)) * mean for gate, mean in zip(self.gates, means, strict=True)
        ]
        return self.head(torch.stack(gated).sum(dim=0))  # type: ignore[no-any-return]
