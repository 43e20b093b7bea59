"""What was fitted on the train split, as arrays: `<modality>.fitted.npz`, from which new samples are prepared alike."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.reading import read_npz

Fitted = dict[str, NDArray[Any]]
KINDS = "biufU"  # of NumPy's dtypes: truth values, whole numbers, numbers, text; nothing that needs a pickle


def write_fitted(path: Path, values: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays of numbers or text; the same arrays give the same bytes, whatever the version of Python.

    Raises:
        TypeError: for an array of anything else.
    """
    for name, array in values.items():
        if array.dtype.kind not in KINDS:
            raise TypeError(f"{path}: {name!r} is an array of {array.dtype}, not of numbers or text")
    # As numpy.savez would, but with a header that does not depend on the version: DVC's lock files have a hash of it.
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in values.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            member.file_size = array.nbytes  # by which zipfile chooses a header for large files
            with archive.open(member, "w") as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read_fitted(path: Path) -> Fitted:
    """Read what `write_fitted` wrote.

    Raises:
        InputError: for a file that is missing or broken, and later for an array that it lacks.
    """
    wrong = "is not what a feature stage writes: rerun the feature stage"
    values = read_npz(path, wrong)
    if not all(array.dtype.kind in KINDS for array in values.values()):
        raise InputError(f"{path} {wrong}")
    return Read(path, values)


class Read(Fitted):
    """The arrays of a file, which an error about them names."""

    def __init__(self, path: Path, values: Fitted) -> None:
        super().__init__(values)
        self.path = path

    def __missing__(self, name: str) -> NDArray[Any]:
        raise InputError(f"{self.path} has no array {name!r}, only {list(self)}: rerun the feature stage")


def expect(values: Fitted, name: str, kinds: str, shape: tuple[int, ...] | None = None) -> NDArray[Any]:
    """Return an array of what was fitted.

    Args:
        values: all of it.
        name: of the array.
        kinds: of NumPy's dtypes, one of which it must have.
        shape: it must have; None: one axis of any length.

    Raises:
        InputError: for an array that is missing, or of another kind or shape.
    """
    array = values[name]
    if array.dtype.kind not in kinds or (array.shape != shape if shape is not None else array.ndim != 1):
        refuse(values, f"{name!r} is {array.dtype} of shape {array.shape}")
    return array


def refuse(values: Fitted, problem: str) -> NoReturn:
    """Refuse what was fitted.

    Raises:
        InputError: naming the file that it is from.
    """
    source = values.path if isinstance(values, Read) else "what was fitted"
    raise InputError(f"{source}: {problem}: rerun the feature stage")
