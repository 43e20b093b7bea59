"""Bad raw files end in one InputError that names file, array, row and remedy, before anything is written."""

import pickle
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from stages.datasets.mosi.cohort import cohort
from stages.datasets.mosi.sequence import sequence
from stages.shared.base import paths
from tests.stages.datasets.mosi.conftest import MODALITIES, NAN, folds, write_hdf5, write_npz, write_pickle

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


def without(key):
    return lambda content: {name: own for name, own in content.items() if name != key}


def no_utterances(content):
    return {name: {key: own[:0] for key, own in fold.items()} for name, fold in content.items()}


# What is wrong with the arrays, and what is said whatever the format.
ARRAYS = {
    "no fold": (
        without("valid"),
        r"has no array 'valid/vision', only \[.*\]: CMU-MOSI's file has .*, labels, id in each of train, valid, test",
    ),
    "no key": (change("test", "labels", lambda _: None), r"has no array 'test/labels', only \['test/audio', "),
    "text for numbers": (
        change("test", "audio", lambda own: np.full(own.shape, "x", dtype="S1")),
        r"test/audio has dtype \|S1, not numbers: save it as numbers",
    ),
    "truth values": (
        change("test", "vision", lambda own: own > 0),
        r"test/vision has dtype bool, not numbers",
    ),
    "numbers for ids": (
        change("valid", "id", lambda own: np.zeros(own.shape)),
        r"valid/id has dtype float64, not bytes or text: save it as bytes or text",
    ),
    "no steps": (
        change("valid", "text", lambda own: own[:, 0]),
        r"valid/text has shape \(1, 2\), not \[utterances, steps, features\]: save it in that shape",
    ),
    "no features": (change("train", "vision", lambda own: own[..., :0]), r"train/vision has shape \(3, 4, 0\), not"),
    "other steps": (
        change("train", "text", lambda own: own[:, 1:]),
        r"train/text has 3 steps, train/vision 4: are all arrays from one file\?",
    ),
    "other steps in another fold": (
        lambda content: (
            content | {"test": {key: own[:, :3] if key in MODALITIES else own for key, own in content["test"].items()}}
        ),
        r"test/vision has 3 steps, train/vision 4",
    ),
    "other features": (
        change("test", "text", lambda own: own[..., :1]),
        r"test/text has 1 features, train/text 2: are all arrays from one file\?",
    ),
    "cut off": (change("train", "audio", lambda own: own[:2]), r"train/audio has 2 utterances, train/vision 3"),
    "labels cut off": (
        change("train", "labels", lambda own: own[:2]),
        r"train/labels has 2 utterances, train/vision 3",
    ),
    "ids cut off": (change("test", "id", lambda own: own[:1]), r"test/id has 1 utterances, test/vision 2"),
    "several labels": (
        change("train", "labels", lambda own: np.repeat(own, 2, axis=2)),
        r"train/labels has shape \(3, 1, 2\), not \[utterances, 1, 1\]: save it in that shape",
    ),
    "one label": (change("train", "labels", lambda own: own[0, 0, 0, ...]), r"train/labels has shape \(\), not"),
    "ids of one part": (
        change("train", "id", lambda own: own[:, 0]),
        r"train/id has shape \(3,\), not \[utterances, 3\]: save it in that shape",
    ),
    "empty id": (
        put("test", "id", (1, 0), b""),
        r"test/id\[1\] is not video, start and end as text: save ids as bytes or text, none empty",
    ),
    "ids that are not UTF-8": (
        put("train", "id", (2, 0), b"\xff"),
        r"train/id\[2\] is not video, start and end as text",
    ),
    "id twice": (
        put("train", "id", (1, slice(1, 3)), [b"0.0", b"1.5"]),
        r"train/id\[1\] is that of an earlier utterance: correct it or download the file again",
    ),
    "id in two folds": (put("test", "id", (1, 0), b"c"), r"test/id\[1\] is that of an earlier utterance"),
    "label NaN": (
        put("valid", "labels", 0, NAN),
        r"valid/labels\[0\] is NaN: correct it or download the file again",
    ),
    "label too large": (put("train", "labels", 1, 3.01), r"train/labels\[1\] is outside -3 to 3: correct it"),
    "label infinite": (put("test", "labels", 1, -np.inf), r"test/labels\[1\] is outside -3 to 3"),
    "label of an utterance without text": (put("train", "labels", 2, 4), r"train/labels\[2\] is outside -3 to 3"),
    "no text at all": (
        lambda content: {name: fold | {"text": np.zeros_like(fold["text"])} for name, fold in content.items()},
        r"the text of all 6 utterances is 0: is this the right file\?",
    ),
    "text only infinite": (
        lambda content: {name: fold | {"text": np.full_like(fold["text"], -np.inf)} for name, fold in content.items()},
        r"the text of all 6 utterances is 0",
    ),
    "no utterances": (
        no_utterances,
        r"the text of all 0 utterances is 0: is this the right file\?",
    ),
    "empty official fold": (
        lambda content: content | {"valid": {key: own[:0] for key, own in content["valid"].items()}},
        r"mosi: the validation split is empty: there are too few samples or groups",
    ),
}
FORMATS = {"mosi_data.pkl": write_pickle, "own.npz": write_npz, "own.hdf5": write_hdf5}


