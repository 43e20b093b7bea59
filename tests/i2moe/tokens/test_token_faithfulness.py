"""Masking of top tokens: counts, losses and gaps by hand, and that an attribution of noise is no better than chance."""

import numpy as np
import pytest

from i2moe.explain.tokens.faithfulness import Faithfulness, aopc, faithfulness, lost_at_random, top_tokens
from i2moe.explain.tokens.game import Players
from i2moe.explain.tokens.intervals import mean_of
from i2moe.resampling import percentiles, resampled_means, units_of

WEIGHTS = np.array([0.4, 0.1, 0.1, 0.0, 0.3, 0.1, 0.0, 0.0])
PLAYERS = Players(np.array([0] * 4 + [1] * 4), np.ones((2, 8), bool))


def added(keep, rows):
    """Tokens' worths add up; sample 1 has half of them."""
    return keep @ WEIGHTS / (1 + rows[:, None])


def units(num_samples):
    return units_of("regression", np.zeros(num_samples))


def test_a_share_of_each_modality_is_rounded_up_and_at_least_one_token():
    players = Players(np.array([0] * 21 + [1] * 3), np.ones((1, 24), bool))
    counts = top_tokens(players, np.arange(24.0)[None])
    assert counts[..., :21].sum(axis=-1).tolist() == [[2, 3, 4, 5, 6]]  # 1.05, 2.1, 3.15, 4.2, 5.25
    assert counts[..., 21:].sum(axis=-1).tolist() == [[1] * 5]
    assert np.flatnonzero(counts[0, 0]).tolist() == [19, 20, 23]


def test_counts_are_of_the_tokens_that_a_sample_has():
    real = np.array([[True] * 8, [True] * 5 + [False] * 3, [True] * 4 + [False] * 4])
    counts = top_tokens(Players(PLAYERS.modality, real), np.ones((3, 8)), (25, 50))
    assert counts.sum(axis=-1).tolist() == [[2, 4], [2, 3], [1, 2]]
    assert not (counts & ~real[:, None]).any()


def test_losses_of_tokens_that_add_up_by_hand():
    control = lost_at_random(added, PLAYERS, (25, 50), repeats=2000)
    found = faithfulness(added, PLAYERS, np.stack([WEIGHTS] * 2), control, (25, 50))
    assert found.confidence == pytest.approx([1.0, 0.5])
    # Top tokens 0 and 4; at 50 % 1 and 5 besides, the first of those with .1.
    assert found.comprehensiveness == pytest.approx(np.array([[0.7, 0.9], [0.35, 0.45]]))
    assert found.sufficiency == pytest.approx(np.array([[0.3, 0.1], [0.15, 0.05]]))
    # A token of each modality at random: a quarter of all on average; then half of all.
    assert found.random_comprehensiveness == pytest.approx(np.array([[0.25, 0.5], [0.125, 0.25]]), abs=0.02)
    assert found.random_sufficiency == pytest.approx(np.array([[0.75, 0.5], [0.375, 0.25]]), abs=0.02)


def test_an_attribution_of_noise_has_no_gap_and_a_right_one_has():
    real = np.ones((300, 8), bool)
    players = Players(PLAYERS.modality, real)
    noise = np.random.default_rng(1).random((300, 8))

    def game(keep, rows):  # noqa: ARG001
        return keep @ WEIGHTS

    control = lost_at_random(game, players)
    gaps = aopc(faithfulness(game, players, noise, control), units(300))
    assert gaps["comprehensiveness_gap"].low < 0 < gaps["comprehensiveness_gap"].high
    assert gaps["sufficiency_gap"].low < 0 < gaps["sufficiency_gap"].high
    right = aopc(faithfulness(game, players, np.tile(WEIGHTS, (300, 1)), control), units(300))
    assert right["comprehensiveness_gap"].low > 0.4
    assert right["sufficiency_gap"].low > 0.4
    assert right["confidence"].value == pytest.approx(1)


def test_the_aopc_is_the_plain_mean_over_samples_and_shares_and_gaps_have_their_signs():
    ones = np.ones((2, 2))
    found = Faithfulness(np.array([0.8, 0.6]), np.array([[0.5, 0.7], [0.1, 0.3]]), 0.1 * ones, 0.2 * ones, 0.4 * ones)
    means = {name: mean.value for name, mean in aopc(found, units(2)).items()}
    assert means == pytest.approx(
        {
            "comprehensiveness": 0.4,
            "sufficiency": 0.1,
            "random_comprehensiveness": 0.2,
            "random_sufficiency": 0.4,
            "comprehensiveness_gap": 0.2,
            "sufficiency_gap": 0.3,
            "confidence": 0.7,
        }
    )


def test_the_interval_is_that_of_the_resampled_means_and_leaves_out_samples_without_a_value():
    values = np.random.default_rng(0).normal(size=40)
    own = units(40)
    found = mean_of(values, own)
    expected = percentiles(resampled_means(values, own), own)
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), expected.low, expected.high))
    gone = np.where(np.arange(40) < 10, np.nan, values)
    assert mean_of(gone, own).value == pytest.approx(values[10:].mean())
    assert mean_of(gone, own).low < values[10:].mean() < mean_of(gone, own).high
    assert np.isnan([mean_of(np.full(3, np.nan), units(3)).value, mean_of(np.full(3, np.nan), units(3)).low]).all()


def test_the_control_depends_on_its_seed_alone():
    first, again, other = (lost_at_random(added, PLAYERS, **own) for own in ({}, {"chunk": 3}, {"seed": 1}))
    assert np.array_equal(first.alone, again.alone)
    assert not np.array_equal(first.alone, other.alone)
