"""A cohort's table: sample_id, group_id, split, label; one row per sample, sorted by id; see `i2moe.prepared`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

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
            raise InputError(f"{path} has no column {column!r}: rerun the cohort stage")
    duplicate = table["sample_id"].duplicated()
    if duplicate.any():
        row = int(np.flatnonzero(duplicate)[0])
        raise InputError(f"{path} row {row + 2}: its sample_id is in an earlier row too: rerun the cohort stage")
    if not table["sample_id"].is_monotonic_increasing:
        raise InputError(f"{path} is not sorted by sample_id: rerun the cohort stage")
    unknown = ~table["split"].isin(SPLITS)
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        raise InputError(f"{path} row {row + 2}: its split is not one of {', '.join(SPLITS)}: rerun the cohort stage")
    return table


def labels_of(table: "pd.DataFrame", task: str, classes: list[str], path: Path) -> NDArray[Any]:
    """Return the labels of a cohort's rows: class indices [N], 0 and 1 [N, C] for multilabel, or numbers [N].

    Args:
        table: of `read_cohort`.
        task: binary | multiclass | multilabel | regression.
        classes: in the order of the logits; none for regression.
        path: of the cohort, for errors.

    Raises:
        InputError: for a missing column, an unknown class, or what is no number.
    """
    import pandas as pd

    columns = [f"label_{name}" for name in classes] if task == "multilabel" else ["label"]
    for column in columns:
        if column not in table:
            raise InputError(f"{path} has no column {column!r}: rerun the cohort stage")
    if task in ("binary", "multiclass"):
        index = {name: position for position, name in enumerate(classes)}
        codes = table["label"].map(index)
        if codes.isna().any():
            row = int(np.flatnonzero(codes.isna())[0])
            raise InputError(f"{path} row {row + 2}: its label is not in {classes}: rerun the cohort stage")
        indices: NDArray[np.int64] = codes.to_numpy(np.int64)
        return indices
    values: NDArray[np.float32]
    try:
        values = table[columns].to_numpy().astype(np.float32)
    except ValueError:
        values = table[columns].apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)  # NaN is no number
    is_right = np.isin(values, (0, 1)) if task == "multilabel" else np.isfinite(values)
    if not is_right.all():
        row = int(np.flatnonzero(~is_right.all(axis=1))[0])
        what = "0 or 1" if task == "multilabel" else "a finite number"
        raise InputError(f"{path} row {row + 2}: a label is not {what}: rerun the cohort stage")
    return values if task == "multilabel" else values[:, 0]
