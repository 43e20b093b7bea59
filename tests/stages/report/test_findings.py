"""The report's words and tables."""

import json

import pandas as pd
import pytest

from i2moe.explain.ability import AT_CHANCE, KNOWS, UNCLEAR
from i2moe.metrics import arrow
from stages.report.charts import coalitions_chart
from stages.report.explanations import EXPLANATIONS
from stages.report.findings import (
    agreement_findings,
    at_chance_findings,
    find,
    gate_findings,
    less_forward_findings,
    no_signal_findings,
    no_vanilla_findings,
    presence_findings,
    spread_findings,
    unclear_findings,
    weight_findings,
)
from stages.report.layout import difference_cell, score_cell
from stages.report.of_modalities import mean_by_metric
from stages.report.sections import difference_rows
from stages.report.tables import markdown
from stages.shared.scores import score_table, write_scores


def expert(name, weight, chance_seeds=0, unclear_seeds=0):
    return {
        "expert": name,
        "mean_weight": weight,
        "chance_seeds": chance_seeds,
        "unclear_seeds": unclear_seeds,
        "num_seeds": 2,
        "num_samples": 86,
        "num_units": 86,
        "ranking": "auroc",
        "rank_score": 0.5,
    }


def by_seed(*outcomes, **weights):
    """Return the table of experts by seed: each expert's mean weight in each seed, and the outcomes of the last."""
    rows = [(expert, seed, weight, KNOWS) for expert, own in weights.items() for seed, weight in enumerate(own)]
    table = pd.DataFrame(rows, columns=["expert", "seed", "mean_weight", "outcome"])
    if outcomes:
        table.loc[len(table) - len(outcomes) :, "outcome"] = outcomes
    return table


def test_an_expert_at_chance_is_named_with_the_weight_it_has_there_and_no_other_is():
    table = pd.DataFrame([expert("uniqueness_a", 0.6), expert("synergy", 0.4, chance_seeds=1)])
    seeds = by_seed(KNOWS, AT_CHANCE, uniqueness_a=(0.5, 0.7), synergy=(0.5, 0.3))
    (words,) = at_chance_findings(table, seeds)
    assert words.startswith("synergy alone is at chance in 1 of 2 seeds (auroc 0.500 over all seeds)")
    assert words.endswith("its weight there, 0.30, explains nothing.")
    unclear = pd.DataFrame([expert("uniqueness_a", 0.6), expert("synergy", 0.4, unclear_seeds=2)])
    assert at_chance_findings(unclear, by_seed(UNCLEAR, UNCLEAR, uniqueness_a=(1, 1), synergy=(1, 1))) == []


def test_where_it_cannot_be_told_the_page_says_so_with_the_number_of_samples():
    table = pd.DataFrame([expert("uniqueness_a", 0.6), expert("synergy", 0.4, unclear_seeds=2)])
    (words,) = unclear_findings(table)
    assert words.startswith("Whether synergy alone knows something cannot be told in 2 of 2 seeds (n = 86;")
    (words,) = unclear_findings(table.assign(num_units=9).tail(1))
    assert "in 2 of 2 seeds (n = 86 in 9 groups;" in words
    assert unclear_findings(pd.DataFrame([expert("synergy", 0.4, chance_seeds=2)])) == []


def test_weights_that_differ_between_seeds_are_said_to_be_unstable():
    assert "differs by up to 0.80" in spread_findings(by_seed(uniqueness_a=(0.1, 0.9), synergy=(0.5, 0.5)), 2)[0]
    assert spread_findings(by_seed(uniqueness_a=(0.4, 0.6), synergy=(0.5, 0.5)), 2) == []


GATE = {
    "winner": "synergy",
    "heaviest": "synergy",
    "runner_up": "redundancy",
    "lead": 0.2,
    "lead_low": 0.1,
    "lead_high": 0.3,
    "seeds_won": 3,
    "num_seeds": 3,
    "most_std": 0.1,
    "ignores_samples": False,
    "score": 0.9,
    "uniform_score": 0.8,
    "uniform_difference": 0.1,
    "uniform_low": 0.05,
    "uniform_high": 0.15,
}


def test_the_largest_weight_is_named_only_where_it_is_shown():
    assert weight_findings(GATE) == [
        "synergy has the largest mean weight in all 3 seeds, by 0.20 [0.10, 0.30] before redundancy."
    ]
    (words,) = weight_findings(GATE | {"winner": "", "seeds_won": 2})
    assert words.startswith("No expert is shown to have the largest weight: synergy has it in 2 of 3 seeds")


def test_weights_are_also_told_of_the_samples_that_have_the_experts_modality():
    rows = [
        expert("uniqueness_a", 0.5) | {"mean_weight_present": 0.5, "num_present": 86},
        expert("uniqueness_b", 0.2) | {"mean_weight_present": 0.4, "num_present": 43},
        expert("uniqueness_c", 0.0) | {"mean_weight_present": float("nan"), "num_present": 0},
        expert("synergy", 0.3) | {"mean_weight_present": 0.3, "num_present": 86},
    ]
    (words,) = presence_findings(rows)
    assert words.startswith("Mean weights are over all 86 samples, of which some lack a modality. ")
    assert words.endswith("Over those that have the expert's own: uniqueness_b 0.40 (n = 43).")
    assert presence_findings([expert("uniqueness_a", 0.5), expert("synergy", 0.5)]) == []


