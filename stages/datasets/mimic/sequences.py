"""Feature arrays over visits: V visits of N samples, at most T per sample, are padded to [N, T, F]."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.shared.base import paths
from stages.shared.features import fitted_on_train, write_sequences
from stages.shared.visits import read_visits


@dataclass(frozen=True)
class Visits:
    """All visits of all samples, in cohort order and by time: hadm_id, cohort row, step and whether in train, [V]."""

    hadm_id: NDArray[np.int64]
    row: NDArray[np.int64]
    step: NDArray[np.int64]
    is_train: NDArray[np.bool_]

    def table(self) -> pd.DataFrame:
        """Return hadm_id and the visit's number, for DuckDB to join."""
        return pd.DataFrame({"hadm_id": self.hadm_id, "visit": np.arange(len(self.hadm_id))})


def read_samples(most: int) -> Visits:
    """Read the visits that the cohort stage wrote.

    Args:
        most: visits of a sample.

    Raises:
        InputError: when cohort and visits are not from the same run, or the file is broken.
    """
    visits = read_visits("mimic", {"hadm_id": int, "step": int})
    place = visits.groupby("row").cumcount()
    if visits["hadm_id"].duplicated().any() or (visits["step"] != place).any() or place.max() >= most:
        raise InputError(
            f"{paths.visits('mimic')} has an admission twice, or steps that are not 0 to {most - 1} in order: rerun "
            "the cohort stage"
        )
    return Visits(
        hadm_id=visits["hadm_id"].to_numpy(np.int64),
        row=visits["row"].to_numpy(),
        step=visits["step"].to_numpy(np.int64),
        is_train=visits["is_train"].to_numpy(),
    )


def write_sequence(
    folder: Path,
    modality: str,
    features: NDArray[Any],
    present: NDArray[np.bool_],
    visits: Visits,
    steps: int,
    description: dict[str, Any],
) -> None:
    """Pad features [V, F] to [N, T, F] with zeros at the end, and write them with lengths [N] and description.

    Samples that lack the modality in all of their visits, by `present` [N], have one step of 0.
    """
    lengths = np.bincount(visits.row)
    padded = np.zeros((len(lengths), steps, features.shape[1]), dtype=features.dtype)
    padded[visits.row, visits.step] = features
    padded[~present] = 0
    write_sequences(folder, modality, padded, lengths, present, description)


def samples_with(visits: Visits, has: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which samples [N] have something in any of their visits, by which visits [V] have it."""
    return np.asarray(np.bincount(visits.row, weights=has) > 0)


def fitted_on_visits(visits: Visits, what: str) -> dict[str, Any]:
    """Describe what was fitted, on how many samples and visits."""
    is_train = np.zeros(visits.row.max() + 1, dtype=bool)
    is_train[visits.row] = visits.is_train
    return fitted_on_train(is_train, what) | {"visits": int(visits.is_train.sum())}
