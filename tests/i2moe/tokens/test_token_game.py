"""How games are asked for coalitions: all of them, in parts that are small enough."""

import numpy as np
import pytest

from i2moe.explain.tokens.game import are_pairs, evaluate


@pytest.mark.parametrize("chunk", [1, 2, 5, 6, 7, 100])
def test_every_coalition_is_asked_for_once_in_parts_of_at_most_a_chunk(chunk):
    asked = []

    def game(keep, rows):
        asked.append(keep.shape[0] * keep.shape[1])
        return keep @ np.array([1.0, 2.0, 4.0]) + 8 * rows[:, None]

    keep = np.random.default_rng(0).random((5, 6, 3)) < 0.5
    rows = np.array([7, 0, 3, 3, 9])
    assert np.array_equal(evaluate(game, keep, rows, chunk), keep @ [1, 2, 4] + 8 * rows[:, None])
    assert sum(asked) == 30
    assert max(asked) <= chunk


def test_no_samples_have_no_values():
    def game(keep, rows):
        raise AssertionError(keep, rows)

    assert evaluate(game, np.zeros((0, 4, 3), bool), np.zeros(0, int)).shape == (0, 4)


def test_what_is_minus_one_is_no_pair():
    assert are_pairs(np.array([[[0, 1], [-1, -1]]])).tolist() == [[True, False]]
