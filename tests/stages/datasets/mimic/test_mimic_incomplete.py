"""Patients of MIMIC-IV that lack labs or notes, dropped or kept: who stays, who lacks what, and what is fitted."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from i2moe.data import FeatureSet
from stages.datasets.mimic.code.features import code
from stages.datasets.mimic.cohort import cohort
from stages.datasets.mimic.lab.features import lab
from stages.datasets.mimic.measurements import measurements
from stages.datasets.mimic.note.features import note
from stages.shared.base import paths
from tests.stages.datasets.mimic.conftest import DEFAULT_CODE, DEFAULT_COHORT, DEFAULT_NOTE, TABLES


def drop_patients(path, patients):
    table = pd.read_csv(path, dtype=str)
    table[~table["subject_id"].astype(int).isin(patients)].to_csv(path, index=False)


@pytest.fixture
def run(project, synthetic_raw, tmp_path):
    """Return a function that runs all stages on synthetic tables; a third of patients lacks labs, a third notes."""
    raw = tmp_path / "copy"
    shutil.copytree(synthetic_raw, raw)
    patients = sorted(pd.read_csv(raw / "hosp/patients.csv.gz")["subject_id"])
    without_labs, without_notes = set(patients[::3]), set(patients[1::3])
    for table in ("hosp/labevents", "icu/chartevents"):
        drop_patients(raw / f"{table}.csv.gz", without_labs)
    drop_patients(raw / "note/discharge.csv.gz", without_notes)

    def run_all(**settings):
        defaults = {"cohort": DEFAULT_COHORT, "code": DEFAULT_CODE, "note": DEFAULT_NOTE}
        project(dict.fromkeys(TABLES), raw=str(raw), **defaults, **settings)
        measurements()
        cohort()
        for stage in (lab, note, code):
            stage()
        found = FeatureSet(paths.features("mimic"), paths.cohort("mimic"))
        return found, {str(own) for own in without_labs}, {str(own) for own in without_notes}

    return run_all


def about():
    return json.loads(paths.cohort("mimic").with_suffix(".json").read_text())


def test_kept_patients_have_a_presence_and_a_pattern(run):
    found, without_labs, without_notes = run(incomplete="keep")
    ids = np.array(found.sample_ids)
    lacks = {"lab": np.isin(ids, list(without_labs)), "note": np.isin(ids, list(without_notes))}
    assert sorted(found.present) == ["lab", "note"]
    for name, absent in lacks.items():
        assert absent.any()
        assert (~found.present[name]).tolist() == absent.tolist()
        assert not found.arrays[name][absent].any()
        assert set(found.lengths[name][absent]) == {1}
    counts = about()["presence"]
    assert counts["note + code"] == lacks["lab"].sum()
    assert counts["lab + code"] == lacks["note"].sum()
    assert [step["filter"] for step in about()["flow"]][-3:] == [
        "without any modality",
        "fewer than 2 admissions up to this one",
        "not the patient's last admission of these",
    ]


def test_dropped_patients_are_those_that_lack_something(run):
    found, without_labs, without_notes = run()
    assert not set(found.sample_ids) & (without_labs | without_notes)
    assert found.present == {}
    assert "presence" not in about()


def test_what_is_fitted_is_fitted_on_patients_that_have_it(run):
    found, *_ = run(incomplete="keep")
    train = found.rows("train")
    has = train[found.presence[train, 0]]
    lengths = found.lengths["lab"][has]
    real = np.asarray(found.arrays["lab"][has])[np.arange(found.shapes["lab"][0]) < lengths[:, None]]
    assert real[:, 0].mean() == pytest.approx(0, abs=1e-5)
    assert real[:, 0].std() == pytest.approx(1, abs=1e-4)
