"""Patients of MIMIC-IV for people to look at."""

import pandas as pd

from stages.datasets.mimic.cohort import cohort
from stages.datasets.mimic.inputs import raw_inputs
from stages.datasets.mimic.measurements import measurements
from stages.shared.base import paths


def test_a_patient_shows_the_latest_note_of_the_last_visit_that_has_one(synthetic_project):
    _, raw = synthetic_project
    notes = pd.read_csv(raw / "note/discharge.csv.gz", parse_dates=["charttime"])
    measurements()
    cohort()
    visits = pd.read_csv(paths.visits("mimic"), dtype={"sample_id": str})
    ids = visits["sample_id"].drop_duplicates().tolist()[5:1:-1]
    found = raw_inputs("mimic", {"lab": ids, "note": ids, "code": ids})
    assert list(found) == ["note"]
    for name, text in zip(ids, found["note"].texts, strict=True):
        own = notes[notes["hadm_id"].isin(visits.loc[visits["sample_id"] == name, "hadm_id"])]
        assert text == own.sort_values("charttime")["text"].iloc[-1]


def test_without_notes_nothing_is_read(project):
    project()
    assert raw_inputs("mimic", {"lab": ["1"], "code": ["1"]}) == {}
