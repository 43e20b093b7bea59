"""Nothing is fitted on anything but the train split."""

import csv
import gzip
import json
import shutil

import nibabel
import numpy as np
import pandas as pd
import pytest
from bed_reader import open_bed, to_bed

from i2moe.contract.cohort import read_cohort
from stages.datasets.adni.biospecimen.features import biospecimen
from stages.datasets.adni.clinical.features import clinical
from stages.datasets.adni.cohort import cohort
from stages.datasets.adni.genetic.features import genetic
from stages.datasets.adni.image.features import image
from stages.shared.base import paths

STAGES = {"image": image, "genetic": genetic, "clinical": clinical, "biospecimen": biospecimen}
# What describes the data at hand instead of what was fitted.
DESCRIBES_ALL = ("share_missing", "share_of_subjects_missing", "values_outside_the_codebook")


def run():
    """Run all stages; return the cohort table, the arrays, and what their JSON says of what was fitted."""
    cohort()
    for stage in STAGES.values():
        stage()
    folder = paths.features("adni")
    about = {name: json.loads((folder / f"{name}.json").read_text()) for name in STAGES}
    fitted = {name: {key: one[key] for key in one if key not in DESCRIBES_ALL} for name, one in about.items()}
    return read_cohort(paths.cohort("adni")), {name: np.load(folder / f"{name}.npy") for name in STAGES}, fitted


def spoil_tables(raw, subjects):
    """Change all that these subjects' tables say, but not who they are and when."""
    changes = {
        "PTDEMOG": {"PTEDUCAT": lambda values: values + 3, "PTMARRY": lambda values: values % 3 + 1},
        "VITALS": {"VSBPSYS": lambda values: values * 1.2, "VSPULSE": lambda values: values * 0.7},
        "NEUROEXM": {"NXGAIT": lambda values: 3 - values, "NXMOTOR": lambda values: values * 0 + 1},
        "UPENNBIOMK_ROCHE_ELECSYS": {"TAU": lambda values: values * 3, "PTAU": lambda values: values / 2},
        "UCSFFSX7": {"ST1SV": lambda values: values * 2, "ST2TA": lambda values: values / 2},
    }
    rids = [int(subject[-4:]) for subject in subjects]
    for name, columns in changes.items():
        path = next(raw.glob(f"{name}_*.csv"))
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        own = rows["RID"].astype(int).isin(rids)
        for column, change in columns.items():
            values = pd.to_numeric(rows[column], errors="coerce")
            known = own & values.notna() & (values > 0)
            rows.loc[known, column] = change(values[known]).astype(str)
        rows.to_csv(path, index=False, quoting=csv.QUOTE_ALL)


def spoil_maps(raw, subjects):
    """Change these subjects' maps."""
    for subject in subjects:
        for path in (raw / "ravens").glob(f"{subject}_*"):
            own = nibabel.load(path)
            values = np.asarray(own.dataobj)[::-1] * 2 + 50
            path.write_bytes(gzip.compress(nibabel.Nifti1Image(values.astype(np.int16), own.affine).to_bytes()))


def spoil_genotypes(raw, subjects):
    """Turn these subjects' genotypes round, and lose some."""
    for bed in (raw / "plink").glob("*.bed"):
        with open_bed(bed) as own:
            values, people, properties = own.read(dtype="int8"), own.iid, own.properties
        rows = np.flatnonzero(np.isin(people, list(subjects)))
        values[rows] = np.where(values[rows] == -127, -127, 2 - values[rows])
        values[np.ix_(rows, np.arange(0, values.shape[1], 30))] = -127
        to_bed(bed, values, properties=properties)


@pytest.fixture(params=[("ravens", "drop"), ("freesurfer", "drop"), ("ravens", "keep")])
def before(project, synthetic_raw, request):
    """Run on a copy of the synthetic files; return the outputs and where the copy is."""
    source, incomplete = request.param
    folder = project(raw="copy", base={}, image_source=source, incomplete=incomplete)
    shutil.copytree(synthetic_raw, folder / "copy")
    return *run(), folder / "copy"


def spoil(raw, subjects):
    spoil_tables(raw, subjects)
    spoil_maps(raw, subjects)
    spoil_genotypes(raw, subjects)


def test_changing_test_subjects_leaves_train_rows_and_fitted_objects_byte_for_byte(before):
    table, arrays, fitted, raw = before
    spoil(raw, table.loc[table["split"] == "test", "sample_id"])
    changed_table, changed, changed_fitted = run()
    pd.testing.assert_frame_equal(table, changed_table)
    assert json.dumps(changed_fitted) == json.dumps(fitted)
    for name in STAGES:
        for split in ("train", "validation"):
            rows = (table["split"] == split).to_numpy()
            assert changed[name][rows].tobytes() == arrays[name][rows].tobytes()
        is_test = (table["split"] == "test").to_numpy()
        assert (changed[name][is_test] != arrays[name][is_test]).any()


def test_changing_train_subjects_does_change_what_is_fitted(before):
    table, arrays, fitted, raw = before
    spoil(raw, table.loc[table["split"] == "train", "sample_id"])
    _, changed, changed_fitted = run()
    is_test = (table["split"] == "test").to_numpy()
    for name in STAGES:
        assert changed_fitted[name] != fitted[name]
        same_shape = changed[name].shape == arrays[name].shape
        assert not same_shape or (changed[name][is_test] != arrays[name][is_test]).any()
