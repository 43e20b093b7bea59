"""Raw tables in each of their forms."""

import gzip
import io

import pandas as pd
import pytest

from i2moe.base.errors import InputError
from stages.datasets.mimic.cohort import cohort
from stages.datasets.mimic.lab.items import CONVERSIONS, DICTIONARIES, read_items
from stages.datasets.mimic.measurements import SCALE, measurements
from stages.datasets.mimic.source import open_source
from tests.stages.datasets.mimic.conftest import TABLES

WRITTEN = [
    "data/interim/mimic/measurements.json",
    "data/cohorts/mimic.csv",
    "data/cohorts/mimic.json",
    "data/cohorts/mimic.visits.csv",
]


def run_and_read(folder):
    measurements()
    cohort()
    found = [(folder / name).read_bytes() for name in WRITTEN]
    return [*found, pd.read_parquet(folder / "data/interim/mimic/measurements.parquet").to_csv()]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_other_forms_of_the_tables_give_the_same_outputs(project, suffix):
    folder = project()
    expected = run_and_read(folder)
    for path in (folder / "raw").rglob("*.csv.gz"):
        target = path.with_name(path.name.removesuffix(".csv.gz") + suffix)
        text = gzip.decompress(path.read_bytes()).decode()
        if suffix == ".csv":
            target.write_text(text)
        else:
            pd.read_csv(io.StringIO(text)).to_parquet(target)
        path.unlink()
    assert run_and_read(folder) == expected


def test_a_wrong_value_in_a_parquet_table_is_named_by_column(project):
    folder = project({"hosp/patients": None})
    patients = pd.read_csv(io.StringIO(TABLES["hosp/patients"])).astype({"anchor_age": str})
    patients.loc[2, "anchor_age"] = "old"
    patients.to_parquet(folder / "raw/hosp/patients.parquet")
    measurements()
    with pytest.raises(InputError, match=r"patients.parquet: column 'anchor_age' holds something other than INTEGER"):
        cohort()


def test_one_table_in_two_forms_is_refused(project):
    folder = project()
    (folder / "raw/hosp/labevents.csv").write_text(TABLES["hosp/labevents"])
    with pytest.raises(InputError, match=r"labevents.csv.gz and labevents.csv are the same table twice: remove one"):
        measurements()


def test_too_little_memory_is_said_by_its_key(project):
    project()
    refused = pytest.raises(InputError, match=r"does not fit into data.mimic.memory_limit: raise it")
    with open_source("raw", "1MB") as source, refused:
        large = f"CREATE TABLE x AS SELECT range, repeat('x', 3000) FROM {source.scan('labevents')}, range(10000)"  # noqa: S608
        source.query(large, "labevents")


def test_too_little_room_for_what_memory_does_not_hold_is_said_by_its_folder(project, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    project()
    refused = pytest.raises(InputError, match=rf"nor the rest into {tmp_path}: free some room there, set TMPDIR")
    with open_source("raw", "64MB") as source, refused:
        source.connection.execute("SET max_temp_directory_size = '1MB'")
        many = f"SELECT hash(range) AS h, repeat('x', 30) FROM {source.scan('labevents')}, range(200000)"  # noqa: S608
        source.query(f"{many} ORDER BY h", "labevents")


def test_joins_stream_the_raw_table_past_a_larger_one(project):
    project()
    with open_source("raw", "200MB") as source:
        source.connection.execute("CREATE TEMP TABLE many AS SELECT range::INTEGER AS subject_id FROM range(100000)")
        join = f"EXPLAIN SELECT * FROM {source.scan('labevents')} LEFT JOIN many USING (subject_id)"  # noqa: S608
        plan = source.connection.execute(join).fetchall()[0][1]
    # A right join would first hold all of the raw table in memory.
    assert "Join Type: LEFT" in plan


def test_nothing_is_left_in_the_temporary_folder(project, tmp_path, monkeypatch):
    project()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with open_source("raw", "200MB"):
        assert list(tmp_path.glob("i2moe-mimic-*"))
    assert not list(tmp_path.glob("i2moe-mimic-*"))


def test_the_items_table_is_complete_and_keeps_to_what_the_measurements_rely_on():
    items = read_items()
    assert not items["itemid"].duplicated().any()
    assert set(items["kind"]) == {"lab", "vital"}
    assert set(items["table"]) == set(DICTIONARIES)
    assert set(items["conversion"]) <= set(CONVERSIONS)
    assert (items["low"] < items["high"]).all()
    assert (items["high"] * SCALE < 10**9).all()
    assert len(items[["feature", "table"]].drop_duplicates()) == items["feature"].nunique()
