"""Values, lattices, mixtures of some experts and shares, against numbers by hand."""

import numpy as np
import pytest

from i2moe.explain.lattice import lattice_parts
from i2moe.explain.mixing import leave_one_out, mixture_values, restricted_weights
from i2moe.explain.shares import LEAST_GAIN, leader, normalised, share_out, shows_gain
from i2moe.explain.subsets import shapley_values, subsets
from i2moe.explain.value import constant_values, sample_values
from i2moe.resampling import resampled_means, resamples, units_of


def test_a_class_is_worth_its_probability_each_class_alike_and_any_constant_as_much():
    labels = np.array([0, 0, 0, 1])
    logits = np.log(np.array([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2], [0.4, 0.6]]))
    assert sample_values("binary", labels, logits, labels).mean() == pytest.approx((0.8 + 0.6) / 2)
    for constant in ([5.0, 0.0], [0.0, 2.0]):
        same = np.tile(constant, (4, 1))
        assert sample_values("binary", labels, same, labels).mean() == pytest.approx(0.5)
    assert constant_values("binary", labels, labels) == pytest.approx(0.5)
    assert constant_values("multiclass", np.array([0, 1, 3]), labels) == pytest.approx(1 / 3)


def test_labels_of_a_multilabel_task_count_by_state_and_those_without_both_not_at_all():
    labels = np.array([[1, 1], [0, 1], [0, 1]])
    logits = np.log(np.array([[0.9, 0.5], [0.3, 0.5], [0.1, 0.5]]) / np.array([[0.1, 0.5], [0.7, 0.5], [0.9, 0.5]]))
    values = sample_values("multilabel", labels, logits, labels)
    assert values.mean() == pytest.approx((0.9 + (0.7 + 0.9) / 2) / 2)
    assert constant_values("multilabel", labels, labels).mean() == pytest.approx(0.5)


def test_a_number_is_worth_minus_its_squared_error_in_variances_of_train():
    labels, train = np.array([1.0, 3.0]), np.array([0.0, 4.0])  # mean 2, variance 4
    assert sample_values("regression", labels, np.array([[2.0], [3.0]]), train).tolist() == [-0.25, 0.0]
    assert constant_values("regression", labels, train).tolist() == [-0.25, -0.25]


def test_a_lattice_of_three_modalities_tells_what_two_share_what_one_has_and_what_none_has_alone():
    order = subsets(3).astype(int).tolist()

    def parts(value):
        return lattice_parts(np.array([value(*row) for row in order], float)).tolist()

    assert parts(lambda a, b, c: 0.5 + 0.5 * a) == [0.5, 0, 0, 0, 0]  # noqa: ARG005
    assert parts(lambda a, b, c: 0.5 + 0.5 * (b and c)) == [0, 0, 0, 0.5, 0]  # noqa: ARG005
    assert parts(lambda a, b, c: 0.5 + 0.5 * (a and b and c)) == [0, 0, 0, 0.5, 0]
    assert parts(lambda a, b, c: 0.5 + 0.5 * (a or c)) == [0, 0, 0, 0, 0.5]  # noqa: ARG005 (two of three)
    assert parts(lambda a, b, c: 0.25 + 0.25 * a + 0.25 * (b or c)) == [0, 0, 0, 0.25, 0.25]
    worse_than_nothing = lattice_parts(np.array([0.5, 0.4, 0.75, 1.0]))
    assert worse_than_nothing.tolist() == [0, 0.25, 0.25, 0]  # and no more than the gain of .5


def test_experts_are_mixed_with_their_weights_scaled():
    weights = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
    scaled = restricted_weights(weights, subsets(3)[1:])
    assert scaled[0, 3] == pytest.approx([0.625, 0.375, 0])  # the first two
    assert scaled[1, 3] == pytest.approx([0.5, 0.5, 0])  # weights that are all 0
    assert scaled.sum(axis=2) == pytest.approx(1)


def test_of_two_experts_one_of_which_knows_all_the_other_adds_nothing():
    labels = np.array([0, 1, 0, 1])
    able = np.where(np.eye(2)[labels] > 0, 40.0, 0.0)
    expert_logits = np.stack([able, np.zeros((4, 2))], axis=1)[None]
    values = mixture_values("binary", labels, expert_logits, np.full((1, 4, 2), 0.5), labels)
    assert values.mean(axis=2)[0] == pytest.approx([0.5, 1.0, 0.5, 1.0])
    assert leave_one_out(values.mean(axis=2))[0] == pytest.approx([0.5, 0], abs=1e-6)
    assert shapley_values(values.mean(axis=2))[0] == pytest.approx([0.5, 0], abs=1e-6)


