"""Write a synthetic MIMIC-IV: the files, columns, types and quirks of the real one, and a planted cause of death.

Death within a year of the last ICD-9 discharge is drawn from a logit with known terms, each visible in known files
(`planted.json`): one term that only labs show (uniqueness), one that labs, notes and codes show (redundancy), and an
exclusive or of one bit in the labs and one in the codes (synergy). It is written through `patients.dod` alone, so that
the cohort's label rule finds it again. Admissions without labs, notes or codes are those of `absences.py`.
"""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv
from tqdm import tqdm

from i2moe.contract.planted import PlantedTerm
from stages.datasets.mimic.lab.items import read_items
from stages.datasets.mimic.settings import SyntheticSettings
from stages.datasets.mimic.synthetic import rows as rows_of
from stages.datasets.mimic.synthetic.absences import WHY, draw_absences
from stages.datasets.mimic.synthetic.patients import (
    FIRST_ADMISSION,
    INTERCEPT,
    RULE,
    STAYS_A_PATIENT,
    WEIGHTS,
    draw_patients,
    draw_stays,
)
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.synthetic import new_files, write_planted

BLOCK = 1000  # patients made at a time: memory does not grow with their number
TERMS = [
    PlantedTerm(role="uniqueness", modalities=["lab"], words="failing kidneys, which only labs show"),
    PlantedTerm(
        role="redundancy", modalities=["lab", "note", "code"], words="sepsis, which labs, notes and codes show"
    ),
    PlantedTerm(
        role="synergy",
        modalities=["lab", "code"],
        words="high sodium, red cells and liver values without diabetes among the codes, or diabetes with usual values",
    ),
]

HEADERS = {
    "planted": "subject_id,lab,shared,lab_bit,code_bit,exclusive_or,probability,dies",
    "hosp/patients": "subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod",
    "hosp/admissions": "subject_id,hadm_id,admittime,dischtime,deathtime,admission_type,admit_provider_id,"
    "admission_location,discharge_location,insurance,language,marital_status,race,edregtime,edouttime,"
    "hospital_expire_flag",
    "hosp/diagnoses_icd": "subject_id,hadm_id,seq_num,icd_code,icd_version",
    "hosp/labevents": "labevent_id,subject_id,hadm_id,specimen_id,itemid,order_provider_id,charttime,storetime,value,"
    "valuenum,valueuom,ref_range_lower,ref_range_upper,flag,priority,comments",
    "hosp/d_labitems": "itemid,label,fluid,category",
    "icu/icustays": "subject_id,hadm_id,stay_id,first_careunit,last_careunit,intime,outtime,los",
    "icu/chartevents": "subject_id,hadm_id,stay_id,caregiver_id,charttime,storetime,itemid,value,valuenum,valueuom,"
    "warning",
    "icu/d_items": "itemid,label,abbreviation,linksto,category,unitname,param_type,lownormalvalue,highnormalvalue",
    "note/discharge": "note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text",
}


def synthesize() -> None:
    """Write data/synthetic/mimic: every table that the other stages read, planted.json and planted.csv.gz."""
    settings = load_block("synthetic.mimic", SyntheticSettings)
    with new_files("mimic") as folder:
        write_tables(folder, settings.patients, settings.seed)
    print(f"{paths.synthetic('mimic')}: synthetic MIMIC-IV of {settings.patients} patients")


def write_tables(folder: Path, num_patients: int, seed: int) -> None:
    """Write all tables; a block of patients depends on the seed and its own number alone."""
    with ExitStack() as stack:
        tables = {
            name: stack.enter_context(_open(folder / f"{name}.csv.gz", header)) for name, header in HEADERS.items()
        }
        _write_dictionaries(tables)
        for start in tqdm(range(0, num_patients, BLOCK), desc="synthesize", unit="block", disable=num_patients < BLOCK):
            generator = np.random.default_rng([seed, start // BLOCK])
            for name, rows in _make_block(start, min(BLOCK, num_patients - start), generator):
                _append(tables[name], name, rows)
    write_planted(
        folder,
        RULE,
        TERMS,
        intercept=INTERCEPT,
        weights=WEIGHTS,
        shown_by=rows_of.SHOWN_BY,
        absent=WHY,
        patients=num_patients,
        seed=seed,
    )


def _make_block(first: int, num: int, generator: np.random.Generator) -> Iterator[tuple[str, rows_of.Table]]:
    """Yield the rows of `num` patients, by table."""
    patients = draw_patients(first, num, generator)
    stays = draw_stays(patients, FIRST_ADMISSION + first * STAYS_A_PATIENT, generator)
    has = {name: ~absent for name, absent in draw_absences(patients, stays, generator).items()}
    in_unit = has["lab"] & (generator.random(len(stays.patient)) < rows_of.SHARE_ICU)
    outcome = {"probability": patients.probability, "dies": patients.dies.astype(int)}
    yield "planted", {"subject_id": patients.subject_id, **patients.terms, **outcome}
    yield "hosp/patients", rows_of.patient_rows(patients, stays, generator)
    yield "hosp/admissions", rows_of.admission_rows(patients, stays, generator)
    yield "hosp/diagnoses_icd", rows_of.diagnosis_rows(patients, stays, has["code"], generator)
    yield (
        "hosp/labevents",
        rows_of.lab_rows(patients, stays, has["lab"], 1 + first * rows_of.EVENTS_A_PATIENT, generator),
    )
    yield "icu/icustays", rows_of.icu_rows(patients, stays, in_unit, generator)
    yield "icu/chartevents", rows_of.chart_rows(patients, stays, in_unit, generator)
    yield "note/discharge", rows_of.note_rows(patients, stays, has["note"], generator)


def _write_dictionaries(tables: dict[str, IO[bytes]]) -> None:
    """Write d_labitems and d_items: the items that are used, and one of each that is not."""
    items = read_items()
    labs, vitals = items[items["table"] == "labevents"], items[items["table"] == "chartevents"]
    _append(
        tables["hosp/d_labitems"],
        "hosp/d_labitems",
        {
            "itemid": [*labs["itemid"], 50808],
            "label": [*labs["label"], "Free Calcium"],
            "fluid": "Blood",
            "category": "Chemistry",
        },
    )
    _append(
        tables["icu/d_items"],
        "icu/d_items",
        {
            "itemid": [*vitals["itemid"], 226228],
            "label": [*vitals["label"], "Gender"],
            "abbreviation": [*vitals["label"], "Gender"],
            "linksto": "chartevents",
            "category": "Routine Vital Signs",
            "unitname": [*vitals["unit"], ""],
            "param_type": [*["Numeric"] * len(vitals), "Text"],
        },
    )


@contextmanager
def _open(path: Path, header: str) -> Iterator[IO[bytes]]:
    """Open a compressed table for writing; no time stamp inside, so that equal rows give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as stream:
        stream.write(f"{header}\n".encode())
        yield cast("IO[bytes]", stream)


def _append(stream: IO[bytes], name: str, rows: rows_of.Table) -> None:
    """Append rows in the order of the table's header; a column that is not given stays empty."""
    length = max(len(column) for column in rows.values() if not isinstance(column, str | int))
    columns = {column: _column(rows.get(column), length) for column in HEADERS[name].split(",")}
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")
    pyarrow.csv.write_csv(pa.table(columns), stream, options)


def _column(values: object, length: int) -> pa.Array:
    if values is None or isinstance(values, str | int):
        return pa.repeat(pa.scalar(values, pa.string() if values is None else None), length)
    return pa.array(values)


if __name__ == "__main__":
    run(synthesize)
