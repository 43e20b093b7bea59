"""Masks of volumes as text: the lengths of the alternating stretches of voxels outside and inside, in C order."""

import math

import numpy as np
from numpy.typing import NDArray


def pack_mask(mask: NDArray[np.bool_]) -> str:
    """Return a mask as text; it begins with the number of voxels outside, 0 where the first is inside.

    Examples:
        >>> pack_mask(np.array([[False, True], [True, False]]))
        '1 2 1'
        >>> pack_mask(np.array([True, False]))
        '0 1 1'
    """
    flat = mask.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=False))
    return " ".join(map(str, np.diff(starts, prepend=0, append=flat.size)))


def unpack_mask(text: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the mask that a text describes.

    Raises:
        ValueError: when it does not fit the shape.

    Examples:
        >>> unpack_mask("1 2 1", (2, 2)).tolist()
        [[False, True], [True, False]]
    """
    lengths = np.array(text.split(), dtype=np.int64)
    if (lengths < 0).any() or int(lengths.sum()) != math.prod(shape):
        raise ValueError(f"{lengths.sum()} voxels do not fit shape {shape}")
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(shape)
