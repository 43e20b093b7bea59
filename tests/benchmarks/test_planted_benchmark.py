"""The benchmark of readings: scores by hand, bars that pass and fail, and that a case and a page run."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.planted import cases, documents, estimators, null
from benchmarks.planted.bars import dead_experts, distance, found, found_share, reading_bars, truth_table, weight_bars
from benchmarks.planted.cases import PLAIN, Case, Sizes, protocol, quick
from benchmarks.planted.measures import mean_auroc, run, top_1
from stages.datasets.planted.generators import terms

TERMS = [term.expert for term in terms()]


def row(planted, reading, shares, **more):
    """Return a row of the results in which one reading gives these shares."""
    return (
        {"data": "pure", "planted": "", "classes": 2, "model": PLAIN, "seed": 0}
        | {f"planted: {name}": share for name, share in zip(TERMS, planted, strict=True)}
        | {"accuracy": 0.95, "bayes": 0.977}
        | {f"{reading}: {name}": share for name, share in zip(TERMS, shares, strict=True)}
        | more
    )


def test_a_reading_finds_the_role_that_has_its_largest_share():
    synergy = (0, 0, 1, 0)
    table = pd.DataFrame(
        [
            row(synergy, "weight", (0.2, 0.1, 0.6, 0.1)),
            row(synergy, "weight", (0.6, 0.1, 0.2, 0.1)),
            row(synergy, "weight", [np.nan] * 4),  # claims nothing
        ]
    )
    assert found(table, "weight").tolist() == [1, 0, 0]
    assert found_share(table, "weight") == "0.33"
    assert found_share(table, "shapley") == ""


def test_the_distance_is_the_total_variation_from_the_planted_shares():
    half = (0.5, 0, 0.5, 0)
    rows = [row(half, "shapley", shares) for shares in [half, (0.25,) * 4, (0, 0, 0, 1), [np.nan] * 4]]
    assert distance(pd.DataFrame(rows), "shapley").tolist() == [0, 0.5, 1, 1]


def test_experts_at_chance_are_counted_with_the_weight_they_get():
    dead = {f"dead: {name}": value for name, value in zip(TERMS, (0, 0, 1, 1), strict=True)}
    table = pd.DataFrame([row((0, 0, 1, 0), "weight", (0.4, 0.3, 0.2, 0.1), **dead)])
    assert dead_experts(table) == pytest.approx((0.5, 0.3))


def test_a_bar_passes_and_fails_by_what_was_measured():
    good = row((0, 0, 1, 0), "lattice mean", (0, 0, 1, 0))
    bad = row((0, 0, 1, 0), "lattice mean", (0, 1, 0, 0), accuracy=0.9)
    local = {"data": "switch", "lattice mean: top-1": 0.9, "lattice mean: auroc": 0.95, "model": f"{PLAIN}+dropout"}
    verdicts = {}
    for name, own in (("good", good), ("bad", bad)):
        found_bars = reading_bars(pd.DataFrame([own, own | local]))
        verdicts[name] = {bar.name: bar.passed for bar in found_bars}
    assert verdicts["good"] | {"B3": True, "B4": True} == dict.fromkeys(("B1", "B2", "B3", "B4", "B5"), True)
    assert (verdicts["bad"]["B1"], verdicts["bad"]["B2"]) == (False, False)


def test_a_share_on_labels_of_nothing_fails():
    for claimed, passed in (([np.nan] * 4, True), ((0.4, 0.3, 0.3, 0), True), ((0.1, 0.8, 0.1, 0), False)):
        table = pd.DataFrame([row((0, 0, 0, 0), "shapley", claimed, data="none")])
        assert {bar.name: bar.passed for bar in weight_bars(table)}["C3"] == passed


def test_samples_are_scored_by_their_own_term():
    parts = np.array([[0.9, 0, 0, 0.1], [0, 0.2, 0.8, 0], [0.6, 0.3, 0.1, 0], [0, 0, 0, 1.0]])
    truth = np.array(["uniqueness_first", "synergy", "uniqueness_second", "redundancy"])
    assert top_1(parts, TERMS, truth) == 0.75
    assert mean_auroc(parts, TERMS, truth) == 1.0


def test_the_estimators_meet_their_bars():
    assert estimators.worst_information_error() <= 0.01
    assert estimators.worst_index_error() <= 1e-6
    assert estimators.sampled_precision() == [1.0] * 10


def test_the_protocol_has_every_pure_task_three_times_and_ten_composites():
    every = protocol()
    assert len({tuple(case.key.values()) for case in every}) == len(every)
    pure = [case for case in every if (case.data, case.model, case.num_classes) == ("pure", PLAIN, 4)]
    assert len(pure) == 4 * 3
    assert len([case for case in every if (case.data, case.model) == ("composite", PLAIN)]) == 10
    assert [case.planted[0].expert for case in quick()] == TERMS


@pytest.fixture
def _small(monkeypatch):
    """Few samples and one pass over them."""
    monkeypatch.setattr(cases, "SIZES", dict.fromkeys(cases.SIZES, Sizes(200, 50, 100)))
    monkeypatch.setattr("benchmarks.planted.measures.SIZES", cases.SIZES)
    monkeypatch.setattr(cases, "EPOCHS", dict.fromkeys(cases.EPOCHS, 1))


@pytest.mark.usefixtures("_small")
def test_a_case_of_each_kind_gives_its_row():
    for data, planted in (("switch", tuple(terms())), ("hdxor", (terms()[2],)), ("none", ())):
        found_row = run(Case(data, planted, f"{PLAIN}+mlp", 0))
        assert {"accuracy", "gain", "seconds", "lattice mean: synergy", "weight: synergy"} <= set(found_row)
        assert ("lattice mean: top-1" in found_row) == (data == "switch")
        assert truth_table(pd.DataFrame([found_row]))["reading"].tolist()[0] == "weight"


def test_a_page_about_nothing_says_so(monkeypatch):
    monkeypatch.setattr(null, "SEEDS", [0, 1])
    found_page = null.page("planted-none", 1)
    assert not found_page["claims_something"]
    assert found_page["sentences"].count("nothing can be read from it") == 2
    lines = documents.null_lines(pd.DataFrame([found_page]))
    assert lines == "- planted-none: 0 of 1 pages (a winner 0, a difference 0, a living expert 0)\n"


def test_documents_are_filled_between_their_marks(tmp_path):
    path = tmp_path / "one.md"
    path.write_text("before\n<!-- planted -->\nold\n<!-- end of planted -->\nafter\n")
    documents.put(path, "planted", "new\n")
    assert path.read_text() == "before\n<!-- planted -->\n\nnew\n\n<!-- end of planted -->\nafter\n"
    with pytest.raises(ValueError, match="must stand there once"):
        documents.put(path, "other", "")
