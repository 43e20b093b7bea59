"""Image files as RGB: whoever looks at an image, a network or a reader, has it from here."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from i2moe.base.errors import InputError, numbered, unquoted
from i2moe.contract.unpacking import allowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

WHITE = (255, 255, 255, 255)
BYTES, BYTES_TRANSPARENT = 10, 16  # of memory for a pixel, with all copies until it is RGB on white
MAX_PIXELS = 2**26  # of an image: more is neither poster nor screen


def content(path: Path, place: str = "") -> bytes:
    """Read a file.

    Args:
        path: of the file.
        place: what an error calls it; empty for its number in its folder, since its name may be a sample's id.

    Raises:
        InputError: for one that is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{place or numbered(path)} cannot be read ({error.strerror}): put it there") from error


def opened(
    path: Path,
    size: tuple[int, int],
    prepare: "Callable[[Image.Image], Image.Image]",
    remedy: str,
    place: str = "",
) -> "Image.Image":
    """Return what `prepare` makes of an image, which it gets as RGB on white ground.

    Args:
        path: of a JPEG or PNG file.
        size: width and height that are needed; a JPEG much larger is decoded at a fraction.
        prepare: what is wanted of the image.
        remedy: for a file that cannot be decoded.
        place: what an error calls the file; see `content`.

    Raises:
        InputError: for a file that is not a complete JPEG or PNG image.
    """
    from PIL import Image, UnidentifiedImageError

    read = content(path, place)
    try:
        with Image.open(io.BytesIO(read), formats=["JPEG", "PNG"]) as image:
            _check_size(image)
            image.draft("RGB", size)
            _check_memory(image, len(read))
            return prepare(_flatten(image))
    except UnidentifiedImageError as error:
        raise InputError(f"{place or numbered(path)} is not a JPEG or PNG image: {remedy}") from error
    except Exception as error:  # Pillow's decoders raise many kinds
        raise InputError(f"{place or numbered(path)} cannot be decoded ({unquoted(error)}): {remedy}") from error


def _check_size(image: "Image.Image") -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width} x {image.height} pixels are too many")


def _check_memory(image: "Image.Image", stored: int) -> None:
    """Refuse an image of few bytes and many pixels, before they are decoded."""
    needed = (BYTES_TRANSPARENT if image.has_transparency_data else BYTES) * image.width * image.height
    if needed > allowed(stored):
        raise ValueError(f"{image.width} x {image.height} pixels are too many for {stored} bytes")


def _flatten(image: "Image.Image") -> "Image.Image":
    """Return an image as RGB, what is transparent in white."""
    from PIL import Image

    if image.mode.startswith("I;16"):  # which Pillow would cut off at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, WHITE), layer).convert("RGB")
