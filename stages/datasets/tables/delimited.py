"""Text files of columns (CSV, TSV): their encoding and delimiter are recognised, or refused by name."""

import csv
import itertools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype

from i2moe.base.errors import InputError
from i2moe.base.strict import same_columns
from i2moe.contract.unpacking import lines, open_bytes, open_text
from stages.datasets.tables.settings import TableParams

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SAMPLE_LINES = 20  # of a file, by which a delimiter is judged
BLOCK_VALUES, LEAST_ROWS = 2**19, 1000  # read at a time
NUMBERS = {np.dtype(np.int64), np.dtype(np.float64)}
EXACT = 2**53  # up to which float64 holds every whole number
BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read_delimited(path: Path, params: TableParams, as_written: list[str]) -> pd.DataFrame:
    """Read a file; its blank last columns and rows, as spreadsheets leave them, are left out.

    Args:
        path: `.csv`, `.tsv`, or either with `.gz`.
        params: of the dataset: encoding, delimiter, decimal sign, words for what is missing.
        as_written: columns whose values stay as they are written (007 is not 7), where they are there.

    Raises:
        InputError: for a file in another encoding, whose delimiter cannot be told, with a column name twice, with a
            line longer than its header or than any table's, or that unpacks to far more than it has.
    """
    encoding = _encoding(path, params)
    delimiter = params.delimiter or _delimiter(path, encoding)
    names = _header(path, encoding, delimiter)
    how = {
        "sep": delimiter,
        "encoding": encoding,
        "decimal": params.decimal,
        "na_values": params.missing,
        "low_memory": False,
        "index_col": False,
        "dtype": dict.fromkeys(as_written, str),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        table = _in_blocks(path, how, len(names))
        table = pd.read_csv(path, **how) if table is None else table
    blank = [name for name, written in zip(table.columns, names, strict=False) if not written.strip()]
    empty = [name for name in blank if table[name].isna().all()]
    has_value = table.notna().any(axis=1)
    table = table.drop(columns=empty) if empty else table  # each of these copies the whole table
    return table if has_value.all() else table[has_value].reset_index(drop=True)


def _in_blocks(path: Path, how: dict[str, Any], num_columns: int) -> pd.DataFrame | None:
    """Read a file some rows at a time, into the table that reading it at once would give, in less than half the memory.

    Returns:
        None where some column's type can only be told from all of its rows together, or there is no row.
    """
    size = max(LEAST_ROWS, BLOCK_VALUES // max(1, num_columns))
    with pd.read_csv(path, chunksize=size, **how) as blocks:
        parts = [dict(block.items()) for block in blocks]
    columns = {}
    for name in list(parts[0]) if parts else []:
        column = _joined([part.pop(name) for part in parts])  # taken out: one column at a time is in memory twice
        if column is None:
            return None
        columns[name] = column
    return pd.DataFrame(columns, copy=False) if columns else None


def _joined(pieces: list["pd.Series[Any]"]) -> "pd.Series[Any] | None":
    """Return a column's pieces as one; None where it might have another type or other values if read at once."""
    filled = [piece for piece in pieces if piece.notna().any()] or pieces
    kinds = {(piece.dtype, infer_dtype(piece, skipna=True)) for piece in filled}
    if len(kinds) == 1 and filled[0].dtype.kind == "O":  # text; a piece without any was read as numbers
        pieces = [piece.astype(filled[0].dtype) for piece in pieces]
    dtypes = {piece.dtype for piece in pieces}
    is_exact = dtypes == NUMBERS and all(
        piece.between(-EXACT, EXACT).all() for piece in pieces if piece.dtype == np.int64
    )
    return pd.concat(pieces, ignore_index=True) if is_exact or (len(dtypes) == 1 and len(kinds) == 1) else None


def _encoding(path: Path, params: TableParams) -> str:
    """Return the encoding, with a mark at the file's beginning left out.

    Raises:
        InputError: for a file that is not in the encoding that is named.
    """
    with open_bytes(path) as stream:
        found = BYTE_ORDER_MARKS.get(stream.read(2))
    if found and params.encoding == "utf-8":
        raise InputError(f"{path} is written in {found}: set `encoding: {found}`, or save it as UTF-8")
    encoding = "utf-8-sig" if params.encoding.lower() in ("utf-8", "utf8") else params.encoding
    try:
        with open_text(path, encoding) as stream:
            while stream.read(2**20):
                pass
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not written in {params.encoding} (byte {error.start} of a part): set `encoding`, such as "
            "latin-1, or save it as UTF-8"
        ) from error
    except LookupError as error:
        raise InputError(
            f"{path}: encoding {params.encoding!r} is unknown; allowed: Python's names, such as utf-8 or latin-1"
        ) from error
    return encoding


def _delimiter(path: Path, encoding: str) -> str:
    """Return the delimiter that cuts the first lines into equally many fields, more than one; a comma where none does.

    Raises:
        InputError: where several do.
    """
    with open_text(path, encoding) as stream:
        sample = [line for line in itertools.islice(lines(stream, path), SAMPLE_LINES) if line.strip()]
    found = {}
    for delimiter in DELIMITERS:
        counts = [len(fields) for fields in csv.reader(sample, delimiter=delimiter)]
        if counts and counts[0] > 1 and set(counts) == {counts[0]}:
            found[delimiter] = counts[0]
    if len(found) > 1:
        names = " or ".join(f"{DELIMITERS[one]} ({count} columns)" for one, count in found.items())
        raise InputError(f"{path}: its columns may be divided by {names}: set `delimiter`")
    return next(iter(found), _only_in_header(sample))


def _only_in_header(lines: list[str]) -> str:
    """Return the delimiter that the header has most of: later lines may be broken, which is for the reader to say."""
    counts = {delimiter: lines[0].count(delimiter) for delimiter in DELIMITERS} if lines else {",": 0}
    return max(counts, key=counts.__getitem__)


def _header(path: Path, encoding: str, delimiter: str) -> list[str]:
    """Return the column names as they are written.

    Raises:
        InputError: for a name that is there twice.
    """
    with open_text(path, encoding) as stream:
        names = next(csv.reader(lines(stream, path), delimiter=delimiter), [])
    if twice := same_columns(names):
        raise InputError(f"{path}: {twice}: rename or remove one")
    return names
