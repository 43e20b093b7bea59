"""Synthetic subjects and their visits: what diagnosis each has, and why (`RULE`)."""

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
# What keeps a subject out of the cohort, in shares.
SHARE_CONVERTERS, SHARE_WITHOUT_SCAN, SHARE_WITHOUT_GENOTYPES, SHARE_POOR_GENOTYPES = 0.08, 0.03, 0.03, 0.02
SHARE_WITHOUT_SAMPLES, SHARE_UNDIAGNOSED, SHARE_SECOND_SCAN = 0.03, 0.04, 0.6

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
    terms: dict[str, Floats]  # of WEIGHTS, and genetic_bit and biospecimen_bit
    diagnosis: Ints  # 0 CN, 1 MCI, 2 Dementia
    converts: Bools
    has_scan: Bools
    has_second_scan: Bools
    has_genotypes: Bools
    has_poor_genotypes: Bools
    has_samples: Bools
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

    def share(size: float) -> Bools:
        return np.asarray(generator.random(num) < size)

    return Subjects(
        rid=rid,
        ptid=np.array([f"{own:03d}_S_{number:04d}" for own, number in zip(site, rid, strict=True)]),
        baseline=START + generator.integers(0, 365 * YEARS, num).astype("timedelta64[D]"),
        terms=terms,
        diagnosis=np.digitize(severity, THRESHOLDS),
        converts=share(SHARE_CONVERTERS),
        has_scan=~share(SHARE_WITHOUT_SCAN),
        has_second_scan=share(SHARE_SECOND_SCAN),
        has_genotypes=~share(SHARE_WITHOUT_GENOTYPES),
        has_poor_genotypes=share(SHARE_POOR_GENOTYPES),
        has_samples=~share(SHARE_WITHOUT_SAMPLES),
        has_undiagnosed_visit=share(SHARE_UNDIAGNOSED),
    )


def sigmoid(values: Floats) -> Floats:
    """Return the probabilities of logits."""
    return np.asarray(1 / (1 + np.exp(-values)))
