"""Six hand-written utterances in CMU-MOSI's layout (synthetic), and a project folder whose settings point at them."""

import pickle
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from ruamel.yaml import YAML

from i2moe.base.errors import InputError
from stages.datasets.mosi.cohort import cohort
from stages.datasets.mosi.synthetic.synthesize import write_files

ROOT = Path(__file__).parents[4]
NAN, INF = float("nan"), float("inf")
MODALITIES = ("vision", "audio", "text")

# A row per step: vision (2), audio (1), text (2). The second of video b has no text; c's ends before its last step;
# those of d and e begin where their text begins, which NaN is not.
UTTERANCES = {
    "train": [
        (b"a", b"0.0", b"1.5", -2.2, [(0, 0, 0, 0, 0), (0, 0, 0, 0, 0), (1, 5, 1, 1, 1), (3, 5, -INF, 2, 1)]),
        (b"a", b"1.5", b"3.0", 0.0, [(2, 5, 1, 3, 1), (NAN, 5, 3, 0, 0), (4, 5, 5, 1, -1), (INF, 5, -INF, 1, 1)]),
        (b"b", b"0.0", b"1.0", 1.0, [(0, 0, 0, 0, 0), (0, 0, 0, 0, 0), (0, 0, 0, 0, 0), (9, 9, 9, 0, 0)]),
    ],
    "valid": [
        (b"c", b"0.0", b"2.0", 3.0, [(0, 0, 0, 0, 0), (7, 6, -INF, 1, 0), (NAN, 5, 2, 0, 1), (0, 0, 0, 0, 0)]),
    ],
    "test": [
        (b"e", b"0.0", b"2.0", 0.6, [(0, 0, 0, 0, 0), (1, 1, 1, NAN, 0), (2, 5, 2, 1, 0), (3, 5, 0, 0, 0)]),
        (b"d", b"0.0", b"2.0", -3.0, [(0, 0, 0, 0, 0), (0, 0, 0, 0, 0), (8, 8, 4, 0, 0), (1, 7, 6, 2, 2)]),
    ],
}
IDS = ["a_0.0_1.5", "a_1.5_3.0", "c_0.0_2.0", "d_0.0_2.0", "e_0.0_2.0"]


def folds():
    """Return the hand-written arrays as the real file has them: float64, ids as objects."""
    arrays = {}
    for fold, rows in UTTERANCES.items():
        steps = np.array([row[4] for row in rows], dtype=float)
        ids = np.empty((len(rows), 3), dtype=object)
        ids[:] = [row[:3] for row in rows]
        labels = np.array([row[3] for row in rows])[:, None, None]
        own = {"vision": steps[..., :2], "audio": steps[..., 2:3], "text": steps[..., 3:]}
        arrays[fold] = {key: np.ascontiguousarray(values) for key, values in own.items()} | {
            "labels": labels,
            "id": ids,
        }
    return arrays


def write_pickle(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol=protocol))


def as_strings(content):
    """Return the arrays by fold/key, ids as fixed-width bytes: .npz and HDF5 have no objects."""
    flat = {f"{fold}/{key}": values for fold, own in content.items() for key, values in own.items()}
    return {name: values.astype("S") if values.dtype == object else values for name, values in flat.items()}


def write_npz(path, content):
    np.savez(path, **as_strings(content))


def write_hdf5(path, content):
    with h5py.File(path, "w") as file:
        for name, values in as_strings(content).items():
            file[name] = values


def set_params(folder, **mosi):
    """Take the project's own settings with some of data.mosi changed; return them, written."""
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text())
    params["data"]["mosi"] |= mosi
    yaml.dump(params, folder / "params.yaml")


# Of the hand-written rows; no message may quote it.
UTTERANCE_DATA = ("0.0", "1.5", "2.2", "3.0_", "a_", "b'")


def change(fold, key, function):
    """Return a function that changes an array of the hand-written ones; None takes it out."""

    def apply(content):
        value = function(content[fold][key])
        content[fold] = {name: own for name, own in content[fold].items() if name != key}
        if value is not None:
            content[fold][key] = value
        return content

    return apply


def put(fold, key, place, value):
    """Return a function that puts one value into one of the arrays."""

    def apply(array):
        array[place] = value
        return array

    return change(fold, key, apply)


def refused(folder, message, stage=cohort):
    with pytest.raises(InputError, match=message) as caught:
        stage()
    assert not any(value in str(caught.value) for value in UTTERANCE_DATA)
    assert not (folder / "data").exists()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in an empty folder; return a function that writes hand-written arrays and the settings, changed."""
    monkeypatch.chdir(tmp_path)

    def write(content=None, name="mosi_data.pkl", write=write_pickle, **settings):
        (tmp_path / "raw").mkdir(exist_ok=True)
        write(tmp_path / "raw" / name, folds() if content is None else content)
        set_params(tmp_path, **{"raw": f"raw/{name}", "split": "official"} | settings)
        return tmp_path

    return write


@pytest.fixture(scope="session")
def synthetic_raw(tmp_path_factory):
    """Write a synthetic CMU-MOSI of 50 videos, once."""
    folder = tmp_path_factory.mktemp("synthetic") / "mosi"
    write_files(folder, 50, seed=1)
    return folder


@pytest.fixture
def synthetic_project(tmp_path, monkeypatch, synthetic_raw):
    """Stand in a folder with a copy of the synthetic file, and the project's own settings."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(synthetic_raw, tmp_path / "copy")
    set_params(tmp_path, raw="copy/mosi_data.pkl")
    return tmp_path
