"""What the page says of tokens: its tables by hand, and which planted pairs are called found."""

import re

import numpy as np
import pandas as pd

from i2moe.contract.planted import Planted
from stages.report.tokens import (
    faithfulness_table,
    masking_table,
    mean_scores,
    pair_table,
    planted_pairs,
    sample_chart,
    sample_pair_table,
    scores_chart,
    told_apart,
)


def pair(one, other, index, gap, *, seed=0, expert="mixture"):
    return {
        "seed": seed,
        "expert": expert,
        "one_modality": "first",
        "one_token": one,
        "other_modality": "second",
        "other_token": other,
        "index": index,
        "gap": gap,
        "samples": 3,
    }


def planted(*pairs):
    return Planted(
        synthetic=True,
        rule="by hand",
        terms=[],
        pairs=[
            {"role": role, "modalities": modalities, "features": features, "words": "a pair"}
            for role, modalities, features in pairs
        ],
    )


def test_a_planted_pair_is_found_where_it_is_first():
    of_first = [pair("a", "x", 0.5, -0.5), pair("b", "y", -0.4, 0.4), pair("c", "z", 0.1, 0.0)]
    of_second = [pair("a", "x", 0.5, -0.5, seed=1), pair("c", "z", 0.6, 0.5, seed=1)]
    table = pd.DataFrame([*of_first, *of_second])
    truth = planted(
        ("synergy", ["second", "first"], ["x", "a"]),  # in whichever order
        ("redundancy", ["first", "second"], ["b", "y"]),
        ("synergy", ["first", "first"], ["a", "b"]),  # no pair of two modalities
    )
    assert planted_pairs(truth, {"fl-i2moe": table}) == [
        {"model": "fl-i2moe", "expert": "mixture", "role": "synergy", "verdict": "first in 1 of 2 seeds"},
        {"model": "fl-i2moe", "expert": "mixture", "role": "redundancy", "verdict": "first in 1 of 2 seeds"},
    ]
    assert planted_pairs(planted(("synergy", ["first", "first"], ["a", "b"])), {"fl-i2moe": table}) == []
    assert planted_pairs(Planted(synthetic=True, rule="none", terms=[]), {"fl-i2moe": table}) == []


def test_the_largest_pairs_of_an_expert_are_shown_by_their_mean_over_seeds():
    table = pd.DataFrame([pair("a", "x", 0.5, -0.5), pair("a", "x", 0.1, -0.1, seed=1), pair("b", "y", 0.25, 0.4)])
    index, gap = pair_table(table).rows
    assert index[:2] == [["mixture"], ["worth more together"]]
    assert index[2] == ["first a + second x: +0.30", "first b + second y: +0.25"]
    assert gap[2] == ["first b + second y: +0.40", "first a + second x: -0.30"]


def test_gaps_of_attributions_and_of_masked_pairs_have_their_intervals():
    measures = {"confidence": 0.9, "comprehensiveness_gap": 0.2, "sufficiency_gap": np.nan, "comprehensiveness": 0.3}
    faithful = pd.DataFrame(
        {"seed": 0, "expert": "synergy", "method": "rollout", "weights": "trained", "measure": name, "value": value}
        | {"low": 0.1, "high": 0.3}
        for name, value in measures.items()
    )
    (row,) = faithfulness_table(faithful).rows
    assert row == [["synergy"], ["rollout, trained weights"], ["0.20 [0.10, 0.30]"], ["undefined"], ["0.90"]]
    masking = pd.DataFrame(
        {"seed": 0, "expert": "synergy", "ranking": "interaction", "control": name, "loss": 1.5, "excess": 0.5}
        | {"low": 0.25, "high": 0.75}
        for name in ("random pairs", "re-paired")
    )
    table = masking_table(masking)
    assert table.header[2:] == ["lost", "more than random pairs", "more than re-paired"]
    assert table.rows == [
        [["synergy"], ["interaction"], ["1.50"], ["0.50 [0.25, 0.75]"], ["0.50 [0.25, 0.75]"]],
    ]


def test_pairs_are_told_apart_by_two_standard_errors():
    rows = [pair("a", "x", 0.5, 0.0), pair("b", "y", -0.5, 0.0), pair("c", "z", 0.1, 0.0)]
    table = pd.DataFrame(rows).assign(index_error=[0.1, 0.1, 0.1], draws=[4, 4, 8])
    (row,) = told_apart(table).to_dict("records")
    assert (row["probed"], row["told_apart"], row["draws"]) == (3, 2, 16 / 3)


def test_scores_are_averaged_by_their_size_and_drawn_by_modality():
    scores = pd.DataFrame(
        {"sample_id": sample, "seed": 0, "expert": "synergy", "method": "gradient rollout", "modality": modality}
        | {"place": 0, "token": "a", "score": score}
        for sample, modality, score in [("1", "first", 0.5), ("2", "first", -0.25), ("1", "second", 1.0)]
    )
    assert mean_scores(scores)["score"].tolist() == [0.375, 1.0]
    shown = re.findall(r">([^<>]+)</text>", scores_chart(scores, "tiny"))
    assert shown == ["first 0", "second 0", "synergy", "0.38", "1.00"]


def test_of_one_sample_the_pairs_that_cannot_be_told_from_0_are_in_parentheses():
    rows = [pair("a", "x", 0.1, 0.0), pair("b", "y", -0.5, 0.0), pair("c", "z", 0.9, 0.0, seed=1)]
    table = pd.DataFrame(rows).assign(index_error=[0.06, 0.01, 0.01], draws=4, sample_id="s1")
    found = sample_pair_table(pd.concat([table, table.assign(sample_id="s2")]))
    assert "(s1, seed 0)" in found.title
    assert found.rows == [[["mixture"], ["first b + second y: -0.50 ± 0.01", "(first a + second x: +0.10 ± 0.06)"]]]


def test_one_sample_is_drawn_as_a_map_of_positions_or_by_names():
    tokens = [("text", 0, "tea", 0.2), ("text", 1, "war", 0.9), ("image", 0, "0, 0", 0.1), ("image", 5, "1, 2", 0.4)]
    scores = pd.DataFrame(
        {"sample_id": sample, "seed": 0, "expert": "mixture", "method": "integrated gradients", "modality": modality}
        | {"place": place, "token": token, "score": score}
        for sample in ("s1", "s2")
        for modality, place, token, score in tokens
    )
    shown = re.findall(r">([^<>]+)</text>", sample_chart(scores, "tiny"))
    assert shown[-4:] == ["text: war", "text: tea", "image: 1, 2", "image: 0, 0"]  # the largest first, by modality
