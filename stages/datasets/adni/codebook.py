"""The codebook: what each column of ADNI's tables is, and which row of a subject counts.

`columns.csv` has one row per column. `kind`: number, category, birth_year (becomes the age at the scan), count (of rows
with a value, where a visit has several), key (whose row it is or how it came about: not a feature), refused (shows
the diagnosis; `note` says how). `codes` are a category's, `missing` those that mean "unknown" besides ADNI's own -4
and -1; `low` and `high` a number's plausible range, in the unit after `conversion`, which applies where the column
`unit` says 1. A table without an `optional` column is read anyway. Sources: ADNI's data dictionary (DATADIC).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from stages.datasets.adni.source import DATES, Table

CODEBOOK = Path(__file__).with_name("columns.csv")
FEATURES = ("number", "category", "birth_year", "count")
# In every table, and never a feature: ids, phase and visit, who entered the row and when.
KEYS = {
    *("ID", "RID", "PTID", "SITEID", "PHASE", "COLPROT", "ORIGPROT", "VISCODE", "VISCODE2", *DATES),
    *("USERDATE", "USERDATE2", "UPDATE_STAMP", "HAS_QC_ERROR", "DD_CRF_VERSION_LABEL", "LANGUAGE_CODE"),
}
BASELINE = ("sc", "bl", "scmri", "f")  # VISCODE2 of screening and baseline
WITHOUT_VISITS = ("APOERES",)  # a genotype is the same at every visit
OTHER_UNIT, OWN_UNIT = 1, 2
CONTRADICTS = (
    "contradicts an earlier row of the same subject and day (where the later row is right, set "
    "data.adni.cohort.same_day to last)"
)
CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "pounds_to_kilograms": lambda pounds: pounds * 0.45359237,
    "inches_to_centimetres": lambda inches: inches * 2.54,
    "fahrenheit_to_celsius": lambda degrees: (degrees - 32) / 1.8,
}


@dataclass(frozen=True)
class Entry:
    """A column that becomes a feature."""

    table: str
    column: str
    kind: str
    codes: list[str]
    missing: list[str]
    low: float
    high: float
    unit: str
    conversion: str
    optional: bool

    @property
    def name(self) -> str:
        """Return table and column."""
        return f"{self.table}.{self.column}"


def read_codebook() -> pd.DataFrame:
    """Return columns.csv as text, with an empty text for an empty cell."""
    return pd.read_csv(CODEBOOK, dtype=str, keep_default_na=False)


def entries(tables: list[str], wanted: list[str] | None, key: str) -> list[Entry]:
    """Return the columns of some tables that become features, in the codebook's order.

    Args:
        tables: names.
        wanted: those asked for, as TABLE.COLUMN; all where None.
        key: the setting that asks for them.

    Raises:
        InputError: for a column that the codebook refuses, saying why, or does not know.
    """
    codebook = read_codebook()
    codebook = codebook[codebook["table"].isin(tables)].assign(name=codebook["table"] + "." + codebook["column"])
    known = codebook[codebook["kind"].isin(FEATURES)]
    for name in wanted or []:
        refused = codebook[(codebook["name"] == name) & (codebook["kind"] == "refused")]
        if len(refused):
            raise InputError(f"{key}: {name} shows the diagnosis ({refused['note'].iloc[0]}): take it out")
        if name not in known["name"].to_numpy():
            hint = nearest(name, known["name"])
            raise InputError(f"{key}: {name!r} is not a feature in the codebook {CODEBOOK.name}; {hint}")
    chosen = known if wanted is None else known[known["name"].isin(wanted)]
    return [
        Entry(
            table=row["table"],
            column=row["column"],
            kind=row["kind"],
            codes=row["codes"].split("|"),
            missing=row["missing"].split("|"),
            low=float(row["low"] or "-inf"),
            high=float(row["high"] or "inf"),
            unit=row["unit"],
            conversion=row["conversion"],
            optional=row["optional"] == "yes",
        )
        for row in chosen.to_dict("records")
    ]


def unknown_columns(table: Table) -> list[str]:
    """Return the columns of a raw table that the codebook does not know; they are ignored."""
    codebook = read_codebook()
    known = KEYS | set(codebook.loc[codebook["table"] == table.name, "column"])
    return [str(column) for column in table.rows if column not in known]


def rows_in_time(table: Table, limits: "pd.Series[Any]") -> pd.DataFrame:
    """Return the rows of each subject's latest visit up to its limit: `rid`, and as index the line in the file.

    A visit is a date. Rows without one count as the first visit where VISCODE2 is screening or baseline, which no scan
    precedes by much, and not at all elsewhere.

    Args:
        table: raw.
        limits: the last date that counts, by roster id.
    """
    rows = pd.DataFrame({"rid": table.rid()})
    rows = rows[rows["rid"].isin(limits.index)]
    if table.name in WITHOUT_VISITS:
        return rows
    dates = table.dates()
    codes = table.rows["VISCODE2"] if "VISCODE2" in table.rows else pd.Series(None, index=dates.index, dtype=object)
    dates = dates.where(dates.notna() | ~codes.isin(BASELINE), pd.Timestamp.min)
    rows = rows.assign(date=dates.loc[rows.index])
    rows = rows[rows["date"] <= rows["rid"].map(limits)]
    return rows.loc[rows["date"] == rows.groupby("rid")["date"].transform("max"), ["rid"]]


def values_of(table: Table, entry: Entry, rows: pd.DataFrame, same_day: str) -> "tuple[pd.Series[Any], int]":
    """Return a column's values by roster id, missing where they are, and how many are outside the codebook.

    Args:
        table: raw.
        entry: of the column.
        rows: of `rows_in_time`; a subject may have several of one day, which `count` counts.
        same_day: which value counts where these contradict each other: last (in the file); or error.

    Raises:
        InputError: for text in a number, or where two rows of one subject and day contradict each other.
    """
    text = table.rows.loc[rows.index, entry.column]
    own = Table(table.name, table.path, table.rows.loc[rows.index])
    if entry.kind == "count":
        return text.notna().groupby(rows["rid"]).sum().astype(float), 0
    if entry.kind == "category":
        values: pd.Series[Any] = text.str.strip().str.removesuffix(".0")
        values = values.mask(values.isin(entry.missing))
        outside = values.notna() & ~values.isin(entry.codes)
    else:
        values = own.numbers(entry.column)
        if entry.unit:
            unit = own.numbers(entry.unit)
            values = values.mask(unit == OTHER_UNIT, CONVERSIONS[entry.conversion](values))
            values = values.where(unit.isin([OTHER_UNIT, OWN_UNIT]))
        outside = values.notna() & ~values.between(entry.low, entry.high)
    values = values.mask(outside)
    known = values[values.notna()]
    by_subject = known.groupby(rows["rid"].loc[known.index])
    if same_day == "error":
        differs = known != by_subject.transform("first")
        own.refuse(differs.reindex(values.index, fill_value=False), entry.column, CONTRADICTS)
    return by_subject.last(), int(outside.sum())


def present_columns(table: Table, wanted: list[Entry]) -> list[Entry]:
    """Return the wanted columns that a table has, refusing it where one that is not optional is missing.

    Raises:
        InputError: naming the column; also where none is left.
    """
    table.require([entry.column for entry in wanted if not entry.optional])
    table.require([entry.unit for entry in wanted if entry.unit and entry.column in table.rows])
    present = [entry for entry in wanted if entry.column in table.rows]
    if wanted and not present:
        table.require([wanted[0].column])
    return present


def ages(birth_years: "pd.Series[Any]", dates: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return ages at the scans by roster id: the difference between calendar years."""
    return dates.dt.year - birth_years.reindex(dates.index)
