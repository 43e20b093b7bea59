"""Hand-written tables in MIMIC-IV's layout (synthetic), and a project folder whose settings point at them."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from stages.datasets.mimic.lab.items import read_items
from stages.datasets.mimic.synthetic.synthesize import write_tables

ROOT = Path(__file__).parents[4]

# Six patients. Of 3 the second admission is followed by one in which he dies, of 4 by one in ICD-10; of 5 the second
# has no labs, so that 5 has one visit, and stays because here all admissions count (`count_admissions: all`). Deaths:
# 1 exactly 365 days after discharge, 2 one day later, 3 in hospital after 30 days, 6 after 10.
PATIENTS = """subject_id,gender,anchor_age,anchor_year,anchor_year_group,dod
1,F,60,2150,2008 - 2010,2151-06-04
2,M,70,2150,2008 - 2010,2151-06-05
3,M,80,2150,2008 - 2010,2150-07-04
4,F,50,2150,2008 - 2010,
5,F,40,2150,2008 - 2010,
6,M,30,2150,2008 - 2010,2150-06-14
"""
ADMISSIONS = """subject_id,hadm_id,admittime,dischtime,deathtime,admission_type,hospital_expire_flag
1,12,2150-06-01 08:00:00,2150-06-04 10:00:00,,URGENT,0
1,11,2150-01-01 08:00:00,2150-01-05 10:00:00,,URGENT,0
2,21,2150-01-01 08:00:00,2150-01-05 10:00:00,,URGENT,0
2,22,2150-06-01 08:00:00,2150-06-04 23:00:00,,URGENT,0
3,31,2150-01-01 08:00:00,2150-01-05 10:00:00,,URGENT,0
3,32,2150-06-01 08:00:00,2150-06-04 10:00:00,,URGENT,0
3,33,2150-07-01 08:00:00,2150-07-04 10:00:00,2150-07-04 10:00:00,URGENT,1
4,41,2150-01-01 08:00:00,2150-01-05 10:00:00,,URGENT,0
4,42,2150-06-01 08:00:00,2150-06-04 10:00:00,,URGENT,0
4,43,2150-09-01 08:00:00,2150-09-04 10:00:00,,URGENT,0
5,51,2150-01-01 08:00:00,2150-01-05 10:00:00,,URGENT,0
5,52,2150-06-01 08:00:00,2150-06-04 10:00:00,,URGENT,0
6,61,2150-01-01 08:00:00,2150-01-05 10:00:00,,URGENT,0
6,62,2150-06-01 08:00:00,2150-06-04 10:00:00,,URGENT,0
"""
DIAGNOSES = """subject_id,hadm_id,seq_num,icd_code,icd_version
1,11,1,4280,9
1,12,1,4281,9
1,12,2,E8788,9
2,21,1,25000,9
2,22,1,E8781,9
2,22,2,25001,9
3,31,1,V5861,9
3,32,1,V5861,9
3,32,2,4289,9
3,33,1,4289,9
4,41,1,4019,9
4,42,1,25002,9
4,43,1,I10,10
5,51,1,4280,9
5,51,2,4019,9
5,52,1,4280,9
6,61,1,4019,9
6,62,1,E8788,9
6,62,2,E8789,9
"""
# Creatinine is 50912. Rows that must not count: 9999999 is out of range, one has text instead of a number, one without
# hadm_id falls in no admission, 50808 is not in items.csv.
LABEVENTS = """labevent_id,subject_id,hadm_id,specimen_id,itemid,charttime,storetime,value,valuenum,valueuom,comments
1,1,11,1,50912,2150-01-02 08:00:00,2150-01-02 09:00:00,1.0,1,mg/dL,
2,1,11,2,50912,2150-01-03 08:00:00,2150-01-03 09:00:00,3.0,3,mg/dL,
3,1,12,3,50912,2150-06-02 08:00:00,2150-06-02 09:00:00,1.0,1,mg/dL,
4,1,12,4,50912,2150-06-03 08:00:00,2150-06-03 09:00:00,9999999,9999999,mg/dL,
5,1,12,5,50912,2150-06-03 09:00:00,2150-06-03 09:00:00,ERROR,,mg/dL,"clotted, ""again""
please"
6,2,21,6,50912,2150-01-02 08:00:00,2150-01-02 09:00:00,2.0,2,mg/dL,
7,2,,7,50912,2150-06-01 08:00:00,2150-06-02 09:00:00,3.0,3,mg/dL,
8,2,,8,50912,2150-03-02 08:00:00,2150-03-02 09:00:00,7.0,7,mg/dL,
9,3,31,9,50808,2150-01-02 08:00:00,2150-01-02 09:00:00,1.1,1.1,mmol/L,
10,3,32,10,50912,2150-06-02 08:00:00,2150-06-02 09:00:00,1.0,1,umol/L,
11,4,41,11,50912,2150-01-02 08:00:00,2150-01-02 09:00:00,3.0,3,mg/dL,
12,4,42,12,50912,2150-06-02 08:00:00,2150-06-02 09:00:00,3.0,3,mg/dL,
13,4,42,13,50912,2150-06-02 08:00:00,2150-06-02 09:00:00,1.0,1,mg/dL,
14,5,51,14,50912,2150-01-02 08:00:00,2150-01-02 09:00:00,4.0,4,mg/dL,
15,6,62,15,50912,2150-06-02 08:00:00,2150-06-02 09:00:00,5.0,5,mg/dL,
"""
# 223761 is temperature in Fahrenheit, 223762 in Celsius; 32 F is below the plausible range.
CHARTEVENTS = """subject_id,hadm_id,stay_id,charttime,storetime,itemid,value,valuenum,valueuom,warning
1,11,101,2150-01-02 08:00:00,2150-01-02 08:00:00,223761,98.6,98.6,°F,0
1,11,101,2150-01-02 09:00:00,2150-01-02 09:00:00,223762,39,39,°C,0
1,12,102,2150-06-02 08:00:00,2150-06-02 08:00:00,223761,32,32,°F,0
2,21,103,2150-01-02 08:00:00,2150-01-02 08:00:00,223762,38,38,°C,0
3,32,104,2150-06-02 08:00:00,2150-06-02 08:00:00,223762,36,36,°C,0
6,62,105,2150-06-02 08:00:00,2150-06-02 08:00:00,223762,40,40,°C,0
"""
ICUSTAYS = """subject_id,hadm_id,stay_id,first_careunit,last_careunit,intime,outtime,los
1,11,101,MICU,MICU,2150-01-01 08:00:00,2150-01-05 10:00:00,4.08
"""
# 32 has two notes, of which the later counts; 31 has none.
DISCHARGE = """note_id,subject_id,hadm_id,note_type,note_seq,charttime,storetime,text
1-DS-1,1,11,DS,1,2150-01-05 00:00:00,2150-01-05 00:00:00,"Name: ___
heart Heart"
1-DS-2,1,12,DS,2,2150-06-04 00:00:00,2150-06-04 00:00:00,"heart, lung; ____ said ""kidney"" too"
2-DS-1,2,21,DS,1,2150-01-05 00:00:00,2150-01-05 00:00:00,lung
2-DS-2,2,22,DS,2,2150-06-04 00:00:00,2150-06-04 00:00:00,lung kidney kidney
3-DS-2,3,32,DS,2,2150-06-04 00:00:00,2150-06-04 00:00:00,kidney
3-DS-10,3,32,DS,10,2150-06-05 00:00:00,2150-06-05 00:00:00,heart kidney
4-DS-1,4,41,DS,1,2150-01-05 00:00:00,2150-01-05 00:00:00,kidney
4-DS-2,4,42,DS,2,2150-06-04 00:00:00,2150-06-04 00:00:00,heart lung
5-DS-1,5,51,DS,1,2150-01-05 00:00:00,2150-01-05 00:00:00,spleen spleen spleen
5-DS-2,5,52,DS,2,2150-06-04 00:00:00,2150-06-04 00:00:00,heart
6-DS-1,6,61,DS,1,2150-01-05 00:00:00,2150-01-05 00:00:00,spleen
6-DS-2,6,62,DS,2,2150-06-04 00:00:00,2150-06-04 00:00:00,heart heart spleen
"""


def dictionary(table, more):
    items = read_items()
    used = items[items["table"] == table]
    return pd.DataFrame({"itemid": [*used["itemid"], more], "label": [*used["label"], "Other"]}).to_csv(index=False)


TABLES = {
    "hosp/patients": PATIENTS,
    "hosp/admissions": ADMISSIONS,
    "hosp/diagnoses_icd": DIAGNOSES,
    "hosp/labevents": LABEVENTS,
    "hosp/d_labitems": dictionary("labevents", 50808),
    "icu/icustays": ICUSTAYS,
    "icu/chartevents": CHARTEVENTS,
    "icu/d_items": dictionary("chartevents", 226228),
    "note/discharge": DISCHARGE,
}
SETTINGS = {
    "code": {"length": 3, "ecode_length": 4, "min_patients": 2},
    "note": {"model": None, "min_notes": 1, "max_terms": 3, "dim": 2, "seed": 0},
}
DEFAULT_COHORT = {"count_admissions": "up_to_index"}
DEFAULT_CODE = {"min_patients": 20}
DEFAULT_NOTE = {"min_notes": 10, "max_terms": 50000, "dim": 16}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in an empty folder; return a function that writes the hand-written tables and the settings, changed."""
    monkeypatch.chdir(tmp_path)

    def write(tables=None, **settings):
        for name, text in (TABLES | (tables or {})).items():
            target = tmp_path / "raw" / f"{name}.csv.gz"
            target.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                target.write_bytes(text if isinstance(text, bytes) else gzip.compress(text.encode()))
        yaml = YAML(typ="safe", pure=True)
        params = yaml.load((ROOT / "params.yaml").read_text())
        mimic = params["data"]["mimic"] | SETTINGS | {"raw": "raw", "memory_limit": "200MB"}
        mimic["cohort"] = mimic["cohort"] | {"count_admissions": "all"}
        for key, value in settings.items():
            mimic[key] = mimic[key] | value if isinstance(value, dict) else value
        params["data"]["mimic"] = mimic
        params["split"] = {"train": 0.34, "validation": 0.33, "test": 0.33, "seed": 0}
        yaml.dump(params, tmp_path / "params.yaml")
        return tmp_path

    return write


@pytest.fixture(scope="session")
def synthetic_raw(tmp_path_factory):
    """Write a synthetic MIMIC-IV of 400 patients, once."""
    folder = tmp_path_factory.mktemp("synthetic") / "mimic"
    write_tables(folder, 400, seed=1)
    return folder


@pytest.fixture
def synthetic_project(project, synthetic_raw):
    """Stand in a folder whose settings are the project's own on the synthetic data, notes in 16 dimensions."""
    defaults = {"cohort": DEFAULT_COHORT, "code": DEFAULT_CODE, "note": DEFAULT_NOTE}
    folder = project(dict.fromkeys(TABLES), raw=str(synthetic_raw), **defaults)
    return folder, synthetic_raw
