"""Restricted data that is broken: neither the error nor what a stage prints shows a value, a label or an id of it.

Here tables, ADNI and MIMIC-IV; in test_no_id_in_messages.py datasets whose files and arrays are named by ids. The files
are hand-written (synthetic).
"""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from torch import nn

from i2moe.contract.cohort import labels_of, read_cohort
from stages.datasets.adni.clinical.features import clinical
from stages.datasets.adni.cohort import cohort as adni_cohort
from stages.datasets.adni.image.features import image as adni_image
from stages.datasets.mimic.cohort import cohort as mimic_cohort
from stages.datasets.mimic.measurements import measurements
from stages.datasets.tables.cohort import cohort as tables_cohort
from stages.datasets.tables.features import features as tables_features
from stages.shared.images import networks
from tests.stages.datasets.adni import conftest as adni_files
from tests.stages.datasets.adni.conftest import project as adni
from tests.stages.datasets.canary import NUMBER, WORD, nothing_shown
from tests.stages.datasets.mimic import conftest as mimic_files
from tests.stages.datasets.mimic.conftest import project as mimic

__all__ = ["adni", "mimic"]  # fixtures

ROWS = 60


@pytest.fixture
def small_network(monkeypatch):
    """Put the mean of each channel in the place of ResNet: no image gets as far as to its weights."""

    class Tiny(nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.fc = nn.Linear(3, 2)

    monkeypatch.setattr(networks, "build_network", lambda *_: Tiny())


def in_place_of(name, old, new):
    """Return a function that changes a text file in the raw folder, in one place."""

    def change(raw):
        text = (raw / name).read_text()
        assert old in text
        (raw / name).write_text(text.replace(old, new, 1))

    return change


def headless(name, text):
    """Return a function that writes a table without its header, its first row full of canaries."""
    width = text.splitlines()[0].count(",") + 1
    first = ",".join([f"{NUMBER}{WORD}{column}" for column in range(width)])
    return lambda raw: (raw / name).write_text("\n".join([first, *text.splitlines()[1:]]) + "\n")


# Tables.


def own_table(**columns):
    """Return a good table with some columns changed."""
    table = {
        "sample": [f"{WORD}{row}" for row in range(ROWS)],
        "age": [40 + row for row in range(ROWS)],
        "picture": [f"{WORD}{row}/{NUMBER}.png" for row in range(ROWS)],
        "outcome": ["ill", "well"] * (ROWS // 2),
    }
    return pd.DataFrame(table | columns)


def first_is(value, others):
    return [value, *others[1:]]


WELL = ["ill", "well"] * (ROWS // 2)
TABLES = {
    "an unknown label": (own_table(outcome=first_is(WORD, WELL)), {"classes": ["ill", "well"]}),
    "a third class": (own_table(outcome=[WORD, "ill", "well"] * (ROWS // 3)), {}),
    "classes that are hardly there": (
        own_table(outcome=[f"{WORD}{row}" for row in range(ROWS)]),
        {"task": "multiclass"},
    ),
    "a label in words": (own_table(outcome=first_is(WORD, list(range(ROWS)))), {"task": "regression"}),
    "a label that is not 0 or 1": (
        own_table(outcome=first_is(NUMBER, [0, 1] * (ROWS // 2))),
        {"task": "multilabel", "label": ["outcome"]},
    ),
    "an id twice": (own_table(sample=[f"{WORD}{row // 2}" for row in range(ROWS)]), {}),
    "no id": (own_table(sample=first_is("", [f"{WORD}{row}" for row in range(ROWS)])), {}),
    "numbers, but for one": (own_table(age=first_is(WORD, list(range(ROWS)))), {}),
    "dates": (own_table(age=[f"{NUMBER[:4]}-01-0{1 + row % 9} {WORD}" for row in range(ROWS)]), {}),
    "a different text in each row": (own_table(age=[f"{WORD}{row}" for row in range(ROWS)]), {}),
    "no such image": (own_table(), {"modalities": {"a": {"image": {"column": "picture", "network": "resnet18"}}}}),
    "no header": (own_table(sample=["x"] * ROWS).rename(columns=lambda name: f"{WORD}{name}x{NUMBER}"), {}),
    "a name twice in what is no header": (own_table().set_axis([WORD, NUMBER, WORD, "outcome"], axis=1), {}),
}


def write_tables(table, **changes):
    Path("raw").mkdir(exist_ok=True)
    if table is not None:
        table.to_csv("raw/own.csv", index=False)
    own = {"raw": "raw", "files": ["own.csv"], "id": "sample", "label": "outcome", "task": "binary"}
    own |= {"modalities": {"a": {"columns": ["age"]}}} | changes
    split = {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 0}
    Path("params.yaml").write_text(json.dumps({"data": {"tables": {"mine": own}}, "split": split}))


def both(name):
    tables_cohort(name)
    tables_features(name)


@pytest.mark.parametrize(("table", "changes"), TABLES.values(), ids=TABLES)
def test_tables(table, changes, tmp_path, monkeypatch, capfd, small_network):  # noqa: ARG001
    monkeypatch.chdir(tmp_path)
    write_tables(table, **changes)
    nothing_shown(capfd, [lambda: both("mine")])


def test_tables_that_libraries_complain_of(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    write_tables(own_table())
    with Path("raw/own.csv").open("a") as stream:
        stream.write(f"{WORD},{NUMBER},{WORD},ill,{WORD}\n")
    assert f"line {ROWS + 2}" in nothing_shown(capfd, [lambda: both("mine")])
    write_tables(None, files=["own.parquet"])
    times = pa.array([int(NUMBER * 3)] * ROWS, pa.timestamp("s"))
    ids, outcome = [f"{WORD}{row}" for row in range(ROWS)], WELL
    parquet.write_table(pa.table({"sample": ids, "outcome": outcome, "age": times}), "raw/own.parquet")
    nothing_shown(capfd, [lambda: both("mine")])
    write_tables(own_table(), modalities={"a": {"array": {"file": "own.npy"}}})
    np.save("raw/own.npy", np.zeros((ROWS, 2)))
    content = Path("raw/own.npy").read_bytes()
    Path("raw/own.npy").write_bytes(content.replace(b"'descr': '<f8'", b"'qzcanary': 12"))
    nothing_shown(capfd, [lambda: both("mine")])


# ADNI: ids are in the names of maps.

ADNI_MAP = "876_S_54321_2006-01-15.nii.gz"
DXSUM_FILE = "DXSUM_PDXCONV_22Apr2024.csv"


def renamed(raw, name=ADNI_MAP):
    """Let a subject of the cohort, one of the test split, have an id that is a canary, in all files."""
    for path in [*raw.glob("*.csv"), *(raw / "plink").glob("*.fam")]:
        text = path.read_text().replace("003_S_0012,12,", "876_S_54321,54321,").replace("003_S_0012", "876_S_54321")
        path.write_text(text.replace("ADNI1,12,", "ADNI1,54321,"))
    (raw / "ravens/003_S_0012_2006-01-15.nii.gz").rename(raw / "ravens" / name)


def map_is(content):
    def change(raw):
        renamed(raw)
        (raw / "ravens" / ADNI_MAP).write_bytes(content)

    return change


def map_of(values, **options):
    def change(raw):
        renamed(raw)
        adni_files.write_map(raw / "ravens" / ADNI_MAP, values, **options)

    return change


def two_maps(raw):
    renamed(raw)
    (raw / "ravens" / ADNI_MAP.replace(".nii", "_again.nii")).touch()


ADNI = {
    "a map without a date": (lambda raw: renamed(raw, "876_S_54321.nii.gz"), [adni_cohort]),
    "two maps of a day": (two_maps, [adni_cohort]),
    "a map that is no gzip": (map_is(b"x"), [adni_cohort, adni_image]),
    "a map that is no NIfTI": (map_is(gzip.compress(b"x" * 1000)), [adni_cohort, adni_image]),
    "a map of another shape": (
        map_of(1, labels=np.full((2, 3, 2), 150)),
        [adni_cohort, adni_image],
    ),
    "a map of NaN": (map_of(np.nan), [adni_cohort, adni_image]),
    "a map far out": (map_of(1e30), [adni_cohort, adni_image]),
    "diagnoses without a header": (headless(DXSUM_FILE, adni_files.DXSUM), [adni_cohort]),
    "a name twice in what is no header": (
        in_place_of(DXSUM_FILE, "PHASE,PTID,RID", f"{WORD},{WORD},{NUMBER}"),
        [adni_cohort],
    ),
    "an unknown diagnosis": (in_place_of(DXSUM_FILE, "2006-01-10,1", f"2006-01-10,{NUMBER}"), [adni_cohort]),
    "a diagnosis in words": (in_place_of(DXSUM_FILE, "2006-01-10,1", f"2006-01-10,{WORD}"), [adni_cohort]),
    "an id of another kind": (in_place_of(DXSUM_FILE, "001_S_0002,2,m12", f"{WORD},2,m12"), [adni_cohort]),
    "a row cut short": (in_place_of(DXSUM_FILE, "001_S_0002,2,m12,m12", f"{WORD},{NUMBER}"), [adni_cohort]),
    "a person twice": (in_place_of("plink/first.fam", "001_S_0003", "001_S_0002"), [adni_cohort]),
    "a position in words": (in_place_of("plink/first.bim", "\t300\t", f"\t{WORD}\t"), [adni_cohort]),
    "a year in words": (in_place_of("PTDEMOG_09May2024.csv", ",2,1926,", f",2,{WORD},"), [adni_cohort, clinical]),
    "a roster id in words": (in_place_of(DXSUM_FILE, "001_S_0002,2,m12", f"001_S_0002,{WORD},m12"), [adni_cohort]),
}


@pytest.mark.parametrize(("change", "stages"), ADNI.values(), ids=ADNI)
def test_adni(change, stages, adni, tmp_path, capfd):
    adni()
    change(tmp_path / "raw")
    nothing_shown(capfd, stages)


def test_values_of_adni_outside_the_codebook(adni, tmp_path, capfd):
    adni()
    in_place_of("PTDEMOG_09May2024.csv", ",2,1926,", f",{NUMBER},1926,")(tmp_path / "raw")
    said = nothing_shown(capfd, [adni_cohort, clinical], error=False)
    assert "PTDEMOG.PTGENDER: 1 values outside codes or range count as missing" in said


def test_a_map_of_adni_that_went_away(adni, tmp_path, capfd):
    adni()
    renamed(tmp_path / "raw")
    adni_cohort()
    (tmp_path / "raw/ravens" / ADNI_MAP).unlink()
    assert "raw/ravens: a file that would be number 13 by name is missing" in nothing_shown(capfd, [adni_image])


# MIMIC-IV.

MIMIC = {
    "labs without a header": {
        "hosp/labevents": f"{NUMBER}," + ",".join(f"{WORD}{place}" for place in range(10)) + "\n",
    },
    "a name twice in what is no header": {
        "hosp/labevents": mimic_files.LABEVENTS.replace("storetime", WORD, 1).replace("specimen_id", WORD, 1)
    },
    "a value in words": {"hosp/labevents": mimic_files.LABEVENTS.replace("3.0,3,", f"{NUMBER},{WORD},", 1)},
    "a time in words": {"icu/chartevents": mimic_files.CHARTEVENTS.replace("102,2150-06-02", f"102,{WORD}", 1)},
    "a row cut short": {"hosp/labevents": mimic_files.LABEVENTS + f"{NUMBER},6,62,{WORD}\n"},
    "an open quote": {"hosp/labevents": mimic_files.LABEVENTS + f'16,6,62,15,50912,,,"{WORD}'},
    "another label of an item": {
        "hosp/d_labitems": mimic_files.TABLES["hosp/d_labitems"].replace("50912,Creatinine", f"50912,{WORD}")
    },
}
MIMIC_COHORT = {
    "a patient twice": {"hosp/patients": mimic_files.PATIENTS + f"{NUMBER},M,30,2150,x,\n" * 2},
    "an admission of nobody": {"hosp/admissions": mimic_files.ADMISSIONS.replace("\n6,62,", f"\n{NUMBER},62,")},
    "a note twice": {"note/discharge": mimic_files.DISCHARGE.replace("6-DS-2", WORD).replace("6-DS-1", WORD)},
    "a date in words": {"hosp/patients": mimic_files.PATIENTS.replace("2151-06-04", WORD)},
    "a version in words": {"hosp/diagnoses_icd": mimic_files.DIAGNOSES.replace("25000,9", f"{NUMBER},{WORD}")},
}


@pytest.mark.parametrize("tables", MIMIC.values(), ids=MIMIC)
def test_mimic(tables, mimic, capfd):
    mimic(tables)
    nothing_shown(capfd, [measurements])


@pytest.mark.parametrize("tables", MIMIC_COHORT.values(), ids=MIMIC_COHORT)
def test_the_cohort_of_mimic(tables, mimic, capfd):
    mimic()
    measurements()
    mimic(tables)
    nothing_shown(capfd, [mimic_cohort])


# What stages write, changed by hand.


@pytest.mark.parametrize(
    "row",
    [f"{NUMBER},g,{WORD},ill", f"{NUMBER},g,train,{WORD}", f"{NUMBER},g,train,ill\n{NUMBER},g,train,ill"],
)
def test_a_cohort_that_was_changed(row, tmp_path, capfd):
    path = tmp_path / "own.csv"
    path.write_text(f"sample_id,group_id,split,label\n{row}\n")
    nothing_shown(capfd, [lambda: labels_of(read_cohort(path), "multiclass", ["ill"], path)])


def test_a_cohort_without_a_header(tmp_path, capfd):
    path = tmp_path / "own.csv"
    path.write_text(f"{NUMBER},{WORD},train,ill\n")
    nothing_shown(capfd, [lambda: read_cohort(path)])
