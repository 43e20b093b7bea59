"""Text files of columns as spreadsheets write them: delimiters, encodings, blanks, and what cannot be told."""

from pathlib import Path

import pytest

from i2moe.base.errors import InputError
from stages.datasets.tables.delimited import read_delimited
from stages.datasets.tables.settings import Modality, TableParams

ROWS = [["sample", "age", "dose"], ["s1", "30", "1.5"], ["s2", "40", "2.5"]]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(content, name="own.csv", **settings):
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    params = TableParams(
        raw=name, id="sample", label="age", task="regression", modalities={"a": Modality(prefix="a")}, **settings
    )
    return read_delimited(Path(name), params, ["sample"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_delimiter_is_recognised(delimiter):
    table = read("\n".join(delimiter.join(row) for row in ROWS))
    assert table.columns.tolist() == ROWS[0]
    assert table["dose"].tolist() == [1.5, 2.5]


def test_a_delimiter_inside_of_quotes_divides_nothing():
    table = read('sample;age;note\ns1;30;"a, b"\ns2;40;"c, d"\n')
    assert table["note"].tolist() == ["a, b", "c, d"]


def test_one_column_alone_has_no_delimiter():
    assert read("sample\ns1\ns2\n")["sample"].tolist() == ["s1", "s2"]


def test_a_file_that_two_delimiters_divide_is_refused_until_one_is_named():
    text = "a;b,c\n1;2,3\n4;5,6\n"
    with pytest.raises(InputError, match=r"divided by comma \(2 columns\) or semicolon \(2 columns\): set `delimiter`"):
        read(text)
    assert read(text, delimiter=";").columns.tolist() == ["a", "b,c"]


def test_semicolons_with_decimal_commas_are_read_as_said():
    table = read("sample;dose\ns1;1,5\ns2;2,5\n", decimal=",")
    assert table["dose"].tolist() == [1.5, 2.5]


def test_a_mark_at_the_beginning_is_no_part_of_the_first_name():
    assert read("sample,age\ns1,30\n".encode("utf-8-sig")).columns.tolist() == ["sample", "age"]


def test_latin_1_is_read_where_it_is_named():
    content = "sample,stra\xdfe\ns1,M\xfcnchen\n".encode("latin-1")
    with pytest.raises(InputError, match=r"own.csv is not written in utf-8"):
        read(content)
    assert read(content, encoding="latin-1")["stra\xdfe"].tolist() == ["M\xfcnchen"]


def test_utf_16_is_refused_by_name():
    with pytest.raises(InputError, match=r"own.csv is written in utf-16: set `encoding: utf-16`"):
        read("sample,age\ns1,30\n".encode("utf-16"))
    assert read("sample,age\ns1,30\n".encode("utf-16"), encoding="utf-16")["age"].tolist() == [30]


def test_an_unknown_encoding_is_refused():
    with pytest.raises(InputError, match=r"encoding 'utf-9' is unknown"):
        read("sample,age\n", encoding="utf-9")


def test_blank_columns_and_rows_at_the_end_are_left_out():
    table = read("sample,age,,\ns1,30,,\ns2,40,,\n,,,\n,,,\n")
    assert table.columns.tolist() == ["sample", "age"]
    assert table["sample"].tolist() == ["s1", "s2"]


def test_a_column_name_twice_is_refused():
    with pytest.raises(InputError, match=r"own.csv: column 'age' is there twice"):
        read("sample,age,age\ns1,1,2\n")


def test_words_for_what_is_missing_are_empty():
    assert read("sample,age\ns1,?\ns2,40\n", missing=["?"])["age"].isna().tolist() == [True, False]
