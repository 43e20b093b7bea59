"""Synthetic subjects and their visits: what diagnosis each has (`RULE`), and what each lacks (`MISSING`), and why."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FIRST_RID = 2
SITES = 40
VISITS = ("bl", "m06", "m12")
DAYS = (0, 182, 365)
START, YEARS = np.datetime64("2005-09-01"), 8
# Of all subjects, whoever they are, in shares.
SHARE_CONVERTERS, SHARE_POOR_GENOTYPES, SHARE_UNDIAGNOSED, SHARE_SECOND_SCAN = 0.08, 0.02, 0.04, 0.6
YOUNGEST, OLDEST = 58, 87  # years at baseline
# What is missing, and why. Log odds by diagnosis (CN, MCI, Dementia), and for ten years above the middle age.
SCAN_LOG_ODDS, SCAN_PER_DECADE = np.array([-3.5, -2.8, -2.0]), 0.3
PUNCTURE_LOG_ODDS, PUNCTURE_PER_DECADE = np.array([-0.9, -0.6, 0.2]), 0.5
MIDDLE_AGE = 73
SHARE_NO_BLOOD = 0.25  # of those who refuse the puncture
SHARE_UNGENOTYPED, SHARE_UNGENOTYPED_LATE, LATE_YEARS = 0.04, 0.25, 2
MISSING = {
    "scan": "not at random: more often where the diagnosis is worse, and in the older",
    "cerebrospinal fluid": "not at random: the puncture is refused more often where the diagnosis is worse, and by the "
    "older",
    "blood (APOE, NFL)": "not at random: by a quarter of those who refuse the puncture",
    "genotypes": "at random given the date: more often in the last two years of enrolment",
}

# The exclusive or counts +1 or -1, the noise is logistic, the other terms are standard normal.
WEIGHTS = {"clinical": 1.5, "shared": 1.5, "exclusive_or": 1.5}
THRESHOLDS = (-1.1, 1.1)
NOISE = 0.1
RULE = "CN, MCI or Dementia where severity = sum of weight x term + noise x logistic lies below, between or above"


@dataclass(frozen=True)
class Subjects:
    """N subjects, and who lacks what."""

    rid: Ints
    ptid: NDArray[np.str_]
    baseline: NDArray[np.datetime64]
    age: Ints  # years at baseline
    terms: dict[str, Floats]  # of WEIGHTS, and genetic_bit and biospecimen_bit
    diagnosis: Ints  # 0 CN, 1 MCI, 2 Dementia
    converts: Bools
    has_scan: Bools
    has_second_scan: Bools
    has_genotypes: Bools
    has_poor_genotypes: Bools
    has_fluid: Bools
    has_blood: Bools
    has_undiagnosed_visit: Bools

    def date(self, visit: int) -> NDArray[np.datetime64]:
        """Return the dates of a visit, by number."""
        return self.baseline + np.timedelta64(DAYS[visit], "D")


def draw_subjects(num: int, generator: np.random.Generator) -> Subjects:
    """Draw subjects with their terms, and by the planted rule their diagnoses."""
    terms: dict[str, Floats] = {name: generator.normal(size=num) for name in ("clinical", "shared")}
    terms |= {name: generator.integers(2, size=num).astype(float) for name in ("genetic_bit", "biospecimen_bit")}
    terms["exclusive_or"] = np.where(terms["genetic_bit"] != terms["biospecimen_bit"], 1.0, -1.0)
    severity = np.sum([weight * terms[name] for name, weight in WEIGHTS.items()], axis=0)
    severity += NOISE * generator.logistic(size=num)
    rid = FIRST_RID + np.arange(num)
    site = generator.integers(2, 2 + SITES, num)

    def share(size: float | Floats) -> Bools:
        return np.asarray(generator.random(num) < size)

    baseline = START + generator.integers(0, 365 * YEARS, num).astype("timedelta64[D]")
    age = generator.integers(YOUNGEST, OLDEST + 1, num)
    diagnosis = np.digitize(severity, THRESHOLDS)
    decades = (age - MIDDLE_AGE) / 10
    refuses = share(sigmoid(PUNCTURE_LOG_ODDS[diagnosis] + PUNCTURE_PER_DECADE * decades))
    is_late = baseline >= START + np.timedelta64(365 * (YEARS - LATE_YEARS), "D")
    return Subjects(
        rid=rid,
        ptid=np.array([f"{own:03d}_S_{number:04d}" for own, number in zip(site, rid, strict=True)]),
        baseline=baseline,
        age=age,
        terms=terms,
        diagnosis=diagnosis,
        converts=share(SHARE_CONVERTERS),
        has_scan=~share(sigmoid(SCAN_LOG_ODDS[diagnosis] + SCAN_PER_DECADE * decades)),
        has_second_scan=share(SHARE_SECOND_SCAN),
        has_genotypes=~share(np.where(is_late, SHARE_UNGENOTYPED_LATE, SHARE_UNGENOTYPED)),
        has_poor_genotypes=share(SHARE_POOR_GENOTYPES),
        has_fluid=~refuses,
        has_blood=~(refuses & share(SHARE_NO_BLOOD)),
        has_undiagnosed_visit=share(SHARE_UNDIAGNOSED),
    )


def sigmoid(values: Floats) -> Floats:
    """Return the probabilities of logits."""
    return np.asarray(1 / (1 + np.exp(-values)))
