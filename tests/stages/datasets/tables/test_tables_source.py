"""Own files as one table: every kind of file, joins, ids, and each way in which a file can be wrong."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from stages.datasets.tables.settings import Modality, TableParams
from stages.datasets.tables.source import as_text, read_source

CSV = "sample,age,outcome\ns2,40,ill\ns1,30,well\n"
SAVE = {
    "own.csv": lambda table, path: table.to_csv(path, index=False),
    "own.csv.gz": lambda table, path: table.to_csv(path, index=False),
    "own.parquet": lambda table, path: table.to_parquet(path, index=False),
}


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def params_for(*files, sample_id="sample"):
    modalities = {"all": Modality(prefix="")}
    return TableParams(raw=".", files=list(files), id=sample_id, label="outcome", task="binary", modalities=modalities)


def read(*files, sample_id="sample"):
    return read_source(params_for(*files, sample_id=sample_id))


def write(name, text):
    Path(name).write_text(text)
    return name


def write_table(name, columns):
    SAVE[f"own.{name.partition('.')[2]}"](pd.DataFrame(columns), name)
    return name


@pytest.mark.parametrize("name", SAVE)
def test_every_kind_of_table_gives_the_same_samples_in_order_of_their_ids(name):
    SAVE[name](pd.DataFrame({"sample": ["s2", "s1"], "age": [40, 30], "outcome": ["ill", "well"]}), name)
    source = read(name)
    assert source.table.index.tolist() == ["s1", "s2"]
    assert source.table.index.name == "sample_id"
    assert source.table["age"].tolist() == [30, 40]
    assert source.table["outcome"].tolist() == ["well", "ill"]
    assert source.table.columns.tolist() == ["age", "outcome"]
    assert source.removed == {}


def test_a_single_file_is_named_by_raw_alone():
    write("own.csv", CSV)
    params = params_for().model_copy(update={"raw": "own.csv", "files": None})
    assert read_source(params).table["age"].tolist() == [30, 40]


def test_tables_are_joined_on_the_id_and_the_lost_samples_counted():
    first = write("own.csv", "sample,age\nc,3\na,1\nb,2\n")
    second = write_table("more.csv.gz", {"sample": ["a", "c", "d"], "dose": [10, 30, 40]})
    third = write_table("last.parquet", {"sample": ["c", "b"], "outcome": ["ill", "well"]})
    source = read(first, second, third)
    assert source.table.index.tolist() == ["c"]
    assert source.table.iloc[0].to_dict() == {"age": 3, "dose": 30, "outcome": "ill"}
    assert source.removed == {"not in more.csv.gz": 1, "not in last.parquet": 1}


def test_array_rows_follow_the_first_file_even_after_a_join_removed_samples():
    first = write("own.csv", "sample,outcome\nc,ill\na,well\nb,ill\n")
    second = write("more.csv", "sample,dose\na,10\nc,30\n")
    np.save("scan.npy", np.array([[3.0, 33.0], [1.0, 11.0], [2.0, 22.0]]))
    np.save("weight.npy", np.array([300.0, 100.0, 200.0]))
    table = read(first, second, "scan.npy", "weight.npy").table
    assert table.index.tolist() == ["a", "c"]
    assert table.columns.tolist() == ["outcome", "dose", "scan.0", "scan.1", "weight"]
    assert table[["scan.0", "scan.1", "weight"]].to_numpy().tolist() == [[1, 11, 100], [3, 33, 300]]


def test_without_an_id_the_zero_padded_row_number_is_the_id():
    write("own.csv", "age\n" + "".join(f"{row}\n" for row in range(12)))
    np.save("scan.npy", np.arange(12))
    table = read("own.csv", "scan.npy", sample_id=None).table
    assert table.index.tolist() == [f"row-{row:02d}" for row in range(12)]
    assert table["age"].tolist() == table["scan"].tolist() == list(range(12))


@pytest.mark.parametrize(("written", "ids"), [(["10", "9"], ["10", "9"]), (["2.0", "1.0"], ["1", "2"])])
def test_numeric_ids_become_text_and_sort_as_text(written, ids):
    write("own.csv", "sample,age\n" + "".join(f"{value},1\n" for value in written))
    assert read("own.csv").table.index.tolist() == ids


def test_numbers_and_text_that_mean_the_same_id_join():
    first = write("own.csv", "sample,age\n1,30\n2,40\n")
    second = write_table("more.parquet", {"sample": ["2", "1"], "dose": [20, 10]})
    assert read(first, second).table["dose"].tolist() == [10, 20]


def test_ids_keep_their_leading_zeros():
    first = write("own.csv", "sample,age\n007,30\n008,40\n")
    second = write_table("more.parquet", {"sample": ["008", "007"], "dose": [20, 10]})
    table = read(first, second).table
    assert table.index.tolist() == ["007", "008"]
    assert table["dose"].tolist() == [10, 20]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([1.0, np.nan, 30.0], ["1", None, "30"]),
        ([1.5, np.nan, 2.5], ["1.5", None, "2.5"]),
        ([7, 8], ["7", "8"]),
        ([1.0, 1e308], ["1.0", "1e+308"]),
        (["a", None], ["a", None]),
        ([True, False], ["True", "False"]),
    ],
)
def test_whole_numbers_lose_the_decimal_point_that_missing_values_gave_them(values, texts):
    result = as_text(pd.Series(values))
    assert [None if pd.isna(value) else value for value in result] == texts


def truncated_gzip(name):
    content = gzip.compress("".join(f"s{row},{row * row}\n" for row in range(2000)).encode())
    Path(name).write_bytes(content[: len(content) // 2])


def damaged_gzip(name):
    content = bytearray(gzip.compress(CSV.encode()))
    content[10] = 0xFF  # the first byte after the header: a kind of block that does not exist
    Path(name).write_bytes(content)


UNREADABLE = {
    "missing": ("own.csv", lambda _: None, "is not a file: put it there or correct `raw`"),
    "folder": ("own", lambda name: Path(name).mkdir(), "is not a file: list the files of this folder under `files`"),
    "unknown ending": (
        "own.xlsx",
        lambda name: write(name, CSV),
        r"allowed: .csv, .csv.gz, .tsv, .tsv.gz, .parquet, .npy",
    ),
    "truncated gzip": ("own.csv.gz", truncated_gzip, "cannot be read .*is the file complete"),
    "damaged gzip": ("own.csv.gz", damaged_gzip, "cannot be read .*is the file complete"),
    "plain text as gzip": ("own.csv.gz", lambda name: write(name, CSV), "cannot be read"),
    "text as parquet": ("own.parquet", lambda name: write(name, CSV), "cannot be read"),
    "empty CSV": ("own.csv", lambda name: write(name, ""), "cannot be read"),
    "ragged CSV": ("own.csv", lambda name: write(name, CSV + "s3,1,2,3\n"), "cannot be read .*line 4"),
    "CSV that is not UTF-8": (
        "own.csv",
        lambda name: Path(name).write_bytes(b"sample\n\xe4\n"),
        "is not written in utf-8 .*set `encoding`, such as latin-1",
    ),
    "text as NPY": ("own.npy", lambda name: write(name, CSV), "is not a readable NPY array"),
    "dates as NPY": ("own.npy", lambda name: np.save(name, np.array(["2001-01-01"], "M8[D]")), "holds datetime64"),
    "foreign NPY": (
        "own.npy",
        lambda name: np.save(name, np.ones(2, ">f8")),
        "holds >f8, numbers in another byte order",
    ),
    "a cell too long": (
        "own.csv",
        lambda name: write(name, f"{CSV}{'a' * 140_000},1,2\n"),
        "cannot be read .*field larg",
    ),
}


@pytest.mark.parametrize(("name", "spoil", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_cannot_be_read_is_named(name, spoil, message):
    spoil(name)
    with pytest.raises(InputError, match=f"^{name}.*{message}"):
        read(name)


WRONG_TABLES = {
    "no id column": (
        "sampel,age\na,1\n",
        "no column 'sample', named as id; it has 2 others; did you mean 'sampel",
    ),
    "duplicate id": ("sample,age\na,1\nb,2\na,3\n", "row 4: its id in column 'sample' is in an earlier row too"),
    "duplicate number": ("sample,age\n1,1\n2,2\n1.0,3\n", "row 4: its id in column 'sample'"),
    "empty text id": ("sample,age\na,1\n,2\n", "row 3: column 'sample' is empty"),
    "empty number id": ("sample,age\n1,1\n2,2\n,3\n", "row 4: column 'sample' is empty"),
    "header alone": ("sample,age\n", "no sample"),
}


@pytest.mark.parametrize(("text", "message"), WRONG_TABLES.values(), ids=WRONG_TABLES)
@pytest.mark.parametrize("place", ["first", "second"])
def test_a_wrong_id_is_named_with_its_file_and_line(place, text, message):
    write("good.csv", "sample,dose\na,1\n1,2\n")
    write("wrong.csv", text)
    files = ["wrong.csv", "good.csv"] if place == "first" else ["good.csv", "wrong.csv"]
    with pytest.raises(InputError, match=message):
        read(*files)


@pytest.mark.parametrize("sample_id", ["outcome", None])
def test_lines_with_a_field_more_than_the_header_do_not_shift_the_columns(sample_id):
    write("own.csv", "outcome,age\n1,30,\n2,40,\n")
    assert read("own.csv", sample_id=sample_id).table["age"].tolist() == [30, 40]
    write("own.csv", "outcome,age\n1,30,9\n2,40,9\n")
    with pytest.raises(InputError, match=r"^own.csv cannot be read \(Length of header"):
        read("own.csv", sample_id=sample_id)


def test_files_without_a_common_id_are_refused():
    first, second = write("own.csv", "sample,age\na,1\n"), write("more.csv", "sample,dose\nb,1\n")
    with pytest.raises(InputError, match="no sample is in every file: do they share the ids of column 'sample'"):
        read(first, second)


def test_a_column_name_in_two_files_is_told_apart_by_the_file():
    first, second = write("own.csv", CSV), write("more.csv", "sample,age,dose\ns1,31,1\ns2,41,2\n")
    source = read(first, second)
    assert source.table.columns.tolist() == ["own.age", "outcome", "more.age", "dose"]
    assert source.table["more.age"].tolist() == [31, 41]
    assert source.origin == {"own.age": "own.csv", "outcome": "own.csv", "more.age": "more.csv", "dose": "more.csv"}


def test_column_names_that_are_the_same_even_so_are_refused():
    first, second = write("own.csv", "sample,age,outcome\ns1,1,ill\n"), write("own.tsv", "sample\tage\ns1\t2\n")
    with pytest.raises(InputError, match=r"^own.tsv: column 'own.age' is in an earlier file too"):
        read(first, second)


def test_with_incomplete_samples_kept_those_of_any_file_are_there():
    first = write("own.csv", "sample,outcome\nc,ill\na,well\n")
    second = write("more.csv", "sample,dose\na,10\nb,30\n")
    np.save("scan.npy", np.array([3.0, 1.0]))
    params = params_for(first, second, "scan.npy").model_copy(update={"incomplete": "keep"})
    source = read_source(params)
    assert source.table.index.tolist() == ["a", "b", "c"]
    assert source.table["dose"].fillna(-1).tolist() == [10, 30, -1]
    assert source.table["scan"].fillna(-1).tolist() == [1, -1, 3]
    assert source.positions.tolist() == [1, -1, 0]
    assert source.removed == {}


def test_an_id_that_parquet_has_as_the_index_is_found():
    pd.DataFrame({"age": [40, 30]}, index=pd.Index(["s2", "s1"], name="sample")).to_parquet("own.parquet")
    assert read("own.parquet").table["age"].tolist() == [30, 40]


@pytest.mark.parametrize("shape", [(), (2, 2, 2)])
def test_an_array_that_is_no_table_is_refused(shape):
    np.save("scan.npy", np.zeros(shape))
    with pytest.raises(InputError, match=r"scan.npy has shape \(.*\); allowed: \[samples\] or \[samples, features\]"):
        read("scan.npy", sample_id=None)


def test_a_pickled_array_is_refused_without_running_it():
    np.save("scan.npy", np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(InputError, match=r"^scan.npy is not a readable NPY array .*Python objects"):
        read("scan.npy", sample_id=None)


@pytest.mark.parametrize("sample_id", ["sample", None])
def test_an_array_with_another_number_of_rows_is_refused(sample_id):
    write("own.csv", CSV)
    np.save("scan.npy", np.zeros((5, 2)))
    with pytest.raises(InputError, match=r"^scan.npy has 5 rows, the first file 2"):
        read("own.csv", "scan.npy", sample_id=sample_id)


def test_tables_with_different_numbers_of_rows_need_ids():
    first, second = write("own.csv", "age\n1\n2\n"), write("more.csv", "dose\n1\n2\n3\n")
    with pytest.raises(InputError, match=r"^more.csv has 3 rows, the first file 2: without ids, files must align"):
        read(first, second, sample_id=None)
