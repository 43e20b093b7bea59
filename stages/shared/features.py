"""Where every feature stage ends: arrays and their description, written whole or not at all."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.contract.descriptions import ModalityDescription
from i2moe.preparation.fitted import write_fitted
from stages.shared.base import paths
from stages.shared.files import write_whole


def write_features(
    folder: Path, modality: str, write: Callable[[Path], object], describe: Callable[[], dict[str, Any]]
) -> Path:
    """Write a modality's array, then its description; return the array's path.

    Args:
        folder: of the dataset's features, or of those of new samples.
        modality: name.
        write: fills a file next to the array's path, which is then moved there; a failure leaves nothing.
        describe: returns what the JSON holds (`ModalityDescription`), once the array is complete.
    """
    path = folder / f"{modality}.npy"
    write_whole(path, write)
    description = ModalityDescription.model_validate(describe())
    write_whole(path.with_suffix(".json"), lambda partial: partial.write_text(description.to_json(), encoding="utf-8"))
    return path


def write_vectors(folder: Path, modality: str, array: NDArray[Any], description: dict[str, Any]) -> None:
    """Write vectors [N, F] with their description."""
    about = {"kind": "vector", "shape": [array.shape[1]]} | description
    path = write_features(folder, modality, lambda partial: save(partial, array), lambda: about)
    print(f"{path}: {array.shape[0]} x {array.shape[1]}")


def write_sequences(
    folder: Path,
    modality: str,
    array: NDArray[Any],
    lengths: NDArray[np.int64],
    present: NDArray[np.bool_],
    description: dict[str, Any],
) -> None:
    """Write sequences [N, T, F], padded at the end, with their lengths, which samples have any, and description.

    Samples that lack the modality, by `present` [N], have one step of 0, which is not counted.
    """
    own = lengths[present]
    write_whole(folder / f"{modality}.lengths.npy", lambda partial: save(partial, np.where(present, lengths, 1)))
    write_present(folder, modality, present)
    about = {"kind": "sequence", "shape": list(array.shape[1:])} | description
    path = write_features(folder, modality, lambda partial: save(partial, array), lambda: about)
    shape = " x ".join(map(str, array.shape))
    mean = f", mean length {own.mean():.2f}" if len(own) else ""
    print(f"{path}: {shape}, {own.sum()} step{'' if own.sum() == 1 else 's'}{mean}")


def write_present(folder: Path, modality: str, present: NDArray[np.bool_]) -> None:
    """Write which samples [N] have a modality; also where all have it, since DVC has no outputs that exist at times."""
    write_whole(folder / f"{modality}.present.npy", lambda partial: save(partial, present))


def save_fitted(dataset: str, modality: str, values: Mapping[str, NDArray[Any]]) -> None:
    """Write what was fitted for a modality, with which new samples are prepared."""
    write_whole(paths.fitted(dataset, modality), lambda partial: write_fitted(partial, values))


def save(path: Path, array: NDArray[Any]) -> None:
    """Save an array in a file of any name; numpy.save alone would append .npy to it."""
    with path.open("wb") as stream:
        np.save(stream, array)


def save_blocks(path: Path, blocks: Iterable[NDArray[Any]], dtype: str, shape: tuple[int, ...]) -> None:
    """Save an array of little-endian numbers that is made some rows at a time, and never whole in memory.

    Args:
        path: of the NPY file, of any name.
        blocks: the rows, in order.
        dtype: of the file, such as `<f2`.
        shape: of the whole array.
    """
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
        for block in blocks:
            stream.write(block.astype(dtype).tobytes())


def spread(blocks: Iterable[NDArray[Any]], present: NDArray[np.bool_], width: int) -> Iterator[NDArray[Any]]:
    """Put the rows of samples that have a modality in their places, and rows of 0 between them; some at a time.

    Args:
        blocks: rows of those samples alone, in order; each [n, width].
        present: which samples have the modality, [N].
        width: of a row.

    Examples:
        >>> blocks = [np.array([[1.0], [2.0]]), np.array([[3.0]])]
        >>> [block.ravel().tolist() for block in spread(blocks, np.array([1, 0, 1, 0, 1, 0], bool), 1)]
        [[1.0, 0.0, 2.0], [0.0, 3.0], [0.0]]
    """
    places = np.flatnonzero(present)
    done = used = 0
    for block in blocks:
        own = places[used : used + len(block)]
        if len(own):
            rows = np.zeros((int(own[-1]) + 1 - done, width), block.dtype)
            rows[own - done] = block
            yield rows
            done, used = int(own[-1]) + 1, used + len(own)
    if done < len(present):
        yield np.zeros((len(present) - done, width), np.float32)


def fitted_on_train(is_train: NDArray[np.bool_], what: str) -> dict[str, Any]:
    """Describe what was fitted, and on how many samples."""
    return {"split": "train", "samples": int(is_train.sum()), "what": what}
