"""What pages are made of: their templates, and tables as rows of cells of lines."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import jinja2


def open_template(path: Path) -> "jinja2.Template":
    """Return a page's template, in which words are escaped and nothing may be missing."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(path.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(path.name)


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


def score_cell(row: dict[str, Any]) -> str:
    """Write one score: mean ± standard deviation over seeds [95 % bootstrap interval].

    Where some resamples do not define the metric, also how many do: the interval is theirs alone.

    Examples:
        >>> score_cell({"mean": 0.75, "std": 0.05, "low": 0.7, "high": 0.8, "usable": 1.0})
        '0.750 ± 0.050 [0.700, 0.800]'
        >>> score_cell({"mean": 0.75, "std": float("nan"), "low": 0.7, "high": 0.8, "usable": 1.0})  # of one seed
        '0.750 [0.700, 0.800]'
    """
    if pd.isna(row["mean"]):
        return "undefined"
    std = "" if pd.isna(row["std"]) else f" ± {row['std']:.3f}"
    interval = "no interval" if pd.isna(row["low"]) else f"[{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['mean']:.3f}{std} {interval}{usable_share(row['usable'])}"


def difference_cell(row: dict[str, Any]) -> str:
    """Write a difference: its value [95 % interval], and how many resamples define it where not all do."""
    interval = "no interval" if pd.isna(row["low"]) else f"[{row['low']:+.3f}, {row['high']:+.3f}]"
    return f"{row['difference']:+.3f} {interval}{usable_share(row['usable'])}"


def usable_share(usable: float) -> str:
    """Say which share of resamples an interval comes from, where it is not all."""
    return "" if usable == 1 else f" from {100 * usable:.1f} % of resamples"
