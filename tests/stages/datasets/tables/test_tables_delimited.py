"""Text files of columns as spreadsheets write them: delimiters, encodings, blanks, and what cannot be told."""

from pathlib import Path

import pandas as pd
import pytest

from i2moe.base.errors import InputError
from stages.datasets.tables import delimited
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
    with pytest.raises(InputError, match=r"own.csv: columns 2 and 3 have the same name: rename or remove one"):
        read("sample,age,age\ns1,1,2\n")


def test_words_for_what_is_missing_are_empty():
    assert read("sample,age\ns1,?\ns2,40\n", missing=["?"])["age"].isna().tolist() == [True, False]


NUMBERS = range(9)
COLUMNS = {
    "whole numbers": [str(number) for number in NUMBERS],
    "numbers": [f"{number}.1234567891234567" for number in NUMBERS],
    "whole numbers, then others": ["1", "2", "3", "0.1", *["5"] * 5],
    "whole numbers, some missing": ["1", "2", "3", "", "5", *["6"] * 4],
    "numbers, missing from the fourth on": ["1.5"] * 3 + [""] * 6,
    "large numbers": ["9007199254740993", "2", "3", "0.5", *["5"] * 5],
    "larger numbers": ["1", "2", "3", "9223372036854775808", *["5"] * 5],
    "largest numbers": ["1", "2", "3", "92233720368547758080", *["5"] * 5],
    "text": list("abcdefghi"),
    "text, missing up to the third": [""] * 3 + list("defghi"),
    "text from the fourth on": ["007", "1", "2.50", *"defghi"],
    "nothing": [""] * 9,
    "truth": ["True", "False", "True"] * 3,
    "truth, some missing": ["True", "False", "True", "", "", "", "True", "", "False"],
    "truth, then text": ["True", "", "True", *"defghi"],
    "truth, some missing, then text": ["True", "", "True", "", *"efghi"],
    "as written": ["007", "08", "9", "", "a", *["1"] * 4],
}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("rows", [1, 2, 3, 9])
def test_a_file_read_in_blocks_is_the_file_read_at_once(column, rows, monkeypatch):
    text = "sample,own\n" + "".join(f"s{row},{value}\n" for row, value in enumerate(COLUMNS[column]))
    monkeypatch.setattr(delimited, "BLOCK_VALUES", 0)
    monkeypatch.setattr(delimited, "LEAST_ROWS", rows)
    Path("own.csv").write_text(text)
    params = TableParams(
        raw="own.csv", id="sample", label="own", task="regression", modalities={"a": Modality(prefix="o")}
    )
    as_written = ["sample", "own"] if column == "as written" else ["sample"]
    whole = pd.read_csv("own.csv", low_memory=False, dtype=dict.fromkeys(as_written, str))
    found = read_delimited(Path("own.csv"), params, as_written)
    pd.testing.assert_frame_equal(found, whole, check_exact=True)
    assert list(map(type, found["own"])) == list(map(type, whole["own"]))


def test_a_file_without_rows_has_columns():
    assert read("sample,age\n").columns.tolist() == ["sample", "age"]


def test_a_line_that_is_too_long_is_refused_in_any_block(monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK_VALUES", 0)
    monkeypatch.setattr(delimited, "LEAST_ROWS", 2)
    with pytest.raises((pd.errors.ParserError, pd.errors.ParserWarning)):
        read("sample,age\ns1,1\ns2,2\ns3,3\ns4,4,4\n")


def test_columns_of_one_type_are_never_read_at_once(monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK_VALUES", 0)
    monkeypatch.setattr(delimited, "LEAST_ROWS", 2)
    sizes, real = [], pd.read_csv

    def spy(*args, **options):
        sizes.append(options.get("chunksize"))
        return real(*args, **options)

    monkeypatch.setattr(pd, "read_csv", spy)
    table = read("sample,age,dose,site\ns1,1,,a\ns2,2,1,a\ns3,3,,\ns4,4,0.5,\ns5,5,2,b\n")
    assert table["dose"].tolist()[1::2] == [1, 0.5]
    assert sizes == [2]
