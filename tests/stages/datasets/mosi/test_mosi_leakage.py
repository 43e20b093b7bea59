"""What only test videos hold reaches no fitted object and no train row (synthetic data)."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest

from i2moe.contract.cohort import read_cohort
from stages.datasets.mosi.cohort import cohort
from stages.datasets.mosi.sequence import sequence
from stages.shared.base import paths
from tests.stages.datasets.mosi.conftest import MODALITIES, set_params

# What describes the data at hand instead of what was fitted.
DESCRIBES_ALL = ("source", "non_finite_values")


def run():
    """Run all stages; return the cohort table, the arrays, and what their JSON says of what was fitted."""
    cohort()
    for modality in MODALITIES:
        sequence(modality)
    folder = paths.features("mosi")
    about = {name: json.loads((folder / f"{name}.json").read_text()) for name in MODALITIES}
    fitted = {name: {key: one[key] for key in one if key not in DESCRIBES_ALL} for name, one in about.items()}
    return read_cohort(paths.cohort("mosi")), {name: np.load(folder / f"{name}.npy") for name in MODALITIES}, fitted


def spoil(path, videos):
    """Change everything that these videos' sequences hold, but not who they are and what they are labelled."""
    content = pickle.loads(path.read_bytes())  # noqa: S301 (written by the test)
    names = [video.encode() for video in videos]
    for fold in content.values():
        own = np.isin(fold["id"][:, 0], names) & fold["text"].any(axis=(1, 2))
        fold["vision"][own] = fold["vision"][own] * 3 + 5
        fold["audio"][own] = np.where(fold["audio"][own] > 1, np.inf, -fold["audio"][own])
        fold["text"][own, -1:] = fold["text"][own, -1:] ** 2 + 7
        fold["text"][own, 0] = 1  # all steps are real then
    path.write_bytes(pickle.dumps(content))


@pytest.fixture(params=[("shares", "zero"), ("official", "median")], ids="-".join)
def before(synthetic_project, request):
    split, rule = request.param
    path = synthetic_project / "copy/mosi_data.pkl"
    set_params(synthetic_project, raw="copy/mosi_data.pkl", split=split, non_finite=rule)
    return *run(), path


def test_changing_test_videos_leaves_train_rows_and_fitted_objects_byte_for_byte(before):
    table, arrays, fitted, path = before
    spoil(path, set(table.loc[table["split"] == "test", "group_id"]))
    changed_table, changed, changed_fitted = run()
    pd.testing.assert_frame_equal(table, changed_table)
    assert json.dumps(changed_fitted) == json.dumps(fitted)
    for name in MODALITIES:
        for split in ("train", "validation"):
            rows = (table["split"] == split).to_numpy()
            assert changed[name][rows].tobytes() == arrays[name][rows].tobytes()
        is_test = (table["split"] == "test").to_numpy()
        assert (changed[name][is_test] != arrays[name][is_test]).any()


def test_changing_train_videos_does_change_what_is_fitted(before):
    table, arrays, fitted, path = before
    spoil(path, set(table.loc[table["split"] == "train", "group_id"]))
    _, changed, changed_fitted = run()
    is_test = (table["split"] == "test").to_numpy()
    for name in MODALITIES:
        assert changed_fitted[name] != fitted[name]
        assert (changed[name][is_test] != arrays[name][is_test]).any()
