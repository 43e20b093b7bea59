"""Splits: exact sizes, whole groups, balanced classes, the same every time."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from i2moe.contract.cohort import SPLITS
from stages.shared.cohort.shares import SplitParams
from stages.shared.cohort.split import assign_splits, iterative_splits, stratify_by

SHARES = SplitParams(train=0.7, validation=0.15, test=0.15, seed=0)  # section 4 of the paper

quick = settings(max_examples=50, deadline=None)
seeds = st.integers(0, 1000)
class_sizes = st.lists(st.integers(8, 60), min_size=2, max_size=5)
pure_groups = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9)), min_size=10, max_size=60)


def with_seed(seed):
    return SHARES.model_copy(update={"seed": seed})


def shuffled_classes(sizes, seed):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))


def random_groups(samples, seed):
    """Return strata and groups of about three samples each, independent of the strata."""
    generator = np.random.default_rng(seed)
    groups = np.array([f"p{number}" for number in generator.integers(0, samples // 3, samples)])
    return generator.integers(0, 3, samples), groups


def sizes_of(names):
    return tuple(int((names == split).sum()) for split in SPLITS)


@pytest.mark.parametrize(
    ("samples", "sizes"),
    [
        (2380, (1666, 357, 357)),
        (9003, (6301, 1351, 1351)),
        (1458, (1020, 219, 219)),
        (569, (397, 86, 86)),
    ],
)
def test_validation_and_test_have_their_share_rounded_up(samples, sizes):
    strata = np.arange(samples) % 3
    assert sizes_of(assign_splits(strata, None, SHARES)) == sizes


def test_a_size_is_not_rounded_up_over_floating_point_dust():
    shares = SplitParams(train=0.86, validation=0.07, test=0.07, seed=0)  # 0.07 · 100 is 7.000000000000001
    assert sizes_of(assign_splits(np.zeros(100, dtype=np.int64), None, shares)) == (86, 7, 7)


@given(sizes=class_sizes, seed=seeds)
@quick
def test_every_sample_gets_exactly_one_split(sizes, seed):
    names = assign_splits(shuffled_classes(sizes, seed), None, with_seed(seed))
    assert names.shape == (sum(sizes),)
    assert sum(sizes_of(names)) == sum(sizes)


@given(sizes=class_sizes, seed=seeds)
@quick
def test_every_class_has_its_share_of_every_split(sizes, seed):
    strata = shuffled_classes(sizes, seed)
    names = assign_splits(strata, None, with_seed(seed))
    for split in SPLITS:
        inside = names == split
        expected = np.array(sizes) * inside.mean()
        assert np.abs(np.bincount(strata[inside], minlength=len(sizes)) - expected).max() <= 1.5


@given(
    sizes=st.lists(st.integers(3, 6), min_size=1, max_size=4),
    large=st.lists(st.integers(20, 200), min_size=1, max_size=16),
    seed=seeds,
)
@quick
def test_every_class_of_three_or_more_is_in_every_split_whatever_the_seed(sizes, large, seed):
    strata = shuffled_classes([*sizes, *large], seed)
    assume(np.ceil(SHARES.test * len(strata)) >= len(sizes) + len(large))
    names = assign_splits(strata, None, with_seed(seed))
    for split in SPLITS:
        assert set(strata[names == split]) == set(strata)
    held_out = math.ceil(round(SHARES.test * len(strata), 6))
    assert sizes_of(names)[1:] == (held_out, held_out)


def test_a_rare_class_takes_the_place_of_the_largest_one():
    # Three samples make 0.45 of a test split, which stratified shuffling alone rounds down to none.
    strata = np.repeat([0, 1], [197, 3])
    for seed in range(20):
        names = assign_splits(strata, None, with_seed(seed))
        assert [int((names[strata == 1] == split).sum()) for split in SPLITS] == [1, 1, 1]
        assert sizes_of(names) == (140, 30, 30)


@given(sizes=class_sizes, seed=seeds)
@quick
def test_the_same_samples_get_the_same_splits(sizes, seed):
    strata = shuffled_classes(sizes, seed)
    first, second = (assign_splits(strata.copy(), None, with_seed(seed)) for _ in range(2))
    assert first.tolist() == second.tolist()


@given(samples=st.integers(30, 200), seed=seeds)
@quick
def test_the_same_groups_get_the_same_splits(samples, seed):
    strata, groups = random_groups(samples, seed)
    first, second = (assign_splits(strata.copy(), groups.copy(), with_seed(seed)) for _ in range(2))
    assert first.tolist() == second.tolist()


@pytest.mark.parametrize("grouped", [False, True])
def test_another_seed_gives_other_splits(grouped):
    strata, groups = random_groups(200, seed=0)
    first, second = (assign_splits(strata, groups if grouped else None, with_seed(seed)) for seed in (0, 1))
    assert (first != second).any()


@given(samples=st.integers(10, 200), seed=seeds)
@quick
def test_a_group_never_crosses_splits_and_every_sample_has_one(samples, seed):
    strata, groups = random_groups(samples, seed)
    names = assign_splits(strata, groups, with_seed(seed))
    assert sum(sizes_of(names)) == samples
    for group in np.unique(groups):
        assert len(set(names[groups == group])) == 1


@given(pure=pure_groups, seed=seeds)
@quick
def test_groups_of_one_class_leave_each_class_within_a_groups_size_of_its_share(pure, seed):
    """A split takes a group only while it lacks samples: at most one group too many, at most two groups too few."""
    strata = np.concatenate([np.full(size, label) for label, size in pure])
    groups = np.concatenate([np.full(size, f"p{number}") for number, (_, size) in enumerate(pure)])
    names = assign_splits(strata, groups, with_seed(seed))
    for label in np.unique(strata):
        largest = max(size for owner, size in pure if owner == label)
        for split in SPLITS:
            found = ((strata == label) & (names == split)).sum()
            target = getattr(SHARES, split) * (strata == label).sum()
            assert target - 2 * largest <= found <= target + largest


@pytest.mark.parametrize("seed", range(5))
def test_many_small_groups_give_sizes_near_the_shares(seed):
    strata, groups = random_groups(1000, seed)
    assert sizes_of(assign_splits(strata, groups, with_seed(seed))) == pytest.approx((700, 150, 150), abs=10)


def test_groups_go_largest_first_to_the_split_that_lacks_most():
    groups = np.array(["a"] * 5 + ["b"] * 3 + ["c"] * 2)
    shares = SplitParams(train=0.5, validation=0.3, test=0.2, seed=0)
    names = assign_splits(np.zeros(10, dtype=np.int64), groups, shares)
    assert names.tolist() == ["train"] * 5 + ["validation"] * 3 + ["test"] * 2


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_classes_are_balanced_as_they_are(task):
    assert stratify_by(task, np.array([1, 0, 1]), SHARES).tolist() == [1, 0, 1]


def test_a_multilabel_sample_counts_for_its_rarest_label():
    # Label 0 is on in 8 + 6 = 14 samples, label 1 in 6 + 7 = 13: those with both count for label 1.
    labels = np.array([[1, 0]] * 8 + [[1, 1]] * 6 + [[0, 1]] * 7 + [[0, 0]] * 9)
    assert stratify_by("multilabel", labels, SHARES).tolist() == [0] * 8 + [1] * 13 + [2] * 9


def test_a_rare_stratum_joins_the_largest_one():
    # Label 2 has 5 samples, too few to share out; those without any label are the largest stratum, then numbered 1.
    labels = np.array([[1, 0, 0]] * 7 + [[0, 0, 1]] * 5 + [[0, 0, 0]] * 9)
    assert stratify_by("multilabel", labels, SHARES).tolist() == [0] * 7 + [1] * 5 + [1] * 9


def test_a_regression_is_balanced_by_tenths_of_its_labels():
    falling = np.arange(70, 0, -1).astype(float)  # 70 … 1: the seven largest labels come first
    assert stratify_by("regression", falling, SHARES).tolist() == np.repeat(np.arange(9, -1, -1), 7).tolist()


def test_few_regression_labels_are_one_stratum():
    assert stratify_by("regression", np.arange(12.0), SHARES).tolist() == [0] * 12


@pytest.mark.parametrize("held_out", [0.1, 0.15, 0.2])
@pytest.mark.parametrize("samples", [20, 60, 61, 80, 100])
def test_a_regression_of_any_size_can_be_split(samples, held_out):
    shares = SplitParams(train=1 - 2 * held_out, validation=held_out, test=held_out, seed=0)
    names = assign_splits(stratify_by("regression", np.arange(float(samples)), shares), None, shares)
    assert sizes_of(names)[1:] == (math.ceil(held_out * samples), math.ceil(held_out * samples))
    assert sum(sizes_of(names)) == samples


def random_labels(samples, seed, rarest=0.02):
    generator = np.random.default_rng(seed)
    return (generator.random((samples, 8)) < np.geomspace(0.5, rarest, 8)).astype(int)


@given(samples=st.integers(40, 400), seed=seeds)
@quick
def test_iterative_splits_have_exact_sizes_and_each_labels_share(samples, seed):
    labels = random_labels(samples, seed)
    names = iterative_splits(labels, with_seed(seed))
    part = math.ceil(round(0.15 * samples, 6))
    assert sizes_of(names) == (samples - 2 * part, part, part)
    for split, share in (("train", 0.7), ("validation", 0.15), ("test", 0.15)):
        expected = share * labels.sum(axis=0)
        found = labels[names == split].sum(axis=0)
        # Stratified as well as whole samples allow; the last labels to be handed out meet splits that are full.
        assert np.abs(found - expected).max() <= 2 + 0.05 * labels.sum(axis=0).max()


@given(seed=seeds)
@quick
def test_a_label_of_a_single_sample_is_trained_and_one_of_three_is_in_most_splits(seed):
    labels = random_labels(200, seed)
    labels[:, 6:] = 0
    labels[seed % 200, 6] = 1
    labels[[1, 100, 199], 7] = 1
    names = iterative_splits(labels, with_seed(seed))
    assert names[seed % 200] == "train"
    assert (names[[1, 100, 199]] == "train").sum() >= 1


def test_iterative_splits_depend_on_the_seed_alone():
    labels = random_labels(100, 1)
    assert iterative_splits(labels, with_seed(3)).tolist() == iterative_splits(labels.copy(), with_seed(3)).tolist()
    assert iterative_splits(labels, with_seed(3)).tolist() != iterative_splits(labels, with_seed(4)).tolist()


def test_iterative_splits_of_the_papers_numbers():
    names = iterative_splits(random_labels(25959, 0, rarest=0.012), SHARES)
    assert sizes_of(names) == (18171, 3894, 3894)  # 70/15/15 of MM-IMDb
