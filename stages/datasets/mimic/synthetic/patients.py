"""Synthetic patients and their admissions: who dies within a year, and why (`RULE`)."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DAY = 86_400  # seconds
ICD9, ICD10 = 9, 10
ICD10_START = 2015.75  # hospitals changed on 1 October 2015
FIRST_SUBJECT, FIRST_ADMISSION, STAYS_A_PATIENT = 10_000_000, 20_000_000, 20
MEAN_READMISSIONS = 1.6
SHARE_TERMINAL = 0.15  # of those who die: in hospital

# Terms of the logit of death within a year. The exclusive or of two bits is +1, -1, or 0 where one of them is 0; the
# others are standard normal.
WEIGHTS = {"lab": 6.5, "shared": 6.0, "exclusive_or": 8.0}
INTERCEPT = -5.0
BIT_SHARES = (0.45, 0.1, 0.45)  # of -1, 0 and +1: what a model makes of a bit between the two is not left to chance
RULE = "P(death within 365 days) = sigmoid(intercept + sum of weight x term)"


@dataclass(frozen=True)
class Patients:
    """N patients: their terms, and whether they die within a year of the index discharge."""

    subject_id: Ints
    start: Floats  # real calendar year of the first admission
    shift: Ints  # years by which de-identification moves a patient's dates
    age: Ints  # at the first admission
    terms: dict[str, Floats]  # of WEIGHTS, and lab_bit and code_bit
    probability: Floats
    dies: Bools


def draw_patients(first: int, num: int, generator: np.random.Generator) -> Patients:
    """Draw patients first … first + num - 1 with their terms, and by the planted rule whether they die."""
    terms: dict[str, Floats] = {name: generator.normal(size=num) for name in ("lab", "shared")}
    terms |= {name: generator.choice([-1.0, 0.0, 1.0], num, p=BIT_SHARES) for name in ("lab_bit", "code_bit")}
    terms["exclusive_or"] = -terms["lab_bit"] * terms["code_bit"]
    logit = INTERCEPT + np.sum([weight * terms[name] for name, weight in WEIGHTS.items()], axis=0)
    probability = sigmoid(logit)
    return Patients(
        subject_id=FIRST_SUBJECT + np.arange(first, first + num),
        start=generator.uniform(2008, 2015, num),
        shift=generator.integers(105, 180, num),
        age=generator.integers(18, 90, num),
        terms=terms,
        probability=probability,
        dies=generator.random(num) < probability,
    )


@dataclass(frozen=True)
class Stays:
    """Admissions, by patient and in order of time; times are seconds since 1970, shifted."""

    patient: Ints  # index into Patients
    hadm_id: Ints
    admit: Ints
    discharge: Ints
    icd_version: Ints
    is_index: Bools
    is_terminal: Bools  # the patient dies in it


def draw_stays(patients: Patients, first_id: int, generator: np.random.Generator) -> Stays:
    """Draw admissions, a fifth of the patients with one only; those who die have none after their index admission."""
    num = len(patients.subject_id)
    counts = 1 + generator.poisson(MEAN_READMISSIONS, num)
    patient = np.repeat(np.arange(num), counts)
    is_first = np.diff(patient, prepend=-1) > 0
    length = generator.integers(1, 15, len(patient)) * DAY + generator.integers(DAY, size=len(patient))
    gap = np.where(is_first, 0, generator.integers(5, 300, len(patient)) * DAY) + length
    elapsed = np.cumsum(gap)
    since_first = elapsed - (elapsed - gap)[is_first][patient] - length
    version = np.where(patients.start[patient] + since_first / (365.25 * DAY) < ICD10_START, ICD9, ICD10)
    admit = _seconds(patients.start + patients.shift)[patient] + since_first
    is_index = (version == ICD9) & np.append((np.diff(patient) > 0) | (version[1:] == ICD10), True)
    seen = np.zeros(num, dtype=bool)
    seen[patient[is_index]] = True
    after = patients.dies[patient] & (version == ICD10) & seen[patient]
    terminal_of = patients.dies & seen & (generator.random(num) < SHARE_TERMINAL)
    stays = Stays(
        patient, np.zeros_like(patient), admit, admit + length, version, is_index, np.zeros(len(patient), bool)
    )
    stays = _with_terminal(_take(stays, np.flatnonzero(~after)), terminal_of, generator)
    return replace(stays, hadm_id=first_id + np.arange(len(stays.patient)))


def _with_terminal(stays: Stays, dies_inside: Bools, generator: np.random.Generator) -> Stays:
    """Add an admission in which the patient dies, within a year of the index discharge."""
    index = np.flatnonzero(stays.is_index & dies_inside[stays.patient])
    admit = stays.discharge[index] + generator.integers(5, 330, len(index)) * DAY
    final = Stays(
        patient=stays.patient[index],
        hadm_id=np.zeros_like(index),
        admit=admit,
        discharge=admit + generator.integers(1, 15, len(index)) * DAY,
        icd_version=stays.icd_version[index],
        is_index=np.zeros(len(index), bool),
        is_terminal=np.ones(len(index), bool),
    )
    both = {
        field.name: np.concatenate([getattr(stays, field.name), getattr(final, field.name)]) for field in fields(Stays)
    }
    return _take(Stays(**both), np.lexsort((both["admit"], both["patient"])))


def _take(stays: Stays, rows: Ints) -> Stays:
    return Stays(**{field.name: getattr(stays, field.name)[rows] for field in fields(Stays)})


def _seconds(year: Floats) -> Ints:
    """Return seconds since 1970 of a calendar year with its fraction."""
    return ((year - 1970) * 365.25 * DAY).astype(np.int64)


def sigmoid(values: Floats) -> Floats:
    """Return the probabilities of logits."""
    return np.asarray(1 / (1 + np.exp(-values)))


def times(seconds: Ints, present: Bools | None = None) -> pa.Array:
    """Return seconds since 1970 as a column of times, empty where not present."""
    return pa.array(seconds.astype("datetime64[s]"), mask=None if present is None else ~present)


def dates(days: Ints, present: Bools) -> pa.Array:
    """Return days since 1970 as a column of dates, empty where not present."""
    return pa.array(days.astype("datetime64[D]"), mask=~present)
