"""Images through the vision tower of a frozen Hugging Face model: one token for each patch, as a map."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from i2moe.base.errors import InputError
from stages.shared.images.images import Extractor, Item
from stages.shared.images.networks import fingerprint
from stages.shared.pretrained.loading import load_encoder, load_part, settings_of

if TYPE_CHECKING:
    from PIL import Image


class PatchMap(nn.Module):
    """Patch tokens of a vision transformer as a map [B, D, h, w], without the tokens before them, such as the class."""

    def __init__(self, tower: nn.Module, grid: tuple[int, int]) -> None:
        super().__init__()
        self.tower = tower
        self.grid = grid

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the last hidden states of images [B, 3, H, W] by patch."""
        states: torch.Tensor = self.tower(pixel_values=pixels).last_hidden_state
        patches = states[:, states.shape[1] - self.grid[0] * self.grid[1] :]
        return patches.transpose(1, 2).reshape(len(patches), -1, *self.grid)


@dataclass(frozen=True)
class VisionTower:
    """A vision tower, and how its images must be made."""

    name: str
    network: PatchMap
    settings: str  # of the model
    height: int  # pixels
    width: int
    dim: int
    mean: tuple[float, float, float]  # of the pixels' channels
    std: tuple[float, float, float]
    resample: int  # Pillow's number of the way it was trained with

    def extractor(
        self,
        prepare: Callable[["Image.Image", Item], "Image.Image"],
        preparation: str,
        batch_size: int,
        remedy: str,
        augmentation: str = "",
    ) -> Extractor:
        """Return what takes images through the tower.

        Args:
            prepare: makes an image as large as the tower sees it.
            preparation: names what that does.
            batch_size: images.
            remedy: for a file that cannot be decoded.
            augmentation: how `prepare` makes copies.
        """
        sees = (self.settings, preparation, self.height, self.width, self.resample, self.mean, self.std)
        return Extractor(
            network=self.network,
            prepare=prepare,
            width=self.width,
            height=self.height,
            shape=(self.dim, *self.network.grid),
            batch_size=batch_size,
            name=f"{self.name}, last hidden state of each patch",
            key=f"patches-{fingerprint(self.network, *sees)}",
            remedy=remedy,
            note=None,
            mean=self.mean,
            std=self.std,
            is_half=True,
            augmentation=augmentation,
        )


def load_vision_tower(name: str, key: str) -> VisionTower:
    """Load a vision transformer with the settings of its image processor.

    Args:
        name: a local folder, or OWNER/NAME at the hub.
        key: of params.yaml, for errors.

    Raises:
        InputError: for what is no vision model whose last hidden state has a token for each patch.
    """
    tower, config = load_encoder(name, "vision", key)
    processor = load_part("AutoImageProcessor", name, key)
    sides: list[Any] = [getattr(config, field, None) for field in ("image_size", "patch_size")]
    if None in sides:
        raise InputError(f"{key}: {name} (type {config.model_type!r}) cuts images into no patches; allowed: a ViT")
    image, patch = (np.broadcast_to(side, 2).tolist() for side in sides)
    grid = (image[0] // patch[0], image[1] // patch[1])
    with torch.inference_mode():
        states = tower(pixel_values=torch.zeros(1, 3, *image)).last_hidden_state
    if states.dim() != 3 or states.shape[1] < grid[0] * grid[1]:  # noqa: PLR2004 (images, tokens, features)
        raise InputError(
            f"{key}: {name} returns {tuple(states.shape[1:])} for an image of {grid[0]} x {grid[1]} patches, not a "
            "token for each; allowed: a ViT"
        )
    return VisionTower(
        name=name,
        network=PatchMap(tower, grid),
        settings=settings_of(config),
        height=image[0],
        width=image[1],
        dim=states.shape[2],
        mean=tuple(processor.image_mean),
        std=tuple(processor.image_std),
        resample=int(processor.resample),
    )
