"""Whether an expert alone knows something, on predictions whose truth is known by construction (all simulated)."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from i2moe.explain import ability
from i2moe.explain.ability import (
    AT_CHANCE,
    KNOWS,
    UNCLEAR,
    abilities,
    permutation_p_values,
    permutations,
    ranking_metric,
    spearman,
)
from i2moe.resampling import holm, units_of
from i2moe.selection import softmax


def two_class(scores):
    """Return logits [N, 2] of the second class's score."""
    return np.stack([np.zeros_like(scores), scores], axis=-1)


def case(samples=200, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(2, size=samples)
    return labels, labels + generator.normal(size=samples)


def outcomes(task, labels, experts, groups=None):
    """Return the outcome of each expert [N, C] in one seed."""
    found = abilities(task, labels, np.stack(experts, axis=1)[None], units_of(task, labels, groups))
    return [of_seeds[0].outcome for of_seeds in found]


def test_an_expert_that_ranks_well_knows_something_though_it_predicts_one_class_throughout():
    labels, scores = case()
    shifted = two_class(scores - 100)
    assert (shifted.argmax(axis=1) == 0).all()  # by accuracy it is at chance
    assert outcomes("binary", labels, [shifted]) == [KNOWS]


def test_the_three_outcomes():
    labels, scores = case()
    noise = np.random.default_rng(2).normal(size=200)
    experts = [two_class(scores), two_class(np.zeros(200)), two_class(noise)]
    assert outcomes("binary", labels, experts) == [KNOWS, AT_CHANCE, UNCLEAR]
    many, _ = case(6000)
    noise = np.random.default_rng(1).normal(size=6000)
    assert outcomes("binary", many, [two_class(noise)]) == [AT_CHANCE]  # enough samples to say so


def test_outcomes_of_the_other_tasks():
    generator = np.random.default_rng(0)
    classes = generator.integers(3, size=150)
    assert outcomes("multiclass", classes, [np.eye(3)[classes] - 9 * np.eye(3)[0], np.zeros((150, 3))]) == [
        KNOWS,
        AT_CHANCE,
    ]
    sets = generator.integers(2, size=(150, 3))
    never = sets * [1, 1, 0]  # a label that no sample has says nothing
    assert outcomes("multilabel", never, [sets - 9.0, np.ones((150, 3))]) == [KNOWS, AT_CHANCE]
    numbers = generator.normal(size=150)
    assert outcomes("regression", numbers, [numbers[:, None] ** 3 + 50, np.full((150, 1), 7.0)]) == [KNOWS, AT_CHANCE]


def test_labels_that_are_all_alike_tell_nothing():
    assert outcomes("binary", np.zeros(20, int), [two_class(np.arange(20.0))]) == [UNCLEAR]


def test_the_ranking_metric_equals_libraries_on_what_is_defined():
    generator = np.random.default_rng(0)
    labels, logits = generator.integers(3, size=60), generator.normal(size=(60, 3)).round(1)
    expected = roc_auc_score(labels, softmax(logits), multi_class="ovr")
    assert float(ranking_metric("multiclass", labels)(labels, logits)) == pytest.approx(expected)
    wider = np.pad(logits, ((0, 0), (0, 1)), constant_values=-50)  # a fourth class, which no sample has
    assert float(ranking_metric("multiclass", labels)(labels, wider)) == pytest.approx(expected)
    numbers = generator.normal(size=60).round(1)
    assert float(spearman(numbers, logits[:, :1])) == pytest.approx(stats.spearmanr(numbers, logits[:, 0])[0])
    assert float(spearman(numbers, np.ones((60, 1)))) == 0
    assert np.isnan(spearman(np.ones(60), logits[:, :1]))


def test_rank_correlations_of_counts_are_those_of_the_samples_that_count():
    generator = np.random.default_rng(0)
    numbers, predicted = generator.normal(size=12).round(), generator.normal(size=(12, 1)).round(1)
    predicted[:6] = 0.1
    counts = generator.multinomial(12, np.full(12, 1 / 12), size=100)
    counts[0] = 2 * (np.arange(12) < 6)  # predictions that are constant
    counts[1] = 12 * np.eye(12, dtype=int)[0]  # labels too
    drawn = [np.repeat(np.arange(12), own) for own in counts[2:]]
    expected = [0, np.nan, *(stats.spearmanr(numbers[rows], predicted[rows, 0])[0] for rows in drawn)]
    found = spearman(numbers, predicted, counts)
    assert found == pytest.approx(np.array(expected), rel=0, abs=1e-12, nan_ok=True)


def test_the_permutation_test_agrees_with_mann_whitney_and_spearman():
    labels, scores = case(60)
    units = units_of("binary", labels)
    weak = scores + 2 * np.random.default_rng(5).normal(size=60)
    expected = stats.mannwhitneyu(weak[labels == 1], weak[labels == 0], alternative="greater").pvalue
    found = permutation_p_values("binary", labels, two_class(weak)[None], units)[0]
    assert found == pytest.approx(expected, abs=0.03)
    expected = stats.spearmanr(scores, weak + 5 * scores[::-1], alternative="greater").pvalue
    logits = (weak + 5 * scores[::-1])[None, :, None]
    assert permutation_p_values("regression", scores, logits, units_of("regression", scores))[0] == pytest.approx(
        expected, abs=0.03
    )


def test_whole_groups_change_places():
    groups = np.array([2, 0, 1, 0, 1, 2])
    for orders in permutations(units_of("regression", np.zeros(6), groups), 50, 1, 0):
        assert (np.sort(orders, axis=1) == np.arange(6)).all()
        for group in range(3):
            taken = groups[orders[:, groups == group]]
            assert (taken[:, 0] == taken[:, 1]).all()


@pytest.mark.parametrize("sizes", [[24] * 14, [5, 9, 12, 14, 18, 20, 22, 25, 28, 31, 35, 38, 40, 44]])
def test_in_groups_that_are_alike_nothing_is_found_more_often_than_allowed(monkeypatch, sizes):
    """Labels and predictions vary by group, with a correlation of .5 within it, and have nothing to do with another."""
    monkeypatch.setattr(ability, "PERMUTATIONS", 199)
    groups = np.repeat(np.arange(14), sizes)
    with_groups, without = [], []
    for seed in range(300):
        generator = np.random.default_rng(seed)
        labels, scores = (generator.normal(size=14)[groups] + generator.normal(size=len(groups)) for _ in range(2))
        logits = scores[None, :, None]
        for found, own in ((with_groups, groups), (without, None)):
            found.append(permutation_p_values("regression", labels, logits, units_of("regression", labels, own))[0])
    assert np.mean(np.array(with_groups) <= 0.05) < 0.09
    assert np.mean(np.array(without) <= 0.05) > 0.2


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.9])).tolist() == [1, 1]


def test_with_many_experts_and_seeds_the_test_can_still_find_something():
    labels, scores = case()
    logits = np.stack([two_class(scores)] * 60)[:, :, None]
    found = abilities("binary", labels, logits, units_of("binary", labels))
    assert [one.outcome for one in found[0]] == [KNOWS] * 60
