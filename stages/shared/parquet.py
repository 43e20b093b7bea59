"""Parquet files as tables, with errors that name the file."""

from pathlib import Path
from typing import TYPE_CHECKING

from i2moe.base.errors import InputError
from i2moe.contract.unpacking import SPARE_COLUMNS, check_columns_size

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def read_parquet(path: Path, remedy: str, columns: list[str] | None = None) -> "pd.DataFrame":
    """Return a Parquet file as a table.

    Raises:
        InputError: for a file that is missing or no Parquet, whose notes for pandas are wrong, or that has far more in
            memory than on disk.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        texts = _check_size(path, columns)
        table = pq.read_table(path, columns=columns, read_dictionary=texts)
        table.validate(full=True)  # texts in UTF-8, places within their columns: what is not, would crash later
        return _with_texts(path, table, texts).to_pandas()
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: {remedy}") from error
    except (pa.ArrowException, ValueError, OSError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} cannot be read as Parquet ({type(error).__name__}): {remedy}") from error


def _check_size(path: Path, columns: list[str] | None) -> list[str]:
    """Refuse a file whose numbers have far more bytes in memory than on disk, by what its footer says.

    Returns:
        The columns of text, whose values may be stored once and meant often, where they may have as many.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        schema, num_rows = file.schema_arrow, file.metadata.num_rows
    # What the footer says of single columns is not asked for: where that is broken, pyarrow ends the process.
    check_columns_size(
        path, num_rows * sum(_width(field.type) for field in schema if columns is None or field.name in columns)
    )
    most = sum(group.num_rows * group.total_byte_size for group in groups)
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    return texts if most > SPARE_COLUMNS else []


def _width(kind: "pa.DataType") -> int:
    """Return how many bytes a value has in memory, besides those of a text or list."""
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:  # of no fixed width
        return 8


def _with_texts(path: Path, table: "pa.Table", texts: list[str]) -> "pa.Table":
    """Write out texts that are stored once and meant often, unless they have far more bytes than the file."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = [name for name in texts if name in table.column_names]
    chunks = [chunk for name in names for chunk in table[name].chunks]
    check_columns_size(
        path, sum(pc.sum(pc.binary_length(chunk.dictionary).take(chunk.indices)).as_py() or 0 for chunk in chunks)
    )
    for name in names:
        table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.large_string()))
    return table
