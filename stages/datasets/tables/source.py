"""Read a dataset's own files (CSV, TSV, Parquet, NPY) into one table, one row per sample, indexed by sample_id."""

import csv
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from i2moe.base.errors import InputError, unquoted
from i2moe.base.strict import nearest_column
from i2moe.contract.reading import open_npy
from stages.datasets.tables.delimited import read_delimited
from stages.datasets.tables.settings import TableParams
from stages.shared.parquet import read_parquet

WHOLE_NUMBER = re.compile(r"^(-?\d+)\.0+$")
DELIMITED = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
READERS = (*DELIMITED, ".parquet", ".npy")
ARRAY_KINDS = "biufU"  # of NumPy's dtypes: truth values, whole numbers, numbers, text
UNREADABLE = "is the file complete and of the kind its name says?"


@dataclass
class Source:
    """The joined table, and how many samples each file's absence removed."""

    table: pd.DataFrame
    removed: dict[str, int]
    origin: dict[str, str]  # the file of each column, by name
    positions: NDArray[np.int64]  # [N], each sample's row in the first file; -1 where it is not there
    num_first: int  # rows of the first file
    folder: Path  # in which the files are

    def of(self, sample_ids: "pd.Series[Any]") -> "Source":
        """Return these samples alone, in their order."""
        rows = self.table.index.get_indexer(pd.Index(sample_ids))
        if np.array_equal(rows, np.arange(len(self.table))):
            return self  # all of them: a copy would hold the whole table twice
        return Source(
            self.table.iloc[rows], self.removed, self.origin, self.positions[rows], self.num_first, self.folder
        )


def read_source(params: TableParams) -> Source:
    """Read and join all files of a dataset.

    Tables are joined on the id column; samples that a file lacks are left out, or have nothing in its columns where
    incomplete samples are kept. A column name that several files have is written `file.column`. An NPY array [N] or
    [N, F] has its rows in the order of the first file, and columns named after the file: `stem` or `stem.0`, `stem.1`,
    … Without an id column, the row number is the id and all files have the same rows.

    Raises:
        InputError: for a missing or unreadable file, a missing column, a missing or duplicate id, or one column name
            in two files.
    """
    pa.set_memory_pool(pa.system_memory_pool())  # its own one keeps what texts took long after they are gone
    paths = find_files(params)
    as_written = [name for name in (params.id, params.group) if name]
    parts = [(path, read_table(path, params, as_written)) for path in paths]
    first_path, first = parts[0]
    order = _ids(first_path, first, params)
    indexed = []
    for path, part in parts:
        own_ids = (
            order if path is first_path or path.suffix == ".npy" or params.id is None else _ids(path, part, params)
        )
        indexed.append(_indexed(path, part, own_ids, params))
    origin = _tell_apart(paths, indexed)
    how = "outer" if params.incomplete == "keep" else "inner"
    table, removed = indexed[0], {}
    for path, other in zip(paths[1:], indexed[1:], strict=True):
        before = len(table)
        table = table.join(other, how=how)
        if how == "inner":
            removed[f"not in {path.name}"] = before - len(table)
    if table.empty:
        why = f"no sample is in every file: do they share the ids of column {params.id!r}?" if parts[1:] else "no rows"
        raise InputError(f"{params.raw}: {why}")
    # Sorting copies the whole table, which a file in order of its ids does not need.
    ordered = table if table.index.is_monotonic_increasing else table.sort_index()
    table = ordered.rename_axis("sample_id")
    return Source(table, removed, origin, order.get_indexer(table.index), len(order), first_path.parent)


def find_files(params: TableParams) -> list[Path]:
    """Return the files of a dataset.

    Raises:
        InputError: for one that is not there, or of a kind that cannot be read.
    """
    raw = Path(params.raw)
    files = [raw / name for name in params.files] if params.files else [raw]
    for path in files:
        if not path.is_file():
            remedy = "list the files of this folder under `files`" if path.is_dir() else "put it there or correct `raw`"
            raise InputError(f"{path} is not a file: {remedy}")
        if not path.name.endswith(READERS):
            raise InputError(f"{path}: cannot read this kind of file; allowed: {', '.join(READERS)}")
    return files


