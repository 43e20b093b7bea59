"""Six hand-written patients (synthetic): cohort, flow and every value of every array, worked out here."""

import json

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

TRAIN, REST = ["1", "2", "3", "4"], ["5", "6"]


@pytest.fixture
def features(project):
    """Run every stage; patients 1 to 4 are train, 5 validation, 6 test."""
    project()
    measurements()
    cohort()
    table = pd.read_csv(paths.cohort("mimic"), dtype=str)
    table["split"] = ["train"] * 4 + ["validation", "test"]
    table.to_csv(paths.cohort("mimic"), index=False)
    for stage in (lab, note, code):
        stage()
    return FeatureSet(paths.features("mimic"), paths.cohort("mimic"))


def padded(rows):
    """Lay out the visits of patients 1 to 6 over 8 steps, zeros at the end: two visits each, one of patient 5."""
    array = np.zeros((6, 8, len(rows[0])))
    steps = [(patient, step) for patient in range(6) for step in range(2) if (patient, step) != (4, 1)]
    for (patient, step), row in zip(steps, rows, strict=True):
        array[patient, step] = row
    return array


def test_the_cohort_has_each_patients_last_complete_admission_and_its_label(features):
    assert features.sample_ids == ["1", "2", "3", "4", "5", "6"]
    assert features.modalities == ["lab", "note", "code"]
    assert features.classes == ["survived", "died"]
    # 1 dies 365 days after discharge, 2 366 days after, 3 and 6 within weeks; 4 and 5 are not known to die.
    assert features.labels.tolist() == [1, 0, 1, 0, 0, 1]
    visits = pd.read_csv(paths.visits("mimic"))
    assert visits.groupby("sample_id")["hadm_id"].agg(list).to_dict() == {
        1: [11, 12],
        2: [21, 22],
        3: [31, 32],  # 33 ends in death
        4: [41, 42],  # 43 has ICD-10 only
        5: [51],  # 52 has no labs, so that 51 is the index admission
        6: [61, 62],
    }
    assert visits["step"].tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1]
    for name in features.modalities:
        assert features.lengths[name].tolist() == [2, 2, 2, 2, 1, 2]


def test_the_flow_table_counts_what_each_filter_removes(features):  # noqa: ARG001 (writes the cohort)
    flow = json.loads(paths.cohort("mimic").with_suffix(".json").read_text())["flow"]
    assert [list(step.values()) for step in flow] == [
        ["without any admission", 0, 0, 6, 14],
        ["younger than 18 years", 0, 0, 6, 14],
        ["patient with fewer than 2 admissions", 0, 0, 6, 14],
        ["death at or before discharge", 0, 1, 6, 13],  # 33
        ["no diagnosis in ICD-9", 0, 1, 6, 12],  # 43
        ["without lab", 0, 3, 6, 9],  # 31, 52 and 61
        ["without note", 0, 0, 6, 9],
        ["without code", 0, 0, 6, 9],
        ["not the patient's last complete admission", 0, 3, 6, 6],  # 11, 21 and 41
    ]


def test_labs_and_vitals(features):
    # Visits 11 12 21 22 31 32 41 42 | 51 61 62; nan is not a value. The first eight are train.
    nan = np.nan
    creatinine_mean = [2, 1, 2, 3, nan, 1, 3, 2, 4, nan, 5]  # 42 has 3 and 1 at one time
    creatinine_last = [3, 1, 2, 3, nan, 1, 3, 3, 4, nan, 5]  # and the larger counts as the last
    temperature_mean = [38, nan, 38, nan, nan, 36, nan, nan, nan, nan, 40]  # 11: 98.6 F is 37 C, then 39 C
    temperature_last = [39, nan, 38, nan, nan, 36, nan, nan, nan, nan, 40]
    medians = [2, 3, 38, 38]  # of 1 1 2 2 2 3 3; 1 1 2 3 3 3 3; 36 38 38; 36 38 39
    columns = []
    for values, median in zip(
        (creatinine_mean, creatinine_last, temperature_mean, temperature_last), medians, strict=True
    ):
        filled = np.where(np.isnan(values), median, values)
        columns.append((filled - filled[:8].mean()) / filled[:8].std())
    columns += [np.isnan(creatinine_mean), np.isnan(temperature_mean)]
    assert columns[0][:2] == pytest.approx([0, -(2**0.5)])  # mean 2, variance 1/2
    assert np.asarray(features.arrays["lab"]) == pytest.approx(padded(np.stack(columns, axis=1)), abs=1e-6)
    about = features.descriptions["lab"].model_dump()
    assert about["features"] == [
        "creatinine_mean",
        "creatinine_last",
        "temperature_mean",
        "temperature_last",
        "creatinine_missing",
        "temperature_missing",
    ]
    assert about["share_of_visits_missing"]["creatinine"] == round(2 / 11, 4)
    assert len(about["without_value_in_train"]) == 38
    assert about["fitted"]["imputed"] == medians
    assert about["fitted"]["means"][0] == 2
    assert (about["fitted"]["samples"], about["fitted"]["visits"]) == (4, 8)


