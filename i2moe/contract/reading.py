"""Files of common formats, read or refused by name: JSON, NPY, NPZ, CSV and Parquet.

Each function catches what its library raises for a broken file, and nothing of ours. A remedy ends every message.
"""

import json
import re
import sys
import warnings
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError, unquoted
from i2moe.contract.unpacking import check_containers, check_members

if TYPE_CHECKING:
    import pandas as pd

Columns = dict[str, type]  # of a table, and the type of their values: str, int, float or bool
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # one of the two halves as which JSON may write a sign
# NumPy reads an array's header with Python's own tokenizer, and trusts its sizes.
NPY_ERRORS = (ValueError, OSError, EOFError, SyntaxError, TokenError, TypeError, OverflowError, MemoryError)
# RuntimeError: an archive that is encrypted, or packed in an unknown way.
NPZ_ERRORS = (*NPY_ERRORS, KeyError, AttributeError, RuntimeError, zipfile.BadZipFile, zlib.error)


def read_json(path: Path, remedy: str) -> Any:  # noqa: ANN401 (anything may be there)
    """Return what a JSON file holds.

    Raises:
        InputError: for a file that is missing, cannot be read, or is not JSON.
    """
    content = _content(path, remedy)
    try:
        return load_json(content)
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, a number too long, or nested too deep
        raise InputError(f"{path} is not a JSON file: {remedy}") from error


def load_json(content: bytes, **options: Any) -> Any:  # noqa: ANN401 (of Python's json)
    """Return what JSON means.

    Raises:
        ValueError: for what is no JSON, has little but empty lists, or half a sign, which no other file can hold.
        RecursionError: for what is nested too deep.
    """
    text = content.decode(json.detect_encoding(content))  # Python's own decoding lets half signs pass
    check_containers(text)
    found = json.loads(text, **options)
    if SURROGATE.search(text):
        json.dumps(found, ensure_ascii=False).encode()
    return found


def _content(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: {remedy}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): {remedy}") from error


def open_npy(path: Path, remedy: str) -> NDArray[Any]:
    """Memory-map an array.

    Raises:
        InputError: for a file that is missing, is no NPY array, holds objects, or numbers in a foreign byte order.
    """
    try:
        array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: {remedy}") from error
    except NPY_ERRORS as error:
        raise InputError(f"{path} is not a readable NPY array ({unquoted(error)}): {remedy}") from error
    if not array.dtype.isnative:
        raise InputError(f"{path} holds {array.dtype.str}, numbers in another byte order than this machine's: {remedy}")
    if not _is_text(array):
        raise InputError(f"{path} holds what is no text: {remedy}")
    return array


def _is_text(array: NDArray[Any]) -> bool:
    """Return whether an array's texts are such, which NumPy does not check; arrays of anything else hold none."""
    if array.dtype.kind != "U" or not array.nbytes:
        return True
    return int(np.ascontiguousarray(array).reshape(-1).view(np.uint32).max()) <= sys.maxunicode


def read_npz(path: Path, what: str) -> dict[str, NDArray[Any]]:
    """Return all arrays of an archive, by name.

    Args:
        path: of the archive.
        what: that is wrong with a file that is no such archive, and a remedy.

    Raises:
        InputError: for a file that is missing, is no archive of arrays, is broken, or unpacks to far more than it has.
    """
    try:
        check_members(path)
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: run the stage that writes it") from error
    except InputError:
        raise
    except NPZ_ERRORS as error:
        raise InputError(f"{path} {what}") from error
    # NumPy returns members that are no arrays as bytes.
    if not all(isinstance(array, np.ndarray) and array.dtype.isnative and _is_text(array) for array in arrays.values()):
        raise InputError(f"{path} {what}")
    return arrays


def read_csv(path: Path, remedy: str, **options: Any) -> "pd.DataFrame":  # noqa: ANN401 (of pandas)
    """Return a CSV file as a table; no column becomes its index.

    Raises:
        InputError: for a file that is missing, is no CSV in UTF-8, or has a row that is longer than the header.
    """
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(path, index_col=False, **options)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: {remedy}") from error
    except (ValueError, OSError, OverflowError, pd.errors.ParserWarning) as error:
        raise InputError(f"{path} cannot be read as CSV ({type(error).__name__}): {remedy}") from error


def check_columns(path: Path, table: "pd.DataFrame", columns: Columns, remedy: str) -> None:
    """Refuse a table that lacks a column, or has values of another type in it.

    Args:
        path: that the table is from.
        table: any.
        columns: those that it must have. A text is never missing; a number may be NaN.
        remedy: for the message.

    Raises:
        InputError: naming the column.
    """
    for column, kind in columns.items():
        if column not in table:
            raise InputError(f"{path} has no column {column!r}: {remedy}")
        if not _holds(table[column], kind):
            raise InputError(f"{path} column {column!r} does not hold {kind.__name__}: {remedy}")


def _holds(column: Any, kind: type) -> bool:  # noqa: ANN401 (a series; two columns of one name are a table)
    """Return whether a column's values are of a type."""
    import pandas as pd

    if not isinstance(column, pd.Series):
        return False
    if kind is str:
        return bool(pd.api.types.infer_dtype(column, skipna=False) == "string" and column.notna().all())
    if kind is float:
        return bool(pd.api.types.is_float_dtype(column))
    return bool((pd.api.types.is_bool_dtype if kind is bool else pd.api.types.is_integer_dtype)(column))
