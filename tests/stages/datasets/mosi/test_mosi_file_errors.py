"""Files that are no whole pickle, .npz or HDF5 of arrays end in one InputError, before anything is written."""

import pickle
import zipfile

import h5py
import numpy as np
import pytest

from i2moe.base.errors import InputError
from stages.datasets.mosi.cohort import cohort
from stages.datasets.mosi.sequence import sequence
from tests.stages.datasets.mosi.conftest import change, put, refused, write_hdf5, write_npz, write_pickle


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


def bomb(path, content):
    """Write an .npz with an array of zeros, which takes a thousandth of its size."""
    write_npz(path, content)
    kind = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "a", kind, compresslevel=1) as archive, archive.open("more.npy", "w") as stream:
        for _ in range(250):
            stream.write(bytes(10**6))


def endless(file, own, folder):  # noqa: ARG001 (as the others)
    file.create_dataset("train/vision", (10**9, 3), "f4")  # nothing is stored of it


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
    "empty pickle": ("own.pkl", raw_bytes(b""), r"raw/own.pkl is not a complete pickle .*\(ValueError\)"),
    "pickle of a list": (
        "own.pkl",
        raw_bytes(pickle.dumps([1])),
        r"raw/own.pkl has no array 'train/vision', and 0 others",
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
    "npz that unpacks to far more": (
        "own.npz",
        bomb,
        r"raw/own.npz has 1 MB, and arrays of 250 MB: save it ag",
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
    "array of more than the file": (
        "own.h5",
        hdf5(endless),
        r"raw/own.h5 has 0 MB, and arrays of 12000 MB: save it again, without compression",
    ),
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
    refused(folder, r"raw/mosi_data.pkl/mosi_data.pkl is not a file")


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
