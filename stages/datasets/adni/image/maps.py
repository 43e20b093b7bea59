"""NIfTI maps on an atlas's grid: read whole, checked, and reduced to the grey-matter voxels."""

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError, numbered
from i2moe.contract.unpacking import BLOCK, check_unpacked
from i2moe.preparation.fitted import Fitted
from stages.datasets.adni.settings import ImageSettings

if TYPE_CHECKING:
    from nibabel.spatialimages import SpatialImage

DIMENSIONS = 3
COPIES = 2  # of a map that are in memory at once: the file's content, and its values
HEAD = 4096  # bytes, in which both kinds' headers are
AFFINE_TOLERANCE = 1e-3  # mm; headers hold affines as 32-bit floats


def read_nifti(path: Path, place: str = "") -> "SpatialImage":
    """Read a NIfTI-1 or NIfTI-2 file into memory; a compressed one to its end, where its checksum is.

    Args:
        path: of the file.
        place: what an error calls it; empty for its number in its folder, since a map's name has its subject's id.

    Raises:
        InputError: for a missing, truncated or corrupt file, one of another kind, or that unpacks to far more than it
            has.
    """
    name = place or numbered(path)
    try:
        with path.open("rb") if path.suffix != ".gz" else gzip.open(path) as stream:
            head = stream.read(HEAD)
            kind = _kind(head, name)
            needed = _size(head, kind, name)
            check_unpacked(path, COPIES * needed, name)
            stream.seek(0)
            content = stream.read(max(needed, len(head)))
            while stream.read(BLOCK):  # to the end, where the checksum is
                check_unpacked(path, stream.tell(), name)
    except FileNotFoundError as error:
        raise InputError(f"{name} is missing: put it there, or correct data.adni.raw") from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name} is not a complete gzip file: make or download it again") from error
    if len(content) < needed:
        raise InputError(f"{name} is cut off: {len(content)} of {needed} bytes: make or download it again")
    image: SpatialImage = _parse(content, kind, name)
    return image


def _kind(head: bytes, name: str) -> Any:  # noqa: ANN401 (nibabel's classes have no common type)
    """Return the class of images that a file's beginning is of."""
    from nibabel.nifti1 import Nifti1Image
    from nibabel.nifti2 import Nifti2Image

    for kind in (Nifti1Image, Nifti2Image):
        if kind.header_class.may_contain_header(head):
            return kind
    raise InputError(f"{name} is not a NIfTI file: make or download it again")


def _size(head: bytes, kind: Any, name: str) -> int:  # noqa: ANN401
    """Return how many bytes a file has up to its last voxel, by its header."""
    with _reading_header(name):
        header = kind.header_class(head[: kind.header_class.template_dtype.itemsize], check=False)
        if min(header.get_data_shape(), default=0) < 0:
            raise ValueError("a negative length")
        return int(header.get_data_offset() + math.prod(header.get_data_shape()) * header.get_data_dtype().itemsize)


