"""Files of common formats that are broken by hand: each is refused by name, in one line, with a remedy."""

import io
import struct
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from i2moe.base.errors import InputError
from i2moe.contract.reading import open_npy, read_csv, read_json, read_npz
from stages.shared.parquet import read_parquet


def npy(header, data=bytes(8), version=(1, 0)):
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H", len(text)) + text + data


def header(descr="'<f8'", shape="(1,)", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"


def refuse(read, path, content, expected):
    path.write_bytes(content)
    with pytest.raises(InputError, match=expected) as caught:
        read(path)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'["\xed\xa0\x80"]',  # half a sign, as no other file can hold it
        '["\\ud800"]'.encode("utf-16"),
        b"\xff\xfe",
        b"9" * 5000,
        b'{"a": 1e}',
        b'["\\ud83d"]',
    ],
    ids=[
        "empty",
        "open",
        "nested",
        "half a sign as bytes",
        "half a sign in UTF-16",
        "no text",
        "digits",
        "number",
        "half a sign",
    ],
)
def test_what_is_no_json_is_refused(tmp_path, content):
    refuse(lambda path: read_json(path, "write it again"), tmp_path / "a.json", content, "is not a JSON file: write it")


def test_a_file_that_is_missing_or_a_folder_is_refused(tmp_path):
    for read in (read_json, open_npy, read_npz, read_csv, read_parquet):
        with pytest.raises(InputError, match=r"gone is missing: "):
            read(tmp_path / "gone", "write it again")
    for read in (read_json, open_npy, read_npz, read_csv):
        with pytest.raises(InputError, match=r"write it again$"):
            read(tmp_path, "write it again")


@pytest.mark.parametrize(
    "content",
    [
        npy(header(shape="((")),  # tokenize.TokenError
        npy(header(shape="(1,)\n  a")),  # IndentationError
        npy(header(shape="(1L, 'x')")),
        npy(header(shape="(10000000000000000000000000000000,)")),  # OverflowError
        npy(header(shape="(1099511627776,)")),  # more than the file has
        npy(header(shape="(-1,)")),
        npy(header(shape="(3.0,)")),
        npy(header(descr="'|O'")),
        npy(header(descr="'<f3'")),
        npy(header(order="1")),
        npy("{}"),
        npy(header(), version=(9, 9)),
        npy(header())[:20],
        b"PK\x03\x04",
        b"",
    ],
)
def test_what_is_no_array_is_refused(tmp_path, content):
    refuse(
        lambda path: open_npy(path, "again"), tmp_path / "a.npy", content, r"is not a readable NPY array \(.*: again"
    )


def test_an_archive_under_an_arrays_name_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones(2))
    refuse(
        lambda path: open_npy(path, "again"),
        tmp_path / "a.npy",
        (tmp_path / "a.npz").read_bytes(),
        "not a readable NPY",
    )


def test_numbers_in_a_foreign_byte_order_are_refused(tmp_path):
    refuse(
        lambda path: open_npy(path, "again"), tmp_path / "a.npy", npy(header("'>f8'")), "holds >f8, numbers in another"
    )


def test_texts_of_no_sign_are_refused(tmp_path):
    no_sign = struct.pack("<I", 0x110000) + bytes(4)  # of which NumPy's tolist() makes a SystemError
    refuse(
        lambda path: open_npy(path, "again"), tmp_path / "a.npy", npy(header("'<U2'"), no_sign), "what is no text: ag"
    )


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


@pytest.mark.parametrize(
    "member",
    [
        npy(header(shape="((")),
        npy(header("'>f8'")),
        npy(header("'|O'")),
        npy(header(shape="(4294967296, 9)")),
        b"no array",
    ],
    ids=["header", "byte order", "objects", "size", "no array"],
)
def test_an_archive_with_what_is_no_array_is_refused(tmp_path, member):
    content = zipped(good=npy(header()), bad=member)
    refuse(lambda path: read_npz(path, "is wrong: again"), tmp_path / "a.npz", content, r"a.npz is wrong: again")


def test_an_archive_that_is_encrypted_is_refused(tmp_path):
    content = bytearray(zipped(x=npy(header())))
    content[6] |= 1  # the flag, in the member's own header and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    refuse(lambda path: read_npz(path, "is wrong: again"), tmp_path / "a.npz", bytes(content), r"a.npz is wrong: again")


def test_arrays_that_are_right_are_read(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(header(), struct.pack("<d", 2.5)))
    (tmp_path / "a.npz").write_bytes(zipped(x=(tmp_path / "a.npy").read_bytes()))
    assert open_npy(tmp_path / "a.npy", "").tolist() == [2.5]
    assert read_npz(tmp_path / "a.npz", "")["x"].tolist() == [2.5]


@pytest.mark.parametrize(
    "content",
    [b"", b'a,b\n"1,2\n', b"a,b\n1,\xff\n", b"\xff\xfea,b\n", b"a,b\n1,2,3\n1,2,3\n", b"a,b\n1,2\n1,2,3\n"],
    ids=["empty", "open quote", "no text", "no text in header", "all rows too long", "a row too long"],
)
def test_what_is_no_csv_is_refused(tmp_path, content):
    refuse(
        lambda path: read_csv(path, "again", dtype=str), tmp_path / "a.csv", content, r"cannot be read as CSV \(\w+\)"
    )


def test_notes_for_pandas_that_are_wrong_are_refused(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.Table.from_pandas(pd.DataFrame({"a": [1]}))
    for notes in (b"{", b"[]", b'{"index_columns": 1}', b'{"index_columns": [[]], "columns": []}'):
        pyarrow.parquet.write_table(table.replace_schema_metadata({b"pandas": notes}), path)
        refuse(lambda own: read_parquet(own, "again"), path, path.read_bytes(), "cannot be read as Parquet .*: again")


def test_a_parquet_file_with_a_broken_schema_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    whole = path.read_bytes()
    for broken in (b"", whole[:-9], whole[: len(whole) // 2], whole.replace(b"ARROW:schema", b"ARROW:schemb")[:-4]):
        refuse(lambda own: read_parquet(own, "again"), path, broken, "cannot be read as Parquet")


def test_texts_of_a_parquet_file_that_are_no_utf_8_are_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"a": ["some text"]}).to_parquet(path, compression=None)
    broken = path.read_bytes().replace(b"some text", b"some\xfftext")
    refuse(lambda own: read_parquet(own, "again"), path, broken, "cannot be read as Parquet .*: again")


def test_a_sign_in_two_halves_is_read(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"a": "\\ud83d\\ude00"}')
    assert read_json(tmp_path / "a.json", "") == {"a": "\U0001f600"}
