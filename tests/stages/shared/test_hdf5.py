"""Foreign HDF5 files that hold the HDF5 library for ever, crash it, or claim more than they hold."""

import signal
import time
from functools import partial

import h5py
import numpy as np
import pytest

from i2moe.base.errors import InputError
from stages.shared.hdf5 import check_stored, try_out


def read_text(path):
    with h5py.File(path) as file:
        return file.attrs["names"]


def broken_heap(path):
    """Write a text whose heap says that an object has more bytes than there are: the library looks for the next one."""
    with h5py.File(path, "w") as file:
        file.attrs["names"] = "some names"
    content = bytearray(path.read_bytes())
    content[content.index(b"GCOL") + 24] = 255  # https://github.com/HDFGroup/hdf5/issues/1707
    path.write_bytes(content)
    return path


def test_a_file_that_the_library_never_returns_from_is_refused_in_seconds(tmp_path):
    path = broken_heap(tmp_path / "own.hdf5")
    begin = time.perf_counter()
    with pytest.raises(InputError, match=r"own.hdf5 is broken: it crashes the HDF5 library, keeps it busy for more"):
        try_out(path, partial(read_text, path))
    assert time.perf_counter() - begin < 60  # of a busy machine; alone, two


def test_a_file_that_crashes_the_library_is_refused(tmp_path):
    path = tmp_path / "own.hdf5"
    path.write_bytes(b"")
    with pytest.raises(InputError, match=r"own.hdf5 is broken: it crashes"):
        try_out(path, partial(signal.raise_signal, signal.SIGKILL))


def test_what_fails_with_an_exception_is_left_to_the_caller(tmp_path):
    path = tmp_path / "own.hdf5"
    path.write_bytes(b"no HDF5")
    try_out(path, partial(read_text, path))
    with pytest.raises(OSError, match="file signature not found"):
        read_text(path)


@pytest.mark.parametrize("options", [{}, {"chunks": True, "compression": "gzip"}])
def test_arrays_that_the_file_is_too_small_for_are_refused(tmp_path, options):
    path = tmp_path / "own.hdf5"
    with h5py.File(path, "w") as file:
        file["small"] = np.zeros((3, 2))
        file.create_dataset("large", (10**9, 3), "f4", **options)  # nothing is written for it
    with h5py.File(path) as file:
        check_stored(path, {"small": file["small"]})
        with pytest.raises(InputError, match=r"own.hdf5 has 0 MB, and arrays of 12000 MB: save it again, without comp"):
            check_stored(path, dict(file))
