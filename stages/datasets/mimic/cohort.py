"""Cohort of MIMIC-IV: adults with several admissions, one index admission each, and death within a year of it.

The paper (Appendix E.2) names the population and the label; the order and the detail of the filters are settings. Two
of them look ahead: `count_admissions: all` keeps patients for admissions after the index one, and `index_visit: last`
takes the admission that turns out to be the last.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.reading import check_columns
from stages.datasets.mimic.settings import CohortSettings, Settings
from stages.datasets.mimic.source import Source, open_source, require_tables
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.cohort.cohorts import Cohort, Step, count_removed, finish_cohort
from stages.shared.parquet import read_parquet

CLASSES = ["survived", "died"]
YEARS = ("1900", "2262")  # of all dates, which MIMIC-IV shifts to after 2100; DuckDB also knows infinite ones

Filter = Callable[[pd.DataFrame], "pd.Series[bool]"]


def cohort() -> None:
    """Write data/cohorts/mimic.csv, .json with the flow table, and mimic.visits.csv, the admissions of each sample."""
    settings = load_block("data.mimic", Settings)
    with open_source(settings.raw, settings.memory_limit) as source:
        num_patients, admissions = read_admissions(source, settings, paths.interim("mimic"))
    candidates, index, flow = select(admissions, settings, num_patients)
    if index.empty:
        raise InputError(f"{settings.raw}: no patient is left after {flow[-1]['filter']!r}: relax data.mimic.cohort")
    index = index.assign(sample_id=index["subject_id"].astype(str)).sort_values("sample_id")
    steps = visits(candidates, index, settings.cohort.max_visits)
    finish_cohort(
        Cohort(
            dataset="mimic",
            task=Settings.task,
            classes=CLASSES,
            modalities=list(settings.modalities),
            licence=settings.licence,
            sample_ids=index["sample_id"].to_numpy(str),
            labels=dies_within(index, settings.cohort.mortality_days),
            num_raw=num_patients,
            raw=settings.raw,
            filters=count_removed(flow, "patients"),
            flow=flow,
            presence=presence_of(steps, admissions, list(settings.modalities)),
        )
    )
    steps.to_csv(paths.visits("mimic"), index=False)


def presence_of(steps: pd.DataFrame, admissions: pd.DataFrame, modalities: list[str]) -> NDArray[np.bool_]:
    """Return which samples have which modality in any of their visits, [N, M]; samples in order of their ids."""
    columns = [f"has_{name}" for name in modalities]
    table = steps.merge(admissions[["hadm_id", *columns]], on="hadm_id")
    return np.asarray(table.groupby("sample_id", sort=True)[columns].any().to_numpy(bool))


def read_admissions(source: Source, settings: Settings, interim: Path) -> tuple[int, pd.DataFrame]:
    """Return how many patients there are, and one row per admission: times, age, death, and what the admission has.

    Args:
        source: the raw tables.
        settings: of the dataset.
        interim: folder of the measurements.

    Raises:
        InputError: for a missing table or column, an empty or repeated id, or a patient that `patients` lacks.
    """
    require_tables(source, settings)
    patients = _read_keyed(source, "patients", "subject_id")
    admissions = _read_keyed(source, "admissions", "hadm_id")
    unknown = ~admissions["subject_id"].isin(patients["subject_id"]).to_numpy()
    if unknown.any():
        raise InputError(
            f"{source.path('admissions')} row {_first(unknown)}: its subject_id is not in "
            f"{source.path('patients')}: take both tables from one release"
        )
    table = admissions.merge(patients, on="subject_id")
    table["age"] = table["anchor_age"] + table["admittime"].dt.year - table["anchor_year"]
    table["discharge_date"] = table["dischtime"].dt.normalize()
    for name, having in _having(source, settings, interim).items():
        table[f"has_{name}"] = table["hadm_id"].isin(having)
    return len(patients), table.sort_values(["subject_id", "admittime", "hadm_id"], ignore_index=True)


def _read_keyed(source: Source, table: str, key: str) -> pd.DataFrame:
    """Read a whole table whose rows each have an id."""
    rows = source.frame(f"FROM {source.scan(table)}", table)
    dates = rows.select_dtypes("datetime")
    checks = [(key, rows[key].isna(), "is empty"), (key, rows[key].duplicated(), "repeats an earlier value")]
    checks += [(name, dates[name].notna() & ~dates[name].between(*YEARS), "is no date of MIMIC-IV") for name in dates]
    for column, flags, problem in checks:
        if flags.any():
            raise InputError(
                f"{source.path(table)} row {_first(flags.to_numpy())}: column {column!r} {problem}: "
                "download the file again"
            )
    return rows


def _having(source: Source, settings: Settings, interim: Path) -> dict[str, "pd.Series[Any]"]:
    """Return the hadm_ids that have each modality: a lab or vital, a diagnosis of the wanted ICD versions, a note.

    `any_code` are those with a diagnosis of any version.
    """
    path, remedy = interim / "measurements.parquet", "run the measurements stage first"
    measured = read_parquet(path, remedy, columns=["hadm_id"])
    check_columns(path, measured, {"hadm_id": int}, remedy)
    coded = f"SELECT DISTINCT hadm_id, icd_version FROM {source.scan('diagnoses_icd')}"  # noqa: S608
    codes = source.frame(coded, "diagnoses_icd")
    having = {
        "lab": measured["hadm_id"],
        "code": codes.loc[codes["icd_version"].isin(settings.cohort.icd_versions), "hadm_id"],
        "any_code": codes["hadm_id"],
    }
    if "note" in settings.modalities:
        noted = f"SELECT note_id, hadm_id FROM {source.scan('discharge')}"  # noqa: S608
        notes = source.frame(noted, "discharge")
        repeated = notes["note_id"].duplicated().to_numpy()
        if repeated.any():
            raise InputError(
                f"{source.path('discharge')} row {_first(repeated)}: column 'note_id' repeats an earlier value: "
                "download the file again"
            )
        having["note"] = notes["hadm_id"]
    return having


def select(
    admissions: pd.DataFrame, settings: Settings, num_patients: int
) -> tuple[pd.DataFrame, pd.DataFrame, list[Step]]:
    """Apply the filters in order.

    Args:
        admissions: one row per admission, in order of patient and time.
        settings: of the dataset.
        num_patients: in the raw data, with or without admissions.

    Returns:
        The admissions that pass every filter but completeness, which may be steps of a sequence; the index
        admissions, one per patient; and the flow table: by filter, patients and admissions removed and left.
    """
    flow = [_step("without any admission", num_patients, len(admissions), admissions)]
    numbered = admissions.assign(number=count_so_far(admissions, settings.cohort))
    kept = _apply(_filters(settings), numbered, flow)
    may_be_index: dict[str, Filter] = {f"without {name}": _has(name) for name in settings.modalities}
    if settings.incomplete == "keep":
        columns = [f"has_{name}" for name in settings.modalities]
        may_be_index = {"without any modality": lambda table: table[columns].any(axis=1)}
    if settings.cohort.count_admissions == "up_to_index":
        fewest = settings.cohort.min_admissions
        may_be_index[f"fewer than {fewest} admissions up to this one"] = lambda table: table["number"] >= fewest
    complete = _apply(may_be_index, kept, flow)
    index = complete.groupby("subject_id", sort=False).nth(0 if settings.cohort.index_visit == "first" else -1)
    what = "complete admission" if settings.incomplete == "drop" else "admission of these"
    name = f"not the patient's {settings.cohort.index_visit} {what}"
    flow.append(_step(name, complete["subject_id"].nunique(), len(complete), index))
    return kept, index, flow


def count_so_far(admissions: pd.DataFrame, settings: CohortSettings) -> "pd.Series[int]":
    """Return how many admissions that count the patient has had by each one, itself included.

    Args:
        admissions: one row per admission, in order of patient and time.
        settings: which count: from `min_age` on; after the death drop only those that do not end in death.
    """
    counts = admissions["age"] >= settings.min_age
    if settings.drop_death_at_discharge and settings.count_after_death_drop:
        counts &= ~_dead_at_discharge(admissions)
    return counts.groupby(admissions["subject_id"]).cumsum()


def _apply(filters: dict[str, Filter], table: pd.DataFrame, flow: list[Step]) -> pd.DataFrame:
    """Keep what meets each filter, one after another, and add a row of the flow table for each."""
    for name, keep in filters.items():
        left = table[keep(table)]
        flow.append(_step(name, table["subject_id"].nunique(), len(table), left))
        table = left
    return table


def _has(modality: str) -> Filter:
    return lambda table: table[f"has_{modality}"]


def _filters(data: Settings) -> dict[str, Filter]:
    """Return by name what an admission must meet to stay, in order."""
    settings = data.cohort
    several: dict[str, Filter] = {
        f"patient with fewer than {settings.min_admissions} admissions": lambda table: (
            table.groupby("subject_id")["hadm_id"].transform("size") >= settings.min_admissions
        )
    }
    alive: dict[str, Filter] = {}
    if settings.drop_death_at_discharge:
        alive = {"death at or before discharge": lambda table: ~_dead_at_discharge(table)}
    return {
        f"younger than {settings.min_age} years": lambda table: table["age"] >= settings.min_age,
        **(alive | several if settings.count_after_death_drop else several | alive),
        **_of_versions(data),
    }


def _of_versions(settings: Settings) -> dict[str, Filter]:
    """Return what the ICD versions ask for: a diagnosis in them; of admissions that may lack codes, none in others."""
    versions = f"ICD-{' or ICD-'.join(map(str, settings.cohort.icd_versions))}"
    if settings.incomplete == "keep" and "code" in settings.modalities:
        return {f"diagnosed, but not in {versions}": lambda table: table["has_code"] | ~table["has_any_code"]}
    return {f"no diagnosis in {versions}": _has("code")}


def _dead_at_discharge(table: pd.DataFrame) -> "pd.Series[bool]":
    flagged = (table["hospital_expire_flag"] == 1) | table["deathtime"].notna()
    return flagged | (table["dod"] <= table["discharge_date"])


def _step(name: str, patients: int, admissions: int, left: pd.DataFrame) -> Step:
    """Return a row of the flow table, from the counts before the filter and the admissions left after it."""
    patients_left = left["subject_id"].nunique()
    return {
        "filter": name,
        "patients_removed": patients - patients_left,
        "admissions_removed": admissions - len(left),
        "patients_left": patients_left,
        "admissions_left": len(left),
    }


def dies_within(index: pd.DataFrame, days: int) -> NDArray[np.int64]:
    """Return 1 where the patient dies within so many days of the index discharge, else 0 [N].

    MIMIC-IV knows deaths up to a year after a patient's last discharge (mimic.mit.edu), so that no date of death is a
    valid 0 for up to 365 days.
    """
    dies: NDArray[np.int64] = ((index["dod"] - index["discharge_date"]).dt.days <= days).to_numpy(np.int64)
    return dies


def visits(candidates: pd.DataFrame, index: pd.DataFrame, max_visits: int) -> pd.DataFrame:
    """Return the steps of each sample's sequence: sample_id, step from 0, hadm_id; the index admission is the last."""
    last = index.set_index("subject_id")[["sample_id", "admittime", "hadm_id"]]
    table = candidates.join(last, on="subject_id", how="inner", suffixes=("", "_of_index"))
    earlier = table["admittime"] < table["admittime_of_index"]
    table = table[earlier | (table["hadm_id"] == table["hadm_id_of_index"])]
    table = (
        table.groupby("subject_id", sort=False).tail(max_visits).sort_values(["sample_id", "admittime"], kind="stable")
    )
    table["step"] = table.groupby("sample_id", sort=False).cumcount()
    return table[["sample_id", "step", "hadm_id"]]


def _first(flags: NDArray[np.bool_]) -> int:
    """Return the line of the first flagged row, counting a header as line 1."""
    return int(np.flatnonzero(flags)[0]) + 2


if __name__ == "__main__":
    run(cohort)