def test_the_settings_of_labs_are_followed(features, project):  # noqa: ARG001 (writes the cohort)
    project(lab={"impute": "mean", "summaries": ["last"], "missing_indicators": False, "vitals": False})
    lab()
    own = FeatureSet(paths.features("mimic"), paths.cohort("mimic"))
    assert own.descriptions["lab"].model_dump()["features"] == ["creatinine_last"]
    filled = np.array([3, 1, 2, 3, 16 / 7, 1, 3, 3, 4, 16 / 7, 5])  # 16/7 is the mean of the seven train values
    expected = padded(((filled - filled[:8].mean()) / filled[:8].std())[:, None])
    assert np.asarray(own.arrays["lab"]) == pytest.approx(expected, abs=1e-6)


def test_measurements_count_what_they_leave_out(features):
    counts = features.descriptions["lab"].model_dump()["values_in_raw_data"]
    assert counts["creatinine"] == {
        "rows": 14,
        "without_number": 1,
        "implausible": 1,
        "other_unit": 1,
        "outside_admissions": 1,
        "admissions": 9,
    }
    assert counts["temperature"]["implausible"] == 1
    assert counts["temperature"]["admissions"] == 4


def test_codes(features):
    # Train patients: 428 is had by 1 and 3, E878 by 1 and 2, 250 by 2 and 4, V58 and 401 by one each.
    assert features.descriptions["code"].model_dump()["features"] == ["9:250", "9:428", "9:E878"]
    visits = [
        [0, 1, 0],  # 11: 4280
        [0, 1, 1],  # 12: 4281, E8788
        [1, 0, 0],  # 21: 25000
        [1, 0, 1],  # 22: E8781, 25001
        [0, 0, 0],  # 31: V5861
        [0, 1, 0],  # 32: V5861, 4289
        [0, 0, 0],  # 41: 4019
        [1, 0, 0],  # 42: 25002
        [0, 1, 0],  # 51: 4280, 4019
        [0, 0, 0],  # 61: 4019
        [0, 0, 1],  # 62: E8788 and E8789, one code when cut to four characters
    ]
    assert features.arrays["code"].dtype == np.uint8
    assert np.asarray(features.arrays["code"]).tolist() == padded(visits).tolist()


def test_notes(features):
    # Terms of the train notes: name, heart, lung, said, kidney; the three most frequent are heart, kidney and lung.
    # Train notes of 11 12 21 22 32 41 42, counts of heart, kidney, lung; then 51 and 61 without any of these, and 62.
    train = np.array([[2, 0, 0], [1, 1, 1], [0, 0, 1], [0, 2, 1], [1, 1, 0], [0, 1, 0], [1, 0, 1]], float)
    idf = np.log(8 / (1 + np.array([4, 4, 4]))) + 1  # of 7 notes, 4 hold each
    rest = np.array([[0, 0, 0], [0, 0, 0], [2, 0, 0]], float)
    weighted = np.concatenate([train, rest]) * idf
    norms = np.linalg.norm(weighted, axis=1, keepdims=True)
    weighted = np.divide(weighted, norms, out=np.zeros_like(weighted), where=norms > 0)
    axes = np.linalg.svd(weighted[:7])[2][:2]
    projected = weighted @ axes.T
    scaled = (projected - projected[:7].mean(axis=0)) / projected[:7].std(axis=0)
    expected = padded(np.insert(scaled, 4, 0, axis=0))  # 31 has no note: zeros
    found = np.asarray(features.arrays["note"])
    signs = np.sign((found * expected).sum(axis=(0, 1)))  # an axis of an SVD may point either way
    assert found == pytest.approx(expected * signs, abs=1e-5)
    assert features.descriptions["note"].model_dump()["visits_with_note"] == 10
    assert features.descriptions["note"].model_dump()["terms"] == 3