@contextmanager
def _reading_header(name: str) -> Iterator[None]:
    """Refuse a file for what nibabel raises where its header is broken."""
    from nibabel.spatialimages import HeaderDataError, ImageDataError

    try:
        yield
    except (HeaderDataError, ImageDataError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise InputError(f"{name} has no readable NIfTI header: make or download it again") from error


def _parse(content: bytes, kind: Any, name: str) -> Any:  # noqa: ANN401
    from nibabel.orientations import aff2axcodes

    with _reading_header(name):
        image = kind.from_bytes(content)
    if not np.isfinite(image.affine).all() or None in aff2axcodes(image.affine):
        raise InputError(f"{name} has an affine that gives its axes no direction: make or download it again")
    return image


@dataclass(frozen=True)
class Grid:
    """An atlas's grid and the voxels that are kept of it.

    `mask` is true at the atlas's grey matter. Where `downsample` voxels per side become one, `block` has the number of
    the coarse voxel of each mask voxel [V], and `coarse` is true at these [D', H', W'].
    """

    path: Path
    affine: NDArray[np.float64]
    mask: NDArray[np.bool_]
    block: NDArray[np.int64]
    coarse: NDArray[np.bool_]
    resample: bool

    def read(self, path: Path) -> NDArray[np.float32]:
        """Return a map's values at the coarse voxels, each the mean over its grey-matter voxels.

        Raises:
            InputError: for a file that cannot be read, is not 3-D, is on another grid, or is not finite there.
        """
        image = read_nifti(path)
        if len(image.shape) != DIMENSIONS:
            raise InputError(
                f"{numbered(path)} is {len(image.shape)}-D, of shape {image.shape}: bring one 3-D map per scan"
            )
        if self.resample:
            image = self._resampled(image)
        self._check_grid(path, image)
        values = np.asarray(image.dataobj, dtype=np.float32)[self.mask]
        if not np.isfinite(values).all():
            raise InputError(f"{numbered(path)} holds NaN or infinity in grey matter: make it again")
        if self.coarse.shape == self.mask.shape:
            return values
        sums = np.bincount(self.block, weights=values)
        return (sums / np.bincount(self.block)).astype(np.float32)

    def fitted(self) -> Fitted:
        """Return the grid as arrays; `grid_of` makes the same grid of them."""
        return {"affine": self.affine, "mask": self.mask}

    def _resampled(self, image: "SpatialImage") -> "SpatialImage":
        """Return the map on the atlas's grid, by linear interpolation, where it is on another."""
        from nibabel.processing import resample_from_to

        if image.shape == self.mask.shape and self._is_close(image):
            return image
        resampled: SpatialImage = resample_from_to(image, (self.mask.shape, self.affine), order=1)
        return resampled

    def _is_close(self, image: "SpatialImage") -> bool:
        return bool(np.allclose(image.affine, self.affine, rtol=0, atol=AFFINE_TOLERANCE))

    def _check_grid(self, path: Path, image: "SpatialImage") -> None:
        """Refuse a map that is not on the atlas's grid, saying how it differs."""
        from nibabel.orientations import aff2axcodes

        remedy = "bring maps on the atlas's grid, or set data.adni.image.resample to true"
        if image.shape != self.mask.shape:
            raise InputError(f"{numbered(path)} has shape {image.shape}, the atlas {self.mask.shape}: {remedy}")
        own, expected = ("".join(aff2axcodes(affine)) for affine in (image.affine, self.affine))
        if own != expected:
            raise InputError(f"{numbered(path)} has orientation {own}, the atlas {expected}: {remedy}")
        if not self._is_close(image):
            far = float(np.abs(image.affine - self.affine).max())
            raise InputError(f"{numbered(path)} has an affine that differs from the atlas's by up to {far:g}: {remedy}")


def read_grid(raw: str, settings: ImageSettings) -> Grid:
    """Read the atlas: its grid and its grey matter.

    Raises:
        InputError: for an atlas that cannot be read, is not 3-D, or lacks the label.
    """
    path = Path(raw) / settings.atlas
    image = read_nifti(path, str(path))
    if len(image.shape) != DIMENSIONS:
        raise InputError(f"{path} is {len(image.shape)}-D, of shape {image.shape}: bring a 3-D label map")
    mask = np.asarray(image.dataobj) == settings.grey_matter
    if not mask.any():
        raise InputError(
            f"{path} has no voxel of label {settings.grey_matter}: correct data.adni.image.grey_matter or .atlas"
        )
    return _grid(path, np.asarray(image.affine), mask, settings)


def grid_of(fitted: Fitted, settings: ImageSettings) -> Grid:
    """Return the grid of the train maps."""
    return _grid(Path(settings.atlas), fitted["affine"], fitted["mask"], settings)


def _grid(path: Path, affine: NDArray[np.float64], mask: NDArray[np.bool_], settings: ImageSettings) -> Grid:
    block, coarse = _blocks(mask, settings.downsample)
    return Grid(path, affine, mask, block, coarse, settings.resample)


def _blocks(mask: NDArray[np.bool_], factor: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Number the cubes of `factor` voxels per side that hold grey matter; incomplete cubes at the far sides count."""
    coarse_shape = tuple(-(-length // factor) for length in mask.shape)
    cube = np.ravel_multi_index(tuple(axis // factor for axis in np.nonzero(mask)), coarse_shape)
    numbers, block = np.unique(cube, return_inverse=True)
    coarse = np.zeros(coarse_shape, bool)
    coarse.flat[numbers] = True
    return block, coarse
