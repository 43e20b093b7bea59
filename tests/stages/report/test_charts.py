"""The page's charts: where marks are, and what is said in words to those who do not see them."""

import re

import numpy as np
import pandas as pd
import pytest

from stages.report.charts import coalitions_chart, curves_chart, heat_map, scores_chart, shares_chart
from stages.report.drawing import PLAIN, SYNERGY
from stages.report.expert_charts import alone_chart, example_chart, similarity_chart, weights_chart


def dots(drawn):
    """Return the places of all dots, left to right as drawn."""
    return [float(x) for x in re.findall(r'<circle cx="([\d.-]+)"', drawn)]


def texts(drawn):
    return re.findall(r">([^<>]+)</text>", drawn)


EXPERTS = pd.DataFrame(
    {
        "expert": ["uniqueness_a", "synergy"],
        "alone": [0.9, 0.5],
        "alone_low": [0.8, 0.4],
        "alone_high": [0.95, 0.6],
        "chance": 0.5,
        "chance_seeds": [0, 2],
        "num_seeds": 2,
    }
)


def test_models_are_dots_on_one_axis_with_chance_and_the_linear_model_on_it():
    scores = pd.DataFrame(
        {"model": ["mult", "i2moe"], "mean": [0.7, 0.8], "low": [0.6, np.nan], "high": [0.75, np.nan]}
    )
    drawn = scores_chart(scores, 0.5, 0.9, "what it shows")
    first, second = dots(drawn)
    assert first < second
    dashed, dotted = (
        float(x) for x in re.findall(r'<path d="M([\d.]+) [^"]+" stroke="currentColor" stroke-dash', drawn)
    )
    assert dashed < first < second < dotted
    assert (second - first) / (dotted - dashed) == pytest.approx((0.8 - 0.7) / (0.9 - 0.5), abs=0.01)
    assert drawn.count('stroke-width="2.5"') == 1  # one of the two has an interval
    assert {"mult", "i2moe"} <= set(texts(drawn))
    assert 'aria-label="what it shows"' in drawn


def test_an_expert_at_chance_in_every_seed_is_grey():
    drawn = alone_chart(EXPERTS, 0.92, "accuracy", "tiny, i2moe")
    assert SYNERGY not in drawn
    assert PLAIN in drawn
    assert "tiny, i2moe: test accuracy ↑ of each expert alone: uniqueness_a 0.900, synergy 0.500" in drawn
    weights = np.array([[[0.7, 0.3], [0.5, 0.5]], [[0.9, 0.1], [0.7, 0.3]]])
    drawn = weights_chart(EXPERTS, weights, "tiny, i2moe")
    assert drawn.count("<circle") == 4  # an expert and seed each
    assert "means uniqueness_a 0.700, synergy 0.300" in drawn


def test_subsets_show_every_seed_and_their_mean():
    rows = [(seed, intact, score) for seed in (0, 1) for intact, score in (("none", 0.4 + seed / 10), ("a", 0.8))]
    drawn = coalitions_chart(pd.DataFrame(rows, columns=["seed", "intact", "score"]), "auroc", "tiny")
    assert len(dots(drawn)) == 4
    assert {"0.450", "0.800"} <= set(texts(drawn))


def test_shares_mark_what_is_planted_and_leave_out_seeds_without_a_share():
    rows = [
        (seed, term, np.nan if seed else share)
        for seed in (0, 1)
        for term, share in (("synergy", 0.9), ("redundancy", 0.1))
    ]
    shares = pd.DataFrame(rows, columns=["seed", "term", "share"]).assign(low=0.0, high=1.0)
    drawn = shares_chart(shares, ["synergy"], "tiny")
    assert {"synergy (planted)", "redundancy"} <= set(texts(drawn))
    assert len(dots(drawn)) == 2
    assert "(planted)" not in shares_chart(shares, None, "tiny")
    assert "no seed shows a gain" not in drawn
    assert "no seed shows a gain to be shared out" in texts(shares_chart(shares.assign(share=np.nan), None, "tiny"))


def test_curves_are_those_that_the_model_has():
    one = pd.DataFrame({"epoch": [1, 2], "train_task_loss": [1.0, 0.5], "validation_loss": [1.1, np.nan]})
    (task,) = curves_chart([one, one], ["synergy"], "tiny")
    assert "tiny: task loss by epoch" in task
    (single,) = curves_chart([one.head(1)], ["synergy"], "tiny")  # of one epoch
    assert "1" in texts(single)
    assert "2" not in texts(single)  # an epoch that was not trained
    assert len(dots(single)) == 4  # two of them in the legend; a line through one point is none
    both = curves_chart([one.assign(train_synergy_loss=0.3)], ["synergy"], "tiny")
    assert ["task loss" in both[0], "interaction loss" in both[1]] == [True, True]


def test_the_similarity_of_experts_is_the_mean_over_seeds_in_the_experts_order():
    names = ["uniqueness_b", "synergy", "redundancy"]
    rows = [
        {"seed": seed, "expert": one, "other": other, "cka": 1.0 if one == other else 0.1 * (seed + 1)}
        for seed in (0, 2)
        for one in names
        for other in names
    ]
    shown = texts(similarity_chart(pd.DataFrame(rows), "tiny"))
    assert shown[:3] == names
    assert [value for value in shown if value[0].isdigit()] == [
        "1.00", "0.20", "0.20", "0.20", "1.00", "0.20", "0.20", "0.20", "1.00"
    ]  # fmt: skip


def test_a_wide_heat_map_has_no_numbers_and_nothing_that_is_not_a_number_is_dark():
    wide = heat_map(pd.DataFrame(np.ones((2, 200))), "wide")
    assert "1.00" not in texts(wide)
    drawn = heat_map(pd.DataFrame([[np.nan, 0.5]], index=["a"], columns=["x", "y"]), "small", most=1.0)
    assert re.findall(r'fill-opacity="([\d.]+)"', drawn) == ["0.00", "0.50"]
    assert "nan" not in drawn


def test_weighted_logits_of_a_sample_add_up():
    rows = [("synergy", 0.75, "yes", 2.0), ("redundancy", 0.25, "yes", -1.0), ("mixture", 1.0, "yes", 1.25)]
    rows += [(expert, weight, "no", 9.0) for expert, weight, _, _ in rows]
    example = pd.DataFrame(rows, columns=["expert", "weight", "class", "logit"]).assign(predicted="yes")
    shown = texts(example_chart(example, "tiny"))
    assert "0.75 × +2.00 = +1.50" in shown
    assert "0.25 × -1.00 = -0.25" in shown
    assert shown[-1] == "+1.25"
