"""Frozen convolution features of images [B, C, h, w] → tokens [B, P, H]."""

import math

from torch import nn

from i2moe.model.encoders.vector import PatchEmbedding


def image_encoder(
    shape: tuple[int, ...],
    *,
    encoder: str,  # noqa: ARG001 (for vectors)
    encoder_dim: int,
    num_patches: int,
    hidden_dim: int,
    dropout: float,  # noqa: ARG001 (what is frozen needs none, and what follows is one Linear)
) -> nn.Module:
    """Build the Linear that takes the place of VGG's classifier (Appendix F), then patch embedding."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(shape), encoder_dim),
        PatchEmbedding(encoder_dim, num_patches, hidden_dim),
    )
