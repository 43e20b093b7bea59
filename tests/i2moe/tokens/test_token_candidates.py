"""Which pairs of tokens are probed: tops of each modality, two modalities to a pair."""

import numpy as np
import pytest

from i2moe.explain.tokens.candidates import candidate_pairs, mean_by_pair
from i2moe.explain.tokens.game import Players
from i2moe.explain.tokens.interaction import interaction_index
from i2moe.explain.tokens.ranks import ranks_within, sizes


def test_ties_go_to_the_first_token_and_padding_comes_last():
    players = Players(np.array([0, 1, 0, 1, 0]), np.array([[True, True, True, True, False]] * 2))
    scores = np.array([[0.5, 0.5, 0.5, 0.5, 9.0], [0.1, 0.1, 0.2, 0.2, 9.0]])
    assert ranks_within(scores, players).tolist() == [[0, 0, 1, 1, 2], [1, 1, 0, 0, 2]]
    assert sizes(players).tolist() == [[2] * 5] * 2


def test_of_three_modalities_each_two_make_pairs():
    players = Players(np.array([0, 0, 1, 1, 2]), np.ones((1, 5), bool))
    found = candidate_pairs(players, np.array([[1.0, 2, 4, 3, 0]]), top=1)
    assert found.pairs.tolist() == [[[1, 2], [1, 4], [2, 4]]]
    assert (found.top, found.of.tolist()) == (1, [4 + 2 + 2])


def test_a_single_modality_has_no_pairs_of_two_and_readings_of_none_are_empty():
    players = Players(np.zeros(3, int), np.ones((2, 3), bool))
    found = candidate_pairs(players, np.ones((2, 3)), top=2)
    assert (found.pairs.shape, found.of.tolist()) == ((2, 0, 2), [0, 0])
    estimate = interaction_index(lambda keep, rows: keep.sum(axis=-1), found.pairs, players.real)  # noqa: ARG005
    assert (estimate.value.shape, estimate.draws.tolist()) == ((2, 0), [0, 0])
    assert mean_by_pair(found.pairs, estimate.value) == {}


def test_a_short_sample_has_fewer_pairs_and_one_without_a_modality_none():
    players = Players(
        np.array([0, 0, 0, 1, 1]), np.array([[True] * 5, [True, False, False, True, True], [True] * 3 + [False] * 2])
    )
    found = candidate_pairs(players, np.array([[1.0, 3, 2, 5, 4]] * 3), top=2)
    assert found.pairs.tolist() == [
        [[1, 3], [1, 4], [2, 3], [2, 4]],
        [[0, 3], [0, 4], [-1, -1], [-1, -1]],
        [[-1, -1]] * 4,
    ]
    assert found.of.tolist() == [6, 2, 0]


def test_a_large_k_takes_all_pairs_of_two_modalities_and_none_within_one():
    players = Players(np.array([0] * 3 + [1] * 4), np.ones((2, 7), bool))
    found = candidate_pairs(players, np.random.default_rng(0).random((2, 7)), top=100)
    for pairs in found.pairs.tolist():
        assert sorted(map(tuple, pairs)) == [(i, j) for i in range(3) for j in range(3, 7)]


def test_means_by_pair_are_over_the_samples_that_have_it():
    pairs = np.array([[[0, 3], [1, 2]], [[1, 2], [-1, -1]]])
    assert mean_by_pair(pairs, np.array([[1.0, 2.0], [4.0, np.nan]])) == {(0, 3): 1.0, (1, 2): pytest.approx(3.0)}
