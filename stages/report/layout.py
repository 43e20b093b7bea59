"""Tables of the page as rows of cells of lines."""

from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class ReadingTable:
    """A table of the page; a cell has a line for each seed."""

    title: str
    note: str
    header: list[str]
    rows: list[list[list[str]]]  # rows of cells of lines


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table's rows."""
    rows: list[dict[str, Any]] = table.to_dict("records")
    return rows


def interval_cell(row: dict[str, Any], name: str, nothing: str) -> str:
    """Write a value [95 % interval].

    Examples:
        >>> interval_cell({"share": 0.5, "low": 0.25, "high": 0.75}, "share", "no gain shown")
        '0.50 [0.25, 0.75]'
        >>> interval_cell({"share": float("nan"), "low": 0.0, "high": 0.0}, "share", "no gain shown")
        'no gain shown'
    """
    if pd.isna(row[name]):
        return nothing
    interval = "no interval" if pd.isna(row["low"]) else f"[{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row[name]:.2f} {interval}"
