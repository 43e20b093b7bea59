"""Augmented copies of train screens: mirrored, cropped, in other colours; both images of a screen alike.

Random numbers come from a generator of the seed, the screen and the copy alone, and every copy draws all of them in the
same order: a screenshot and its wireframe are mirrored and cropped alike, and adding one augmentation leaves the
others unchanged. Images are decoded in threads, so torch's global generator cannot be used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

FLIP_PROBABILITY = 0.5
SMALLEST_AREA = 0.8  # of a crop
COLOUR_CHANGE = 0.2  # of brightness, contrast and saturation, up or down


@dataclass(frozen=True)
class Change:
    """What is done to the images of one copy of a screen."""

    flip: bool
    side: float  # of the crop, as a share of each side
    left: float  # of the crop, as a share of the width
    top: float
    factors: tuple[float, float, float]  # of brightness, contrast and saturation


def draw_change(seed: int, sample_id: str, copy: int) -> Change:
    """Draw what is done to a copy.

    Args:
        seed: data.enrico.image.seed.
        sample_id: the screen id, a number.
        copy: from 1.
    """
    generator = np.random.default_rng([seed, int(sample_id), copy])
    flip = bool(generator.random() < FLIP_PROBABILITY)
    side = float(np.sqrt(generator.uniform(SMALLEST_AREA, 1)))
    left, top = generator.uniform(0, 1 - side, 2).tolist()
    brightness, contrast, saturation = generator.uniform(1 - COLOUR_CHANGE, 1 + COLOUR_CHANGE, 3).tolist()
    return Change(flip, side, left, top, (brightness, contrast, saturation))


def prepare_copy(
    image: "Image.Image", change: Change, names: Sequence[str], size: tuple[int, int], *, is_drawn: bool
) -> "Image.Image":
    """Return a copy of an image at the size that the network sees.

    Args:
        image: RGB.
        change: what is done.
        names: of data.enrico.image.augment: horizontal_flip, crop, colour.
        size: width and height, in pixels.
        is_drawn: a wireframe: its colours are the names of its components and stay.
    """
    from PIL import Image, ImageEnhance, ImageOps

    box = None
    if "crop" in names:
        left, top = change.left * image.width, change.top * image.height
        box = (left, top, left + change.side * image.width, top + change.side * image.height)
    copy = image.resize(size, Image.Resampling.BILINEAR, box)
    if "horizontal_flip" in names and change.flip:
        copy = ImageOps.mirror(copy)
    if "colour" in names and not is_drawn:
        kinds = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
        for kind, factor in zip(kinds, change.factors, strict=True):
            copy = kind(copy).enhance(factor)
    return copy
