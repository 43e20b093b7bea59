"""The interaction of pairs of tokens from sampled contexts: games whose indices are known, and when drawing stops."""

import numpy as np
import pytest

from i2moe.explain.tokens.exact import exact_interaction_index
from i2moe.explain.tokens.interaction import Sampling, backup, gain, interaction_index, redundancy_gap

PAIR = np.array([[[0, 1]]])


def three(keep, rows):  # noqa: ARG001
    """Tokens 0, 1 and 2 together are worth 1: token 0 gains from token 1 only where token 2 is in."""
    return keep[..., :3].all(axis=-1).astype(float)


def real(num_samples, num_tokens):
    return np.ones((num_samples, num_tokens), bool)


def copies(keep, rows):  # noqa: ARG001
    return keep[..., :2].any(axis=-1) + 2.0 * keep[..., 2]


def noisy(keep, rows):
    """Of sample 0 the tokens add up; of sample 1 the gain of 0 and 1 depends on tokens 2 to 5, mean 1."""
    added = keep @ np.arange(1.0, 1 + keep.shape[-1])
    return added + (rows[:, None] == 1) * keep[..., :2].all(axis=-1) * keep[..., 2:6].sum(axis=-1) / 2


def test_the_three_laws_of_contexts_on_a_triple_by_hand():
    # The gain is 1 where token 2 is in the context. Of two other tokens, sizes 0, 1 and 2 are as likely: it is in with
    # probability (0 + 1/2 + 1) / 3. Which is 1/2 too where each is in with 1/2.
    many = Sampling(tolerance=0, round=1000, most=4000)
    for context, expected in (("shapley", 0.5), ("uniform", 0.5), ("full", 1.0)):
        found = interaction_index(three, PAIR, real(1, 4), context, many)
        assert found.value[0, 0] == pytest.approx(expected, abs=0.03)
        assert found.draws.tolist() == ([1] if context == "full" else [4000])
        assert found.error[0, 0] == pytest.approx(0 if context == "full" else 0.5 / np.sqrt(4000), abs=1e-4)


def test_laws_of_contexts_differ_where_two_others_are_needed():
    def four(keep, rows):  # noqa: ARG001
        return keep[..., :4].all(axis=-1).astype(float)

    # Both of tokens 2 and 3: sizes 0, 1, 2 of two others, so 1/3; each with 1/2, so 1/4.
    many = Sampling(tolerance=0, round=1000, most=8000)
    assert interaction_index(four, PAIR, real(1, 4), "shapley", many).value == pytest.approx(1 / 3, abs=0.02)
    assert interaction_index(four, PAIR, real(1, 4), "uniform", many).value == pytest.approx(1 / 4, abs=0.02)
    assert exact_interaction_index(four, PAIR, real(1, 4)) == pytest.approx(1 / 3, abs=1e-12)


def test_sizes_of_contexts_are_as_likely_each_as_the_shapley_law_says():
    sizes = []

    def game(keep, rows):  # noqa: ARG001
        sizes.append(keep[..., 0::4, :].sum(axis=-1).ravel())  # the first of four coalitions is the context alone
        return keep.sum(axis=-1).astype(float)

    players = np.array([[True] * 6 + [False] * 3])
    interaction_index(game, PAIR, players, "shapley", Sampling(tolerance=-1, round=5000, most=5000, chunk=20000))
    counts = np.bincount(np.concatenate(sizes), minlength=7)
    assert counts[:5] / 5000 == pytest.approx([0.2] * 5, abs=0.02)
    assert counts[5:].sum() == 0


def test_drawing_stops_sample_by_sample_and_errors_say_what_is_reached():
    pairs = np.array([[[0, 1], [2, 3]]] * 2)
    found = interaction_index(noisy, pairs, real(2, 6), "uniform", Sampling(tolerance=0.02, round=32, most=10000))
    assert found.draws[0] == 32  # gains of what adds up agree at once
    assert found.value[0] == pytest.approx([0, 0], abs=1e-9)
    # Four tokens with 1/2 each add 1/2: mean 1, deviation 1/2; so about (.5 / .02)^2 = 625 draws.
    assert found.draws[1] == pytest.approx(625, abs=64)
    assert found.value[1, 0] == pytest.approx(1, abs=0.08)
    assert found.error[1, 0] == pytest.approx(0.02, rel=0.05)
    assert (found.error <= 0.02).all()


def test_drawing_stops_at_the_most_though_the_tolerance_is_not_met():
    found = interaction_index(noisy, PAIR.repeat(2, axis=0), real(2, 6), "uniform", Sampling(1e-6, 16, 40))
    assert found.draws.tolist() == [16, 40]
    assert found.error[1, 0] > 1e-6


