"""What ADNI's tables say of each subject when it is looked at: values by column, before anything is imputed."""

from typing import Any

import pandas as pd

from i2moe.base.errors import InputError
from stages.datasets.adni.codebook import (
    Entry,
    ages,
    entries,
    present_columns,
    rows_in_time,
    unknown_columns,
    values_of,
)
from stages.datasets.adni.settings import Settings
from stages.datasets.adni.source import load_table

NEVER = pd.Timestamp("2200-01-01")  # after every row: of a subject that no date limits


def limits_of(subjects: pd.DataFrame, settings: Settings) -> "pd.Series[Any]":
    """Return by roster id the last date of a row that counts."""
    dates = subjects.set_index("rid")["date"]
    return (dates + pd.Timedelta(days=settings.cohort.max_days_after_scan)).fillna(NEVER)


def read_values(
    subjects: pd.DataFrame, modality: str, settings: Settings
) -> tuple[pd.DataFrame, list[Entry], dict[str, Any]]:
    """Return the values of each subject by column [N, C], the columns' entries, and what was left out.

    Args:
        subjects: rid, and the date when each is looked at.
        modality: clinical or biospecimen.
        settings: of the dataset.

    Raises:
        InputError: for a missing or contradictory table, or a column that may not be used.
    """
    own = settings.clinical if modality == "clinical" else settings.biospecimen
    wanted = entries(settings.tables(modality), own.columns, f"data.adni.{modality}.columns")
    dates, limits = subjects.set_index("rid")["date"], limits_of(subjects, settings)
    columns: dict[str, pd.Series[Any]] = {}
    read: list[Entry] = []
    report: dict[str, Any] = {"absent_tables": [], "ignored_columns": {}, "values_outside_the_codebook": {}}
    for name in settings.tables(modality):
        table = load_table(settings.raw, name)
        if table is None:
            report["absent_tables"].append(name)
            continue
        present = present_columns(table, [entry for entry in wanted if entry.table == name])
        rows = rows_in_time(table, limits)
        for entry in present:
            values, outside = values_of(table, entry, rows, settings.cohort.same_day)
            if outside:
                report["values_outside_the_codebook"][entry.name] = outside
            values = ages(values, dates) if entry.kind == "birth_year" else values.reindex(dates.index)
            columns[entry.name] = values.set_axis(subjects.index)
            read.append(entry)
        ignored = unknown_columns(table)
        if ignored:
            report["ignored_columns"][name] = ignored
    if not read:
        raise InputError(f"{settings.raw}: there is no {modality} table: download the tables, or drop the modality")
    return pd.DataFrame(columns), read, report
