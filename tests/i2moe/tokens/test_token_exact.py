"""The exact interaction index of pairs of tokens: against its definition, and against shapiq where it is installed."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest

from i2moe.explain.tokens.exact import MOST_TOKENS, exact_interaction_index
from i2moe.explain.tokens.interaction import Sampling, interaction_index


def random_game(seed, num_tokens, num_samples=2):
    """Return a game with a random value for every coalition of every sample."""
    values = np.random.default_rng(seed).normal(size=(num_samples, 2**num_tokens))
    return lambda keep, rows: values[rows[:, None], keep @ 2 ** np.arange(num_tokens)]


def by_definition(game, row, players, pair):
    """Sum the gains over all contexts with the index's weights."""

    def value(*tokens):
        keep = np.isin(np.arange(max(players) + 1), tokens)[None, None]
        return game(keep, np.array([row]))[0, 0]

    others, (i, j), total = [one for one in players if one not in pair], pair, 0.0
    for size in range(len(others) + 1):
        weight = factorial(size) * factorial(len(others) - size) / factorial(len(others) + 1)
        for s in combinations(others, size):
            total += weight * (value(*s, i, j) - value(*s, i) - value(*s, j) + value(*s))
    return total


@pytest.mark.parametrize("num_tokens", [2, 3, 5, 7])
def test_the_index_is_that_of_the_definition(num_tokens):
    game = random_game(num_tokens, num_tokens)
    pairs = np.array([list(combinations(range(num_tokens), 2))] * 2)
    found = exact_interaction_index(game, pairs, np.ones((2, num_tokens), bool))
    expected = [[by_definition(game, row, range(num_tokens), tuple(pair)) for pair in pairs[row]] for row in (0, 1)]
    assert found == pytest.approx(np.array(expected), abs=1e-9)


def test_padding_plays_no_part_and_the_order_of_a_pair_does_not_matter():
    game = random_game(0, 5)
    real = np.array([[True, False, True, True, True], [True] * 5])
    found = exact_interaction_index(game, np.array([[[4, 2]], [[1, 3]]]), real, chunk=3)
    expected = [[by_definition(game, 0, [0, 2, 3, 4], (2, 4))], [by_definition(game, 1, range(5), (1, 3))]]
    assert found == pytest.approx(np.array(expected), abs=1e-9)


def test_the_sampled_index_comes_near_the_exact_one_as_its_error_says():
    game = random_game(1, 6, num_samples=20)
    pairs = np.array([[[0, 5], [1, 2], [3, 4]]] * 20)
    real = np.ones((20, 6), bool)
    found = interaction_index(game, pairs, real, "shapley", Sampling(0, 100, 400))
    distance = (found.value - exact_interaction_index(game, pairs, real)) / found.error
    assert np.abs(distance).max() < 4
    assert np.mean(distance**2) == pytest.approx(1, abs=0.5)


def test_too_many_tokens_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match="a sample has 17 tokens, more than 16: sample contexts instead"):
        exact_interaction_index(random_game(0, 3), np.array([[[0, 1]]]), np.ones((1, MOST_TOKENS + 1), bool))


@pytest.mark.parametrize("num_tokens", [4, 8])
def test_the_index_is_that_of_shapiq(num_tokens):
    shapiq = pytest.importorskip("shapiq", reason="shapiq is not installed: pip install shapiq")
    game = random_game(num_tokens, num_tokens, num_samples=1)
    other = shapiq.ExactComputer(lambda keep: game(keep.astype(bool)[None], np.array([0]))[0], n_players=num_tokens)
    theirs = other("SII", order=2)
    pairs = list(combinations(range(num_tokens), 2))
    found = exact_interaction_index(game, np.array([pairs]), np.ones((1, num_tokens), bool))[0]
    assert found == pytest.approx([theirs[pair] for pair in pairs], abs=1e-6)
