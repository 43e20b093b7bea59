"""Where every modality of ADNI ends: an array and its description, written whole or not at all."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages import paths


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside the path, then move it there; a failure leaves nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_description(modality: str, description: dict[str, Any]) -> Path:
    """Write a modality's JSON; return the path of its array."""
    path = paths.features("adni") / f"{modality}.json"
    text = json.dumps(description, indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda partial: partial.write_text(text))
    return path.with_suffix(".npy")


def write_vectors(modality: str, array: NDArray[Any], description: dict[str, Any]) -> None:
    """Write vectors [N, F] with their description."""

    def write(partial: Path) -> None:
        with partial.open("wb") as stream:
            np.save(stream, array)

    about = {"kind": "vector", "shape": [array.shape[1]]} | description
    path = write_description(modality, about)
    write_whole(path, write)
    print(f"{path}: {array.shape[0]} x {array.shape[1]}")


def fitted_on_train(is_train: NDArray[np.bool_], what: str) -> dict[str, Any]:
    """Describe what was fitted, and on how much."""
    return {"split": "train", "samples": int(is_train.sum()), "what": what}
