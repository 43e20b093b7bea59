"""Where every modality of ADNI ends: an array and its description, written whole or not at all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages import paths


def write_features(modality: str, write: Callable[[Path], object], describe: Callable[[], dict[str, Any]]) -> Path:
    """Write a modality's array, then its description; return the array's path.

    Args:
        modality: name.
        write: fills a file beside the array's path, which is then moved there; a failure leaves nothing.
        describe: gives what the JSON says, once the array is complete.
    """
    path = paths.features("adni") / f"{modality}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    path.with_suffix(".json").write_text(json.dumps(describe(), indent=2, ensure_ascii=False) + "\n")
    return path


def write_vectors(modality: str, array: NDArray[Any], description: dict[str, Any]) -> None:
    """Write vectors [N, F] with their description."""

    def write(partial: Path) -> None:
        with partial.open("wb") as stream:
            np.save(stream, array)

    about = {"kind": "vector", "shape": [array.shape[1]]} | description
    path = write_features(modality, write, lambda: about)
    print(f"{path}: {array.shape[0]} x {array.shape[1]}")


def fitted_on_train(is_train: NDArray[np.bool_], what: str) -> dict[str, Any]:
    """Describe what was fitted, and on how much."""
    return {"split": "train", "samples": int(is_train.sum()), "what": what}