def test_the_whole_mixture_is_the_model_and_each_subset_leaves_out_who_it_says():
    generator = np.random.default_rng(0)
    labels = generator.integers(3, size=20)
    experts, weights = generator.normal(size=(2, 20, 4, 3)), generator.dirichlet(np.ones(4), size=(2, 20))
    values = mixture_values("multiclass", labels, experts, weights, labels)
    mixed = np.einsum("snec,sne->snc", experts, weights)
    assert values[:, -1] == pytest.approx(sample_values("multiclass", labels, mixed, labels))
    without_first = weights.copy()
    without_first[..., 0] = 0
    without_first /= without_first.sum(axis=2, keepdims=True)
    mixed = np.einsum("snec,sne->snc", experts, without_first)
    lost = values[:, -1] - sample_values("multiclass", labels, mixed, labels)
    assert leave_one_out(values.transpose(0, 2, 1))[..., 0] == pytest.approx(lost)


def test_means_of_resamples_are_those_of_the_rows_drawn_groups_whole():
    generator = np.random.default_rng(0)
    labels = generator.integers(2, size=12)
    groups = np.repeat(["a", "b", "c", "d", "e"], [1, 2, 3, 4, 2])
    values = generator.normal(size=(3, 12))
    for own in (None, groups):
        units = units_of("binary", labels, own)
        drawn = [np.repeat(np.arange(12), own) for counts in resamples(units) for own in counts]
        one_by_one = [values[:, rows].mean(axis=1) for rows in drawn]
        means = resampled_means(values, units)
        assert means.shape == (1000, 3)
        assert means == pytest.approx(np.array(one_by_one))


UNITS = units_of("regression", np.zeros(200))


def shares(parts, seed=0, scale=0.1):
    """Read numbers whose means are the parts [S, T], with noise over samples."""
    parts = np.array(parts)
    by_sample = parts[..., None] + scale * np.random.default_rng(seed).normal(size=(*parts.shape, 200))
    terms = ["uniqueness_a", "synergy", "redundancy"][: parts.shape[1]]
    return share_out(terms, by_sample, lambda means: means, UNITS)


def test_shares_sum_to_one_and_have_intervals_around_them():
    read = shares([[0.2, 0.1, 0.1]] * 2)
    assert read.share.sum(axis=1) == pytest.approx(1)
    assert read.share[0] == pytest.approx([0.5, 0.25, 0.25], abs=0.05)
    assert (read.low < read.share).all()
    assert (read.share < read.high).all()
    assert np.isnan(normalised(np.array([0.0, -0.1]))).all()


def test_a_term_wins_where_it_leads_in_every_seed_by_more_than_chance():
    assert leader(shares([[0.2, 0.1, 0.1]] * 3), UNITS).winner == "uniqueness_a"
    noisy = leader(shares([[0.105, 0.1, 0.1]] * 3), UNITS)
    assert noisy.winner == ""
    assert noisy.lead_low < 0
    split = leader(shares([[0.3, 0.1, 0.1], [0.3, 0.1, 0.1], [0.1, 0.1, 0.2]]), UNITS)
    assert (split.winner, split.heaviest, split.seeds_won) == ("", "uniqueness_a", 2)


def test_nothing_wins_where_a_seed_shows_no_gain():
    read = shares([[0.2, 0.1, 0.1]] * 2).where(np.array([True, False]))
    assert np.isnan(read.share[1]).all()
    found = leader(read, UNITS)
    assert (found.winner, found.heaviest, found.seeds_shown, found.num_seeds) == ("", "uniqueness_a", 1, 2)
    nothing = leader(read.where(np.array([False, False])), UNITS)
    assert (nothing.winner, nothing.heaviest, nothing.seeds_shown) == ("", "", 0)


def test_a_gain_is_shown_only_above_no_input_and_the_best_constant_and_chance():
    generator = np.random.default_rng(0)
    noise = 0.2 * generator.normal(size=(1, 200))
    nothing, constant = np.full((1, 200), 0.5), np.full(200, 0.5)
    assert shows_gain(0.6 + noise, nothing, constant, UNITS).shown.all()
    assert not shows_gain(0.5 + noise, nothing, constant, UNITS).shown.any()
    assert not shows_gain(0.6 + noise, nothing, constant + 0.1, UNITS).shown.any()  # worth no more than a constant
    assert not shows_gain(0.6 + noise, nothing + 0.1, constant, UNITS).shown.any()
    small = shows_gain(0.5 + 0.9 * LEAST_GAIN + 0.01 * noise, nothing, constant, UNITS)
    assert small.low[0] > 0
    assert not small.shown.any()
