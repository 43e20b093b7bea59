"""Who is in: each filter and its setting, and the label's edges, on hand-made admissions (synthetic)."""

import json

import pandas as pd
import pytest

from stages.datasets.mimic.cohort import cohort, dies_within, select, visits
from stages.datasets.mimic.measurements import measurements
from stages.settings.params import load_params
from tests.stages.datasets.mimic.conftest import ROOT

DEFAULT = load_params(ROOT / "params.yaml").data.mimic
COMPLETE = {"has_lab": True, "has_note": True, "has_code": True}


def admission(subject, hadm, start, stop, **more):
    row = {"subject_id": subject, "hadm_id": hadm, "age": 60, "hospital_expire_flag": 0, "deathtime": pd.NaT}
    times = {"admittime": pd.Timestamp(start), "dischtime": pd.Timestamp(stop)}
    row |= times | {"discharge_date": times["dischtime"].normalize(), "dod": pd.NaT} | COMPLETE | more
    return row


def run(rows, **settings):
    """Return the hadm_ids that may be steps, those of the index admissions, and the flow by filter."""
    changed = DEFAULT.model_copy(update={"cohort": DEFAULT.cohort.model_copy(update=settings)})
    table = pd.DataFrame(rows).astype(dict.fromkeys(("deathtime", "dod"), "datetime64[us]"))
    kept, index, flow = select(table, changed, table["subject_id"].nunique())
    return kept["hadm_id"].tolist(), index["hadm_id"].tolist(), {step["filter"]: step for step in flow}


TWO = [admission(1, 11, "2150-01-01", "2150-01-05"), admission(1, 12, "2150-03-01", "2150-03-05")]


def test_a_patient_below_the_age_or_with_one_admission_leaves():
    child = [admission(2, hadm, "2150-01-01", "2150-01-05", age=17) for hadm in (21, 22)]
    grown = [admission(3, 31, "2150-01-01", "2150-01-05", age=17), admission(3, 32, "2152-01-01", "2152-01-05", age=18)]
    kept, index, flow = run([*TWO, *child, *grown])
    assert (kept, index) == ([11, 12], [12])
    assert flow["younger than 18 years"]["patients_removed"] == 1
    assert flow["younger than 18 years"]["admissions_removed"] == 3
    assert flow["patient with fewer than 2 admissions"]["patients_removed"] == 1
    assert run([*TWO, *child], min_age=17)[1] == [12, 22]
    assert run(grown, min_admissions=1)[1] == [32]


ONE_THEN_DEATH = [TWO[0], admission(1, 12, "2150-03-01", "2150-03-05", hospital_expire_flag=1)]


def test_admissions_count_up_to_the_index_one_and_in_the_papers_way_all():
    # At the only visit that can be the index, nobody knows of the later one, in which the patient dies.
    _, index, flow = run(ONE_THEN_DEATH)
    assert index == []
    assert flow["patient with fewer than 2 admissions"]["patients_removed"] == 0
    assert flow["fewer than 2 admissions up to this one"]["patients_removed"] == 1
    _, index, flow = run(ONE_THEN_DEATH, count_admissions="all")
    assert index == [11]
    assert "fewer than 2 admissions up to this one" not in flow
    # Which admissions count is the other setting; it decides of all admissions, and up to the index one rarely.
    assert run(ONE_THEN_DEATH, count_admissions="all", count_after_death_drop=True)[1] == []
    assert run([*TWO, admission(1, 13, "2150-05-01", "2150-05-02", hospital_expire_flag=1)])[1] == [12]


def test_an_index_admission_has_enough_before_it_which_stay_steps_of_its_sequence():
    rows = [*TWO, admission(1, 13, "2150-05-01", "2150-05-02")]
    kept, index, _ = run(rows, index_visit="first")
    assert (kept, index) == ([11, 12, 13], [12])  # the first at which two admissions are known
    assert run(rows, index_visit="first", count_admissions="all")[1] == [11]
    assert run(rows, index_visit="first", min_admissions=3)[1] == [13]
    assert run(rows)[1] == [13]
    incomplete = [TWO[0] | {"has_note": False}, *rows[1:]]
    assert run(incomplete, index_visit="first")[1] == [12]  # an incomplete admission counts as one


def test_an_admission_below_the_age_does_not_count_up_to_the_index_one():
    grown = [admission(3, 31, "2150-01-01", "2150-01-05", age=17), *TWO]
    rows = [row | {"subject_id": 1} for row in grown]
    assert run(rows, index_visit="first")[1] == [12]


@pytest.mark.parametrize("index_visit", ["first", "last"])
def test_after_the_death_drop_an_admission_that_ends_in_death_counts_for_none(index_visit):
    # A wrong flag at the first admission: it leaves, and counts for the second only before the drop.
    rows = [TWO[0] | {"hospital_expire_flag": 1}, TWO[1]]
    assert run(rows, index_visit=index_visit)[1] == [12]
    assert run(rows, index_visit=index_visit, count_after_death_drop=True)[1] == []


