"""Parquet files as tables, with errors that name the file."""

from pathlib import Path
from typing import TYPE_CHECKING

from i2moe.base.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


def read_parquet(path: Path, remedy: str, columns: list[str] | None = None) -> "pd.DataFrame":
    """Return a Parquet file as a table.

    Raises:
        InputError: for a file that is missing or no Parquet, or whose notes for pandas are wrong.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=columns)
        table.validate(full=True)  # texts in UTF-8, places within their columns: what is not, would crash later
        return table.to_pandas()
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: {remedy}") from error
    except (pa.ArrowException, ValueError, OSError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"{path} cannot be read as Parquet ({type(error).__name__}): {remedy}") from error
