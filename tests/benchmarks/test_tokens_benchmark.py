"""Readings of tokens on the best possible model of planted-tokens: its values by hand, and what the readings find."""

import numpy as np
import pytest

from benchmarks.planted import estimators
from benchmarks.tokens.__main__ import games_table, scale_row, words
from benchmarks.tokens.best import BestModel, best_model, players_of
from benchmarks.tokens.measures import SAMPLES, attribution, found, masking, read
from i2moe.explain.tokens.exact import exact_interaction_index
from i2moe.explain.tokens.game import Players
from i2moe.explain.tokens.interaction import interaction_index
from stages.datasets.planted.generators import NOISE
from stages.datasets.planted.tokens import tokens

SEEDS = range(10)
LN2 = np.log(2)
# Six columns: 0 and 3 make the exclusive or, 1 and 4 are copies, 2 and 5 the exclusive or inside.
BY_HAND = np.array([[0, 3], [1, 4], [2, 5]])
SURE = np.array([[50.0, 50, 50, -50, 50, -50]])  # log-odds of each bit: 1 1 1 0 1 0


def certain(scale="log-probability"):
    return BestModel(SURE, BY_HAND, scale)


@pytest.fixture(scope="module")
def cases():
    return [read(seed) for seed in SEEDS]


def test_without_noise_values_are_those_by_hand():
    keep = np.array([[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 0, 0], [1] * 6], bool)[
        None
    ]
    rows = np.array([0])
    assert certain().predicted().tolist() == [[True, True, True]]
    assert certain()(keep, rows)[0] == pytest.approx([-3 * LN2, -3 * LN2, -2 * LN2, -2 * LN2, 0], abs=1e-9)
    assert certain("probability")(keep, rows)[0] == pytest.approx([1 / 8, 1 / 8, 1 / 4, 1 / 4, 1], abs=1e-9)
    # Half the log-odds: of an exclusive or 50 too, less ln 2; of copies they add up.
    logits = [0, 0, (50 - LN2) / 2, 25, (50 - LN2) + 50]
    assert certain("logit")(keep, rows)[0] == pytest.approx(logits, abs=1e-9)


@pytest.mark.parametrize(
    ("scale", "synergy", "copies"), [("log-probability", LN2, -LN2), ("logit", (50 - LN2) / 2, 0.0)]
)
def test_the_exact_index_is_that_by_hand_and_no_other_pair_has_any(scale, synergy, copies):
    every = np.array([[[i, j] for i in range(6) for j in range(i + 1, 6)]])
    index = exact_interaction_index(certain(scale), every, np.ones((1, 6), bool))[0]
    expected = {(0, 3): synergy, (1, 4): copies, (2, 5): synergy}
    assert index == pytest.approx([expected.get(tuple(pair), 0) for pair in every[0].tolist()], abs=1e-9)


def test_on_probabilities_columns_of_different_pairs_interact():
    index = exact_interaction_index(certain("probability"), np.array([[[0, 1]]]), np.ones((1, 6), bool))
    # Half for 0 where 3 is in, half for 1 where 4 is not, and 1/2 or 1 by 2 and 5. Over a probability p of each token:
    # 1/4 of the integral of p (1 - p) (1/2 + p^2 / 2), which is 1/12 + 1/40.
    assert index[0, 0] == pytest.approx((1 / 12 + 1 / 40) / 4)


def test_the_posterior_is_that_of_a_sum_over_all_bits():
    """Bayes' rule spelt out: columns' likelihoods under all 64 sets of bits, where a column that is out has none."""
    evidence = np.random.default_rng(0).normal(scale=2, size=(4, 6))
    keep = np.random.default_rng(1).random((4, 3, 6)) < 0.6
    bits = (np.arange(64)[:, None] >> np.arange(6)) & 1
    bits = bits[bits[:, 1] == bits[:, 4]]
    classes = (bits[:, 0] ^ bits[:, 3]) + 2 * bits[:, 1] + 4 * (bits[:, 2] ^ bits[:, 5])
    likelihood = np.exp((evidence[:, None] * keep) @ bits.T)
    joint = np.stack([likelihood[..., classes == one].sum(axis=-1) for one in range(8)], axis=-1)
    posterior = joint / joint.sum(axis=-1, keepdims=True)
    game = BestModel(evidence, BY_HAND, "probability")
    target = game.predicted() @ np.array([1, 2, 4])
    assert game(keep, np.arange(4)) == pytest.approx(posterior[np.arange(4), :, target])
    assert game(keep[[2]], np.array([2]))[0] == pytest.approx(posterior[2, :, target[2]])


