"""What was fitted on the train split, as arrays: `<modality>.fitted.npz`, from which new samples are prepared alike."""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError

Fitted = dict[str, NDArray[Any]]
KINDS = "biufU"  # of NumPy's dtypes: truth values, whole numbers, numbers, text; nothing that needs a pickle


def write_fitted(path: Path, values: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays of numbers or text; the same arrays give the same bytes.

    Raises:
        TypeError: for an array of anything else.
    """
    for name, array in values.items():
        if array.dtype.kind not in KINDS:
            raise TypeError(f"{path}: {name!r} is an array of {array.dtype}, not of numbers or text")
    with path.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **values)


def read_fitted(path: Path) -> Fitted:
    """Read what `write_fitted` wrote.

    Raises:
        InputError: for a file that is missing or broken.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: run the feature stage that writes it") from error
    except (ValueError, OSError, EOFError, KeyError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path} is not what a feature stage writes: rerun the feature stage") from error
