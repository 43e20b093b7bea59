"""Cohort of a dataset that comes as tables: who is in, label, group, split."""

from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.cohort import SPLITS
from stages.datasets.tables.rows import presence_of, raw_rows
from stages.datasets.tables.settings import TableParams, load_table_params
from stages.datasets.tables.source import as_text, read_source, require_columns
from stages.shared.base.command import run
from stages.shared.cohort.cohorts import Cohort, finish_cohort, keep_complete


def cohort(dataset: Annotated[str, typer.Argument(help="a name under data.tables in params.yaml")]) -> None:
    """Write data/cohorts/DATASET.csv and .json from the dataset's own files."""
    params = load_table_params(dataset)
    source = read_source(params)
    filters = dict(source.removed)
    labelled = _labelled(source.table, params, filters)
    own = source.of(source.table.index[labelled].to_series())
    presence = presence_of(raw_rows(own, params))
    kept = keep_complete(presence, list(params.modalities), params.incomplete, filters)
    if not kept.any():
        raise InputError(f"{params.raw}: no sample has every modality: set `incomplete: keep`, or correct the files")
    table = own.table[kept]
    labels, classes = _labels(table, params)
    finish_cohort(
        Cohort(
            dataset=dataset,
            task=params.task,
            classes=classes,
            modalities=list(params.modalities),
            licence=params.licence,
            sample_ids=table.index.to_numpy(str),
            groups=_groups(table, params),
            labels=labels,
            num_raw=len(source.table) + sum(source.removed.values()),
            raw=params.raw,
            filters=filters,
            presence=presence[kept],
        )
    )


def _labelled(table: pd.DataFrame, params: TableParams, filters: dict[str, int]) -> NDArray[np.bool_]:
    """Return which samples [N] have a label, and a group where there is one; count the others."""
    columns = params.labels + ([params.group] if params.group else [])
    require_columns(params.raw, table, columns, "label or group")
    kept = np.ones(len(table), bool)
    for column in columns:
        missing = table[column].isna().to_numpy(bool)
        filters[f"{column} missing"] = int((kept & missing).sum())
        kept &= ~missing
    if not kept.any():
        raise InputError(f"{params.raw}: no sample has a value in {columns}: are these the label's columns?")
    return kept


def _labels(table: pd.DataFrame, params: TableParams) -> tuple[NDArray[Any], list[str]]:
    """Return labels (class indices, numbers, or [N, C] of 0 and 1) and class names."""
    columns = params.labels
    if params.task in ("binary", "multiclass"):
        return _class_labels(as_text(table[columns[0]]), params)
    values = table[columns].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    allowed = np.isfinite(values) if params.task == "regression" else np.isin(values, (0, 1))
    if not allowed.all():
        row, column = np.argwhere(~allowed)[0]
        expected = "a finite number" if params.task == "regression" else "0 or 1"
        shown = f" {table[columns[column]].iloc[row]!r}" if params.licence == "open" else ""
        raise InputError(
            f"{params.raw} column {columns[column]!r}: label{shown} is not {expected}, as task {params.task} asks, in "
            f'{int((~allowed[:, column]).sum())} samples: correct it, name it under `missing`, or set `decimal: ","`'
        )
    return (values[:, 0], []) if params.task == "regression" else (values.astype(np.int64), columns)


def _class_labels(names: "pd.Series[Any]", params: TableParams) -> tuple[NDArray[np.int64], list[str]]:
    found = sorted(names.unique(), key=_number_then_name)
    classes = params.classes or found
    place = f"{params.raw} column {params.label!r}"
    shows = params.licence == "open" or params.classes is not None
    is_unknown = ~names.isin(classes)
    if is_unknown.any():
        shown = f" {names[is_unknown].iloc[0]!r}" if params.licence == "open" else ""
        raise InputError(
            f"{place}: unknown label{shown} in {int(is_unknown.sum())} samples; allowed by `classes`: {classes}"
        )
    if params.task == "binary" and len(classes) != 2:  # noqa: PLR2004
        shown = f" {classes[:20]}" if shows else " name them under `classes`"
        raise InputError(f"{place}: task binary needs 2 classes, found {len(classes)}:{shown}")
    few = int((names.value_counts() < len(SPLITS)).sum())
    if few and not shows:  # later errors name classes
        raise InputError(
            f"{place}: {few} of {len(classes)} labels are of fewer than {len(SPLITS)} samples, one for each split: is "
            "this the label's column? Leave them out of the data, or bring more samples"
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
