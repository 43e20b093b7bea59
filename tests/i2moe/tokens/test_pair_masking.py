"""Masking of top pairs against three controls, by hand: 4 tokens of each modality, tokens 0 and 4 are copies."""

import numpy as np
import pytest

from i2moe.explain.tokens.game import Players
from i2moe.explain.tokens.pair_masking import excess, pair_masking
from i2moe.resampling import units_of

PLAYERS = Players(np.array([0] * 4 + [1] * 4), np.ones((1, 8), bool))
MANY = 20000


def copies(keep, rows):  # noqa: ARG001
    return keep[..., [0, 4]].any(axis=-1).astype(float)


def needed_together(keep, rows):  # noqa: ARG001
    """Tokens 0 and 4 need each other, and so do 1 and 5, for another part of the value."""
    return keep[..., [0, 4]].all(axis=-1).astype(float) + keep[..., [1, 5]].all(axis=-1)


def all_pairs(first, second):
    return np.array([[[i, j] for i in first for j in second]])


def test_of_copies_both_must_go_and_the_controls_find_them_as_often_as_chance():
    candidates = all_pairs((0, 1), (4, 5))
    found = pair_masking(copies, PLAYERS, candidates, np.array([[9.0, 1, 2, 3]]), top=1, repeats=MANY)
    assert found.found.tolist() == [1]
    # One of 16 pairs; one of 4 tokens of each modality; one of 4 candidates.
    assert [found.controls[name][0] for name in ("random pairs", "equal tokens", "re-paired")] == pytest.approx(
        [1 / 16, 1 / 16, 1 / 4], abs=0.015
    )


def test_two_pairs_that_share_a_token_are_compared_with_three_tokens():
    candidates = all_pairs((0, 1), (4, 5))
    found = pair_masking(copies, PLAYERS, candidates, np.array([[9.0, 8, 0, 0]]), top=2, repeats=MANY)  # 0-4 and 0-5
    assert found.found.tolist() == [1]
    # Two distinct of 16 pairs. Both tokens are masked where one of the two is 0-4 (2/16), or where one has 0 and
    # another 4: 3 · 3 of 120 sets of two.
    assert found.controls["random pairs"][0] == pytest.approx(1 / 8 + 9 / 120, abs=0.015)
    assert found.controls["equal tokens"][0] == pytest.approx(1 / 4 * 2 / 4, abs=0.015)  # one token, and two
    assert found.controls["re-paired"][0] == pytest.approx(3 / 6 + 1 / 6, abs=0.015)  # with 0-4; or 0-5 and 1-4


def test_a_single_pair_that_needs_each_other_costs_no_more_than_re_paired_tokens():
    candidates = all_pairs((0, 1), (4, 5))
    found = pair_masking(needed_together, PLAYERS, candidates, np.array([[9.0, 0, 0, 1]]), top=1, repeats=MANY)
    assert found.found.tolist() == [1]
    assert found.controls["random pairs"][0] == pytest.approx((2 * 1 + 2 * 2 + 8 * 1) / 16, abs=0.015)
    assert found.controls["re-paired"][0] == pytest.approx((1 + 2 + 2 + 1) / 4, abs=0.015)  # 0-5 undoes both parts


def test_a_sample_with_fewer_pairs_masks_what_it_has_and_one_without_has_no_value():
    real = np.array([[True] * 8, [True] * 8, [True] * 4 + [False] * 4])
    pairs = np.array([[[0, 4], [1, 5]], [[0, 4], [-1, -1]], [[-1, -1], [-1, -1]]])

    def game(keep, rows):
        assert not (keep & ~real[rows][:, None]).any()
        return keep.sum(axis=-1).astype(float)

    scores = np.array([[1.0, 2.0], [1.0, np.nan], [np.nan, np.nan]])
    found = pair_masking(game, Players(PLAYERS.modality, real), pairs, scores, top=2)
    assert found.found == pytest.approx([4, 2, np.nan], nan_ok=True)
    assert found.controls["equal tokens"] == pytest.approx([4, 2, np.nan], nan_ok=True)
    assert (found.controls["random pairs"][:2] <= [4, 2]).all()
    own = excess(found, units_of("regression", np.zeros(3)))
    assert own["equal tokens"].value == 0


def test_the_excess_is_the_paired_mean_with_its_interval():
    num = 200
    players = Players(PLAYERS.modality, np.ones((num, 8), bool))
    candidates = np.tile(all_pairs((0, 1), (4, 5)), (num, 1, 1))
    best = np.tile([9.0, 0, 0, 0], (num, 1))
    of_copies = excess(pair_masking(copies, players, candidates, best, top=1), units_of("regression", np.zeros(num)))
    assert of_copies["random pairs"].value == pytest.approx(15 / 16, abs=0.02)
    assert of_copies["re-paired"].value == pytest.approx(3 / 4, abs=0.03)
    assert all(0.6 < mean.low < mean.value < mean.high < 1 for mean in of_copies.values())
    worst = excess(pair_masking(copies, players, candidates, -best, top=1), units_of("regression", np.zeros(num)))
    assert worst["re-paired"].high < 0


def test_controls_depend_on_the_seed_and_not_on_the_chunk():
    args = (needed_together, PLAYERS, all_pairs((0, 1, 2), (4, 5)), np.arange(6.0)[None], 2)
    first, again, other = pair_masking(*args), pair_masking(*args, chunk=2), pair_masking(*args, seed=5)
    assert first.controls == again.controls
    assert first.controls != other.controls
