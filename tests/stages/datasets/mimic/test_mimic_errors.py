"""Bad raw files end in one InputError that names file, row or column and remedy, before anything is written."""

import gzip
import io
from pathlib import Path

import pandas as pd
import pytest

from i2moe.base.errors import InputError
from stages.datasets.mimic.code.features import code
from stages.datasets.mimic.cohort import cohort
from stages.datasets.mimic.lab.features import lab
from stages.datasets.mimic.measurements import measurements
from stages.datasets.mimic.note.features import note
from tests.stages.datasets.mimic.conftest import (
    ADMISSIONS,
    CHARTEVENTS,
    DIAGNOSES,
    DISCHARGE,
    LABEVENTS,
    PATIENTS,
    TABLES,
)

PATIENT_DATA = ("2150-", "URGENT", "4280", "mg/dL", "heart")  # of the hand-written rows; no message may quote it


def cut(text):
    return gzip.compress(text.encode())[:-9]


def without(column, text):
    return text.replace(f",{column},", f",{column}_,", 1)


BEFORE_THE_FIRST_PASS = {
    "no labs": ({"hosp/labevents": None}, r"labevents.csv.gz is missing .*: download MIMIC-IV from PhysioNet"),
    "no vitals": (
        {"icu/chartevents": None},
        r"chartevents.csv.gz is missing .*: .* set data.mimic.lab.vitals to false",
    ),
    "no notes": (
        {"note/discharge": None},
        r"discharge.csv.gz is missing .*: .* data.mimic.modalities to \[lab, code\]",
    ),
    "no patients": ({"hosp/patients": None}, r"patients.csv.gz is missing .*correct data.mimic.raw"),
    "no dictionary": ({"icu/d_items": None}, r"d_items.csv.gz is missing"),
    "no column": (
        {"hosp/labevents": without("valuenum", LABEVENTS)},
        r"labevents.csv.gz has no column 'valuenum'; it has 11 others; did you mean 'valuenum_'\?",
    ),
    "no column of vitals": (
        {"icu/chartevents": without("charttime", CHARTEVENTS)},
        r"chartevents.csv.gz has no column 'charttime'",
    ),
    "no column of notes": (
        {"note/discharge": without("hadm_id", DISCHARGE)},
        r"discharge.csv.gz has no column 'hadm_id'",
    ),
    "column twice": (
        {"hosp/labevents": LABEVENTS.replace("storetime", "comments", 1)},
        r"labevents.csv.gz: columns 7 and 11 have the same name: is this the labevents table as downloaded\?",
    ),
    "column without a name": (
        {"hosp/d_labitems": TABLES["hosp/d_labitems"].replace("itemid,label", "itemid,label,", 1)},
        r"d_labitems.csv.gz: a column has no name: is this the d_labitems table as downloaded\?",
    ),
    "empty file": ({"hosp/labevents": ""}, r"labevents.csv.gz has no column 'subject_id'"),
    "header cut off": ({"hosp/labevents": gzip.compress(LABEVENTS.encode())[:12]}, r"labevents.csv.gz cannot be read"),
    "no gzip": ({"hosp/labevents": LABEVENTS.encode()}, r"labevents.csv.gz cannot be read"),
    "other label": (
        {"hosp/d_labitems": TABLES["hosp/d_labitems"].replace("50912,Creatinine", "50912,Kreatinin")},
        r"d_labitems.csv.gz: itemid 50912 has another label, items.csv calls it 'Creatinine': correct the itemid",
    ),
    "other label of a vital": (
        {"icu/d_items": TABLES["icu/d_items"].replace("223762,Temperature Celsius", "223762,Temperature")},
        r"d_items.csv.gz: itemid 223762 has another label, items.csv calls it 'Temperature Celsius'",
    ),
    "item not in the dictionary": (
        {"hosp/d_labitems": TABLES["hosp/d_labitems"].replace("50912,", "50999,")},
        r"d_labitems.csv.gz: itemid 50912 is missing, items.csv calls it 'Creatinine'",
    ),
    "file cut off": (
        {"hosp/labevents": cut(LABEVENTS * 50)},
        r"labevents.csv.gz is not a complete gzip file: download it again",
    ),
    "vitals cut off": ({"icu/chartevents": cut(CHARTEVENTS)}, r"chartevents.csv.gz is not a complete gzip file"),
    "text for a number": (
        {"hosp/labevents": LABEVENTS.replace("3.0,3,mg/dL", "3.0,high,mg/dL", 1)},
        r"labevents.csv.gz row 3: column 'valuenum' holds something other than DOUBLE",
    ),
    "text for a time": (
        {"icu/chartevents": CHARTEVENTS.replace("102,2150-06-02", "102,someday", 1)},
        r"chartevents.csv.gz row 4: column 'charttime' holds something other than TIMESTAMP",
    ),
    "row cut short": (
        {"hosp/labevents": LABEVENTS + "16,6,62,15\n"},
        r"labevents.csv.gz row 17 is not a row of a labevents table",
    ),
    "open quote": ({"hosp/labevents": LABEVENTS + '16,6,62,15,50912,,,"'}, r"labevents.csv.gz row \d+ is not a row"),
    "patients cut off": ({"hosp/admissions": cut(ADMISSIONS)}, r"admissions.csv.gz is not a complete gzip file"),
}
IN_THE_COHORT = {
    "patient twice": (
        {"hosp/patients": PATIENTS + "6,M,30,2150,2008 - 2010,\n"},
        r"patients.csv.gz row 8: column 'subject_id' repeats an earlier value",
    ),
    "admission twice": (
        {"hosp/admissions": ADMISSIONS + ADMISSIONS.splitlines()[1] + "\n"},
        r"admissions.csv.gz row 16: column 'hadm_id' repeats an earlier value",
    ),
    "admission without id": (
        {"hosp/admissions": ADMISSIONS.replace("1,11,", "1,,", 1)},
        r"admissions.csv.gz row 3: column 'hadm_id' is empty",
    ),
    "infinite time": (
        {"hosp/admissions": ADMISSIONS.replace(ADMISSIONS.splitlines()[1].split(",")[3], "-inf", 1)},
        r"admissions.csv.gz row 2: column 'dischtime' is no date of MIMIC-IV: download the file again",
    ),
    "unknown patient": (
        {"hosp/admissions": ADMISSIONS.replace("\n6,62,", "\n7,62,")},
        r"admissions.csv.gz row 15: its subject_id is not in .*patients.csv.gz: take both tables from one release",
    ),
    "note twice": (
        {"note/discharge": DISCHARGE.replace("6-DS-2", "6-DS-1")},
        r"discharge.csv.gz row 13: column 'note_id' repeats an earlier value",
    ),
    "notes cut off": ({"note/discharge": cut(DISCHARGE)}, r"discharge.csv.gz is not a complete gzip file"),
    "date of death in another format": (
        {"hosp/patients": PATIENTS.replace("2151-06-04", "4 June")},
        r"patients.csv.gz row 2: column 'dod' holds something other than DATE",
    ),
    "version in words": (
        {"hosp/diagnoses_icd": DIAGNOSES.replace("25000,9", "25000,nine")},
        r"diagnoses_icd.csv.gz row 5: column 'icd_version' holds something other than INTEGER",
    ),
    "nobody left": (
        {"hosp/diagnoses_icd": DIAGNOSES.replace(",9\n", ",10\n")},
        r"raw: no patient is left after .*: relax data.mimic.cohort",
    ),
}