def _tell_apart(paths: list[Path], tables: list[pd.DataFrame]) -> dict[str, str]:
    """Write column names that several files have as `file.column`; return the file of each column.

    Raises:
        InputError: where the names are the same even so.
    """
    counts = Counter(name for table in tables for name in table.columns)
    origin: dict[str, str] = {}
    for path, table in zip(paths, tables, strict=True):
        stem = path.name.partition(".")[0]
        table.columns = pd.Index([f"{stem}.{name}" if counts[name] > 1 else name for name in table.columns])
        for name in table.columns:
            if name in origin:
                raise InputError(f"{path}: column {name!r} is in an earlier file too: rename or remove it in one")
            origin[name] = path.name
    return origin


def read_table(path: Path, params: TableParams, as_written: list[str]) -> pd.DataFrame:
    """Read one file.

    Args:
        path: of the file.
        params: of the dataset.
        as_written: columns of a text file whose values stay as they are written.

    Raises:
        InputError: for a file that is missing or cannot be read.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file: put it there")
    try:
        if path.name.endswith(".parquet"):
            return _read_parquet(path, params)
        return _read_array(path) if path.name.endswith(".npy") else read_delimited(path, params, as_written)
    except InputError:
        raise
    except (ValueError, EOFError, OSError, zlib.error, csv.Error, OverflowError, pd.errors.ParserWarning) as error:
        raise InputError(f"{path} cannot be read ({unquoted(error)}): {UNREADABLE}") from error


def _read_parquet(path: Path, params: TableParams) -> pd.DataFrame:
    """Read a Parquet file; an id that pandas wrote as the index becomes a column again."""
    table = read_parquet(path, UNREADABLE)
    table.columns = table.columns.map(str)
    is_index = params.id is not None and params.id not in table and params.id in table.index.names
    return table.reset_index() if is_index else table


def _read_array(path: Path) -> pd.DataFrame:
    array = np.array(open_npy(path, "put it there, numbers or text saved with numpy.save"))
    if array.dtype.kind not in ARRAY_KINDS:
        raise InputError(f"{path} holds {array.dtype}; allowed: numbers or text")
    if array.ndim == 1:
        return pd.DataFrame({path.stem: array})
    if array.ndim != 2:  # noqa: PLR2004
        raise InputError(f"{path} has shape {array.shape}; allowed: [samples] or [samples, features]")
    return pd.DataFrame(array, columns=[f"{path.stem}.{index}" for index in range(array.shape[1])])


def _ids(path: Path, table: pd.DataFrame, params: TableParams) -> pd.Index:
    """Return the file's sample ids as text."""
    if params.id is None:
        width = len(str(len(table)))
        return pd.Index([f"row-{row:0{width}d}" for row in range(len(table))], name="sample_id")
    require_columns(path, table, [params.id], "id")
    ids = table[params.id]
    if ids.isna().any():
        raise InputError(f"{path} row {_first(ids.isna())}: column {params.id!r} is empty: every sample needs an id")
    texts = id_texts(ids)
    if texts.duplicated().any():
        row = _first(texts.duplicated())
        raise InputError(
            f"{path} row {row}: its id in column {params.id!r} is in an earlier row too: keep one row per sample"
        )
    return pd.Index(texts, name="sample_id")


def id_texts(ids: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return ids as text, whole numbers without a decimal point, which spreadsheets add."""
    return as_text(ids).map(lambda text: WHOLE_NUMBER.sub(r"\1", text), na_action="ignore")


def _indexed(path: Path, table: pd.DataFrame, ids: pd.Index, params: TableParams) -> pd.DataFrame:
    if len(table) != len(ids):
        raise InputError(
            f"{path} has {len(table)} rows, the first file {len(ids)}: without ids, files must align row by row"
        )
    table.index = ids  # in place: a copy of a large table takes as much memory again
    if params.id in table:
        table.pop(params.id)
    return table


def require_columns(path: Path | str, table: pd.DataFrame, columns: list[str], role: str) -> None:
    """Refuse columns that a table lacks, naming the nearest one.

    Raises:
        InputError: naming file, column, what it was wanted for and the nearest name.
    """
    for column in columns:
        if column not in table:
            hint = nearest_column(column, table.columns)
            raise InputError(f"{path} has no column {column!r}, named as {role}; {hint}")


def as_text(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return values as text; whole numbers without a decimal point, even where missing values made them floats."""
    if pd.api.types.is_float_dtype(values):
        filled = values.dropna()
        if (filled % 1 == 0).all() and (filled.abs() < 2**63).all():  # beyond which there is no integer type
            values = values.astype("Int64")
    return values.astype(object).where(values.notna(), None).map(str, na_action="ignore")


def _first(flags: "pd.Series[Any]") -> int:
    """Return the line of the first flagged row, counting a header as line 1."""
    return int(np.flatnonzero(flags)[0]) + 2