def test_equal_weights_are_spoken_of_where_the_gate_shows_nothing():
    assert gate_findings(GATE, "auroc") == []
    same = {"uniform_low": -0.05, "uniform_high": 0.25}
    (words,) = gate_findings(GATE | {"winner": ""} | same, "auroc")
    assert words == (
        "With its own weights the model reaches auroc 0.900, with equal weights 0.800 (difference 0.100 "
        "[-0.050, 0.250], no difference shown)."
    )
    (words,) = gate_findings(GATE | {"ignores_samples": True, "most_std": 0.002}, "auroc")
    assert words.startswith("The gate ignores the sample: within a seed no weight varies by more than 0.002")
    assert "no difference shown" not in words


CONSTANT = {
    "model": "mult",
    "against": "best-constant",
    "metric": "accuracy",
    "difference": 0.1,
    "low": 0.02,
    "high": 0.2,
}


def test_a_model_without_signal_gets_one_sentence_that_says_so():
    assert no_signal_findings(CONSTANT) == []
    (words,) = no_signal_findings(CONSTANT | {"low": -0.01})
    assert words.startswith("mult is not shown to be better than the best constant prediction (accuracy +0.100")
    (words,) = no_signal_findings(CONSTANT | {"difference": -0.1, "low": -0.2})
    assert words.startswith("mult is at or below the best constant prediction")
    undefined = {"low": float("nan"), "high": float("nan")}
    assert "is not shown to be better" in no_signal_findings(CONSTANT | undefined)[0]
    error = {"metric": "mae", "difference": -0.3, "low": -0.5, "high": -0.1}
    assert no_signal_findings(CONSTANT | error) == []  # a smaller error is better
    assert "at or below" in no_signal_findings(CONSTANT | error | {"difference": 0.3, "high": 0.5})[0]


def test_the_page_says_how_often_experts_agree():
    row = {"by": "sample", "disagree_correct": 0.1, "disagree_wrong": 0.3, "agree_correct": 0.45, "agree_wrong": 0.15}
    row["tolerance"] = float("nan")
    (words,) = agreement_findings(pd.DataFrame([row]), "binary")
    assert words.startswith("All experts predict the same class in 60 % of cases;")
    assert words.endswith("the model is right in 75 % where they do, 25 % where they do not.")
    both = pd.DataFrame([row, row | {"by": "label", "disagree_correct": 0, "disagree_wrong": 0, "agree_correct": 0.85}])
    whole, each = agreement_findings(both, "multilabel")
    assert "the same set of labels in 60 %" in whole
    assert "the same of a label (mean over labels) in 100 % of cases" in each
    assert each.endswith("right in 85 % where they do.")
    near = pd.DataFrame([row, row | {"by": "tolerance", "tolerance": 0.5}])
    assert "the same side of the train labels' mean" in agreement_findings(near, "regression")[0]
    assert agreement_findings(near, "regression")[1] == (
        "All experts predict numbers at most 0.5 apart in 60 % of cases; the model is within 0.5 of the label in 75 % "
        "where they do, 25 % where they do not."
    )
    assert find(dict.fromkeys(["experts", "expert_seeds", "gate", "agreement", "parts"]), "binary") == []  # no experts


def test_an_i2moe_without_its_fusion_alone_in_the_run_is_said_to_have_none(load):
    over = {"interaction": {"loss_weight": 0.1}, "reweighting": {"hidden_dim": 8, "num_layers": 1, "temperature": 1}}
    params = load({"models.tiny": {"mult": {}, "i2moe": over}, "run.models": ["i2moe"]})
    (words,) = no_vanilla_findings("i2moe", params.models["tiny"]["i2moe"], params.vanilla("tiny"))
    assert words.startswith("No model of this run is the fusion method of i2moe alone")
    params = load({"models.tiny": {"mult": {}, "i2moe": over}, "run.models": ["mult", "i2moe"]})
    assert no_vanilla_findings("i2moe", params.models["tiny"]["i2moe"], params.vanilla("tiny")) == []
    assert no_vanilla_findings("mult", params.models["tiny"]["mult"], params.vanilla("tiny")) == []


def test_less_forward_is_said_to_be_the_full_model_with_two_modalities_alone(load):
    over = {"interaction": {"loss_weight": 0.1}, "reweighting": {"hidden_dim": 8, "num_layers": 1, "temperature": 1}}
    two = over | {"interaction": {"loss_weight": 0.1, "views": "two"}}
    models = load({"models.tiny": {"mult": {}, "full": over, "less": two}}).models["tiny"]
    assert less_forward_findings(models["less"], 2) == [
        "Less-Forward replaces two modalities of each sample; with two modalities it is the full model."
    ]
    assert less_forward_findings(models["less"], 3) == []
    assert less_forward_findings(models["full"], 2) == less_forward_findings(models["mult"], 2) == []


