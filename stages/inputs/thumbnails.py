"""Images and volumes as thumbnails: data URLs of WebP files of a few kilobytes."""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stages.shared.images.decoding import opened
from stages.shared.inputs import ShownImages
from stages.shared.prefetch import read_ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from i2moe.prepared import Prepared

LONGEST = 96  # pixels of the longer side
QUALITY = 80  # of WebP, 0 to 100
DEVIATIONS = 3  # of a volume's values, which are scaled, that are black and white


def show_images(paths: list[Path], present: "NDArray[np.bool_]", source: str = "") -> ShownImages:
    """Return thumbnails of the samples that have an image, None for the others [N].

    Args:
        paths: of the images.
        present: which samples have one, [N].
        source: where the paths are written, for errors; empty where they have one folder.

    Raises:
        InputError: for the first file that is missing or cannot be decoded.
    """
    places = [f"{source}: the file of image {number}" if source else "" for number in range(1, len(paths) + 1)]
    made = iter(read_ahead(lambda own: of_file(*own), zip(paths, places, strict=True), ahead=64))
    return ShownImages(images=[next(made) if is_there else None for is_there in present])


def of_file(path: Path, place: str = "") -> str:
    """Return the thumbnail of an image file; an error calls it by its place."""
    size = (LONGEST, LONGEST)

    def shrink(image: Image.Image) -> Image.Image:
        image.thumbnail(size, Image.Resampling.LANCZOS)
        return image

    return data_url(opened(path, size, shrink, "bring the file again", place))


def data_url(image: Image.Image) -> str:
    """Return an image as the address of a WebP file that it contains."""
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=QUALITY, method=6)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"


def show_volumes(
    features: "Prepared", modality: str, rows: "NDArray[np.int64]", present: "NDArray[np.bool_]"
) -> ShownImages:
    """Return thumbnails of the samples' volumes, None for those that have none [N]."""
    mask, array = features.masks[modality], features.arrays[modality]
    shown = zip(rows.tolist(), present, strict=True)
    return ShownImages(images=[data_url(picture(array[row], mask)) if own else None for row, own in shown])


def picture(voxels: "NDArray[np.floating]", mask: "NDArray[np.bool_]") -> Image.Image:
    """Return the three slices through the middle of the mask side by side, what is outside of it in black.

    Args:
        voxels: values inside the mask [V], scaled so that the mean is 0 and the deviation 1.
        mask: [X, Y, Z].
    """
    volume = np.zeros(mask.shape, np.uint8)
    grey = (voxels.astype(np.float64) + DEVIATIONS) / (2 * DEVIATIONS)
    volume[mask] = np.round(255 * np.clip(grey, 0, 1))
    middle = [int(np.median(np.unique(axis))) for axis in np.nonzero(mask)]
    slices = [np.rot90(volume.take(place, axis)) for axis, place in enumerate(middle)]
    height = max(part.shape[0] for part in slices)
    padded = [np.pad(part, ((height - part.shape[0], 0), (0, 0))) for part in slices]
    image = Image.fromarray(np.concatenate(padded, axis=1))
    longest = max(image.size)
    if longest <= LONGEST // 2:  # so that single voxels can be seen
        factor = LONGEST // longest
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return image
