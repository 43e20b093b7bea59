"""The report's words and tables."""

import json

import pandas as pd
import pytest

from stages.report.explanations import mean_by_metric
from stages.report.page import find, score_cell
from stages.report.tables import markdown
from stages.shared.scores import score_table, write_scores
from stages.train import read_curves


def expert(name, weight, dead_seeds=0):
    return {
        "expert": name,
        "mean_weight": weight,
        "dead_seeds": dead_seeds,
        "num_seeds": 2,
        "alone": 0.5,
        "chance": 0.5,
    }


def by_seed(**weights):
    """Return the table of experts by seed: each expert's mean weight in each seed."""
    rows = [(expert, seed, weight) for expert, own in weights.items() for seed, weight in enumerate(own)]
    return pd.DataFrame(rows, columns=["expert", "seed", "mean_weight"])


def test_a_dead_expert_is_named_with_its_weight_and_chance():
    table = pd.DataFrame([expert("uniqueness_a", 0.6), expert("synergy", 0.4, dead_seeds=1)])
    words = find(table, by_seed(uniqueness_a=(0.6, 0.6), synergy=(0.4, 0.4)), "accuracy")
    assert words[0].startswith("uniqueness_a has the largest mean weight (0.60), synergy the smallest (0.40)")
    assert words[1].startswith("synergy gets 0.40 of the weight, but is at chance alone in 1 of 2 seeds")
    assert "chance 0.500" in words[1]


def test_weights_that_differ_between_seeds_are_said_to_be_unstable():
    table = pd.DataFrame([expert("uniqueness_a", 0.5), expert("synergy", 0.5)])
    seeds = by_seed(uniqueness_a=(0.1, 0.9), synergy=(0.5, 0.5))
    assert "differs by up to 0.80 between seeds" in find(table, seeds, "accuracy")[1]


def test_a_score_shows_mean_deviation_and_interval():
    row = {"mean": 0.9, "std": 0.01, "low": 0.85, "high": 0.95, "usable": 1.0}
    assert score_cell(row) == "0.900 ± 0.010 [0.850, 0.950]"
    assert score_cell(row | {"std": float("nan")}) == "0.900 [0.850, 0.950]"
    assert score_cell(row | {"usable": 0.6}) == "0.900 ± 0.010 [0.850, 0.950] from 60.0 % of resamples"
    undefined = {"low": float("nan"), "high": float("nan"), "usable": 0.0}
    assert score_cell(row | undefined) == "0.900 ± 0.010 no interval from 0.0 % of resamples"


def test_markdown_and_coalition_names():
    rows = [(0, "none", "r2", 0.4), (0, "b + a", "r2", 0.7), (1, "none", "r2", 0.6), (1, "b + a", "r2", 0.8)]
    rows += [(seed, intact, "mae", float("nan")) for seed in (0, 1) for intact in ("none", "b + a")]
    table = mean_by_metric(pd.DataFrame(rows, columns=["seed", "intact", "metric", "score"]))
    assert table["intact"].tolist() == ["none", "b + a"]  # in the order they came
    assert table["r2"].tolist() == pytest.approx([0.5, 0.75])
    assert markdown(table).splitlines()[:3] == [
        "| intact | r2    | mae |",
        "| ------ | ----- | --- |",
        "| none   | 0.500 |     |",
    ]


def test_an_epoch_logged_twice_counts_once(tmp_path):
    folder = tmp_path / "plots" / "metrics" / "validation"
    folder.mkdir(parents=True)
    (folder / "loss.tsv").write_text("step\tloss\n1\t0.5\n2\t0.4\n2\t0.3\n")
    curves = read_curves(tmp_path)
    assert curves["validation_loss"].to_dict() == {1: 0.5, 2: 0.3}
    assert curves.index.name == "epoch"


def test_scores_hold_every_seed_and_the_summary_only_the_test_split(tmp_path):
    labels = {"validation": pd.Series([0, 1]).to_numpy(), "test": pd.Series([0, 1, 1, 0]).to_numpy()}
    right = {split: pd.get_dummies(truth).to_numpy(float) for split, truth in labels.items()}
    wrong = {split: 1 - one for split, one in right.items()}
    logits = {split: pd.Series([right[split], wrong[split]]) for split in labels}
    table = score_table("binary", labels, logits, [0, 7], ["no", "yes"])
    write_scores(table, tmp_path / "a" / "m.csv", tmp_path / "a" / "m.json")
    accuracy = table[(table["split"] == "test") & (table["metric"] == "accuracy")].iloc[0]
    assert (accuracy["seed_0"], accuracy["seed_7"], accuracy["mean"]) == (1.0, 0.0, 0.5)
    assert accuracy["std"] == pytest.approx(0.707107)  # ddof 1
    summary = json.loads((tmp_path / "a" / "m.json").read_text())
    assert summary["accuracy"] == 0.5
    assert set(summary) == {f"{name}{tail}" for name in ("accuracy", "auroc", "macro_f1") for tail in ("", "_std")}
