"""Patients of MIMIC-IV that lack labs, notes or codes, dropped or kept: who stays, who lacks what, what is fitted."""

import json
from itertools import compress

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

MODALITIES = ("lab", "note", "code")


@pytest.fixture
def run(project, synthetic_raw):
    """Return a function that runs all stages on synthetic tables, some of whose patients lack something."""

    def run_all(**settings):
        defaults = {"cohort": DEFAULT_COHORT, "code": DEFAULT_CODE, "note": DEFAULT_NOTE}
        project(dict.fromkeys(TABLES), raw=str(synthetic_raw), **defaults, **settings)
        measurements()
        cohort()
        for stage in (lab, note, code):
            stage()
        return FeatureSet(paths.features("mimic"), paths.cohort("mimic"))

    return run_all


def about():
    return json.loads(paths.cohort("mimic").with_suffix(".json").read_text())


def read(raw, *tables):
    return pd.concat([pd.read_csv(raw / f"{name}.csv.gz", low_memory=False) for name in tables])


def visits_with(raw):
    """Return who has what in any visit by the raw tables: a row per sample, a column per modality."""
    diagnoses = read(raw, "hosp/diagnoses_icd")
    having = {
        "lab": read(raw, "hosp/labevents", "icu/chartevents")["hadm_id"].dropna(),
        "note": read(raw, "note/discharge")["hadm_id"],
        "code": diagnoses.loc[diagnoses["icd_version"] == 9, "hadm_id"],
    }
    steps = pd.read_csv(paths.visits("mimic"), dtype={"sample_id": str})
    own = {name: steps["hadm_id"].isin(hadm_ids) for name, hadm_ids in having.items()}
    return pd.DataFrame(own).groupby(steps["sample_id"]).any()


def test_kept_patients_have_a_presence_and_a_pattern(run, synthetic_raw):
    found = run(incomplete="keep")
    truth = visits_with(synthetic_raw)
    assert truth.index.tolist() == found.sample_ids
    assert truth.any(axis=1).all()
    for name in MODALITIES:
        absent = ~found.present[name]
        assert absent.tolist() == (~truth[name]).tolist()
        assert 0 < absent.sum() < 0.25 * len(absent)
        assert not found.arrays[name][absent].any()
        assert set(found.lengths[name][absent]) == {1}
    patterns = [" + ".join(compress(MODALITIES, row)) for row in truth.to_numpy()]
    assert about()["presence"] == pd.Series(patterns).value_counts().to_dict()
    assert [step["filter"] for step in about()["flow"]][-4:] == [
        "diagnosed, but not in ICD-9",
        "without any modality",
        "fewer than 2 admissions up to this one",
        "not the patient's last admission of these",
    ]


def test_kept_patients_have_the_planted_label(run, synthetic_raw):
    found = run(incomplete="keep")
    planted = read(synthetic_raw, "planted").set_index("subject_id").loc[map(int, found.sample_ids)]
    assert found.labels.tolist() == planted["dies"].tolist()


def test_dropped_patients_are_those_that_lack_something(run, synthetic_raw):
    kept = run(incomplete="keep")
    complete = visits_with(synthetic_raw).all(axis=1)
    dropped = run()
    assert dropped.sample_ids == complete.index[complete].tolist()
    assert len(dropped.sample_ids) < len(kept.sample_ids)
    assert dropped.present == {}
    assert "presence" not in about()


def test_what_is_fitted_is_fitted_on_patients_that_have_it(run):
    found = run(incomplete="keep")
    train = found.rows("train")
    has = train[found.present["lab"][train]]
    assert len(has) < len(train)
    lengths = found.lengths["lab"][has]
    real = np.asarray(found.arrays["lab"][has])[np.arange(found.shapes["lab"][0]) < lengths[:, None]]
    assert real[:, 0].mean() == pytest.approx(0, abs=1e-5)
    assert real[:, 0].std() == pytest.approx(1, abs=1e-4)