def test_the_best_model_is_as_good_as_stated():
    drawn = tokens(20000, 0)
    predicted = best_model(drawn, NOISE).predicted() @ np.array([1, 2, 4])
    assert (predicted == drawn.labels).mean() == pytest.approx(drawn.bayes, abs=0.006)
    noisy = tokens(20000, 0, noise=1.0)
    assert (best_model(noisy, 1.0).predicted() @ np.array([1, 2, 4]) == noisy.labels).mean() == pytest.approx(
        noisy.bayes, abs=0.01
    )


def test_an_attribution_is_what_is_added_to_nothing_and_to_all_others_by_hand():
    players = Players(np.array([0] * 3 + [1] * 3), np.ones((1, 6), bool))
    assert attribution(certain(), players)[0] == pytest.approx([LN2 / 2] * 6, abs=1e-9)
    drawn = tokens(50, 0)
    game = best_model(drawn, NOISE)
    about_nothing = np.setdiff1d(np.arange(16), game.pairs)
    assert attribution(game, players_of(drawn))[:, about_nothing] == pytest.approx(0, abs=1e-9)


def test_the_synergy_leads_by_the_index_and_the_copies_by_the_gap_in_nine_of_ten_seeds(cases):
    rows = [found(case) for case in cases]
    assert sum(row["synergy first"] and row["copies first"] for row in rows) >= 9
    assert max(row["largest other index"] for row in rows) < 1e-9


def test_the_pair_inside_a_modality_is_never_probed(cases):
    for case in cases:
        modality = players_of(case.drawn).modality[case.pairs]
        assert (modality[..., 0] != modality[..., 1]).all()
        assert not found(case)["inside probed"]
        inside = np.tile(case.game.pairs[2:], (SAMPLES, 1, 1))
        index = interaction_index(case.game, inside, players_of(case.drawn).real)
        assert index.value.mean() == pytest.approx(LN2, abs=0.1)  # it is there, and would be found


def test_masking_both_planted_pairs_costs_more_than_each_control(cases):
    lowest = [min(mean.low for mean in masking(case).values()) for case in cases]
    assert sum(low > 0 for low in lowest) >= 9


def test_a_synergy_alone_costs_no_more_than_re_paired_tokens(cases):
    alone = [masking(case, 1) for case in cases[:3]]
    assert all(means["re-paired"].low < 0 for means in alone)
    assert all(means["random pairs"].low > 0 for means in alone)


def test_logits_are_blind_to_copies():
    rows = [found(read(seed, "logit")) for seed in range(3)]
    assert all(row["synergy first"] for row in rows)
    assert max(abs(row["gap of copies"]) for row in rows) < 1e-9


def test_games_of_16_players_are_told_from_960_evaluations():
    assert sum(share == 1 for share in estimators.sampled_precision()) >= 9
    games = estimators.planted_games(2)
    assert (4 * len(estimators.ALL_PAIRS) * estimators.sampled_indices(games).draws).tolist() == [960, 960]
    keep = np.zeros((2, 3, 16), bool)
    for row in range(2):
        keep[row, 1, games.together[row, 0]] = keep[row, 2] = True
    # None; one pair that must come together; all four pairs.
    assert games(keep, np.arange(2)) == pytest.approx(np.array([[0.1192, 0.2689, 0.8808]] * 2), abs=1e-4)


def test_tables_have_a_row_for_each_game_and_scale(cases, monkeypatch):
    monkeypatch.setattr("benchmarks.tokens.__main__.planted_games", lambda: estimators.planted_games(1))
    monkeypatch.setattr("benchmarks.tokens.__main__.sampled_precision", lambda: estimators.sampled_precision(1))
    assert games_table()["planted pairs that lead"].tolist() == ["1.00"]
    assert words(cases[0])["synergy first"] == "True"
    assert scale_row("log-probability", cases)["copies first"] == "10 of 10"
