"""The explanations of a model: a table per method, written by the explain stage and read by the report.

Tables are Parquet files, so that a column keeps its type. Whoever reads a table names the columns and types needed.
"""

import shutil
from pathlib import Path

import pandas as pd

from i2moe.contract.reading import Columns, check_columns
from stages.shared.files import naming
from stages.shared.parquet import read_parquet

EXPLAINED_SPLIT = "test"  # what explanations and the report are about
MIXTURE = "mixture"  # in place of an expert's name, for the whole model


def write(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    """Write a model's explanations, by method; those of an earlier run go."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, table in tables.items():
        path = path_of(folder, name)
        with naming(path):
            table.to_parquet(path, index=False)


def read(folder: Path, name: str, columns: Columns) -> pd.DataFrame | None:
    """Read the table of a method; None where the method does not apply to the model.

    Args:
        folder: of the model's explanations.
        name: of the method.
        columns: the columns that are needed, and the type of their values.

    Raises:
        InputError: for a file that is not a table, or lacks a column, or has values of another type in it.
    """
    path = path_of(folder, name)
    if not path.exists():
        return None
    table = read_parquet(path, "rerun the explain stage")
    check_columns(path, table, columns, "rerun the explain stage")
    return table


def path_of(folder: Path, name: str) -> Path:
    """Return the file of a method's table."""
    return folder / f"{name}.parquet"