def test_a_difference_shows_its_interval_and_where_it_is_of_some_resamples_alone():
    row = {"difference": 0.1, "low": 0.02, "high": 0.2, "usable": 1.0}
    assert difference_cell(row) == "+0.100 [+0.020, +0.200]"
    assert difference_cell(row | {"usable": 0.5}) == "+0.100 [+0.020, +0.200] from 50.0 % of resamples"
    assert difference_cell(row | {"low": float("nan")}) == "+0.100 no interval"


def test_every_metric_has_its_direction():
    assert {name: arrow(name) for name in ("mae", "auroc", "r2", "auroc_of_Drama")} == {
        "mae": "↓",
        "auroc": "↑",
        "r2": "↑",
        "auroc_of_Drama": "↑",
    }


def test_a_score_shows_mean_deviation_and_interval():
    row = {"mean": 0.9, "std": 0.01, "low": 0.85, "high": 0.95, "usable": 1.0}
    assert score_cell(row) == "0.900 ± 0.010 [0.850, 0.950]"
    assert score_cell(row | {"std": float("nan")}) == "0.900 [0.850, 0.950]"
    assert score_cell(row | {"usable": 0.6}) == "0.900 ± 0.010 [0.850, 0.950] from 60.0 % of resamples"
    undefined = {"low": float("nan"), "high": float("nan"), "usable": 0.0}
    assert score_cell(row | undefined) == "0.900 ± 0.010 no interval from 0.0 % of resamples"


def test_markdown_and_coalition_names():
    rows = [("mean", 0, "none", "r2", 0.4), ("mean", 0, "b + a", "r2", 0.7)]
    rows += [("mean", 1, "none", "r2", 0.6), ("mean", 1, "b + a", "r2", 0.8), ("zero", 0, "none", "r2", 0.1)]
    rows += [("mean", seed, intact, "mae", float("nan")) for seed in (0, 1) for intact in ("none", "b + a")]
    table = mean_by_metric(pd.DataFrame(rows, columns=["replacement", "seed", "intact", "metric", "score"]))
    assert table["intact"].tolist() == ["none", "b + a", "none"]  # in the order they came
    assert table["r2"].tolist() == pytest.approx([0.5, 0.75, 0.1])
    assert markdown(table).splitlines()[:3] == [
        "| replacement | intact | r2    | mae |",
        "| ----------- | ------ | ----- | --- |",
        "| mean        | none   | 0.500 |     |",
    ]


def test_tables_and_charts_of_scores_mark_the_direction_of_their_metrics():
    rows = [("mean", 0, intact, metric, 0.5) for intact in ("none", "a") for metric in ("mae", "r2")]
    coalitions = pd.DataFrame(rows, columns=["replacement", "seed", "intact", "metric", "score"])
    assert EXPLANATIONS["coalitions"].tabulate(coalitions).columns.tolist() == [
        "replacement", "intact", "mae ↓", "r2 ↑"
    ]  # fmt: skip
    drawn = coalitions_chart(coalitions[coalitions["metric"] == "mae"], "mae", "a")
    assert "a: test mae ↓ by the modalities left: none 0.500, a 0.500" in drawn
    table = difference_rows("a", pd.DataFrame([CONSTANT, CONSTANT | {"metric": "mae"}]))
    assert table.columns.tolist()[:5] == ["dataset", "model", "against", "metric", "better"]
    assert table["better"].tolist() == ["↑", "↓"]


def test_scores_hold_every_seed_and_the_summary_keeps_the_splits_apart(tmp_path):
    labels = {"validation": pd.Series([0, 1, 1]).to_numpy(), "test": pd.Series([0, 1, 1, 0]).to_numpy()}
    right = {split: pd.get_dummies(truth).to_numpy(float) for split, truth in labels.items()}
    wrong = {split: 1 - one for split, one in right.items()}
    logits = {"validation": [right["validation"]] * 2, "test": [right["test"], wrong["test"]]}
    table = score_table("binary", labels, logits, [0, 7], ["no", "yes"])
    write_scores(table, tmp_path / "a" / "m.csv", tmp_path / "a" / "m.json")
    accuracy = table[(table["split"] == "test") & (table["metric"] == "accuracy")].iloc[0]
    assert (accuracy["seed_0"], accuracy["seed_7"], accuracy["mean"]) == (1.0, 0.0, 0.5)
    assert accuracy["std"] == pytest.approx(0.707107)  # ddof 1
    summary = json.loads((tmp_path / "a" / "m.json").read_text())
    assert summary["accuracy"] == 0.5
    assert summary.pop("validation") == {"auroc": 1.0, "accuracy": 1.0, "macro_f1": 1.0}
    assert set(summary) == {f"{name}{tail}" for name in ("accuracy", "auroc", "macro_f1") for tail in ("", "_std")}
