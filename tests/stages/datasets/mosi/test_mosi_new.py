"""New utterances without labels, in any fold: exactly the features of the same rows, and what does not fit."""

import json
from pathlib import Path

import numpy as np
import pytest

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet, SampleSet
from stages.datasets.mosi.cohort import cohort
from stages.datasets.mosi.new import prepare
from stages.datasets.mosi.sequence import sequence
from stages.datasets.mosi.settings import MODALITIES
from stages.datasets.mosi.source import FOLDS, read_arrays
from stages.datasets.mosi.synthetic.synthesize import synthesize
from stages.shared.base import paths


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Run the stages on a small stand-in whose test utterances have infinite values; return the folder."""
    folder = tmp_path_factory.mktemp("mosi")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        own = {"raw": "raw.npz", "modalities": list(MODALITIES), "split": "shares", "non_finite": "median"}
        split = {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 0}
        synthetic = {"mosi": {"videos": 20, "seed": 0}}
        Path("params.yaml").write_text(json.dumps({"data": {"mosi": own}, "synthetic": synthetic, "split": split}))
        synthesize()
        raw = read_arrays(paths.synthetic("mosi") / "mosi_data.pkl")
        arrays = {name: own.astype("S32") if name.endswith("/id") else np.array(own) for name, own in raw.items()}
        for fold in FOLDS:
            arrays[f"{fold}/audio"][::3, -1, 0] = np.inf
        np.savez("raw.npz", **arrays)
        cohort()
        for modality in MODALITIES:
            sequence(modality)
        yield folder


@pytest.fixture(autouse=True)
def _here(project, monkeypatch):
    monkeypatch.chdir(project)


def new_arrays():
    """Return the arrays of the test split's utterances, all in one fold, without labels, and their ids."""
    found = FeatureSet(paths.features("mosi"), paths.cohort("mosi"))
    ids = {found.sample_ids[row] for row in found.rows("test")}
    arrays = {}
    raw = read_arrays(Path("raw.npz"))
    for key in (*MODALITIES, "id"):
        parts = []
        for fold in FOLDS:
            names = ["_".join(part.decode() for part in row) for row in raw[f"{fold}/id"].tolist()]
            parts.append(raw[f"{fold}/{key}"][[name in ids for name in names]])
        arrays[f"test/{key}"] = np.concatenate(parts)
    return found, arrays


def test_the_test_utterances_without_labels_have_exactly_their_features(tmp_path):
    found, arrays = new_arrays()
    np.savez(tmp_path / "new.npz", **arrays)
    new = prepare("mosi", tmp_path / "new.npz", tmp_path / "arrays")
    rows = found.rows("test")
    assert new.sample_ids == [found.sample_ids[row] for row in rows]
    samples = SampleSet(tmp_path / "arrays", found.modalities, new.sample_ids)
    assert samples.shapes == found.shapes
    for name in found.modalities:
        np.testing.assert_array_equal(samples.arrays[name], found.arrays[name][rows])
        np.testing.assert_array_equal(samples.lengths[name], found.lengths[name][rows])


def test_utterances_without_text_are_left_out_and_counted(tmp_path):
    _, arrays = new_arrays()
    arrays["test/text"][:2] = 0
    np.savez(tmp_path / "new.npz", **arrays)
    new = prepare("mosi", tmp_path / "new.npz", tmp_path / "arrays")
    assert new.removed == {"without text": 2}
    assert len(new.sample_ids) == len(arrays["test/id"]) - 2


def test_other_features_are_refused(tmp_path):
    _, arrays = new_arrays()
    arrays["test/audio"] = arrays["test/audio"][:, :, :-1]
    np.savez(tmp_path / "new.npz", **arrays)
    with pytest.raises(InputError, match=r"new.npz: audio has \d+ features and up to \d+ steps, that of train \d+"):
        prepare("mosi", tmp_path / "new.npz", tmp_path / "arrays")


def test_a_file_without_ids_is_refused(tmp_path):
    _, arrays = new_arrays()
    del arrays["test/id"]
    np.savez(tmp_path / "new.npz", **arrays)
    with pytest.raises(InputError, match="has no array 'test/id'"):
        prepare("mosi", tmp_path / "new.npz", tmp_path / "arrays")
