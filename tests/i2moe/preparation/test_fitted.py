"""What was fitted, kept without pickle: the same values come back, and nothing else is read."""

import hashlib

import numpy as np
import pytest

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import read_fitted, write_fitted

VALUES = {"means": np.array([0.1, -3e300]), "names": np.array(["äge", ""]), "kept": np.array([True, False])}


def test_what_was_written_is_read_back_and_gives_the_same_bytes_again(tmp_path):
    write_fitted(tmp_path / "one.npz", VALUES)
    found = read_fitted(tmp_path / "one.npz")
    assert list(found) == list(VALUES)
    assert all((found[name] == VALUES[name]).all() and found[name].dtype == VALUES[name].dtype for name in VALUES)
    write_fitted(tmp_path / "two.npz", found)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_the_bytes_are_the_same_on_every_version_of_python(tmp_path):
    write_fitted(tmp_path / "one.npz", VALUES)
    written = (tmp_path / "one.npz").read_bytes()
    assert int.from_bytes(written[28:30], "little") == 0  # bytes of extra fields, which Python 3.11.4 changed
    assert hashlib.sha256(written).hexdigest().startswith("1824fa83eb73187e")


def test_objects_are_not_written(tmp_path):
    with pytest.raises(TypeError, match="'names' is an array of object"):
        write_fitted(tmp_path / "one.npz", {"names": np.array(["a", None])})


def test_a_missing_a_broken_and_a_cut_file_are_refused_by_name(tmp_path):
    path = tmp_path / "first.fitted.npz"
    with pytest.raises(InputError, match=r"first\.fitted\.npz is missing"):
        read_fitted(path)
    write_fitted(path, VALUES)
    whole = path.read_bytes()
    for broken in (b"", b"text", whole[: len(whole) // 2], whole[:60] + b"\x00" * 60 + whole[120:]):
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"first\.fitted\.npz is not what a feature stage writes"):
            read_fitted(path)


def test_an_array_of_objects_in_the_file_is_never_unpickled(tmp_path):
    np.savez(tmp_path / "evil.npz", names=np.array(["a", None]))
    with pytest.raises(InputError, match="is not what a feature stage writes"):
        read_fitted(tmp_path / "evil.npz")
