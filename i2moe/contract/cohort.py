"""A cohort's table: sample_id, group_id, split, label; one row per sample, sorted by id; see `i2moe.prepared`."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from i2moe.base.errors import InputError
from i2moe.contract.reading import read_csv

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "test")


def read_cohort(path: Path) -> "pd.DataFrame":
    """Read a cohort's CSV with ids and class names as text; check columns, ids and split names.

    Raises:
        InputError: for a missing or broken file, a missing column, a duplicate or unsorted sample_id, an unknown split.
    """
    table = read_csv(path, "run the dataset's cohort stage, which writes it", dtype=str, keep_default_na=False)
    for column in ("sample_id", "group_id", "split"):
        if column not in table:
            raise InputError(f"{path} has no column {column!r}, only {list(table.columns)}: rerun the cohort stage")
    duplicate = table["sample_id"].duplicated()
    if duplicate.any():
        row = int(np.flatnonzero(duplicate)[0])
        raise InputError(f"{path} row {row + 2}: its sample_id is in an earlier row too: rerun the cohort stage")
    if not table["sample_id"].is_monotonic_increasing:
        raise InputError(f"{path} is not sorted by sample_id: rerun the cohort stage")
    unknown = ~table["split"].isin(SPLITS)
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        raise InputError(f"{path} row {row + 2}: split {table['split'][row]!r} is not one of {', '.join(SPLITS)}")
    return table
