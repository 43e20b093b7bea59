"""Volumes [B, D, H, W] → tokens [B, P, H]: the 3D-CNN of Esmaeilzadeh et al. 2018 (Appendix F)."""

import math

import torch
from torch import Tensor, nn

from i2moe.model.encoders.vector import PatchEmbedding

POOLS = (2, 3, 4)  # a block ends in a max-pool of this size and stride, or of what is left of a small volume
WIDTHS = (32, 64, 128)  # channels of a block; the last block ends in `encoder_dim` channels
DROPOUT = 0.2  # of whole channels after each block, whatever a model's dropout
VOLUMES_AT_ONCE = 8  # without gradients: memory then does not grow with the batch


class VolumeEncoder(nn.Module):
    """Three blocks of two convolutions each (3 x 3 x 3, ReLU), max-pool and dropout; a Linear; patch embedding.

    The Linear's width follows from the volume's shape: 256 · 3 · 4 · 3 for a volume of 91 x 109 x 91.
    """

    def __init__(self, shape: tuple[int, ...], encoder_dim: int, num_patches: int, hidden_dim: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        previous = 1
        pools = _pools(shape)
        for pool, width, last in zip(pools, WIDTHS, (*WIDTHS[:-1], encoder_dim), strict=True):
            layers += [nn.Conv3d(previous, width, 3, padding=1), nn.ReLU(inplace=True)]
            layers += [nn.Conv3d(width, last, 3, padding=1), nn.ReLU(inplace=True)]
            layers += [nn.MaxPool3d(pool), nn.Dropout3d(DROPOUT)]
            previous = last
        left = (length // math.prod(own) for length, own in zip(shape, zip(*pools, strict=True), strict=True))
        self.blocks = nn.Sequential(*layers).to(memory_format=torch.channels_last_3d)
        self.projection = nn.Linear(encoder_dim * math.prod(left), encoder_dim)
        self.embedding = PatchEmbedding(encoder_dim, num_patches, hidden_dim)

    def forward(self, volumes: Tensor) -> Tensor:
        """Map volumes [B, D, H, W] to tokens [B, P, H]."""
        if torch.is_grad_enabled():
            return self.embedding(self.features(volumes))  # type: ignore[no-any-return]
        parts = [self.features(part) for part in torch.split(volumes, VOLUMES_AT_ONCE)]
        return self.embedding(torch.cat(parts))  # type: ignore[no-any-return]

    def features(self, volumes: Tensor) -> Tensor:
        """Map volumes [B, D, H, W] to features [B, encoder_dim]."""
        channels = volumes.unsqueeze(1).contiguous(memory_format=torch.channels_last_3d)
        return self.projection(self.blocks(channels).flatten(1))  # type: ignore[no-any-return]


def _pools(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return each block's pool; along a side that is shorter than that, the pool is the side."""
    pools = []
    for pool in POOLS:
        pools.append(tuple(min(pool, length) for length in shape))
        shape = tuple(length // own for length, own in zip(shape, pools[-1], strict=True))
    return pools


def volume_encoder(
    shape: tuple[int, ...],
    *,
    encoder: str,  # noqa: ARG001 (for vectors)
    encoder_dim: int,
    num_patches: int,
    hidden_dim: int,
    dropout: float,  # noqa: ARG001 (the 3D-CNN has its own)
) -> nn.Module:
    """Build the 3D-CNN and patch embedding; there is no patch embedding of raw voxels."""
    return VolumeEncoder(shape, encoder_dim, num_patches, hidden_dim)