def refused(folder, message, stage=cohort):
    with pytest.raises(InputError, match=message) as caught:
        stage()
    assert not any(value in str(caught.value) for value in UTTERANCE_DATA)
    assert not (folder / "data").exists()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", ARRAYS)
def test_wrong_arrays_are_one_clear_error_in_every_format(project, case, name):
    spoil, message = ARRAYS[case]
    folder = project(spoil(folds()), name=name, write=FORMATS[name])
    refused(folder, message if "official" in case else rf"^raw/{name}: .*{message}|^raw/{name} {message}")


def raw_bytes(content):
    return lambda path, _: path.write_bytes(content)


def cut_file(write):
    def cut(path, content):
        write(path, content)
        path.write_bytes(path.read_bytes()[:-300])

    return cut


def corrupt(path, content):
    """Write an .npz of which a byte of an array is another."""
    write_npz(path, content)
    written = bytearray(path.read_bytes())
    written[written.index(np.float64(9).tobytes())] ^= 1
    path.write_bytes(bytes(written))


def objects(path, content):
    np.savez(path, **{f"{fold}/{key}": own for fold, values in content.items() for key, own in values.items()})


def array_alone(path, content):
    with path.open("wb") as stream:
        np.save(stream, content["train"]["vision"])


def hdf5(function):
    """Write the arrays as HDF5 but train/vision, which the function makes."""

    def write(path, content):
        write_hdf5(path, content)
        with h5py.File(path, "a") as file:
            own = file["train/vision"][()]
            del file["train/vision"]
            function(file, own, path.parent)

    return write


def link(file, own, folder):
    with h5py.File(folder / "other.hdf5", "w") as other:
        other["vision"] = own
    file["train/vision"] = h5py.ExternalLink("other.hdf5", "vision")


def external(file, own, folder):
    (folder / "other.bin").write_bytes(own.tobytes())
    place = [(str(folder / "other.bin"), 0, own.nbytes)]
    file["train"].create_dataset("vision", own.shape, own.dtype, external=place)


def virtual(file, own, folder):
    with h5py.File(folder / "other.hdf5", "w") as other:
        other["vision"] = own
    layout = h5py.VirtualLayout(own.shape, own.dtype)
    layout[:] = h5py.VirtualSource(str(folder / "other.hdf5"), "vision", own.shape)
    file["train"].create_virtual_dataset("vision", layout)


def dangle(file, own, folder):  # noqa: ARG001 (as the others)
    file["train/vision"] = h5py.SoftLink("/nowhere")


def group(file, own, folder):  # noqa: ARG001 (as the others)
    file.create_group("train/vision")


def no_array(path, content):
    write_npz(path, content)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, own in members.items():
            archive.writestr(name, b"hello" if name == "train/vision.npy" else own)


