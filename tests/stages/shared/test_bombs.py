"""What the readers of raw files make of small files that unpack to far more than they have; limits are lower here."""

import re

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nibabel.nifti1 import Nifti1Image
from PIL import Image
from small_bombs import gzipped, lower_limits

from i2moe.base.errors import InputError
from i2moe.contract import unpacking
from stages.datasets.adni.image.maps import read_nifti
from stages.datasets.adni.source import read_table as read_adni
from stages.datasets.mimic.source import open_source
from stages.datasets.tables.delimited import read_delimited
from stages.datasets.tables.settings import TableParams
from stages.shared import hdf5, parquet
from stages.shared.images import decoding
from stages.shared.parquet import read_parquet
from stages.shared.words import mean_vectors

TABLE = TableParams.model_validate(
    {"raw": "own.csv", "id": "sample", "label": "label", "task": "binary", "modalities": {"a": {"prefix": "a"}}}
)
ROWS = b"RID,a\n" + b"1,2\n" * 10**5
MAP = Nifti1Image(np.zeros((100, 100, 100), np.float32), np.diag([-2.0, 2.0, 2.0, 1.0])).to_bytes()
UNPACKS = r"unpacks to more than 0 MB: make it again, or unpack it yourself if it is meant to be so"
READERS = {
    "own.csv.gz": (lambda path: read_delimited(path, TABLE, []), ROWS),
    "ADNI.csv.gz": (lambda path: read_adni("ADNI", path), ROWS),
    "map.nii.gz": (lambda path: read_nifti(path, str(path)), MAP),
    "tail.nii.gz": (lambda path: read_nifti(path, str(path)), MAP[:352] + bytes(10**6)),
    "vectors.txt.gz": (
        lambda path: mean_vectors(["a"], path, "key"),
        b"9 1\n" + b"".join(b"%c 1\n" % sign for sign in b"abcdefghi") + b"\n" * 10**5,
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_gzip_files(tmp_path, monkeypatch, name):
    read, content = READERS[name]
    path = gzipped(tmp_path / name, content)
    if name != "tail.nii.gz":
        read(path)
    lower_limits(monkeypatch, most=1)
    monkeypatch.setattr(unpacking, "MOST_LINE", 2**16)
    with pytest.raises(InputError, match=rf"{name} ({UNPACKS}|has 0 MB, and arrays of \d+ MB)"):
        read(path)


def test_a_raw_table_of_mimic(tmp_path, monkeypatch):
    (tmp_path / "hosp").mkdir()
    gzipped(tmp_path / "hosp/patients.csv.gz", b"subject_id,anchor_age,anchor_year,dod\n" + b"1,50,2100,\n" * 10**4)
    with open_source(str(tmp_path), "100MB") as source:
        assert len(source.frame(f"FROM {source.scan('patients')}", "patients")) == 10**4
        lower_limits(monkeypatch, most=100)
        with pytest.raises(InputError, match=r"patients.csv.gz has 0 MB, and arrays of 1 MB: save it again"):
            source.frame(f"FROM {source.scan('patients')}", "patients")
        monkeypatch.setattr(unpacking, "MOST_LINE", 10)
        with pytest.raises(InputError, match=r"patients.csv.gz has a line of more than 10 signs: is it a table\?"):
            source.scan("patients")


@pytest.mark.parametrize(
    "content",
    [
        b"3000000 300\nwar " + bytes(1200),
        b"2 200000\nwar " + bytes(10**6),
        b"2 2\n" + b"x" * 2**21,
    ],
    ids=["too many", "too long", "no end"],
)
def test_word_vectors_that_the_file_cannot_hold(tmp_path, content):
    path = tmp_path / "vectors.bin"
    path.write_bytes(content)
    with pytest.raises(
        InputError, match=r"vectors.bin is not a complete file in word2vec's binary format .*: download"
    ):
        mean_vectors(["war"], path, "key")


def test_a_column_of_one_number(tmp_path, monkeypatch):
    path = tmp_path / "own.parquet"
    pq.write_table(pa.table({"a": np.zeros(10**5), "b": np.zeros(10**5, bool)}), path)
    assert len(read_parquet(path, "again")) == 10**5
    lower_limits(monkeypatch, most=100)
    with pytest.raises(InputError, match=r"own.parquet has 0 MB, and a table of 1 MB: save numbers in smaller types"):
        read_parquet(path, "again")
    assert len(read_parquet(path, "again", ["b"])) == 10**5


def test_a_text_that_is_stored_once_and_meant_often(tmp_path, monkeypatch):
    path = tmp_path / "own.parquet"
    pq.write_table(pa.table({"a": ["x" * 1000, None, "y"] * 1000, "n": range(3000)}), path)
    whole = read_parquet(path, "again")
    monkeypatch.setattr(parquet, "SPARE_COLUMNS", 0)
    assert read_parquet(path, "again").equals(whole)
    assert (read_parquet(path, "again", ["a"]).dtypes == whole[["a"]].dtypes).all()
    lower_limits(monkeypatch, most=10)
    with pytest.raises(InputError, match=r"own.parquet has 0 MB, and a table of 1 MB: save numbers in smaller types"):
        read_parquet(path, "again", ["a"])


@pytest.mark.parametrize("mode", ["RGB", "LA"])
def test_an_image_of_few_bytes_and_many_pixels(tmp_path, monkeypatch, mode):
    path = tmp_path / "own.png"
    Image.new(mode, (300, 300)).save(path)
    decoding.opened(path, (9, 9), lambda image: image.copy(), "again")
    lower_limits(monkeypatch, spare=800_000)
    with pytest.raises(InputError, match=r"cannot be decoded \(300 x 300 pixels are too many for \d+ bytes\): again"):
        decoding.opened(path, (9, 9), lambda image: image.copy(), "again")


def read_ids(path):
    with h5py.File(path) as file:
        return file["ids"][:]


def test_a_text_of_hdf5_that_is_stored_once_and_meant_often(tmp_path, monkeypatch):
    path = tmp_path / "own.hdf5"
    with h5py.File(path, "w") as file:
        ids = file.create_dataset("ids", (1000,), dtype=h5py.string_dtype())
        ids[:] = ["x" * 10**6, *["y"] * 999]
        place = ids.id.get_offset()
    content = bytearray(path.read_bytes())
    content[place : place + 16_000] = content[place : place + 16] * 1000  # all are the first
    path.write_bytes(content)
    monkeypatch.setattr(hdf5, "SECONDS", 60)
    with pytest.raises(InputError, match=re.escape(f"{path} is broken: ") + r".*, or needs more than 211 MB: download"):
        hdf5.try_out(path, lambda: read_ids(path))
