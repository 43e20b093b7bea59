"""Feature arrays over visits: V visits of N samples, at most T a sample, are padded to [N, T, F]."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.cohort import read_cohort
from i2moe.errors import InputError
from stages import paths
from stages.features import write_sequences


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


def read_visits(dataset: str) -> Visits:
    """Read what the cohort stage wrote.

    Raises:
        InputError: when cohort and visits are not of one run.
    """
    cohort = read_cohort(paths.cohort(dataset))
    path = paths.visits(dataset)
    if not path.exists():
        raise InputError(f"{path} is missing: run the dataset's cohort stage, which writes it")
    visits = pd.read_csv(path, dtype={"sample_id": str})
    if visits["sample_id"].drop_duplicates().tolist() != cohort["sample_id"].tolist():
        raise InputError(f"{path} has other samples than {paths.cohort(dataset)}: rerun the cohort stage")
    row = visits["sample_id"].map({name: row for row, name in enumerate(cohort["sample_id"])}).to_numpy(np.int64)
    return Visits(
        hadm_id=visits["hadm_id"].to_numpy(np.int64),
        row=row,
        step=visits["step"].to_numpy(np.int64),
        is_train=(cohort["split"] == "train").to_numpy()[row],
    )


def write_sequence(
    dataset: str, modality: str, features: NDArray[Any], visits: Visits, steps: int, description: dict[str, Any]
) -> None:
    """Pad features [V, F] to [N, T, F] with zeros at the end, and write them with lengths [N] and description."""
    lengths = np.bincount(visits.row)
    padded = np.zeros((len(lengths), steps, features.shape[1]), dtype=features.dtype)
    padded[visits.row, visits.step] = features
    write_sequences(dataset, modality, padded, lengths, description)


def fitted_on_train(visits: Visits, what: str) -> dict[str, Any]:
    """Describe what was fitted, and on how much."""
    return {
        "split": "train",
        "samples": len(np.unique(visits.row[visits.is_train])),
        "visits": int(visits.is_train.sum()),
        "what": what,
    }
