"""Exact indices of games, against sums over all orders and contexts, and games whose indices are known."""

from itertools import combinations, permutations
from math import factorial

import numpy as np
import pytest

from i2moe.explain.subsets import interaction_indices, pairs, shapley_values, subsets


def game(values):
    """Return a game as a function of a set of players."""
    members = subsets(len(values).bit_length() - 1)
    by_set = {frozenset(np.flatnonzero(row).tolist()): value for row, value in zip(members, values, strict=True)}
    return lambda *players: by_set[frozenset(players)]


def brute_shapley(values, player):
    v, num = game(values), len(values).bit_length() - 1
    orders = list(permutations(range(num)))
    return np.mean([v(*o[: o.index(player) + 1]) - v(*o[: o.index(player)]) for o in orders])


def brute_interaction(values, i, j):
    v, num = game(values), len(values).bit_length() - 1
    others = [one for one in range(num) if one not in (i, j)]
    total = 0.0
    for size in range(num - 1):
        for s in combinations(others, size):
            weight = factorial(size) * factorial(num - size - 2) / factorial(num - 1)
            total += weight * (v(*s, i, j) - v(*s, i) - v(*s, j) + v(*s))
    return total


@pytest.mark.parametrize("num_players", [2, 3, 4])
def test_indices_are_those_of_the_definitions(num_players):
    values = np.random.default_rng(num_players).normal(size=2**num_players)
    assert shapley_values(values) == pytest.approx(
        [brute_shapley(values, player) for player in range(num_players)], abs=1e-12
    )
    assert shapley_values(values).sum() == pytest.approx(values[-1] - values[0])
    expected = [brute_interaction(values, i, j) for i, j in pairs(num_players)]
    assert interaction_indices(values) == pytest.approx(expected, abs=1e-12)


def test_the_interaction_of_games_that_are_known():
    def spread(first, second, num_players):
        """Return a game of the first two of some players; the rest do nothing."""
        members = subsets(num_players)[:, :2]
        return np.array([0.5 + first * any(row) + second * all(row) for row in members.tolist()])

    for num_players in (2, 3, 4):
        first_pair = np.eye(len(pairs(num_players)))[0]
        assert interaction_indices(spread(0, 0.5, num_players)) == pytest.approx(0.5 * first_pair, abs=1e-6)  # XOR
        assert interaction_indices(spread(0.5, 0, num_players)) == pytest.approx(-0.5 * first_pair, abs=1e-6)  # copies
        alone = 0.5 + 0.5 * subsets(num_players)[:, 0]
        assert interaction_indices(alone) == pytest.approx(0, abs=1e-6)  # unique


def test_subsets_go_from_none_to_all_and_each_has_its_row():
    members = subsets(4)
    assert members.sum(axis=1).tolist() == [0] + [1] * 4 + [2] * 6 + [3] * 4 + [4]
    assert len(np.unique(members, axis=0)) == 16
    many = np.random.default_rng(0).normal(size=(5, 2, 8))
    assert shapley_values(many)[3, 1] == pytest.approx(shapley_values(many[3, 1]))
