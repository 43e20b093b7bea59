"""What synthetic admissions lack: at the rates that are said, for the reasons that are said."""

from itertools import product

import numpy as np
import pytest

from stages.datasets.mimic.synthetic.absences import SHORT, WHY, draw_absences
from stages.datasets.mimic.synthetic.patients import FIRST_ADMISSION, ICD9, ICD10, draw_patients, draw_stays

NUM = 20_000


@pytest.fixture(scope="module")
def drawn():
    generator = np.random.default_rng(0)
    patients = draw_patients(0, NUM, generator)
    stays = draw_stays(patients, FIRST_ADMISSION, generator)
    return patients, stays, draw_absences(patients, stays, generator)


def test_notes_and_codes_are_absent_at_the_rates_that_are_said(drawn):
    _, stays, absent = drawn
    is_short = stays.discharge - stays.admit < SHORT
    usual = ~is_short & ~stays.is_terminal & ~stays.is_index  # index stays lack less
    notes, codes = WHY["note"]["chances"], WHY["code"]["chances"]
    assert absent["note"][usual].mean() == pytest.approx(notes["usual"], abs=0.01)
    assert absent["note"][is_short & ~stays.is_terminal & ~stays.is_index].mean() == pytest.approx(0.5, abs=0.02)
    assert absent["note"][stays.is_terminal].mean() == pytest.approx(notes["lethal"], abs=0.06)
    old = stays.icd_version == ICD9
    assert absent["code"][usual & old].mean() == pytest.approx(codes["usual"], abs=0.01)
    assert absent["code"][is_short & old & ~stays.is_index].mean() == pytest.approx(codes["short"], abs=0.03)
    assert not absent["code"][stays.icd_version == ICD10].any()


def test_labs_are_absent_where_they_would_be_good(drawn):
    patients, stays, absent = drawn
    illness = (patients.terms["lab"] + patients.terms["shared"])[stays.patient]
    others = ~stays.is_index
    rates = [absent["lab"][others & (low < illness) & (illness < low + 0.2)].mean() for low in (-3, -1.1, 1)]
    # most x sigmoid(-1.5 (illness + 1)) in the middle of each: 0.6 times 0.946, 0.5 and 0.041.
    assert rates == pytest.approx([0.57, 0.3, 0.025], abs=0.04)
    assert absent["lab"].mean() == pytest.approx(0.15, abs=0.02)
    dies = patients.dies[stays.patient]
    assert absent["lab"][dies].mean() < 0.3 * absent["lab"][~dies].mean()


def test_an_index_stay_lacks_only_what_every_earlier_stay_lacks(drawn):
    _, stays, absent = drawn
    for row in np.flatnonzero(stays.is_index):
        first = np.searchsorted(stays.patient, stays.patient[row])
        for lacks in absent.values():
            assert lacks[first : row + 1].all() or not lacks[row]


def test_every_combination_of_modalities_occurs(drawn):
    _, stays, absent = drawn
    index = np.flatnonzero(stays.is_index)
    has = np.stack([~absent[name][index] for name in ("lab", "note", "code")], axis=1)
    counts = {pattern: int((has == pattern).all(axis=1).sum()) for pattern in product((False, True), repeat=3)}
    assert min(counts.values()) > 0
    assert counts[(True, True, True)] > 0.7 * len(index)
