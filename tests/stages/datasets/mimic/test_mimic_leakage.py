"""What only test patients' rows hold reaches no fitted object and no train row (synthetic data)."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from i2moe.contract.cohort import read_cohort
from stages.datasets.mimic.code.features import code
from stages.datasets.mimic.cohort import cohort
from stages.datasets.mimic.lab.features import lab
from stages.datasets.mimic.measurements import measurements
from stages.datasets.mimic.note.features import note
from stages.shared.base import paths

MODALITIES = ("lab", "note", "code")
# What describes the data at hand instead of what was fitted.
DESCRIBES_ALL = ("source", "share_of_visits_missing", "values_in_raw_data", "share_of_codes_outside_vocabulary")


def run():
    """Run all stages; return the cohort table, the arrays, and what their JSON says of what was fitted."""
    for stage in (measurements, cohort, lab, note, code):
        stage()
    folder = paths.features("mimic")
    about = {name: json.loads((folder / f"{name}.json").read_text()) for name in MODALITIES}
    fitted = {name: {key: one[key] for key in one if key not in DESCRIBES_ALL} for name, one in about.items()}
    return read_cohort(paths.cohort("mimic")), {name: np.load(folder / f"{name}.npy") for name in MODALITIES}, fitted


def spoil(raw, subjects):
    """Change everything that these patients' labs, vitals, codes and notes say, but not that there are any."""

    def change(table, columns):
        path = raw / f"{table}.csv.gz"
        rows = pd.read_csv(path, dtype={"icd_code": str, "value": str})
        own = rows["subject_id"].isin(subjects)
        for column, new in columns.items():
            rows.loc[own, column] = new(rows.loc[own, column])
        rows.to_csv(path, index=False)

    change("hosp/labevents", {"valuenum": lambda values: values * 1.5 + 1})
    change("icu/chartevents", {"valuenum": lambda values: values * 0.9 + 3})
    change("hosp/diagnoses_icd", {"icd_code": lambda values: "99" + values.str[0] + "1"})
    change("note/discharge", {"text": lambda texts: "zebra quagga okapi " * 3 + texts.str[::-1]})


@pytest.fixture
def before(synthetic_project):
    """Run on a copy of the synthetic tables; return the outputs and where the copy is."""
    folder, source = synthetic_project
    shutil.copytree(source, folder / "copy")
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((folder / "params.yaml").read_text())
    params["data"]["mimic"]["raw"] = "copy"
    yaml.dump(params, folder / "params.yaml")
    return *run(), folder / "copy"


def test_changing_test_patients_leaves_train_rows_and_fitted_objects_byte_for_byte(before):
    table, arrays, fitted, raw = before
    spoil(raw, table.loc[table["split"] == "test", "sample_id"].astype(int))
    changed_table, changed, changed_fitted = run()
    pd.testing.assert_frame_equal(table, changed_table)
    assert json.dumps(changed_fitted) == json.dumps(fitted)
    for name in MODALITIES:
        for split in ("train", "validation"):
            rows = (table["split"] == split).to_numpy()
            assert changed[name][rows].tobytes() == arrays[name][rows].tobytes()
        is_test = (table["split"] == "test").to_numpy()
        assert (changed[name][is_test] != arrays[name][is_test]).any()


def test_changing_train_patients_does_change_what_is_fitted(before):
    table, arrays, fitted, raw = before
    spoil(raw, table.loc[table["split"] == "train", "sample_id"].astype(int))
    _, changed, changed_fitted = run()
    is_test = (table["split"] == "test").to_numpy()
    for name in MODALITIES:
        assert changed_fitted[name] != fitted[name]
        same_shape = changed[name].shape == arrays[name].shape
        assert not same_shape or (changed[name][is_test] != arrays[name][is_test]).any()