@pytest.mark.parametrize(
    "death",
    [
        {"hospital_expire_flag": 1},
        {"deathtime": pd.Timestamp("2150-03-05")},
        {"dod": pd.Timestamp("2150-03-05")},
        {"dod": pd.Timestamp("2150-03-04")},
    ],
)
def test_an_admission_that_ends_in_death_leaves_and_may_still_count(death):
    rows = [TWO[0], admission(1, 12, "2150-03-01", "2150-03-05", **death)]
    assert run(rows, count_admissions="all")[1] == [11]
    assert run(rows, count_admissions="all", count_after_death_drop=True)[1] == []
    assert run(rows, drop_death_at_discharge=False)[1] == [12]


def test_the_day_after_discharge_is_no_death_at_discharge():
    rows = [TWO[0], admission(1, 12, "2150-03-01", "2150-03-05 23:00", dod=pd.Timestamp("2150-03-06"))]
    assert run(rows)[1] == [12]


def test_the_index_admission_is_the_last_or_first_complete_one():
    rows = [*TWO, admission(1, 13, "2150-05-01", "2150-05-02", has_note=False)]
    kept, index, flow = run(rows)
    assert (kept, index) == ([11, 12, 13], [12])
    assert flow["without note"]["admissions_removed"] == 1
    assert run(rows, index_visit="first", count_admissions="all")[1] == [11]


def test_an_admission_without_the_icd_version_is_no_step():
    rows = [*TWO, admission(1, 13, "2150-05-01", "2150-05-02", has_code=False)]
    kept, _, flow = run(rows)
    assert kept == [11, 12]
    assert flow["no diagnosis in ICD-9"]["admissions_removed"] == 1


def test_kept_admissions_may_lack_codes_but_not_have_others():
    settings = DEFAULT.model_copy(update={"incomplete": "keep"})
    uncoded, other = {"has_code": False, "has_any_code": False}, {"has_code": False, "has_any_code": True}
    rows = [
        TWO[0] | {"has_any_code": True},
        admission(1, 12, "2150-03-01", "2150-03-05", has_note=False, **uncoded),
        admission(1, 13, "2150-05-01", "2150-05-02", **other),
        admission(1, 14, "2150-07-01", "2150-07-02", has_note=False, has_lab=False, **uncoded),
    ]
    table = pd.DataFrame(rows).astype(dict.fromkeys(("deathtime", "dod"), "datetime64[us]"))
    kept, index, flow = select(table, settings, 1)
    assert (kept["hadm_id"].tolist(), index["hadm_id"].tolist()) == ([11, 12, 14], [12])
    removed = {step["filter"]: step["admissions_removed"] for step in flow}
    assert removed["diagnosed, but not in ICD-9"] == removed["without any modality"] == 1
    settings = settings.model_copy(update={"modalities": ["lab", "note"]})
    kept, index, flow = select(table, settings, 1)  # nothing may lack codes that are not looked at
    assert kept["hadm_id"].tolist() == [11]
    assert "no diagnosis in ICD-9" in [step["filter"] for step in flow]


def test_death_counts_up_to_the_last_day_by_calendar_date():
    rows = [
        admission(1, 11, "2150-01-01", "2150-01-05 23:59", dod=pd.Timestamp("2151-01-05")),
        admission(2, 21, "2150-01-01", "2150-01-05 00:01", dod=pd.Timestamp("2151-01-06")),
        admission(3, 31, "2150-01-01", "2150-01-05"),
    ]
    assert dies_within(pd.DataFrame(rows), 365).tolist() == [1, 0, 0]
    assert dies_within(pd.DataFrame(rows), 366).tolist() == [1, 1, 0]


def test_a_sequence_holds_the_latest_admissions_up_to_the_index_one():
    rows = [admission(1, 10 + month, f"2150-{month:02d}-01", f"2150-{month:02d}-05") for month in range(1, 7)]
    table = pd.DataFrame(rows)
    index = table[table["hadm_id"] == 15].assign(sample_id="1")
    assert visits(table, index, 3)["hadm_id"].tolist() == [13, 14, 15]
    assert visits(table, index, 3)["step"].tolist() == [0, 1, 2]
    assert visits(table, index, 9)["hadm_id"].tolist() == [11, 12, 13, 14, 15]


def test_without_notes_the_note_table_is_not_needed(project):
    folder = project(
        {"note/discharge": None, "icu/chartevents": None}, modalities=["lab", "code"], lab={"vitals": False}
    )
    measurements()
    cohort()
    about = json.loads((folder / "data/cohorts/mimic.json").read_text())
    assert about["modalities"] == ["lab", "code"]
    assert "without note" not in about["removed"]


def test_both_icd_versions_keep_what_either_codes(project):
    folder = project(cohort={"icd_versions": [9, 10]})
    measurements()
    cohort()
    visits_of = pd.read_csv(folder / "data/cohorts/mimic.visits.csv").groupby("sample_id")["hadm_id"].agg(list)
    assert visits_of[4] == [41, 42]  # 43 has neither labs nor a note, so that 42 stays the index admission
    flow = json.loads((folder / "data/cohorts/mimic.json").read_text())["flow"]
    removed = {step["filter"]: step["admissions_removed"] for step in flow}
    assert removed["no diagnosis in ICD-9 or ICD-10"] == 0
