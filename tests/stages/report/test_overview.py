"""The top of the page: its verdicts and counts, by hand."""

import pandas as pd

from stages.report.overview import (
    Said,
    behaviour_checks,
    overview,
    pair_verdicts,
    planted_checks,
    signal_verdicts,
    summary,
)

ROWS = [
    ("i2moe", "mult", 0.05, 0.01, 0.09, "better"),
    ("mult", "linear-reference", -0.1, -0.2, -0.01, "worse"),
    ("i2moe", "linear-reference", 0.01, -0.1, 0.1, "no difference shown"),
    ("mult", "best-constant", 0.1, -0.01, 0.2, "no difference shown"),
    ("i2moe", "best-constant", 0.2, 0.1, 0.3, "better"),
]
DIFFERENCES = pd.DataFrame(ROWS, columns=["model", "against", "difference", "low", "high", "verdict"]).assign(
    metric="accuracy", usable=1.0
)


def planted(reading, words, also="", **terms):
    return {"model": "i2moe", "reading": reading} | terms | {"verdict": words, "also_named": also}


def test_models_are_compared_with_their_fusion_and_with_a_linear_model():
    assert pair_verdicts(DIFFERENCES) == [
        Said("good", "i2moe better than mult: +0.050 [+0.010, +0.090]", is_pair=True),
        Said("bad", "mult worse than a linear model"),
        Said("open", "i2moe not shown to differ from a linear model"),
    ]
    unknown = DIFFERENCES.head(1).assign(verdict="no difference shown", low=float("nan"), high=float("nan"))
    assert pair_verdicts(unknown)[0].words == "i2moe not shown to differ from mult: +0.050 no interval"


def test_models_that_are_not_shown_to_be_better_than_a_constant_have_no_signal():
    assert signal_verdicts(DIFFERENCES) == [Said("bad", "mult: no signal, not shown better than a constant")]
    assert signal_verdicts(DIFFERENCES[DIFFERENCES["model"] == "i2moe"]) == []


def test_an_explanation_is_true_where_it_finds_what_is_planted_and_nothing_else():
    rows = [
        planted("lattice mean", "finds the planted term and names no other", synergy="found (0.90)"),
        planted("weight", "misses synergy; names redundancy, …", "redundancy", synergy="not found (0.10)"),
        planted("shapley", "finds the planted term and names no other"),  # is in the dataset's own table
    ]
    assert [(one.kind, one.words) for one in planted_checks(rows)] == [
        ("good", "subsets of modalities: finds the planted term"),
        ("bad", "weights: misses synergy; names redundancy falsely"),
    ]
    assert planted_checks([planted("weight", "misses synergy")])[0].kind == "open"
    assert planted_checks([planted("weight", "names nothing, and nothing is planted")])[0].kind == "good"
    two = planted("lattice mean", "finds all 2 planted terms …", a="found (0.5)", b="found (0.5)")
    assert planted_checks([two])[0].words == "i2moe, subsets of modalities: finds all 2 planted terms"
    silent = planted("weight", "tells nothing: no signal in 1 of 3 seeds", a="not told")
    assert planted_checks([silent])[0].words == "weights: tells nothing: no signal in 1 of 3 seeds"
    assert planted_checks([])[0].kind == "open"


def test_of_real_data_only_the_roles_of_experts_are_counted():
    rows = [("a", 0, "a"), ("a", 1, "a"), ("b", 0, "b"), ("b", 1, "idle")]
    table = pd.DataFrame(rows, columns=["expert", "seed", "role"])
    nothing, named = behaviour_checks({"i2moe": table})
    assert nothing.words.startswith("real data")
    assert (named.kind, named.words) == ("open", "1 of 2 experts of i2moe behave as named, in every seed")
    assert behaviour_checks({"i2moe": table.head(2)})[1].kind == "good"
    assert behaviour_checks({"i2moe": table.tail(2)})[1].kind == "bad"


def test_the_summary_counts_datasets():
    scores = pd.DataFrame(
        {"model": ["mult", "i2moe", "linear-reference", "best-constant"], "metric": "accuracy"}
    ).assign(mean=[0.7, 0.75, 0.8, 0.5], low=0.4, high=0.9)
    found = [
        planted("lattice mean", "finds the planted term and names no other"),
        planted("weight", "misses it", "also"),
    ]
    rows = [overview("tiny", scores, DIFFERENCES, found, {}), overview("real", scores, DIFFERENCES.tail(4), None, {})]
    better, checked = summary(rows)
    assert better.startswith(
        "Of 1 dataset, an I2MoE is shown to be better than its fusion method alone on 1, worse on 0"
    )
    assert checked.startswith("Of 1 dataset in which we know what is planted")
    assert checked.endswith("nothing else on 1; on 1 one names what is not there.")
    assert summary([rows[1]]) == []
    assert rows[0].metric == "accuracy ↑"
