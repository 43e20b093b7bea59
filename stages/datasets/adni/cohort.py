"""Cohort of ADNI: subjects with a diagnosis and every modality, and the scan whose date sets when each is looked at."""

from typing import Any

import pandas as pd

from i2moe.base.errors import InputError
from stages.datasets.adni.codebook import rows_in_time
from stages.datasets.adni.genetic.plink import Genotypes, find_filesets, merge
from stages.datasets.adni.image.scans import choose_scans, read_scans
from stages.datasets.adni.settings import Settings
from stages.datasets.adni.source import CLASSES, DIAGNOSES, load_table, needed_table
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.cohort.cohorts import Cohort, Step, count_removed, finish_cohort


class Flow:
    """The subjects still in, and by filter how many it removed and left."""

    def __init__(self, raw: str, subjects: pd.DataFrame) -> None:
        self.raw = raw
        self.subjects = subjects
        self.steps: list[Step] = []

    def keep(self, name: str, rids: "pd.Series[Any]") -> None:
        """Keep the subjects of these roster ids.

        Raises:
            InputError: when none is left.
        """
        left = self.subjects[self.subjects["rid"].isin(rids)]
        removed = len(self.subjects) - len(left)
        self.steps.append({"filter": name, "subjects_removed": removed, "subjects_left": len(left)})
        if left.empty:
            raise InputError(
                f"{self.raw}: no subject is left after {name!r}, which removed {removed}: are all files of the same "
                "subjects, named by PTID (an IID of a .fam file too)? Or relax data.adni.cohort"
            )
        self.subjects = left


def cohort() -> None:
    """Write data/cohorts/adni.csv, .json with the flow table, and adni.visits.csv: each sample's scan and its date."""
    settings = load_block("data.adni", Settings)
    diagnoses = read_diagnoses(settings)
    num_raw = diagnoses["rid"].nunique()
    flow = select(diagnoses, settings)
    subjects = flow.subjects.sort_values("sample_id")
    finish_cohort(
        Cohort(
            dataset="adni",
            task=Settings.task,
            classes=CLASSES,
            modalities=list(settings.modalities),
            licence="restricted",
            sample_ids=subjects["sample_id"].to_numpy(str),
            labels=subjects["diagnosis"].to_numpy(int),
            num_raw=num_raw,
            raw=settings.raw,
            filters=count_removed(flow.steps, "subjects"),
            flow=flow.steps,
        )
    )
    subjects[["sample_id", "rid", "date", "scan"]].to_csv(paths.visits("adni"), index=False, lineterminator="\n")


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
    chosen = choose_scans(read_scans(settings), flow.subjects, settings)
    near = f" within {settings.cohort.max_days_from_visit} days of the visit"
    flow.keep(f"without a scan{near if settings.cohort.label == 'visit' else ''}", chosen["rid"])
    flow.subjects = flow.subjects.merge(chosen, on="rid")
    if "genetic" in settings.modalities:
        _keep_genotyped(flow, settings)
    for modality in ("clinical", "biospecimen"):
        if modality in settings.modalities:
            flow.keep(f"without {modality} rows", _having_rows(flow.subjects, modality, settings))
    return flow


def _keep_genotyped(flow: Flow, settings: Settings) -> None:
    """Keep subjects with genotypes of which not too many are missing; a .fam file's IID is the PTID."""
    merged = merge(find_filesets(settings.raw), settings.genetic)
    subjects = flow.subjects
    flow.keep("without genotypes", subjects.loc[subjects["sample_id"].isin(list(merged.people())), "rid"])
    share = Genotypes(merged, flow.subjects["sample_id"].tolist()).missing_share()
    limit = settings.cohort.max_missing_genotypes
    flow.keep(f"more than {limit:.0%} of genotypes missing", flow.subjects.loc[share <= limit, "rid"])


def _having_rows(subjects: pd.DataFrame, modality: str, settings: Settings) -> "pd.Series[Any]":
    """Return the roster ids with a row in time in any, or all, of a modality's tables."""
    limits = subjects.set_index("rid")["date"] + pd.Timedelta(days=settings.cohort.max_days_after_scan)
    tables = [table for name in settings.tables(modality) if (table := load_table(settings.raw, name))]
    having = [set(rows_in_time(table, limits)["rid"]) for table in tables]
    in_all = settings.cohort.tables_needed == "all" and having
    return pd.Series(sorted(set.intersection(*having) if in_all else set().union(*having)), dtype=int)


if __name__ == "__main__":
    run(cohort)
