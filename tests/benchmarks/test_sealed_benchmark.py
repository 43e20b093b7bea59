"""The protocol and the tables of docs/sealed.md."""

import numpy as np
import pandas as pd

from benchmarks.sealed.cases import PLAIN, SEALED, Case, protocol
from benchmarks.sealed.tables import TABLES, fill
from tests.docs.documents import ROOT

RUN = {
    "data": "u2", "model": SEALED, "experts": "mlp", "classes": 2, "modalities": 2, "seed": 0, "bayes": 0.977,
    "accuracy": 0.95, "saved": 0.8, "found": 1.0, "distance": 0.1, "found by sample": np.nan,
    "share: uniqueness_first": 0.1, "share: uniqueness_second": 0.9, "share: synergy": 0.0, "share: redundancy": 0.0,
    "kept: uniqueness_first": 0.0, "kept: uniqueness_second": 1.0, "kept: synergy": 0.0, "kept: redundancy": 0.0,
    "alive: 0": 0.0, "alive: 1": 1.0, "alive: 2": 1.0, "alive: 3": 0.0,
    "as named: 0": np.nan, "as named: 1": 1.0, "as named: 2": 0.0, "as named: 3": np.nan,
}  # fmt: skip


def cells(table, row=2):
    return [cell.strip() for cell in table.splitlines()[row].strip("|").split("|")]


def test_a_run_is_counted_by_the_expert_that_is_planted():
    results = pd.DataFrame([RUN, RUN | {"seed": 1, "found": 0.0}, RUN | {"model": PLAIN, "accuracy": 0.94}])
    found = cells(TABLES["pure"](results))
    # found in one of two, smallest share, needed alive in both, two of three others idle, against one I2MoE
    assert found[3:] == ["2", "0.50", "0.90", "1.00", "0.67", "0.950", "0.977", "+0.010 (1)"]


def test_parts_that_stay_on_null_data_are_counted_by_run():
    dropped = {name: 0.0 for name in RUN if name.startswith("kept")}
    results = pd.DataFrame([RUN | {"data": "none"}, RUN | {"data": "none", "seed": 1} | dropped])
    assert cells(TABLES["null"](results)) == ["none", "2", "1"]


def test_open_tables_are_compared_split_by_split():
    results = pd.DataFrame(
        RUN | {"data": "digits", "model": model, "seed": seed, "accuracy": score}
        for model, scores in ((PLAIN, (0.9, 0.8)), (SEALED, (0.92, 0.81)))
        for seed, score in enumerate(scores)
    )
    assert cells(TABLES["accuracy"](results))[-1] == "+0.015 ± 0.007"


def test_every_table_has_its_place_in_the_paper():
    text = (ROOT / "docs/sealed.md").read_text()
    for name in [*TABLES, "steps"]:
        assert text.count(f"<!-- {name} -->") == text.count(f"<!-- /{name} -->") == 1
    again = fill(text, {"pure": "new"})
    assert "<!-- pure -->\nnew\n<!-- /pure -->" in again
    assert fill(again, {"pure": "<another>"}).replace("<another>", "new") == again


def test_the_protocol_draws_what_it_names():
    cases = protocol()
    assert len(set(cases)) == len(cases)
    drawn = Case("copies", (1, 0.8), SEALED, "mlp", 0).draw()
    assert {term.expert: round(share, 2) for term, share in drawn.shares.items()} == {
        "uniqueness_first": 0.72,
        "redundancy": 0.28,
    }
    assert Case("pure", (7,), SEALED, "mlp", 0, 2, 3).name == "redundancy of 2"