def test_of_a_single_draw_the_error_is_not_known():
    found = interaction_index(noisy, PAIR, real(1, 6), "uniform", Sampling(most=1))
    assert (found.draws.tolist(), found.error.tolist()) == ([1], [[np.inf]])


def test_the_mean_and_the_error_are_those_of_all_draws_together():
    gains = []

    def game(keep, rows):
        values = noisy(keep, rows + 1)
        gains.append(gain(values.reshape(-1, 4)))
        return values

    found = interaction_index(game, PAIR, real(1, 6), "uniform", Sampling(0, 7, 24))  # rounds of 7, 7, 7 and 3
    every = np.concatenate(gains)
    assert len(every) == 24
    assert found.value[0, 0] == pytest.approx(every.mean())
    assert found.error[0, 0] == pytest.approx(every.std(ddof=1) / np.sqrt(24))


def test_results_depend_on_the_seed_but_not_on_the_chunk_or_other_samples():
    pairs = np.array([[[0, 1], [1, 5]]] * 2)

    def value(rows=(0, 1), **changes):
        found = interaction_index(
            noisy, pairs[: len(rows)], real(len(rows), 6), "shapley", Sampling(1e-3, 8, 64, **changes)
        )
        return found.value

    assert np.array_equal(value(), value(chunk=3))
    assert np.array_equal(value()[:1], value(rows=(0,)))
    assert not np.array_equal(value(), value(seed=1))


def test_padding_is_never_in_and_a_sample_without_a_pair_has_no_value():
    players = np.array([[True, True, True, False], [True, True, True, True], [True, False, False, False]])

    def game(keep, rows):
        assert not (keep & ~players[rows][:, None]).any()
        return keep[..., :2].all(axis=-1) + 0.0

    pairs = np.array([[[0, 1], [-1, -1]], [[0, 1], [2, 3]], [[-1, -1], [-1, -1]]])
    found = interaction_index(game, pairs, players)
    assert found.value == pytest.approx(np.array([[1, np.nan], [1, 0], [np.nan, np.nan]]), nan_ok=True)
    assert np.array_equal(np.isnan(found.error), np.isnan(found.value))
    assert found.draws.tolist() == [16, 16, 0]
    assert exact_interaction_index(game, pairs, players) == pytest.approx(found.value, nan_ok=True)


def test_the_gap_of_copies_of_what_adds_up_and_of_what_is_needed_together_by_hand():
    # Lost without both, without the one, without the other: copies 1, 0, 0; added 3, 1, 2; needed together 1, 1, 1.
    values = np.array([[0, 1, 1, 1], [0, 1, 2, 3], [0, 0, 0, 1]], float)
    assert backup(values, "sum").tolist() == [1, 0, -1]
    assert backup(values, "max").tolist() == [1, 1, 0]


def test_the_sum_form_is_minus_the_interaction_in_every_context():
    values = np.random.default_rng(0).normal(size=(1000, 4))
    assert backup(values, "sum") == pytest.approx(-gain(values), abs=1e-12)
    neither, first, second, both = values.T
    lost = (both - neither) - ((both - second) + (both - first))  # D(ij) - (D(i) + D(j)), spelt out
    assert backup(values, "sum") == pytest.approx(lost, abs=1e-12)
    sampling = Sampling(0, 16, 64)
    for context in ("shapley", "uniform", "full"):
        index = interaction_index(noisy, PAIR + 1, real(1, 6), context, sampling)
        gap = redundancy_gap(noisy, PAIR + 1, real(1, 6), "sum", context, sampling)
        assert gap.value == pytest.approx(-index.value, abs=1e-12)
        assert gap.error == pytest.approx(index.error, abs=1e-12)


def test_the_gap_is_that_of_all_other_tokens_unless_another_context_is_named():
    found = redundancy_gap(copies, np.array([[[0, 1], [0, 2]]]), real(1, 5))
    assert found.value.tolist() == [[1, 0]]
    assert (found.draws.tolist(), found.error.tolist()) == ([1], [[0, 0]])
    # Two losses of 0 and 2, together 2, so that the larger explains all.
    assert redundancy_gap(copies, np.array([[[0, 1], [0, 2]]]), real(1, 5), "max").value.tolist() == [[1, 0]]


def test_the_gap_in_the_max_form_takes_what_adds_up_for_a_backup():
    found = redundancy_gap(lambda keep, rows: keep @ np.array([1.0, 3.0, 2.0]), PAIR, real(1, 3), "max")  # noqa: ARG005
    assert found.value.tolist() == [[1.0]]  # min(1, 3)
