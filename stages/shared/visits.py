"""The visits behind each sample, which a cohort stage writes and feature stages read."""

import numpy as np
import pandas as pd

from i2moe.base.errors import InputError
from i2moe.contract.cohort import read_cohort
from i2moe.contract.reading import Columns, check_columns, read_csv
from stages.shared.base import paths


def read_visits(dataset: str, columns: Columns, dates: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read the visits of all samples, in cohort order.

    Args:
        dataset: name.
        columns: that are needed besides the sample's id and dates, and the type of their values.
        dates: columns that hold dates.

    Returns:
        The file's columns, and of each visit the cohort row of its sample (`row`) and whether that is in train
        (`is_train`).

    Raises:
        InputError: when cohort and visits are not from the same run, or the file is broken.
    """
    cohort = read_cohort(paths.cohort(dataset))
    path = paths.visits(dataset)
    remedy = "run the dataset's cohort stage, which writes it"
    visits = read_csv(path, remedy, dtype={"sample_id": str, "scan": str}, parse_dates=list(dates))
    check_columns(path, visits, {"sample_id": str} | columns, remedy)
    for name in dates:
        if visits[name].notna().any() and not pd.api.types.is_datetime64_any_dtype(visits[name]):
            raise InputError(f"{path} column {name!r} does not hold dates: {remedy}")
    if visits["sample_id"].drop_duplicates().tolist() != cohort["sample_id"].tolist():
        raise InputError(f"{path} has other samples than {paths.cohort(dataset)}: rerun the cohort stage")
    position = {name: row for row, name in enumerate(cohort["sample_id"])}
    row = visits["sample_id"].map(position).to_numpy(np.int64)
    return visits.assign(row=row, is_train=(cohort["split"] == "train").to_numpy()[row])
