"""Which synthetic admissions lack labs, notes or codes, and why (`WHY`): partly not at random.

The rates are chosen, not measured on real files; they are such that every combination of modalities occurs.
"""

import numpy as np

from stages.datasets.mimic.synthetic.patients import DAY, ICD9, Bools, Floats, Patients, Stays, sigmoid

SHORT = 3 * DAY  # a shorter stay is short
WITHOUT_LAB = {"most": 0.6, "steepness": 1.5, "midpoint": -1.0}  # by the sum of the terms `lab` and `shared`
WITHOUT_NOTE = {"usual": 0.1, "short": 0.5, "lethal": 0.5}
WITHOUT_CODE = {"usual": 0.06, "short": 0.25}  # of stays in ICD-9
SHARE_ALIKE = 0.85  # of draws that are the patient's own: a patient's stays tend to lack the same
WHY = {
    "lab": {
        "kind": "not at random",
        "words": "labs and vitals are not measured where a patient is well: the likelier, the better the kidneys and "
        "the less sepsis",
        "chance": "most x sigmoid(-steepness x (lab + shared - midpoint))",
        **WITHOUT_LAB,
    },
    "note": {
        "kind": "not at random",
        "words": "stays that are short, or in which the patient dies, often have no discharge note",
        "chances": WITHOUT_NOTE,
    },
    "code": {
        "kind": "at random, given the length of the stay",
        "words": "short stays often have no ICD-9 codes; those in ICD-10 always have codes",
        "chances": WITHOUT_CODE,
    },
}


def draw_absences(patients: Patients, stays: Stays, generator: np.random.Generator) -> dict[str, Bools]:
    """Draw which stays lack which modality, [n] by name.

    The index stay lacks a modality only where every earlier stay lacks it too. So the patients that have all
    modalities in one stay have them in the index stay, and their label stays the planted one.
    """
    num = len(patients.subject_id)
    index = np.full(num, -1)
    index[stays.patient[stays.is_index]] = np.flatnonzero(stays.is_index)
    is_earlier = np.arange(len(stays.patient)) < index[stays.patient]
    absent = {}
    for name, chance in _chances(patients, stays).items():
        own, other = generator.random(num)[stays.patient], generator.random(len(stays.patient))
        lacks = np.where(generator.random(len(own)) < SHARE_ALIKE, own, other) < chance
        has_earlier = np.bincount(stays.patient, weights=is_earlier & ~lacks, minlength=num) > 0
        absent[name] = lacks & ~(stays.is_index & has_earlier[stays.patient])
    return absent


def _chances(patients: Patients, stays: Stays) -> dict[str, Floats]:
    """Return the chance that a stay lacks a modality, [n] by name."""
    is_short = stays.discharge - stays.admit < SHORT
    illness = (patients.terms["lab"] + patients.terms["shared"])[stays.patient]
    lab = WITHOUT_LAB["most"] * sigmoid(-WITHOUT_LAB["steepness"] * (illness - WITHOUT_LAB["midpoint"]))
    note = np.where(is_short, WITHOUT_NOTE["short"], WITHOUT_NOTE["usual"])
    code = np.where(is_short, WITHOUT_CODE["short"], WITHOUT_CODE["usual"])
    return {
        "lab": lab,
        "note": np.where(stays.is_terminal, WITHOUT_NOTE["lethal"], note),
        "code": np.where(stays.icd_version == ICD9, code, 0),
    }
