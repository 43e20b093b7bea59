"""Cohort of ADNI: subjects with a diagnosis and every modality, or any, and when each is looked at."""

import pandas as pd

from stages.datasets.adni.presence import Flow, keep_by_presence
from stages.datasets.adni.settings import Settings
from stages.datasets.adni.source import CLASSES, DIAGNOSES, needed_table
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.cohort.cohorts import Cohort, count_removed, finish_cohort


def cohort() -> None:
    """Write data/cohorts/adni.csv, .json with the flow table, and adni.visits.csv: when each subject is looked at.

    The last has each sample's scan and its date, and which modalities the sample has.
    """
    settings = load_block("data.adni", Settings)
    diagnoses = read_diagnoses(settings)
    num_raw = diagnoses["rid"].nunique()
    flow = select(diagnoses, settings)
    subjects = flow.subjects.sort_values("sample_id")
    has = [f"has_{name}" for name in settings.modalities]
    finish_cohort(
        Cohort(
            dataset="adni",
            task=Settings.task,
            classes=CLASSES,
            modalities=list(settings.modalities),
            licence=settings.licence,
            sample_ids=subjects["sample_id"].to_numpy(str),
            labels=subjects["diagnosis"].to_numpy(int),
            num_raw=num_raw,
            raw=settings.raw,
            filters=count_removed(flow.steps, "subjects"),
            flow=flow.steps,
            presence=subjects[has].to_numpy(bool),
        )
    )
    subjects[["sample_id", "rid", "date", "scan", *has]].to_csv(paths.visits("adni"), index=False, lineterminator="\n")


def read_diagnoses(settings: Settings) -> pd.DataFrame:
    """Return one row per visit: rid, sample_id (the PTID), diagnosis (0 CN, 1 MCI, 2 Dementia, NaN), visit, date.

    Raises:
        InputError: for a missing table or column, an unknown code, a row without PTID, or a RID with two PTIDs.
    """
    table = needed_table(settings.raw, "DXSUM")
    table.require(["RID", "PTID", "DIAGNOSIS"])
    table.refuse(table.rows["PTID"].isna(), "PTID", "is empty")
    codes = table.numbers("DIAGNOSIS")
    table.refuse(codes.notna() & ~codes.isin(DIAGNOSES), "DIAGNOSIS", "is not one of 1 (CN), 2 (MCI), 3 (Dementia)")
    visits = pd.DataFrame(
        {"rid": table.rid(), "sample_id": table.rows["PTID"], "diagnosis": codes.map(DIAGNOSES), "date": pd.NaT}
    )
    if settings.cohort.label == "visit":
        table.require(["VISCODE2"])
        visits = visits.assign(visit=table.rows["VISCODE2"], date=table.dates())
    first = visits.groupby("rid")["sample_id"].transform("first")
    table.refuse(visits["sample_id"] != first, "PTID", "differs from an earlier row of the same RID")
    if settings.cohort.label == "visit":
        own = visits[(visits["visit"] == settings.cohort.visit) & visits["diagnosis"].notna()]
        differs = own["diagnosis"] != own.groupby("rid")["diagnosis"].transform("first")
        table.refuse(
            differs.reindex(visits.index, fill_value=False),
            "DIAGNOSIS",
            "differs from an earlier row of the same visit",
        )
    return visits


def select(visits: pd.DataFrame, settings: Settings) -> Flow:
    """Apply the filters in order."""
    flow = Flow(settings.raw, visits.groupby("rid", as_index=False)[["sample_id"]].first())
    diagnosed = visits[visits["diagnosis"].notna()]
    flow.keep("without any diagnosis", diagnosed["rid"])
    if settings.cohort.undiagnosed_visits == "drop":
        without = visits.loc[visits["diagnosis"].isna(), "rid"]
        flow.keep("a visit without a diagnosis", visits.loc[~visits["rid"].isin(without), "rid"])
    if settings.cohort.label == "stable":
        number = diagnosed.groupby("rid")["diagnosis"].nunique()
        flow.keep("diagnosis changes between visits", number.index[number == 1].to_series())
    else:
        diagnosed = diagnosed[(diagnosed["visit"] == settings.cohort.visit) & diagnosed["date"].notna()]
        flow.keep(f"no diagnosis at visit {settings.cohort.visit}", diagnosed["rid"])
    own = diagnosed.groupby("rid", as_index=False)[["diagnosis", "date"]].first()
    flow.subjects = flow.subjects.merge(own.rename(columns={"date": "visit_date"}), on="rid")
    keep_by_presence(flow, settings)
    return flow


if __name__ == "__main__":
    run(cohort)
