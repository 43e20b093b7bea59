"""New patients of MIMIC-IV, whose deaths are not known: exactly the features of the same patients."""

import shutil

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet, SampleSet
from stages.datasets.mimic.code.features import code
from stages.datasets.mimic.cohort import cohort
from stages.datasets.mimic.lab.features import lab
from stages.datasets.mimic.measurements import measurements
from stages.datasets.mimic.new import prepare
from stages.datasets.mimic.note.features import note
from stages.shared.base import paths
from tests.stages.datasets.mimic.conftest import TABLES


@pytest.fixture
def trained(synthetic_project, tmp_path):
    """Run the stages; return the dataset, and a folder with the tables of its test patients alone, without deaths."""
    _, raw = synthetic_project
    measurements()
    cohort()
    for stage in (lab, note, code):
        stage()
    found = FeatureSet(paths.features("mimic"), paths.cohort("mimic"))
    patients = {int(found.sample_ids[row]) for row in found.rows("test")}
    new = tmp_path / "new"
    shutil.copytree(raw, new)
    for name in TABLES:
        path = new / f"{name}.csv.gz"
        table = pd.read_csv(path, dtype=str)
        if "subject_id" in table:
            table = table[table["subject_id"].astype(int).isin(patients)]
        if "dod" in table:
            table["dod"] = ""
        table.to_csv(path, index=False)
    return found, new


def test_the_test_patients_have_exactly_their_features(trained, tmp_path):
    found, raw = trained
    rows = found.rows("test")
    new = prepare("mimic", raw, tmp_path / "arrays")
    assert new.sample_ids == [found.sample_ids[row] for row in rows]
    assert sum(new.removed.values()) == 0
    samples = SampleSet(tmp_path / "arrays", found.modalities, new.sample_ids)
    for name in found.modalities:
        np.testing.assert_array_equal(samples.arrays[name], found.arrays[name][rows], err_msg=name)
        np.testing.assert_array_equal(samples.lengths[name], found.lengths[name][rows])
    assert samples.shapes == found.shapes


def test_tables_without_anyone_to_predict_are_refused(trained, tmp_path):
    _, raw = trained
    path = raw / "note/discharge.csv.gz"
    pd.read_csv(path, dtype=str).head(0).to_csv(path, index=False)
    with pytest.raises(InputError, match="new: no patient is left after"):
        prepare("mimic", raw, tmp_path / "arrays")
