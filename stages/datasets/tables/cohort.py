"""Cohort of a dataset that comes as tables: who is in, label, group, split."""

from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.tables.settings import TableParams, load_table_params
from stages.datasets.tables.source import as_text, read_source, require_columns
from stages.shared.base.command import run
from stages.shared.cohort.cohorts import Cohort, finish_cohort


def cohort(dataset: Annotated[str, typer.Argument(help="a name under data.tables in params.yaml")]) -> None:
    """Write data/cohorts/DATASET.csv and .json from the dataset's own files."""
    table_params = load_table_params(dataset)
    source = read_source(table_params)
    filters = dict(source.removed)
    table = _drop_unlabelled(source.table, table_params, filters)
    labels, classes = _labels(table, table_params)
    groups = _groups(table, table_params)
    finish_cohort(
        Cohort(
            dataset=dataset,
            task=table_params.task,
            classes=classes,
            modalities=list(table_params.modalities),
            licence=table_params.licence,
            sample_ids=table.index.to_numpy(str),
            groups=groups,
            labels=labels,
            num_raw=len(source.table) + sum(source.removed.values()),
            raw=table_params.raw,
            filters=filters,
        )
    )


def _label_columns(params: TableParams) -> list[str]:
    return params.label if isinstance(params.label, list) else [params.label]


def _drop_unlabelled(table: pd.DataFrame, params: TableParams, filters: dict[str, int]) -> pd.DataFrame:
    """Remove the samples whose label, or group where there is one, is missing; count them."""
    columns = _label_columns(params) + ([params.group] if params.group else [])
    require_columns(params.raw, table, columns, "label or group")
    for column in columns:
        present = table[column].notna()
        filters[f"{column} missing"] = int((~present).sum())
        table = table[present]
    if table.empty:
        raise InputError(f"{params.raw}: no sample has a value in {columns}: are these the label's columns?")
    return table


def _labels(table: pd.DataFrame, params: TableParams) -> tuple[NDArray[Any], list[str]]:
    """Return labels (class indices, numbers, or [N, C] of 0 and 1) and class names."""
    columns = _label_columns(params)
    if params.task in ("binary", "multiclass"):
        return _class_labels(as_text(table[columns[0]]), params)
    values = table[columns].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    allowed = np.isfinite(values) if params.task == "regression" else np.isin(values, (0, 1))
    if not allowed.all():
        row, column = np.argwhere(~allowed)[0]
        expected = "a finite number" if params.task == "regression" else "0 or 1"
        found = table[columns[column]].iloc[row]
        raise InputError(
            f"{params.raw} column {columns[column]!r}: label {found!r} is not {expected}, as task {params.task} asks"
        )
    return (values[:, 0], []) if params.task == "regression" else (values.astype(np.int64), columns)


def _class_labels(names: "pd.Series[Any]", params: TableParams) -> tuple[NDArray[np.int64], list[str]]:
    found = sorted(names.unique(), key=_number_then_name)
    classes = params.classes or found
    for name in found:
        if name not in classes:
            raise InputError(
                f"{params.raw} column {params.label!r}: unknown label {name!r}; allowed by `classes`: {classes}"
            )
    if params.task == "binary" and len(classes) != 2:  # noqa: PLR2004
        raise InputError(
            f"{params.raw} column {params.label!r}: task binary needs 2 classes, found {len(classes)}: {classes[:20]}"
        )
    positions = {name: index for index, name in enumerate(classes)}
    return names.map(positions).to_numpy(np.int64), list(classes)


def _number_then_name(name: str) -> tuple[bool, float, str]:
    """Sort class names that are numbers by value, before all others."""
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name


def _groups(table: pd.DataFrame, params: TableParams) -> NDArray[np.str_] | None:
    return None if params.group is None else as_text(table[params.group]).to_numpy(str)


if __name__ == "__main__":
    run(cohort)
