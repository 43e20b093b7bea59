"""Planted data: who can know what of the label, and how well the best possible model does."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from stages.datasets.planted import generators
from stages.datasets.planted.generators import Term, composite, copies, hdxor, logical, none, pure, switch, terms
from stages.datasets.planted.tokens import COLUMNS, tokens

BOTH = ("first", "second")
NUM, HALF = 8000, 4000
BY_EXPERT = {term.expert: term for term in terms()}


def linear_accuracy(inputs, labels):
    """Return what a linear model, fitted on one half, reaches on the other: the best possible for a single bit."""
    model = LogisticRegression(max_iter=2000).fit(inputs[:HALF], labels[:HALF])
    return model.score(inputs[HALF:], labels[HALF:])


def known_by(drawn):
    """Return the accuracy of each modality alone, and of both together where the label is linear in their bits."""
    alone = [linear_accuracy(drawn.inputs[name], drawn.labels) for name in BOTH]
    return [*alone, linear_accuracy(np.concatenate([drawn.inputs[name] for name in BOTH], axis=1), drawn.labels)]


@pytest.mark.parametrize(
    ("expert", "expected"),
    [
        ("uniqueness_first", [0.977, 0.5, 0.977]),
        ("uniqueness_second", [0.5, 0.977, 0.977]),
        ("redundancy", [0.977, 0.977, 0.998]),
        ("synergy", [0.5, 0.5, 0.5]),
    ],
)
def test_each_modality_knows_what_the_planted_role_says(expert, expected):
    drawn = pure(BY_EXPERT[expert], NUM, seed=0)
    assert known_by(drawn) == pytest.approx(expected, abs=0.03)
    assert drawn.shares == {BY_EXPERT[expert]: 1.0}
    assert drawn.labels.mean() == pytest.approx(0.5, abs=0.03)


def test_the_best_model_is_as_good_as_stated():
    drawn = {expert: pure(term, NUM, seed=0) for expert, term in BY_EXPERT.items()}
    assert {name: round(own.bayes, 3) for name, own in drawn.items()} == {
        "uniqueness_first": 0.977,
        "uniqueness_second": 0.977,
        "synergy": 0.956,
        "redundancy": 0.998,
    }
    assert known_by(drawn["uniqueness_first"])[2] == pytest.approx(drawn["uniqueness_first"].bayes, abs=0.01)
    assert known_by(drawn["redundancy"])[2] == pytest.approx(drawn["redundancy"].bayes, abs=0.01)
    # Of the XOR: decide each modality's bit as well as can be, then take the XOR.
    decided = [
        LogisticRegression(max_iter=2000)
        .fit(drawn[f"uniqueness_{name}"].inputs[name], drawn[f"uniqueness_{name}"].labels)
        .predict(drawn[f"uniqueness_{name}"].inputs[name])
        for name in BOTH
    ]
    right = (decided[0] ^ decided[1]) == drawn["synergy"].labels
    assert right.mean() == pytest.approx(drawn["synergy"].bayes, abs=0.01)
    assert pure(BY_EXPERT["synergy"], 10, 0, num_classes=4).bayes == pytest.approx(0.9555**2, abs=1e-3)


def test_inputs_are_the_same_whatever_the_label():
    drawn = [pure(term, 50, 3, num_classes=classes) for term in terms() for classes in (2, 4)]
    drawn += [none(50, 3), switch(50, 3), logical("and", 50, 3), composite(terms()[:2], 50, 3)]
    for own in drawn:
        assert all(np.array_equal(own.inputs[name], drawn[0].inputs[name]) for name in BOTH)
    assert not np.array_equal(pure(terms()[0], 50, 4).inputs["first"], drawn[0].inputs["first"])


def test_a_composite_label_has_a_bit_of_each_part():
    parts = [BY_EXPERT["uniqueness_first"], BY_EXPERT["redundancy"]]
    drawn = composite(parts, NUM, seed=0)
    assert drawn.num_classes == 4
    assert linear_accuracy(drawn.inputs["first"], drawn.labels % 2) > 0.95
    assert linear_accuracy(drawn.inputs["second"], drawn.labels % 2) < 0.55
    assert linear_accuracy(drawn.inputs["second"], drawn.labels // 2) > 0.95
    assert drawn.shares == dict.fromkeys(parts, 0.5)
    assert composite([parts[0]] * 2, 10, 0).shares == {parts[0]: 1.0}


def test_of_three_modalities_pairs_and_all_share_and_interact():
    kinds = {(term.role, len(term.modalities)): term for term in terms(3)}
    assert len(terms(3)) == 3 + 4 + 4
    shared_by_two = pure(Term("redundancy", ("second", "third")), NUM, 0, num_modalities=3)
    accuracy = [linear_accuracy(shared_by_two.inputs[name], shared_by_two.labels) for name in generators.MODALITIES]
    assert accuracy == pytest.approx([0.5, 0.977, 0.977], abs=0.03)
    of_all = pure(kinds["synergy", 3], NUM, 0, num_modalities=3)
    of_pair = pure(Term("synergy", ("first", "second")), NUM, 0, num_modalities=3)
    of_third = pure(Term("uniqueness", ("third",)), NUM, 0, num_modalities=3)
    assert np.array_equal(of_all.labels, of_pair.labels ^ of_third.labels)


def test_of_switch_data_each_sample_names_its_term():
    drawn = switch(NUM, 0)
    of_first = drawn.of_sample == "uniqueness_first"
    assert of_first.mean() == pytest.approx(0.25, abs=0.02)
    assert linear_accuracy(drawn.inputs["second"], of_first) > 0.7  # the mode is visible
    own = drawn.inputs["first"][of_first], drawn.labels[of_first]
    assert LogisticRegression(max_iter=2000).fit(*own).score(*own) > 0.95
    uneven = switch(NUM, 0, mix=(0.4, 0.2, 0.2, 0.2))
    assert (uneven.of_sample == "uniqueness_first").mean() == pytest.approx(0.4, abs=0.02)


def test_shares_of_and_and_of_copies_are_the_known_ones():
    both = {role: Term(role, BOTH) for role in ("synergy", "redundancy")}
    # Bertschinger et al. 2014: AND has .5 bit of synergy and .311 of redundancy.
    assert logical("and", 10, 0).shares == pytest.approx({both["synergy"]: 0.616, both["redundancy"]: 0.384}, abs=1e-3)
    # An 80 % copy knows 1 - H(.2) = .278 bit of one.
    partial = copies((1, 0.8), NUM, 0)
    assert partial.shares == pytest.approx({terms()[0]: 0.722, both["redundancy"]: 0.278}, abs=1e-3)
    assert known_by(partial)[:2] == pytest.approx([0.977, 0.977 * 0.8 + 0.023 * 0.2], abs=0.02)
    # Two 90 % copies: .531 bit each; .742 together, by hand.
    assert copies((0.9, 0.9), 10, 0).shares == pytest.approx(
        {both["redundancy"]: 0.531 / 0.742, both["synergy"]: 0.211 / 0.742}, abs=2e-3
    )
    assert copies((1, 1), 10, 0).shares == {both["redundancy"]: 1.0}


@pytest.mark.parametrize("expert", list(BY_EXPERT))
def test_hd_xor_is_not_linear_and_hides_its_bits_where_the_setting_says(expert):
    drawn = hdxor(BY_EXPERT[expert], 2 * HALF, 0)
    assert {name: values.shape[1] for name, values in drawn.inputs.items()} == {"first": 200, "second": 100}
    assert known_by(drawn) == pytest.approx([0.5] * 3, abs=0.04)
    assert drawn.inputs["first"].std() == pytest.approx(2 if expert == "synergy" else 1, abs=0.1)


def test_labels_of_nothing_follow_from_nothing():
    drawn = none(NUM, 0, num_classes=4)
    assert drawn.shares == {}
    assert known_by(drawn) == pytest.approx([0.25] * 3, abs=0.03)


def planted_bits(drawn):
    """Return the sign of every planted column [N, 3, 2], as 0 and 1."""
    return np.stack(
        [np.stack([drawn.inputs[name][:, place] > 0 for name, place in pair.columns], axis=-1) for pair in drawn.pairs],
        axis=1,
    ).astype(int)


def test_the_label_of_tokens_has_the_bits_of_three_pairs_and_no_column_serves_two():
    for seed in range(5):
        drawn = tokens(200, seed, noise=0.01)
        bits = planted_bits(drawn)
        expected = (bits[:, 0].sum(axis=1) % 2) + 2 * bits[:, 1, 0] + 4 * (bits[:, 2].sum(axis=1) % 2)
        assert np.array_equal(drawn.labels, expected)
        assert np.array_equal(bits[:, 1, 0], bits[:, 1, 1])
        assert len({column for pair in drawn.pairs for column in pair.columns}) == 6
        modalities = [[name for name, _ in pair.columns] for pair in drawn.pairs]
        assert modalities == [["first", "second"]] * 2 + [["first", "first"]]
    assert len({tokens(10, seed).pairs for seed in range(5)}) == 5


def test_of_tokens_each_column_is_a_fair_bit_and_only_copies_agree():
    drawn = tokens(NUM, 0)
    columns = np.concatenate([drawn.inputs[name] for name in BOTH], axis=1)
    assert columns.shape == (NUM, 2 * COLUMNS)
    assert columns.mean(axis=0) == pytest.approx(0, abs=0.05)
    assert columns.var(axis=0) == pytest.approx(1.25, abs=0.05)  # of bits 1, of noise .25
    (_, first), (_, second) = drawn.pairs[1].columns
    expected = np.eye(2 * COLUMNS)
    expected[first, COLUMNS + second] = expected[COLUMNS + second, first] = 1 / 1.25
    assert np.corrcoef(columns.T) == pytest.approx(expected, abs=0.05)


def test_who_can_know_which_bit_of_the_label_of_tokens():
    drawn = tokens(NUM, 0)
    alone = [linear_accuracy(drawn.inputs[name], (drawn.labels // 2) % 2) for name in BOTH]
    assert alone == pytest.approx([0.977] * 2, abs=0.02)
    columns = np.concatenate([drawn.inputs[name] for name in BOTH], axis=1)
    assert [linear_accuracy(columns, drawn.labels // bit % 2) for bit in (1, 4)] == pytest.approx([0.5] * 2, abs=0.04)
    assert np.bincount(drawn.labels) / NUM == pytest.approx([1 / 8] * 8, abs=0.015)
    assert drawn.num_classes == 8
