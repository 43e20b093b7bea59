"""What the page says of readings beyond the weights: for each kind of sentence a case with it and one without."""

import pandas as pd

from i2moe.explain.behaviour import IDLE, UNCLEAR_ROLE
from stages.report.findings import (
    additive_findings,
    behaviour_findings,
    find,
    label_free_findings,
    leader_findings,
    replaced_findings,
)
from stages.report.readings import reading_tables

NAN = float("nan")


def leader(reading, winner):
    row = {"reading": reading, "winner": winner, "runner_up": "synergy", "num_seeds": 3}
    return row | {"share": 0.7, "lead": 0.5, "lead_low": 0.4, "lead_high": 0.6}


def test_a_term_that_leads_is_named_by_readings_that_need_no_names_of_experts():
    (words,) = leader_findings([leader("lattice mean", "redundancy"), leader("partial information", "")])
    assert words.startswith("Left with only some of its modalities")
    assert "redundancy has the largest share in all 3 seeds: 0.70, 0.50 [0.40, 0.60] before synergy." in words
    assert leader_findings([leader("weight", "redundancy"), leader("lattice zero", "redundancy")]) == []


def gap(low, high):
    return {"gap": (low + high) / 2, "low": low, "high": high}


def test_that_modalities_are_needed_together_must_be_shown_in_every_seed():
    (words,) = additive_findings([gap(0.1, 0.3), gap(0.2, 0.4)], "accuracy")
    assert "in every seed it scores better in accuracy" in words
    assert "+0.200 [+0.100, +0.300]" in words
    assert additive_findings([gap(0.1, 0.3), gap(-0.1, 0.4)], "accuracy") == []
    assert additive_findings([gap(0.1, 0.3)], "mae") == []  # a larger error
    assert additive_findings([gap(-0.3, -0.1)], "mae")
    assert additive_findings([], "accuracy") == []


def roles(expert, *by_seed):
    return [
        {"expert": expert, "seed": seed, "role": role, "gain": 0.1, "term": term, "share": 0.5, "low": 0.4, "high": 0.6}
        for seed, role in enumerate(by_seed)
        for term in ("synergy", "redundancy")
    ]


def test_the_role_that_an_expert_plays_stands_next_to_its_name():
    (words,) = behaviour_findings(roles("synergy", "synergy", "redundancy", UNCLEAR_ROLE))
    assert words.startswith("synergy alone behaves as named in 1 of 3 seeds; as redundancy in 1, of unclear role in 1")
    (words,) = behaviour_findings(roles("synergy", "synergy", "synergy"))
    assert words.startswith("synergy alone behaves as named in 2 of 2 seeds (")
    assert behaviour_findings(roles("synergy", IDLE, IDLE)) == []


def replaced(weights, low, high):
    loss = {"loss": (low + high) / 2, "loss_low": low, "loss_high": high}
    return {"weights": weights, "seed": 0, "expert": "", "score": 0.8} | loss


def test_weights_are_said_to_be_better_than_others_only_where_it_is_shown():
    rows = [replaced("learned", 0, 0), replaced("shuffled", 0.1, 0.2), replaced("best single", -0.1, 0.2)]
    shuffled, single = replaced_findings(rows, "accuracy")
    assert "accuracy is 0.800: the learned weights are better (learned less this +0.150" in shuffled
    assert "no difference shown" in single
    (words,) = replaced_findings([replaced("shuffled", 0.1, 0.2)], "mae")
    assert "the learned weights are worse" in words
    assert replaced_findings([], "accuracy") == []


def role_loss(expert, *, is_label_free):
    return {"seed": 0, "expert": expert, "loss": -1.0, "spread": 0.0, "is_label_free": is_label_free}


def test_a_role_loss_that_is_met_without_labels_is_warned_of():
    rows = [role_loss("synergy", is_label_free=True), role_loss("redundancy", is_label_free=False)]
    (words,) = label_free_findings(rows)
    assert words.startswith("The role loss of synergy is next to its least value in 1 of 1 seeds")
    assert label_free_findings(rows[1:]) == []


def test_a_model_without_experts_has_the_sentences_of_the_whole_model_alone():
    tables = dict.fromkeys(["experts", "expert_seeds", "gate", "agreement", "parts"])
    tables["additive"] = pd.DataFrame([gap(0.1, 0.3)])
    (words,) = find(tables, "multiclass")
    assert words.startswith("The model needs its modalities together")


def test_every_reading_is_a_table_with_a_line_for_each_seed():
    shares = pd.DataFrame(
        {"reading": "shapley", "seed": seed, "term": term, "share": share, "low": share - 0.1, "high": share + 0.1}
        for seed, own in enumerate([(0.6, 0.4), (NAN, NAN)])
        for term, share in zip(("synergy", "redundancy"), own, strict=True)
    )
    local = pd.DataFrame(
        {"sample_id": "x", "seed": 0, "kind": kind, "name": "a", "value": 0.25} for kind in ("share", "without")
    )
    tables = reading_tables(
        {
            "shares": shares,
            "behaviour": pd.DataFrame(roles("synergy", "synergy", "redundancy")),
            "weights_replaced": pd.DataFrame([replaced("learned", 0, 0), replaced("uniform", -0.1, 0.1)]),
            "role_loss": pd.DataFrame([role_loss("synergy", is_label_free=True)]),
            "interactions": pd.DataFrame([{"seed": 0, "modalities": "a + b", "index": 0.5, "low": 0.4, "high": 0.6}]),
            "additive": pd.DataFrame(
                [gap(0.1, 0.3) | {"seed": 0, "num_samples": 9, "score": 0.9, "additive_score": 0.7}]
            ),
            "local": local,
            "gate": None,
        },
        "accuracy",
    )
    assert list(tables) == ["shares", "behaviour", "weights_replaced", "role_loss", "interactions", "additive", "local"]
    of_shares, of_roles, weights, losses, pairs, additive, samples = tables.values()
    assert of_shares.rows == [
        [["shapley"], ["0.60 [0.50, 0.70]", "no gain shown"], ["0.40 [0.30, 0.50]", "no gain shown"]]
    ]
    assert of_roles.rows[0][:2] == [["synergy"], ["synergy", "redundancy"]]
    assert [row[2] for row in weights.rows] == [[], ["+0.000 [-0.100, +0.100]"]]
    assert losses.rows[0][3] == ["yes"]
    assert pairs.rows == [[["a + b"], ["0.50 [0.40, 0.60]"]]]
    assert additive.rows == [[["0"], ["0.900"], ["0.700"], ["0.20 [0.10, 0.30]"]]]
    assert [row[0] for row in samples.rows] == [["share of a"], ["value without a"]]
    assert all(len(row) == len(table.header) for table in tables.values() for row in table.rows)
    assert reading_tables(dict.fromkeys(["shares"]), "accuracy") == {}
