"""Which columns of the tables each modality has, and which samples have it."""

import re
from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest_column
from stages.datasets.tables.settings import Modality, TableParams
from stages.datasets.tables.source import Source, require_columns

SHOWN_COLUMNS = 40  # a message lists up to this many


def select_columns(source: Source, params: TableParams) -> dict[str, list[str]]:
    """Return the columns of each modality that is made of any, in the table's order; labels and groups are never.

    Raises:
        InputError: for a named column that is absent, label or group; a modality without columns; a column in two.
    """
    reserved = {*params.labels, params.group}
    candidates = [str(name) for name in source.table.columns if name not in reserved]
    selected = {
        name: _match(name, own, candidates, source, params) for name, own in params.modalities.items() if _is_of(own)
    }
    owner: dict[str, str] = {}
    for modality, columns in selected.items():
        for column in columns:
            if column in owner:
                both = f"modalities {owner[column]!r} and {modality!r}"
                raise InputError(f"{params.raw}: column {column!r} is in {both}; allowed: one modality per column")
            owner[column] = modality
    return selected


def unselected(source: Source, params: TableParams, selected: dict[str, list[str]]) -> list[str]:
    """Return the columns that are neither a feature nor label or group."""
    used = {*params.labels, params.group, *(name for columns in selected.values() for name in columns)}
    return [str(name) for name in source.table.columns if name not in used]


def say_unselected(dataset: str, columns: list[str]) -> None:
    """Print which columns no modality has, so that a prefix that misses some is seen."""
    if columns:
        shown = ", ".join(columns[:SHOWN_COLUMNS]) + (", …" if len(columns) > SHOWN_COLUMNS else "")
        number = "1 column is" if len(columns) == 1 else f"{len(columns)} columns are"
        print(f"{dataset}: {number} in no modality: {shown}")


def in_columns(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which samples have a value in any of these columns, [N]; blank text is none."""
    texts = table.select_dtypes(include=["object", "string"])
    blank = texts.apply(lambda column: column.map(lambda value: isinstance(value, str) and not value.strip()))
    present: NDArray[np.bool_] = table.notna().to_numpy(bool).copy()
    if blank.shape[1]:
        present[:, table.columns.get_indexer(texts.columns)] &= ~blank.to_numpy(bool)
    return np.asarray(present.any(axis=1))


def _is_of(own: Modality) -> bool:
    return own.is_columns or own.own_column is not None


def _match(modality: str, own: Modality, candidates: list[str], source: Source, params: TableParams) -> list[str]:
    named = own.columns or ([own.own_column] if own.own_column else None)
    if named is not None:
        _check_named(modality, named, candidates, params)
        return named
    rule, found = "", []
    if own.prefix is not None:
        rule, found = f"prefix {own.prefix!r}", [name for name in candidates if name.startswith(own.prefix)]
    elif own.file is not None:
        rule, found = f"file {own.file!r}", [name for name in candidates if source.origin.get(name) == own.file]
    else:
        rule, found = f"regex {own.regex!r}", [name for name in candidates if re.fullmatch(own.regex or "", name)]
    if not found:
        hint = nearest_column(own.prefix or own.regex or own.file or modality, candidates)
        raise InputError(f"{params.raw}: modality {modality!r} has no column: none matches {rule}; {hint}")
    taken = {other.own_column for other in params.modalities.values() if other.own_column}
    return [name for name in found if name not in taken]


def _check_named(modality: str, named: list[str], candidates: list[str], params: TableParams) -> None:
    twice = [name for name, count in Counter(named).items() if count > 1]
    if twice:
        raise InputError(f"{params.raw}: column {twice[0]!r} is in modality {modality!r} twice; allowed: once")
    for column in named:
        if column in {*params.labels, params.group}:
            what = f"column {column!r} of modality {modality!r}"
            raise InputError(f"{params.raw}: {what} is the label or group, which is not a feature: take it out")
    require_columns(params.raw, pd.DataFrame(columns=candidates), named, f"feature of modality {modality!r}")