def error_of(stage, expected):
    with pytest.raises(InputError, match=expected) as caught:
        stage()
    message = str(caught.value)
    assert "\n" not in message
    assert not [word for word in PATIENT_DATA if word in message]


@pytest.mark.parametrize(("tables", "message"), BEFORE_THE_FIRST_PASS.values(), ids=BEFORE_THE_FIRST_PASS)
def test_the_measurements_stage_refuses(project, tables, message):
    folder = project(tables)
    error_of(measurements, message)
    assert not (folder / "data").exists()


@pytest.mark.parametrize(("tables", "message"), IN_THE_COHORT.values(), ids=IN_THE_COHORT)
def test_the_cohort_stage_refuses(project, tables, message):
    folder = project()
    measurements()
    project(tables)
    error_of(cohort, message)
    assert not (folder / "data/cohorts").exists()


def test_a_header_is_never_read_as_sql(project):
    labels = TABLES["hosp/d_labitems"].splitlines()
    quoted = "\n".join([f"{labels[0]},it's", *(f"{line}," for line in labels[1:]), ""])
    folder = project({"hosp/d_labitems": quoted})
    measurements()
    assert (folder / "data/interim/mimic/measurements.parquet").exists()


def test_the_cohort_needs_the_measurements(project):
    project()
    error_of(cohort, r"measurements.parquet is missing: run the measurements stage")


@pytest.mark.parametrize(
    ("stage", "change", "tables", "message"),
    [
        (
            code,
            {"code": {"min_patients": 5}},
            {},
            r"raw: no diagnosis code is shared by 5 train patients: lower data.mimic",
        ),
        (
            code,
            {},
            {"hosp/diagnoses_icd": DIAGNOSES.replace("1,12,2,E8788", "1,12,1,E8788")},
            r"diagnoses_icd.csv.gz: 1 rows have the hadm_id and seq_num of another row",
        ),
        (note, {"note": {"min_notes": 50}}, {}, r"discharge.csv.gz .data.mimic.note.: no term is in 50 train texts"),
        (
            note,
            {"note": {"dim": 3}},
            {},
            r"discharge.csv.gz .data.mimic.note.: \d+ train texts with 3 terms are too few for dim 3; allowed: less",
        ),
    ],
)
def test_a_feature_stage_refuses(project, stage, change, tables, message):
    folder = project()
    measurements()
    cohort()
    project(tables, **change)
    error_of(stage, message)
    assert not (folder / "data/features").exists()


def test_labs_without_any_value_are_refused(project):
    project(modalities=["note", "code"])
    measurements()
    cohort()
    path = Path("data/interim/mimic/measurements.parquet")
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    error_of(lab, r"no train visit has any measurement")


def test_labs_that_are_infinite_are_refused(project):
    project(modalities=["note", "code"])
    measurements()
    cohort()
    path = Path("data/interim/mimic/measurements.parquet")
    pd.read_parquet(path).assign(last=float("inf")).to_parquet(path)
    error_of(lab, r"measurements.parquet holds infinity, or numbers beyond float32: ")


@pytest.mark.parametrize("part", ["pages", "footer"])
def test_a_broken_parquet_file_is_refused_by_name(project, part):
    folder = project()
    (folder / "raw/hosp/labevents.csv.gz").unlink()
    path = folder / "raw/hosp/labevents.parquet"
    pd.read_csv(io.StringIO(LABEVENTS)).to_parquet(path)
    content = bytearray(path.read_bytes())
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    place = slice(4, footer) if part == "pages" else slice(footer, len(content) - 8)
    content[place] = b"\xff" * len(content[place])
    path.write_bytes(content)
    error_of(measurements, r"labevents.parquet (cannot be read|is not a row of a labevents table)")
