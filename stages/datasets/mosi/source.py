"""CMU-MOSI's file: folds train, valid and test, each with vision, audio, text, labels and id, as .pkl, .npz or .hdf5.

Per fold of n utterances: `vision`, `audio` and `text` [n, T, F], numbers, T words each and F features, each modality
with its own F; `labels` [n, 1, 1], mean sentiment from -3 to 3; `id` [n, 3], video, start and end in seconds, as bytes
or text. An array is called `train/vision` here and in .npz; in .hdf5 that is dataset `vision` in group `train`, in a
pickle the entry `vision` of the dictionary that is the entry `train` of the whole.
"""

import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError, unquoted
from i2moe.contract.unpacking import check_members
from stages.datasets.mosi.settings import MODALITIES
from stages.datasets.mosi.unpickle import Array, unpickle
from stages.shared.hdf5 import check_stored, try_out

FILE = "mosi_data.pkl"
FOLDS = ("train", "valid", "test")
KEYS = (*MODALITIES, "labels", "id")
ID_PARTS = 3  # video, start, end
AXES = ("utterances", "steps", "features")
SEQUENCE, SHAPES = f"[{', '.join(AXES)}]", {"labels": "[utterances, 1, 1]", "id": "[utterances, 3]"}
NUMBERS, TEXTS = "fiu", "SUO"  # kinds of NumPy's dtypes

Arrays = dict[str, NDArray[Any]]


def find_file(raw: str) -> Path:
    """Return the file that data.mosi.raw names, or the one of the usual name in the folder that it names.

    Raises:
        InputError: when there is none.
    """
    path = Path(raw) / FILE if Path(raw).is_dir() else Path(raw)
    if not path.is_file():
        raise InputError(f"{path} is not a file: put {FILE} there, or correct data.mosi.raw")
    return path


def read_arrays(path: Path, *, labelled: bool = True) -> Arrays:
    """Return the file's arrays by fold and key, such as train/vision, as they are stored.

    Args:
        path: of the file.
        labelled: whether all folds must be there, with labels; new samples may be in any fold, and have none.

    Raises:
        InputError: for an unreadable file, a missing array, or one of the wrong type or shape.
    """
    readers = {".pkl": _read_pickle, ".npz": _read_npz, ".hdf5": _read_hdf5, ".h5": _read_hdf5}
    if path.suffix not in readers:
        raise InputError(f"{path}: data.mosi.raw names no {', '.join(readers)}: bring the arrays as one of these")
    arrays = readers[path.suffix](path, labelled)
    _check_kinds(path, arrays)
    _check_sizes(path, arrays)
    return arrays


def _require(path: Path, present: list[str], labelled: bool) -> list[str]:  # noqa: FBT001 (passed on)
    """Return the names of the arrays that are wanted; refuse a file without one of them."""
    found = [fold for fold in FOLDS if any(name.startswith(f"{fold}/") for name in present)]
    folds = FOLDS if labelled or not found else found
    wanted = [f"{fold}/{key}" for fold in folds for key in KEYS if labelled or key != "labels"]
    for name in wanted:
        if name not in present:
            raise InputError(
                f"{path} has no array {name!r}, and {len(present)} others: CMU-MOSI's file has "
                f"{', '.join(KEYS)} in each of {', '.join(FOLDS)}"
            )
    return wanted


def _read_pickle(path: Path, labelled: bool) -> Arrays:  # noqa: FBT001
    content = unpickle(path)
    folds = content.items() if isinstance(content, dict) else ()
    entries = {f"{fold}/{key}": value for fold, own in folds if isinstance(own, dict) for key, value in own.items()}
    wanted = _require(path, list(entries), labelled)
    arrays = {name: entries[name].array for name in wanted if isinstance(entries[name], Array)}
    for name in wanted:
        if arrays.get(name) is None:
            raise InputError(f"{path}: {name} is not a NumPy array: save it as one")
    return arrays


def _read_npz(path: Path, labelled: bool) -> Arrays:  # noqa: FBT001
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a complete .npz file: download it again, or save the arrays with numpy.savez")
    try:
        check_members(path)
        with np.load(path, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in _require(path, archive.files, labelled)}
    except InputError:
        raise
    except Exception as error:  # a broken archive raises many kinds
        raise InputError(
            f"{path} cannot be read as .npz ({unquoted(error)}): save it again with numpy.savez, ids as an array of "
            "strings"
        ) from error


def _read_hdf5(path: Path, labelled: bool) -> Arrays:  # noqa: FBT001
    try_out(path, partial(_read_all, path, labelled))
    try:
        return _read_all(path, labelled)
    except InputError:
        raise
    except Exception as error:  # a broken file raises many kinds
        raise InputError(f"{path} cannot be read as HDF5 ({unquoted(error)}): download or save it again") from error


def _read_all(path: Path, labelled: bool) -> Arrays:  # noqa: FBT001
    import h5py

    with h5py.File(path, "r") as file:
        present = [f"{fold}/{key}" for fold in file if isinstance(file.get(fold), h5py.Group) for key in file[fold]]
        found = {name: file[name] for name in _require(path, present, labelled)}
        for name, own in found.items():
            if not isinstance(own, h5py.Dataset):
                raise InputError(f"{path}: {name} is not a dataset: save the array as one")
        check_stored(path, found)
        return {name: np.asarray(own[()]) for name, own in found.items()}


def _check_kinds(path: Path, arrays: Arrays) -> None:
    """Refuse an array of another type than its key asks for."""
    for name, array in arrays.items():
        allowed, what = (TEXTS, "bytes or text") if name.endswith("/id") else (NUMBERS, "numbers")
        if array.dtype.kind not in allowed:
            raise InputError(f"{path}: {name} has dtype {array.dtype}, not {what}: save it as {what}")


def _check_sizes(path: Path, arrays: Arrays) -> None:
    """Refuse arrays that do not belong together: utterances of a fold, steps of all, features of a modality."""
    first = next(iter(arrays)).partition("/")[0]
    for name, array in arrays.items():
        fold, _, key = name.partition("/")
        if not _is_shape_of(key, array.shape):
            expected = SHAPES.get(key, SEQUENCE)
            raise InputError(f"{path}: {name} has shape {array.shape}, not {expected}: save it in that shape")
        _check_same(path, arrays, name, f"{fold}/{MODALITIES[0]}", axis=0)
        if key in MODALITIES:
            _check_same(path, arrays, name, f"{first}/{MODALITIES[0]}", axis=1)
            _check_same(path, arrays, name, f"{first}/{key}", axis=2)


def _is_shape_of(key: str, shape: tuple[int, ...]) -> bool:
    """Return whether an array may have this shape; labels may do without their axes of 1."""
    if key == "labels":
        return shape[1:] in ((), (1,), (1, 1)) and shape != ()
    if key == "id":
        return shape[1:] == (ID_PARTS,)
    return len(shape) == len(AXES) and 0 not in shape[1:]


def _check_same(path: Path, arrays: Arrays, name: str, other: str, axis: int) -> None:
    """Refuse two arrays that differ in an axis."""
    own, expected = arrays[name].shape[axis], arrays[other].shape[axis]
    if own != expected:
        raise InputError(f"{path}: {name} has {own} {AXES[axis]}, {other} {expected}: are all arrays from one file?")
