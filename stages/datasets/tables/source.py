"""Read a dataset's own files (CSV, Parquet, NPY) into one table, one row per sample, indexed by sample_id."""

import re
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from stages.datasets.tables.settings import TableParams

WHOLE_NUMBER = re.compile(r"^(-?\d+)\.0+$")
SHOWN_COLUMNS = 40  # a message lists all columns of a table up to this many
READERS = (".csv", ".csv.gz", ".parquet", ".npy")


@dataclass
class Source:
    """The joined table, and how many samples each file's absence removed."""

    table: pd.DataFrame
    removed: dict[str, int]


def read_source(params: TableParams) -> Source:
    """Read and join all files of a dataset.

    Tables are joined on the id column. An NPY array [N] or [N, F] has its rows in the order of the first file, and
    columns named after the file: `stem` or `stem.0`, `stem.1`, … Without an id column, the row number is the id and
    all files have the same rows.

    Raises:
        InputError: for a missing or unreadable file, a missing column, a missing or duplicate id, or one column name
            in two files.
    """
    first, *others = [(path, _read_file(path, params)) for path in _files(params)]
    order = _ids(*first, params)
    table = _indexed(*first, order, params)
    removed: dict[str, int] = {}
    for path, part in others:
        own_ids = order if path.suffix == ".npy" or params.id is None else _ids(path, part, params)
        other = _indexed(path, part, own_ids, params)
        twice = sorted(set(table.columns) & set(other.columns))
        if twice:
            raise InputError(f"{path}: column {twice[0]!r} is in an earlier file too: rename or remove it in one")
        before = len(table)
        table = table.join(other, how="inner")
        removed[f"not in {path.name}"] = before - len(table)
    if table.empty:
        why = f"no sample is in every file: do they share the ids of column {params.id!r}?" if others else "no rows"
        raise InputError(f"{params.raw}: {why}")
    return Source(table.sort_index(), removed)


def _files(params: TableParams) -> list[Path]:
    raw = Path(params.raw)
    files = [raw / name for name in params.files] if params.files else [raw]
    for path in files:
        if not path.is_file():
            remedy = "list the files of this folder under `files`" if path.is_dir() else "put it there or correct `raw`"
            raise InputError(f"{path} is not a file: {remedy}")
        if not path.name.endswith(READERS):
            raise InputError(f"{path}: cannot read this kind of file; allowed: {', '.join(READERS)}")
    return files


def _read_file(path: Path, params: TableParams) -> pd.DataFrame:
    try:
        if path.name.endswith(".parquet"):
            return pd.read_parquet(path)
        if path.name.endswith(".npy"):
            return _read_array(path)
        return _read_csv(path, [name for name in (params.id, params.group) if name])
    except InputError:
        raise
    except (ValueError, EOFError, OSError, zlib.error, pd.errors.ParserWarning) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{path} cannot be read ({reason}): is the file complete and of the kind its name says?"
        ) from error


def _read_csv(path: Path, as_written: list[str]) -> pd.DataFrame:
    """Read a CSV; ids and groups stay as they are written (007 is not 7); a line longer than the header is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(path, low_memory=False, index_col=False, dtype=dict.fromkeys(as_written, str))


def _read_array(path: Path) -> pd.DataFrame:
    array = np.load(path, allow_pickle=False)
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
    texts = as_text(ids).map(lambda text: WHOLE_NUMBER.sub(r"\1", text))
    if texts.duplicated().any():
        row = _first(texts.duplicated())
        raise InputError(
            f"{path} row {row}: its id in column {params.id!r} is in an earlier row too: keep one row per sample"
        )
    return pd.Index(texts, name="sample_id")


def _indexed(path: Path, table: pd.DataFrame, ids: pd.Index, params: TableParams) -> pd.DataFrame:
    if len(table) != len(ids):
        raise InputError(
            f"{path} has {len(table)} rows, the first file {len(ids)}: without ids, files must align row by row"
        )
    return table.set_axis(ids).drop(columns=[params.id] if params.id in table else [])


def require_columns(path: Path | str, table: pd.DataFrame, columns: list[str], role: str) -> None:
    """Refuse columns that a table lacks, naming the nearest ones.

    Raises:
        InputError: naming file, column, what it was wanted for and the nearest name.
    """
    for column in columns:
        if column not in table:
            shown = [str(name) for name in table.columns]
            hint = nearest(column, shown) if len(shown) <= SHOWN_COLUMNS else f"it has {len(shown)} others"
            raise InputError(f"{path} has no column {column!r}, named as {role}; {hint}")


def as_text(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return values as text; whole numbers without a decimal point, even where missing values made them floats."""
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype(object).where(values.notna(), None).map(str, na_action="ignore")


def _first(flags: "pd.Series[Any]") -> int:
    """Return the line of the first flagged row, counting a header as line 1."""
    return int(np.flatnonzero(flags)[0]) + 2
