"""Rows of the synthetic tables: what shows a patient's terms (`patients.py`), and real rows' quirks."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from stages.datasets.mimic.lab.items import read_items
from stages.datasets.mimic.synthetic.patients import DAY, Bools, Ints, Patients, Stays, dates, sigmoid, times

Table = dict[str, Any]  # columns by name; a scalar stands for a whole column

EVENTS_A_PATIENT = 5000  # room for ids
STAY_AFTER_ADMISSION = 10_000_000  # stay_id = hadm_id + this
MEAN_SAMPLES, SHARE_ITEMS = 6, 0.7  # blood samples per stay, and the labs measured on each
SHARE_WITHOUT_STAY, SHARE_OUTSIDE = 0.25, 0.05  # labs without hadm_id, and those taken between stays
SHARE_ICU, MEAN_HOURS, SHARE_VITALS = 0.5, 55, 0.85  # stays with intensive care, its hours, vitals of each
SHARE_ABSURD, SHARE_UNREADABLE = 0.001, 0.01  # values far out of range, and without a number

# Usual mean and spread of each feature in the item's own unit, and how many decimals it is written with.
USUAL = {
    "albumin": (3.5, 0.5, 1), "alt": (30, 10, 0), "alp": (90, 25, 0), "anion_gap": (14, 3, 0), "ast": (35, 10, 0),
    "bicarbonate": (25, 3, 0), "bilirubin": (0.8, 0.2, 1), "calcium": (8.7, 0.6, 1), "chloride": (102, 4, 0),
    "creatinine": (1.2, 0.25, 1), "globulin": (2.8, 0.5, 1), "glucose": (125, 30, 0), "hematocrit": (32, 4, 1),
    "hemoglobin": (10.5, 1.2, 1), "inr": (1.3, 0.3, 1), "lactate": (1.9, 0.4, 1), "ldh": (280, 60, 0),
    "magnesium": (2, 0.2, 1), "mch": (30, 2, 1), "mchc": (33, 1, 1), "mcv": (91, 5, 0), "phosphate": (3.5, 0.7, 1),
    "platelets": (210, 60, 0), "potassium": (4.1, 0.4, 1), "protein": (6.6, 0.7, 1), "pt": (14, 2, 1),
    "ptt": (33, 6, 1), "rbc": (3.5, 0.4, 2), "rdw": (15, 1, 1), "sodium": (138, 2, 0),
    "urea_nitrogen": (22, 5, 0), "wbc": (9, 2.5, 1), "heart_rate": (82, 9, 0), "systolic_pressure": (122, 14, 0),
    "diastolic_pressure": (65, 9, 0), "mean_pressure": (80, 9, 0), "respiratory_rate": (19, 3, 0),
    "temperature": (98.4, 0.7, 1), "oxygen_saturation": (96, 1.5, 0), "bedside_glucose": (135, 30, 0),
}  # fmt: skip
# How many spreads a feature moves for a term of 1.
SHIFTS: dict[str, dict[str, float]] = {
    "lab": {
        "creatinine": 1.2,
        "urea_nitrogen": 1.2,
        "phosphate": 1.2,
        "potassium": 1.2,
        "rdw": 1.2,
        "calcium": -1.2,
        "hemoglobin": -1.2,
        "hematocrit": -1.2,
        "rbc": -1.2,
    },
    "shared": {"lactate": 1.2, "albumin": -1.2},
    "lab_bit": dict.fromkeys(
        (
            "sodium",
            "chloride",
            "anion_gap",
            "magnesium",
            "mcv",
            "mch",
            "mchc",
            "alt",
            "alp",
            "ast",
            "bilirubin",
            "ldh",
            "globulin",
            "protein",
            "glucose",
            "ptt",
        ),
        3.0,
    ),
}
CELSIUS = 223762
# ICD-9 and ICD-10: of sepsis, and of diabetes. Several each, as an exclusive or with one code is hard to learn.
SHARED_CODES = (
    ["5849", "99592", "78552", "0389", "51881", "2762", "2875", "570", "2869", "34831"],
    ["N179", "R6520", "R570", "A419", "J9601", "E872", "D696", "K7200", "D689", "G9341"],
)
DIABETES = (
    ["25000", "36201", "3572", "58381", "44381", "70715", "73027", "7915", "5859", "27801", "5363", "3371", "58881"],
    ["E119", "H360", "G632", "N083", "I792", "L97519", "M86171", "R81", "N189", "E669", "K3184", "G990", "N258"],
)
COMMON_CODES = (
    [f"{stem}{end}" for stem in (401, 272, 414, 427, 428, 486, 530, 285, 244, 311, 496, 599) for end in "0189"]
    + ["E8788", "E8798", "V1582", "V5861"],
    [
        f"{stem}{end}"
        for stem in ("I10", "E78", "I25", "I48", "I50", "J18", "K21", "D64", "E03", "F32")
        for end in "0189"
    ]
    + ["Y838", "Z87891"],
)
SHARED_WORDS = ["sepsis", "intubated", "pressors", "lethargic", "hypotensive", "cultures"]
WORD_PLACES = 3  # of each of them in a note
STEMS = ("cardio", "pulmo", "gastro", "neuro", "nephro", "hepato", "osteo", "dermo", "hemo", "cysto")
ENDINGS = (
    "logy", "pathy", "ectomy", "scopy", "itis", "osis", "emia", "uria", "megaly", "plasty", "algia", "genic", "lysis",
    "rrhea", "gram", "graphy", "stasis", "trophy", "tomy", "spasm", "sclerosis", "toxic", "static", "form", "stomy",
    "version", "plegia", "phagia", "pnea", "dynia", "oma", "cele",
)  # fmt: skip
FILLER = [stem + ending for stem in STEMS for ending in ENDINGS]
WORDS_A_NOTE = 60
# For planted.json: where each term of the rule can be seen.
SHOWN_BY = {
    "lab": {"spreads": SHIFTS["lab"]},
    "shared": {"spreads": SHIFTS["shared"], "words": SHARED_WORDS, "codes": SHARED_CODES},
    "exclusive_or": {"lab_bit": {"spreads": SHIFTS["lab_bit"]}, "code_bit": {"codes": DIABETES}},
}


def patient_rows(patients: Patients, stays: Stays, generator: np.random.Generator) -> Table:
    """Write death through `dod`: in the terminal admission, else within a year, else after one year or never known."""
    num = len(patients.subject_id)
    last = np.flatnonzero(np.append(np.diff(stays.patient) > 0, True))
    index = np.full(num, -1)
    index[stays.patient[stays.is_index]] = np.flatnonzero(stays.is_index)
    of_index = np.where(index >= 0, index, last)  # without an ICD-9 admission, the last one takes its place
    death = stays.discharge[of_index] // DAY + generator.integers(1, 366, num)
    death = np.where(stays.is_terminal[last], stays.discharge[last] // DAY, death)
    late = stays.discharge[last] // DAY + generator.integers(1, 366, num)
    known_late = ~patients.dies & (late > stays.discharge[of_index] // DAY + 365)
    anchor_year = (1970 + stays.admit[last] / (365.25 * DAY)).astype(int)
    group = (2008 + (patients.start - 2008) // 3 * 3).astype(int)
    return {
        "subject_id": patients.subject_id,
        "gender": generator.choice(["F", "M"], num),
        "anchor_age": patients.age + anchor_year - (patients.start + patients.shift).astype(int),
        "anchor_year": anchor_year,
        "anchor_year_group": np.char.add(np.char.add(group.astype(str), " - "), (group + 2).astype(str)),
        "dod": dates(np.where(patients.dies, death, late), patients.dies | known_late),
    }


def admission_rows(patients: Patients, stays: Stays, generator: np.random.Generator) -> Table:
    """Draw admissions with the columns that carry no signal, and deaths in hospital."""
    choices = {
        "admission_type": ["EW EMER.", "URGENT", "ELECTIVE", "OBSERVATION ADMIT"],
        "admission_location": ["EMERGENCY ROOM", "PHYSICIAN REFERRAL", "TRANSFER FROM HOSPITAL"],
        "insurance": ["Medicare", "Medicaid", "Other"],
        "race": ["WHITE", "BLACK/AFRICAN AMERICAN", "ASIAN", "UNKNOWN"],
    }
    drawn = {name: generator.choice(values, len(stays.patient)) for name, values in choices.items()}
    return drawn | {
        "subject_id": patients.subject_id[stays.patient],
        "hadm_id": stays.hadm_id,
        "admittime": times(stays.admit),
        "dischtime": times(stays.discharge),
        "deathtime": times(stays.discharge, stays.is_terminal),
        "discharge_location": np.where(stays.is_terminal, "DIED", "HOME"),
        "hospital_expire_flag": stays.is_terminal.astype(int),
    }


def diagnosis_rows(patients: Patients, stays: Stays, coded: Bools, generator: np.random.Generator) -> Table:
    """Draw the codes of stays that have any: common ones by chance, those that show a term by the term."""
    row, text = [], []
    for position, version in enumerate((9, 10)):
        own = np.flatnonzero(coded & (stays.icd_version == version))
        terms = {name: values[stays.patient[own]] for name, values in patients.terms.items()}
        chances = [np.full(len(own), 0.12)] * len(COMMON_CODES[position])
        chances += [sigmoid(3 * terms["shared"] - 0.5)] * len(SHARED_CODES[position])
        chances += [0.5 + 0.47 * terms["code_bit"]] * len(DIABETES[position])
        codes = [*COMMON_CODES[position], *SHARED_CODES[position], *DIABETES[position]]
        drawn = generator.random((len(codes), len(own))) < np.array(chances)
        drawn[0] |= ~drawn.any(axis=0)  # a stay with codes has one at least
        stay, code = np.nonzero(drawn.T)
        row.append(own[stay])
        text.append(np.array(codes)[code])
    rows, codes_written = np.concatenate(row), np.concatenate(text)
    order = np.argsort(rows, kind="stable")
    rows = rows[order]
    return {
        "subject_id": patients.subject_id[stays.patient[rows]],
        "hadm_id": stays.hadm_id[rows],
        "seq_num": _position_in_run(rows) + 1,
        "icd_code": codes_written[order],
        "icd_version": stays.icd_version[rows],
    }


def lab_rows(patients: Patients, stays: Stays, measured: Bools, first_id: int, generator: np.random.Generator) -> Table:
    """Draw labs: samples of the stays that have any, one in four without hadm_id, some between stays, or no number."""
    items = read_items()
    items = items[items["table"] == "labevents"].reset_index(drop=True)
    rows = np.flatnonzero(measured)
    stay = np.repeat(rows, 1 + generator.poisson(MEAN_SAMPLES, len(rows)))
    minutes = (stays.discharge - stays.admit)[stay] // 60
    time = stays.admit[stay] + 60 * (generator.random(len(stay)) * minutes).astype(np.int64)
    outside = (generator.random(len(stay)) < SHARE_OUTSIDE) & (_position_in_run(stay) > 0)
    time[outside] = stays.admit[stay[outside]] - 2 * DAY
    sample, item = np.nonzero(generator.random((len(stay), len(items))) < SHARE_ITEMS)
    stay, time, outside = stay[sample], time[sample], outside[sample]
    without_stay = outside | (generator.random(len(sample)) < SHARE_WITHOUT_STAY)
    values = _values(items, item, patients, stays.patient[stay], generator)
    return {
        "labevent_id": first_id + np.arange(len(sample)),
        "subject_id": patients.subject_id[stays.patient[stay]],
        "hadm_id": pa.array(stays.hadm_id[stay], mask=without_stay),
        "specimen_id": first_id + sample,
        "itemid": items["itemid"].to_numpy()[item],
        "charttime": times(time),
        "storetime": times(time + 5400),
        "priority": "ROUTINE",
        **values,
    }


def icu_rows(patients: Patients, stays: Stays, units: Bools, generator: np.random.Generator) -> Table:
    """Draw one stay in a unit for each admission with intensive care."""
    rows = np.flatnonzero(units)
    unit = generator.choice(["Medical Intensive Care Unit (MICU)", "Coronary Care Unit (CCU)"], len(rows))
    return {
        "subject_id": patients.subject_id[stays.patient[rows]],
        "hadm_id": stays.hadm_id[rows],
        "stay_id": stays.hadm_id[rows] + STAY_AFTER_ADMISSION,
        "first_careunit": unit,
        "last_careunit": unit,
        "intime": times(stays.admit[rows]),
        "outtime": times(stays.discharge[rows]),
        "los": (stays.discharge - stays.admit)[rows] / DAY,
    }


def chart_rows(patients: Patients, stays: Stays, units: Bools, generator: np.random.Generator) -> Table:
    """Draw hourly vitals of the stays with intensive care; each feature under any of its items."""
    items = read_items()
    items = items[items["table"] == "chartevents"].reset_index(drop=True)
    rows = np.flatnonzero(units)
    stay = np.repeat(rows, 1 + generator.poisson(MEAN_HOURS, len(rows)))
    time = stays.admit[stay] + 3600 * _position_in_run(stay)
    first, width = (
        items.groupby("feature", sort=False)["itemid"].agg(how) for how in (lambda ids: ids.index[0], "size")
    )
    sample, feature = np.nonzero(generator.random((len(stay), len(first))) < SHARE_VITALS)
    item = first.to_numpy()[feature] + (generator.random(len(sample)) * width.to_numpy()[feature]).astype(int)
    stay, time = stay[sample], time[sample]
    return {
        "subject_id": patients.subject_id[stays.patient[stay]],
        "hadm_id": stays.hadm_id[stay],
        "stay_id": stays.hadm_id[stay] + STAY_AFTER_ADMISSION,
        "caregiver_id": 1 + sample % 997,
        "charttime": times(time),
        "storetime": times(time + 600),
        "itemid": items["itemid"].to_numpy()[item],
        "warning": 0,
        **_values(items, item, patients, stays.patient[stay], generator),
    }


def _values(
    items: pd.DataFrame, item: Ints, patients: Patients, patient: Ints, generator: np.random.Generator
) -> Table:
    """Draw the values of item numbers [R] for patients [R]: value as text, valuenum, unit; some null, some absurd."""
    centre, spread, decimals = (
        np.array(column)[item] for column in zip(*(USUAL[name] for name in items["feature"]), strict=True)
    )
    moved = np.zeros((len(items), len(patients.subject_id)))
    for term, shifts in SHIFTS.items():
        for name, shift in shifts.items():
            moved[items.index[items["feature"] == name]] += shift * patients.terms[term]
    number = np.maximum(centre + spread * (moved[item, patient] + generator.normal(size=len(item))), 0.1)
    celsius = items["itemid"].to_numpy()[item] == CELSIUS
    number[celsius] = (number[celsius] - 32) / 1.8
    number = np.round(number * 10.0**decimals) / 10.0**decimals
    chance = generator.random(len(item))
    number[chance < SHARE_ABSURD] = 9_999_999
    unreadable = chance > 1 - SHARE_UNREADABLE
    unit = items["unit"].str.split("|").str[0].to_numpy(object)[item]
    text = pa.array(number).cast(pa.string()).to_numpy(zero_copy_only=False)
    text[unreadable] = "ERROR"
    return {
        "value": pa.array(text, mask=chance > 1 - SHARE_UNREADABLE / 2),
        "valuenum": pa.array(number, mask=unreadable),
        "valueuom": pa.array(unit, mask=unit == ""),
    }


def note_rows(patients: Patients, stays: Stays, noted: Bools, generator: np.random.Generator) -> Table:
    """Write discharge notes: headings, filler, the words that show a term, and blanks where de-identification cut."""
    kept = np.flatnonzero(noted)
    patient = stays.patient[kept]
    words = np.array([*FILLER, "___"], dtype=object)[
        generator.integers(len(FILLER) + 1, size=(len(kept), WORDS_A_NOTE))
    ]
    chance = sigmoid(3 * patients.terms["shared"][patient] - 0.5)
    for position, word in enumerate(SHARED_WORDS * WORD_PLACES):
        words[generator.random(len(kept)) < chance, position] = word
    subject = patients.subject_id[patient]
    sequence = _position_in_run(patient) + 2
    return {
        "note_id": [f"{who}-DS-{number}" for who, number in zip(subject, sequence, strict=True)],
        "subject_id": subject,
        "hadm_id": stays.hadm_id[kept],
        "note_type": "DS",
        "note_seq": sequence,
        "charttime": times(stays.discharge[kept] // DAY * DAY),
        "storetime": times(stays.discharge[kept]),
        "text": [
            f' \nName:  ___                     Unit No:   ___\n \nChief Complaint:\n"{line[0]}", {line[1]}\n \n'
            f"Brief Hospital Course:\n{' '.join(line[2:])}.\n \nFollowup Instructions:\n___\n"
            for line in words
        ],
    }


def _position_in_run(values: Ints) -> Ints:
    """Number the rows of each run of equal values from 0."""
    starts = np.flatnonzero(np.diff(values, prepend=-1) != 0)
    return np.arange(len(values)) - np.repeat(starts, np.diff(starts, append=len(values)))
