"""The raw rows of samples, which of them have which modality, and arrays and series next to the tables.

Shapes: N samples, F features, T steps.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.reading import open_npy
from stages.datasets.tables.columns import in_columns, select_columns
from stages.datasets.tables.settings import Modality, Sequence, TableParams
from stages.datasets.tables.source import Source, id_texts, read_table, require_columns


@dataclass(frozen=True)
class Raw:
    """The raw rows of N samples, in order of their ids."""

    source: Source
    params: TableParams
    columns: dict[str, list[str]]  # of each modality that has any

    @property
    def table(self) -> pd.DataFrame:
        """The rows."""
        return self.source.table


def raw_rows(source: Source, params: TableParams) -> Raw:
    """Return the rows of samples with the columns of each modality."""
    return Raw(source, params, select_columns(source, params))


def presence_of(raw: Raw) -> NDArray[np.bool_]:
    """Return which samples have which modality, [N, M]: any value in its columns, a path, a text, a row or a step."""
    return np.stack([_present(name, own, raw) for name, own in raw.params.modalities.items()], axis=1)


def _present(name: str, own: Modality, raw: Raw) -> NDArray[np.bool_]:
    if own.sequence:
        return np.asarray(read_steps(raw, own.sequence).lengths > 0)
    return np.asarray(raw.source.positions >= 0) if own.array else in_columns(raw.table[raw.columns[name]])


@dataclass(frozen=True)
class Steps:
    """All steps of N samples, sample by sample, in order of time."""

    table: pd.DataFrame
    lengths: NDArray[np.int64]  # [N]


def read_steps(raw: Raw, settings: Sequence) -> Steps:
    """Read a series, of the samples that are here.

    Raises:
        InputError: for a file that cannot be read, lacks a column or a time, or does not fit the first file.
    """
    return _array_steps(raw, settings) if settings.file.endswith(".npy") else _table_steps(raw, settings)


def _array_steps(raw: Raw, settings: Sequence) -> Steps:
    array = open_array(raw, settings.file, (3,))
    rows = raw.source.positions
    if settings.lengths is None:
        lengths = np.full(len(array), array.shape[1])
    else:
        lengths = _open(raw.source.folder / settings.lengths).astype(np.int64)
        if lengths.shape != (len(array),) or lengths.min() < 0 or lengths.max() > array.shape[1]:
            raise InputError(
                f"{raw.source.folder / settings.lengths}: expected {len(array)} numbers from 0 to {array.shape[1]}, "
                f"the real steps of each row of {settings.file}"
            )
    own = np.where(rows >= 0, lengths[np.maximum(rows, 0)], 0)
    is_real = np.arange(array.shape[1]) < own[:, None]
    values = array[np.maximum(rows, 0)][is_real]
    refuse_non_finite(raw.source.folder / settings.file, values)
    return Steps(pd.DataFrame(values, columns=[str(index) for index in range(array.shape[2])]), own)


def _table_steps(raw: Raw, settings: Sequence) -> Steps:
    path = raw.source.folder / settings.file
    table = read_table(path, raw.params, [str(settings.id)])
    require_columns(path, table, [str(settings.id), str(settings.time), *(settings.columns or [])], "of the series")
    times = table[str(settings.time)]
    if times.isna().any():
        raise InputError(f"{path}: column {settings.time!r} is empty in {int(times.isna().sum())} rows: fill it")
    place = raw.table.index.get_indexer(pd.Index(id_texts(table[str(settings.id)])))
    try:
        order = np.lexsort((times.to_numpy(), place))
    except (TypeError, ValueError) as error:  # lists, or numbers and text mixed
        raise InputError(f"{path}: column {settings.time!r} cannot be put in order: bring numbers or dates") from error
    order = order[place[order] >= 0]
    columns = settings.columns or [name for name in table.columns if name not in (settings.id, settings.time)]
    if not columns:
        raise InputError(
            f"{path} has no columns besides {settings.id!r} and {settings.time!r}: bring what was measured"
        )
    lengths = np.bincount(place[order], minlength=len(raw.table))
    return Steps(table[columns].iloc[order].reset_index(drop=True), lengths)


def open_array(raw: Raw, file: str, dims: tuple[int, ...]) -> NDArray[Any]:
    """Memory-map an array whose rows are those of the first file.

    Raises:
        InputError: for a file that is missing or not an NPY array, of another number of axes or rows.
    """
    path = raw.source.folder / file
    array = _open(path)
    if array.ndim not in dims:
        shapes = {2: "[N, F]", 3: "[N, T, F]", 4: "[N, C, h, w]"}
        allowed = " or ".join(shapes[dim] for dim in dims)
        raise InputError(f"{path} has shape {array.shape}; allowed: {allowed}")
    if len(array) != raw.source.num_first:
        raise InputError(f"{path} has {len(array)} rows, the first of the files {raw.source.num_first}: row by row")
    return array


def _open(path: Path) -> NDArray[Any]:
    array = open_npy(path, "put it there, saved with numpy.save")
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path} holds {array.dtype}; allowed: numbers")
    return array


def refuse_non_finite(path: Path, values: NDArray[Any]) -> None:
    """Refuse NaN and infinity.

    Raises:
        InputError: saying how many values there are.
    """
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise InputError(f"{path} holds {bad} values that are NaN or infinite: correct them, or leave the rows out")
