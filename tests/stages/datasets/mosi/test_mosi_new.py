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


@pytest.fixture(scope="module", params=["drop", "keep"])
def project(tmp_path_factory, request):
    """Run the stages on a small stand-in with infinite values, and faces that are zeros alone; return the folder."""
    folder = tmp_path_factory.mktemp("mosi")
    more = {"incomplete": request.param}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        own = {"raw": "raw.npz", "modalities": list(MODALITIES), "split": "shares", "non_finite": "median"} | more
        split = {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 0}
        synthetic = {"mosi": {"videos": 20, "seed": 0}}
        Path("params.yaml").write_text(json.dumps({"data": {"mosi": own}, "synthetic": synthetic, "split": split}))
        synthesize()
        raw = read_arrays(paths.synthetic("mosi") / "mosi_data.pkl")
        arrays = {name: own.astype("S32") if name.endswith("/id") else np.array(own) for name, own in raw.items()}
        for fold in FOLDS:
            arrays[f"{fold}/audio"][::3, -1, 0] = np.inf
            arrays[f"{fold}/vision"][1::4] = 0
        np.savez("raw.npz", **arrays)
        cohort()
        for modality in MODALITIES:
            sequence(modality)
        yield folder


@pytest.fixture(autouse=True)
def _here(project, monkeypatch):
    monkeypatch.chdir(project)


def incomplete():
    return json.loads(Path("params.yaml").read_text())["data"]["mosi"]["incomplete"]


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
    np.testing.assert_array_equal(samples.presence, found.presence[rows])


def test_utterances_without_text_are_left_out_and_counted_or_kept(tmp_path):
    found, arrays = new_arrays()
    arrays["test/text"][:2] = 0
    for name in MODALITIES:
        arrays[f"test/{name}"][2] = 0
    np.savez(tmp_path / "new.npz", **arrays)
    new = prepare("mosi", tmp_path / "new.npz", tmp_path / "arrays")
    samples = SampleSet(tmp_path / "arrays", found.modalities, new.sample_ids)
    if incomplete() == "drop":
        assert new.removed == {"without text": 3}
        assert samples.presence.all()
    else:
        assert new.removed == {"without any modality": 1}
        position = new.sample_ids.index("_".join(part.decode() for part in arrays["test/id"][0]))
        assert not samples.presence[position, -1]
        assert not samples.arrays["text"][position].any()
    assert len(new.sample_ids) == len(arrays["test/id"]) - sum(new.removed.values())


def test_a_file_of_zeros_is_refused(tmp_path):
    _, arrays = new_arrays()
    for name in MODALITIES:
        arrays[f"test/{name}"][:] = 0
    np.savez(tmp_path / "new.npz", **arrays)
    why = {"drop": "without text", "keep": "without any modality"}[incomplete()]
    with pytest.raises(InputError, match=rf"new.npz: all \d+ utterances are {why}"):
        prepare("mosi", tmp_path / "new.npz", tmp_path / "arrays")


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
