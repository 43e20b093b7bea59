"""Labs and vitals of every admission: one pass over labevents and one over chartevents, out of core.

A row has a feature's mean and last value in an admission; a change of the cohort does not repeat the pass.
"""

import json
from pathlib import Path

import pandas as pd

from stages.datasets.mimic.lab.items import CONVERSIONS, check_labels, read_items
from stages.datasets.mimic.settings import Settings
from stages.datasets.mimic.source import Source, open_source, require_tables
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block

MEASURED = "measurements.parquet"
# Sums of whole ten-thousandths are exact: the mean does not depend on the order in which threads add.
SCALE = 10_000
# Orders values by time, and of several at one time by size, so that the last value is always the same one. Holds for
# amounts up to 10^9, which items.csv's ranges keep to, and until the year 2262.
LATER = "epoch(charttime)::BIGINT * 1_000_000_000 + amount"


def measurements() -> None:
    """Write data/interim/mimic/measurements.parquet, and .json with counts by feature."""
    measure(load_block("data.mimic", Settings), paths.interim("mimic"))


def measure(settings: Settings, folder: Path) -> None:
    """Write the measurements of the raw tables that the settings name into a folder."""
    items = read_items()
    tables = ["labevents", "chartevents"] if settings.lab.vitals else ["labevents"]
    with open_source(settings.raw, settings.memory_limit) as source:
        require_tables(source, settings)
        for table in tables:
            check_labels(source, items, table)
        _load_stays(source)
        for table in tables:
            _summarise(source, items[items["table"] == table], table)
        folder.mkdir(parents=True, exist_ok=True)
        _write(source, tables, folder)


def _load_stays(source: Source) -> None:
    """Keep each patient's admissions as one list, for events that carry no hadm_id."""
    source.query(
        f"""
        CREATE TEMP TABLE stays AS
        SELECT subject_id,
            list({{'hadm_id': hadm_id, 'start': admittime, 'stop': dischtime}} ORDER BY admittime, hadm_id) AS stays
        FROM {source.scan("admissions")} GROUP BY subject_id
        """,  # noqa: S608
        "admissions",
    )


def _summarise(source: Source, items: pd.DataFrame, table: str) -> None:
    """Pass over a table of events once, into one row per admission and feature; hadm_id is null outside admissions."""
    source.connection.register("items", items)
    conversions = " ".join(f"WHEN '{name}' THEN {sql}" for name, sql in CONVERSIONS.items())
    source.query(
        f"""
        CREATE TEMP TABLE {table}_by_stay AS
        WITH events AS (
            SELECT feature, valuenum, charttime,
                CASE WHEN hadm_id IS NOT NULL THEN hadm_id ELSE
                    list_filter(stays, lambda stay: charttime BETWEEN stay.start AND stay.stop)[1].hadm_id
                END AS hadm_id,
                CASE WHEN low < valuenum AND valuenum <= high
                    THEN round({SCALE} * CASE conversion {conversions} END)::BIGINT END AS amount,
                NOT list_contains(string_split(unit, '|'), valueuom) AS other_unit,
            FROM {source.scan(table)} JOIN items USING (itemid) LEFT JOIN stays USING (subject_id)
        )
        SELECT hadm_id, feature, count(*) AS rows, count(valuenum) AS numbers, count(amount) AS plausible,
            count_if(other_unit) AS other_unit, sum(amount) AS total, arg_max(amount, {LATER}) AS last
        FROM events GROUP BY ALL
        """,  # noqa: S608
        table,
    )
    source.connection.unregister("items")


def _write(source: Source, tables: list[str], folder: Path) -> None:
    """Write what the passes found, in order of hadm_id and feature."""
    parts = " UNION ALL ".join(f"FROM {table}_by_stay" for table in tables)
    target = folder / MEASURED
    source.connection.execute(
        f"""
        COPY (
            SELECT hadm_id, feature, total / (plausible * {SCALE}) AS mean, last / {SCALE} AS last
            FROM ({parts}) WHERE hadm_id IS NOT NULL AND plausible > 0 ORDER BY hadm_id, feature
        ) TO '{target}' (FORMAT parquet)
        """  # noqa: S608
    )
    counts = source.connection.execute(
        f"""
        SELECT feature, sum(rows)::BIGINT AS rows, sum(rows - numbers)::BIGINT AS without_number,
            sum(numbers - plausible)::BIGINT AS implausible, sum(other_unit)::BIGINT AS other_unit,
            coalesce(sum(rows) FILTER (hadm_id IS NULL), 0)::BIGINT AS outside_admissions,
            count_if(hadm_id IS NOT NULL AND plausible > 0) AS admissions
        FROM ({parts}) GROUP BY feature ORDER BY feature
        """  # noqa: S608
    ).df()
    description = {row.pop("feature"): row for row in counts.to_dict("records")}
    (folder / "measurements.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    print(f"{target}: {', '.join(tables)}")
    print(counts.to_string(index=False))


if __name__ == "__main__":
    run(measurements)
