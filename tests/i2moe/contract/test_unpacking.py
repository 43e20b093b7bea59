"""Files that unpack to far more than they have: each is refused by name before it is held in memory."""

import io
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from small_bombs import gzipped, lower_limits, repacked

from i2moe.base.errors import InputError
from i2moe.contract import unpacking
from i2moe.contract.reading import load_json, read_json, read_npz
from i2moe.contract.unpacking import check_gzip, check_members, lines, open_bytes, open_text
from i2moe.inference import read_tensors

PACKED = r"has .* MB, and arrays of .* MB: save it again, without compression"


def test_gzip_is_read_as_it_is_up_to_the_limit(tmp_path, monkeypatch):
    path = gzipped(tmp_path / "a.csv.gz", "é,b\r\n1,2\n".encode())
    assert open_bytes(path).read() == "é,b\r\n1,2\n".encode()
    with open_text(path, "utf-8") as stream:
        assert list(lines(stream, path)) == ["é,b\r\n", "1,2\n"]
    lower_limits(monkeypatch, most=0, spare=10)
    check_gzip(path, 0)
    lower_limits(monkeypatch, most=0, spare=9)
    with pytest.raises(InputError, match=r"a.csv.gz unpacks to more than 0 MB: make it again, or unpack it yourself"):
        check_gzip(path, 0)


def test_zeros_are_refused_before_they_are_in_memory(tmp_path):
    path = gzipped(tmp_path / "a.csv.gz", bytes(10**8))
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a.csv.gz unpacks to more than \d+ MB: make it again, or unpack it yourself"):
        check_gzip(path, unpacking.MOST_TABLE)
    assert tracemalloc.get_traced_memory()[1] < 10**7
    tracemalloc.stop()


@pytest.mark.parametrize("text", ["a" * 20, "a\n" + "b" * 20])
def test_a_line_that_is_longer_than_any_tables(monkeypatch, text):
    monkeypatch.setattr(unpacking, "MOST_LINE", 10)
    with pytest.raises(InputError, match=r"own.csv has a line of more than 10 signs: is it a table\?"):
        list(lines(io.StringIO(text), Path("own.csv")))


def test_an_archive_that_was_packed(tmp_path, monkeypatch):
    np.savez(tmp_path / "own.npz", a=np.zeros(10**5))
    torch.save({"a": torch.zeros(10**5)}, tmp_path / "own.ckpt")
    for read, name in ((lambda path: read_npz(path, "is wrong"), "own.npz"), (read_tensors, "own.ckpt")):
        repacked(tmp_path / name, tmp_path / f"packed.{name}")
        assert set(read(tmp_path / f"packed.{name}")) == {"a"}  # small enough to be what it is
    lower_limits(monkeypatch)
    for read, name in ((lambda path: read_npz(path, "is wrong"), "own.npz"), (read_tensors, "own.ckpt")):
        assert set(read(tmp_path / name)) == {"a"}
        with pytest.raises(InputError, match=rf"packed.{name} {PACKED}"):
            read(tmp_path / f"packed.{name}")
    (tmp_path / "no.zip").write_bytes(b"no archive")
    check_members(tmp_path / "no.zip")


def test_json_of_nothing_but_empty_lists(tmp_path, monkeypatch):
    path = tmp_path / "own.json"
    path.write_text("[" + "[]," * 1000 + "[]]")
    assert len(read_json(path, "again")) == 1001
    monkeypatch.setattr(unpacking, "SPARE", 1000)
    with pytest.raises(InputError, match=r"own.json is not a JSON file: again"):
        read_json(path, "again")
    assert load_json(json.dumps(["tea"] * 1000).encode()) == ["tea"] * 1000
