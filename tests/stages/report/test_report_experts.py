"""What the page makes of an expert."""

import pandas as pd
import pytest

from stages.report.experts import expert_rows, judge

ROW = {"expert": "synergy", "mean_weight": 0.2, "chance_seeds": 0, "knows_seeds": 2, "num_seeds": 2}


@pytest.mark.parametrize(
    ("row", "roles", "kind", "words"),
    [
        ({"chance_seeds": 2, "knows_seeds": 0}, {"idle": 2}, "bad", "Knows nothing alone: do not read its weight."),
        ({"chance_seeds": 2, "mean_weight": 0.6}, {"idle": 2}, "bad", "Knows nothing alone, though it has more than"),
        ({}, {"synergy": 2}, "good", "Knows something alone and behaves as named, in every seed."),
        (
            {},
            {"redundancy": 1, "unclear": 1},
            "bad",
            "Knows something alone in 2 of 2 seeds, but never behaves as named",
        ),
        ({}, {"synergy": 1, "redundancy": 1}, "open", "Knows something alone in 2 of 2 seeds, behaves as named in 1."),
        ({}, {"unclear": 2}, "open", "Knows something alone in 2 of 2 seeds, behaves as named in 0."),
        ({"knows_seeds": 1, "num_seeds": 1}, {"unclear": 1}, "open", "Knows something alone in 1 of 1 seed, behaves"),
        ({"knows_seeds": 1, "chance_seeds": 1}, {"synergy": 2}, "open", "Knows something alone in 1 of 2 seeds"),
    ],
)
def test_an_expert_is_believed_where_it_knows_something_and_behaves_as_named(row, roles, kind, words):
    found, said = judge(ROW | row, pd.Series(roles), 0.5)
    assert found == kind
    assert said.startswith(words)


def test_a_row_holds_weights_and_roles_by_seed():
    experts = pd.DataFrame([ROW, ROW | {"expert": "redundancy"}])
    seeds = pd.DataFrame(
        {"expert": ["synergy", "redundancy"] * 2, "seed": [0, 0, 1, 1], "mean_weight": [0.1, 0.9, 0.3, 0.7]}
    )
    behaviour = seeds.assign(role=["synergy", "idle", "synergy", "synergy"])
    first, second = expert_rows(experts, seeds, pd.concat([behaviour, behaviour]))  # a row per term
    assert first.weights == [0.1, 0.3]
    assert first.roles == ["as named in 2"]
    assert second.roles == ["idle in 1", "synergy in 1"]
    assert (first.kind, second.kind) == ("good", "bad")