FILES = {
    "another format": (
        "own.mat",
        raw_bytes(b"x"),
        r"raw/own.mat: data.mosi.raw names no .pkl, .npz, .hdf5, .h5: bring",
    ),
    "pickle cut off": (
        "own.pkl",
        cut_file(write_pickle),
        r"raw/own.pkl is not a complete pickle .*: download it",
    ),
    "empty pickle": ("own.pkl", raw_bytes(b""), r"raw/own.pkl is not a complete pickle .*\(EOFError\)"),
    "pickle of a list": (
        "own.pkl",
        raw_bytes(pickle.dumps([1])),
        r"raw/own.pkl has no array 'train/vision', only \[\]",
    ),
    "pickle of folds of lists": (
        "own.pkl",
        raw_bytes(pickle.dumps({"train": [1]})),
        r"raw/own.pkl has no array 'train/vision'",
    ),
    "list for an array": (
        "own.pkl",
        lambda path, content: write_pickle(path, change("valid", "labels", lambda own: own.tolist())(content)),
        r"raw/own.pkl: valid/labels is not a NumPy array: save it as one",
    ),
    "ids that are numbers in objects": (
        "own.pkl",
        lambda path, content: write_pickle(path, put("train", "id", (1, 1), 1.5)(content)),
        r"raw/own.pkl: train/id\[1\] is not video, start and end as text",
    ),
    "array in ids": (
        "own.pkl",
        lambda path, content: write_pickle(path, put("train", "id", (1, 1), np.zeros(2, int))(content)),
        r"raw/own.pkl: train/id\[1\] is not video",
    ),
    "numbers in objects": (
        "own.pkl",
        lambda path, content: write_pickle(path, change("test", "text", lambda own: own.astype(object))(content)),
        r"raw/own.pkl: test/text has dtype object, not numbers",
    ),
    "npz cut off": ("own.npz", cut_file(write_npz), r"raw/own.npz is not a complete .npz file: download it again"),
    "npz corrupt": ("own.npz", corrupt, r"raw/own.npz cannot be read as .npz \(Bad CRC-32.*\): save it again"),
    "empty npz": ("own.npz", raw_bytes(b""), r"raw/own.npz is not a complete .npz file"),
    "no npz": ("own.npz", raw_bytes(b"hello"), r"raw/own.npz is not a complete .npz file"),
    "pickle called npz": ("own.npz", write_pickle, r"raw/own.npz is not a complete .npz file"),
    "text in npz": ("own.npz", no_array, r"raw/own.npz: train/vision has dtype \|S5, not numbers"),
    "objects in npz": ("own.npz", objects, r"raw/own.npz .*Object arrays cannot be loaded.*ids as an array of strings"),
    "one array alone": ("own.npz", array_alone, r"raw/own.npz is not a complete .npz file"),
    "HDF5 cut off": ("own.hdf5", cut_file(write_hdf5), r"raw/own.hdf5 cannot be read as HDF5 \(.*\): download or save"),
    "no HDF5": ("own.h5", raw_bytes(b"hello"), r"raw/own.h5 cannot be read as HDF5 \("),
    "group for an array": ("own.h5", hdf5(group), r"raw/own.h5: train/vision is not a dataset: save the array as one"),
    "link to nowhere": ("own.h5", hdf5(dangle), r"raw/own.h5 cannot be read as HDF5 \("),
    "link to another file": ("own.h5", hdf5(link), r"raw/own.h5: train/vision is in another file: save the array"),
    "bytes of another file": ("own.h5", hdf5(external), r"raw/own.h5: train/vision is in another file"),
    "view of another file": ("own.h5", hdf5(virtual), r"raw/own.h5: train/vision is in another file"),
}


@pytest.mark.parametrize("case", FILES)
def test_wrong_files_are_one_clear_error(project, case):
    name, write, message = FILES[case]
    folder = project(name=name, write=write)
    refused(folder, message)


def test_no_file(project):
    folder = project()
    (folder / "raw/mosi_data.pkl").unlink()
    refused(folder, r"raw/mosi_data.pkl is not a file: put mosi_data.pkl there, or correct data.mosi.raw")
    (folder / "raw/mosi_data.pkl").mkdir()
    refused(folder, r"raw/mosi_data.pkl is not a file")


def test_too_few_videos_for_three_splits(project):
    content = folds()
    for fold in content.values():
        fold["id"][:, 0] = b"a"
        fold["id"][:, 1] = [f"{own.sum():.3f}".encode() for own in np.nan_to_num(fold["vision"], posinf=0)]
    folder = project(content, split="shares")
    refused(folder, r"mosi: the validation split is empty: there are too few samples or groups")


def test_an_unknown_modality(project):
    folder = project()
    refused(folder, r"'video' is not a modality of CMU-MOSI; allowed: vision, audio, text", lambda: sequence("video"))


def test_no_cohort(project):
    folder = project()
    refused(folder, r"data/cohorts/mosi.csv is missing: run the dataset's cohort stage", lambda: sequence("text"))


@pytest.mark.parametrize("spoil", [put("test", "id", (1, 0), b"z"), put("test", "text", 1, 0), no_utterances])
def test_a_file_that_no_longer_fits_the_cohort(project, spoil):
    project()
    cohort()
    folder = project(spoil(folds()))
    message = (
        r"data/cohorts/mosi.csv has a sample that raw/mosi_data.pkl lacks, or has without text: rerun the cohort stage"
    )
    with pytest.raises(InputError, match=message):
        sequence("text")
    assert not (folder / "data/features").exists()


def test_a_wrong_file_stops_the_features_too(project):
    project()
    cohort()
    for name, (write, message) in {
        "mosi_data.pkl": (cut_file(write_pickle), "is not a complete pickle"),
        "own.npz": (cut_file(write_npz), "is not a complete .npz file"),
    }.items():
        folder = project(name=name, write=write)
        with pytest.raises(InputError, match=message):
            sequence("text")
        assert not (folder / "data/features").exists()


def test_a_cohort_of_another_file_has_other_samples(project):
    project()
    cohort()
    table = pd.read_csv(paths.cohort("mosi"))
    table.assign(sample_id="0" + table["sample_id"]).to_csv(paths.cohort("mosi"), index=False)
    with pytest.raises(InputError, match=r"has a sample that raw/mosi_data.pkl lacks"):
        sequence("audio")
