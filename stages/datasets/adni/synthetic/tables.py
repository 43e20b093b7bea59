"""Tables of the synthetic ADNI: what shows a subject's terms (`subjects.py`), and real rows' quirks."""

from typing import Any

import numpy as np
import pandas as pd

from stages.datasets.adni.codebook import read_codebook
from stages.datasets.adni.synthetic.subjects import VISITS, Floats, Subjects, sigmoid

SHARE_NOT_ASKED = 0.03  # of answers: -4
SHARE_HISTORY, SHARE_IMPERIAL = 0.3, 0.7  # of conditions in a history; of sites that write pounds and inches
DETECTION_LIMIT = 200  # pg/mL of ABETA42; below, the table says "<200"
DISEASES = ("MH4CARD", "MH2NEURL", "MH5RESP", "MH12RENA", "MH9ENDO", "MH6HEPAT")  # that show the shared term
EXAMINED = ("NXGAIT", "NXTENDON", "NXMOTOR", "NXSENSOR", "NXPLANTA", "NXTREMOR")  # findings that show the clinical term
SHOWN_BY = {
    "image": {"region": "first half of the first axis"},
    "clinical": {"NEUROEXM": list(EXAMINED), "VITALS": ["VSBPSYS"]},
    "shared": {
        "region": "all grey matter",
        "variants": "rs…s, the more copies of A1 the higher the term",
        "MEDHIST": list(DISEASES),
        "UPENNBIOMK_ROCHE_ELECSYS": ["ABETA42", "TAU", "PTAU"],
        "BLENNOWPLASMANFL": ["PLASMA_NFL"],
    },
    "exclusive_or": {"genetic_bit": "variants rs…b", "biospecimen_bit": {"APOERES": "an allele 4"}},
}


def tables(subjects: Subjects, generator: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Return every table by name, rows in the order of RID and visit."""
    return {
        "DXSUM": _diagnoses(subjects),
        "MEDHIST": _history(subjects, generator),
        "PTDEMOG": _demographics(subjects, generator),
        "NEUROEXM": _examination(subjects, generator),
        "RECCMEDS": _medications(subjects, generator),
        "VITALS": _vitals(subjects, generator),
        "APOERES": _apoe(subjects, generator),
        "UPENNBIOMK_ROCHE_ELECSYS": _elecsys(subjects, generator),
        "BLENNOWPLASMANFL": _nfl(subjects, generator),
        "UCSFFSX7": _freesurfer(subjects, generator),
    }


def _keys(subjects: Subjects, visit: int, date: str = "VISDATE") -> dict[str, Any]:
    return {
        "PHASE": "ADNI1",
        "PTID": subjects.ptid,
        "RID": subjects.rid,
        "VISCODE": VISITS[visit],
        "VISCODE2": "sc" if visit == 0 and date == "VISDATE" else VISITS[visit],
        date: subjects.date(visit),
    }


def _diagnoses(subjects: Subjects) -> pd.DataFrame:
    """Diagnose at every visit; a converter's last differs, some visits have none."""
    parts = []
    for visit in range(len(VISITS)):
        code = subjects.diagnosis + 1
        if visit == len(VISITS) - 1:
            code = np.where(subjects.converts, code % 3 + 1, code)
        text = code.astype(str).astype(object)
        if visit == 1:
            text[subjects.has_undiagnosed_visit] = ""
        parts.append(pd.DataFrame(_keys(subjects, visit, "EXAMDATE") | {"DIAGNOSIS": text, "DXSOURCE": 1}))
    return _sorted(parts)


def _history(subjects: Subjects, generator: np.random.Generator) -> pd.DataFrame:
    """Draw a medical history at screening."""
    codebook = read_codebook()
    own = codebook[(codebook["table"] == "MEDHIST") & (codebook["kind"] == "category")]["column"]
    values = {name: (generator.random(len(subjects.rid)) < SHARE_HISTORY).astype(int) for name in own}
    chance = sigmoid(3 * subjects.terms["shared"])
    values |= {name: (generator.random(len(subjects.rid)) < chance).astype(int) for name in DISEASES}
    smoked = values["MH16SMOK"] == 1
    values["MH16BSMOK"] = np.where(smoked, generator.integers(1, 40, len(smoked)), -4)
    return _with_missing(_keys(subjects, 0) | values | {"MHCOMMEN": "synthetic"}, generator)


def _demographics(subjects: Subjects, generator: np.random.Generator) -> pd.DataFrame:
    num = len(subjects.rid)
    years = subjects.baseline.astype("datetime64[Y]").astype(int) + 1970
    values = {
        "PTGENDER": generator.integers(1, 3, num),
        "PTDOBYY": years - subjects.age,
        "PTHAND": generator.choice([1, 2], num, p=[0.9, 0.1]),
        "PTMARRY": generator.choice([1, 2, 3, 4, 5], num, p=[0.7, 0.12, 0.1, 0.06, 0.02]),
        "PTEDUCAT": generator.integers(8, 21, num),
        "PTNOTRT": generator.integers(0, 3, num),
        "PTHOME": generator.integers(1, 6, num),
        "PTETHCAT": generator.choice([1, 2, 3], num, p=[0.05, 0.93, 0.02]),
        "PTRACCAT": generator.choice([2, 4, 5, 6, 7], num, p=[0.03, 0.06, 0.88, 0.02, 0.01]),
    }
    onset = np.where(subjects.diagnosis > 0, years - generator.integers(1, 6, num), -4)
    return _with_missing(_keys(subjects, 0) | values | {"PTCOGBEG": onset, "PTWORK": "synthetic"}, generator)


def _examination(subjects: Subjects, generator: np.random.Generator) -> pd.DataFrame:
    """Examine at screening; some findings show the clinical term."""
    codebook = read_codebook()
    own = codebook[(codebook["table"] == "NEUROEXM") & (codebook["kind"] == "category")]["column"]
    values = {}
    for name in own:
        chance = sigmoid(3 * subjects.terms["clinical"] if name in EXAMINED else np.full(len(subjects.rid), -2.0))
        values[name] = 1 + (generator.random(len(subjects.rid)) < chance)
    return _with_missing(_keys(subjects, 0) | values | {"NXDESC": "synthetic"}, generator)


def _medications(subjects: Subjects, generator: np.random.Generator) -> pd.DataFrame:
    """List medications at screening, a row each; -4 where there is none."""
    number = generator.poisson(3, len(subjects.rid))
    row = np.repeat(np.arange(len(number)), np.maximum(number, 1))
    names = np.array(["Aspirin", "Lipitor", "Vitamin D", "Metoprolol", "Omeprazole"])[
        generator.integers(5, size=len(row))
    ]
    keys = pd.DataFrame(_keys(subjects, 0)).iloc[row].reset_index(drop=True)
    return keys.assign(CMMED=np.where(number[row] > 0, names, "-4"), CMREASON="synthetic")


def _vitals(subjects: Subjects, generator: np.random.Generator) -> pd.DataFrame:
    """Measure at every visit, in either unit; a term raises blood pressure."""
    num, parts = len(subjects.rid), []
    kilograms, metres = generator.normal(75, 12, num).clip(45), generator.normal(1.68, 0.09, num)
    pounds = generator.random(num) < SHARE_IMPERIAL
    for visit in range(len(VISITS)):
        weight = kilograms + generator.normal(0, 1, num)
        values = {
            "VSWEIGHT": np.where(pounds, weight / 0.45359237, weight).round(1),
            "VSWTUNIT": np.where(pounds, 1, 2),
            "VSHEIGHT": np.where(pounds, metres * 100 / 2.54, metres * 100).round(1),
            "VSHTUNIT": np.where(pounds, 1, 2),
            "VSBPSYS": (135 + 12 * subjects.terms["clinical"] + generator.normal(0, 4, num)).round(),
            "VSBPDIA": generator.normal(75, 8, num).round(),
            "VSPULSE": generator.normal(66, 8, num).round(),
            "VSRESP": generator.integers(12, 21, num),
            "VSTEMP": np.where(pounds, 97.8, 36.6) + generator.normal(0, 0.3, num).round(1),
            "VSTMPUNT": np.where(pounds, 1, 2),
        }
        parts.append(_with_missing(_keys(subjects, visit) | values, generator))
    return _sorted(parts)


def _apoe(subjects: Subjects, generator: np.random.Generator) -> pd.DataFrame:
    """Draw APOE alleles: one of them is 4 where the bit is set."""
    has_four = subjects.terms["biospecimen_bit"] > 0
    other = generator.choice([2, 3], len(has_four), p=[0.15, 0.85])
    second = np.where(has_four, 4, 3)
    genotype = [f"{one}/{two}" for one, two in zip(other, second, strict=True)]
    keys = {"PHASE": "ADNI1", "PTID": subjects.ptid, "RID": subjects.rid, "VISCODE": "sc"}
    return pd.DataFrame(keys | {"GENOTYPE": genotype})[subjects.has_blood].reset_index(drop=True)


def _elecsys(subjects: Subjects, generator: np.random.Generator) -> pd.DataFrame:
    """Measure cerebrospinal fluid at baseline where it was taken, and again where there is a second scan."""

    def draw(mean: float, spread: float, weight: float) -> Floats:
        term = weight * subjects.terms["shared"] + 0.4 * generator.normal(size=len(subjects.rid))
        return np.asarray((mean + spread * term).clip(mean / 20))

    parts = []
    for visit, chosen in ((0, subjects.has_fluid), (2, subjects.has_fluid & subjects.has_second_scan)):
        amyloid = draw(900, 350, -1).round(1)
        values = {
            "ABETA42": np.where(amyloid < DETECTION_LIMIT, f"<{DETECTION_LIMIT}", amyloid.astype(str)),
            "ABETA40": draw(16000, 3000, 0).round(),
            "TAU": draw(280, 90, 1).round(1),
            "PTAU": draw(27, 9, 1).round(2),
        }
        rows = pd.DataFrame(_keys(subjects, visit, "EXAMDATE") | values).drop(columns="PTID")
        parts.append(rows[chosen])
    return _sorted(parts)


def _nfl(subjects: Subjects, generator: np.random.Generator) -> pd.DataFrame:
    """Measure plasma at baseline."""
    term = subjects.terms["shared"] + 0.4 * generator.normal(size=len(subjects.rid))
    values = {"PLASMA_NFL": (40 * np.exp(0.4 * term)).round(1)}
    rows = pd.DataFrame(_keys(subjects, 0, "EXAMDATE") | values).drop(columns="PTID")
    return rows[subjects.has_blood].reset_index(drop=True)


def _freesurfer(subjects: Subjects, generator: np.random.Generator) -> pd.DataFrame:
    """Measure regions of every scan: of each kind, two that show the shared term, two that do not."""
    parts = []
    for visit, chosen in ((0, subjects.has_scan), (2, subjects.has_scan & subjects.has_second_scan)):
        values = {"IMAGEUID": 1000 * visit + subjects.rid, "OVERALLQC": "Pass"}
        for kind, mean in (("SV", 4000.0), ("CV", 2000.0), ("TA", 2.5), ("SA", 1500.0)):
            for number, term in ((1, "shared"), (2, "shared"), (3, None), (4, None)):
                own = subjects.terms[term] if term else 0
                noise = generator.normal(0, 0.5, len(subjects.rid))
                values[f"ST{number}{kind}"] = (mean * (1 - 0.1 * (own + noise))).round(3)
        rows = pd.DataFrame(_keys(subjects, visit, "EXAMDATE") | values).drop(columns="PTID")
        parts.append(rows[chosen])
    return _sorted(parts)


def _with_missing(columns: dict[str, Any], generator: np.random.Generator) -> pd.DataFrame:
    """Put -4 in place of some answers."""
    table = pd.DataFrame(columns)
    answers = table.columns[6:]
    not_asked = generator.random((len(table), len(answers))) < SHARE_NOT_ASKED
    table[answers] = table[answers].astype(object).mask(not_asked, "-4")
    return table


def _sorted(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts).sort_values(["RID", "VISCODE"], kind="stable", ignore_index=True)
