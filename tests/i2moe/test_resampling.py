"""Resampling: which samples are drawn together, and whether intervals hold what they promise (simulated)."""

import numpy as np
import pytest

from i2moe import resampling
from i2moe.metrics import label_metrics
from i2moe.resampling import bootstrap_interval, resamples, units_of
from i2moe.selection import TASK_METRICS, accuracy, auroc


def test_resamples_are_counts_of_samples_drawn_with_replacement():
    blocks = list(resamples(units_of("regression", np.zeros(30))))
    drawn = np.random.default_rng(0).integers(30, size=(resampling.RESAMPLES, 30))
    assert np.concatenate(blocks).tolist() == [np.bincount(row, minlength=30).tolist() for row in drawn]


def test_groups_are_drawn_whole():
    groups = np.array(["b", "a", "b", "c", "a", "a"], object)
    counts = np.concatenate(list(resamples(units_of("regression", np.zeros(6), groups))))
    assert len(counts) == resampling.RESAMPLES
    assert set(counts.sum(axis=1)) == {3, 4, 5, 6, 7, 8, 9}  # sums of three of the sizes 1, 2 and 3
    assert (counts[:, [1, 1, 0]] == counts[:, [4, 5, 2]]).all()


def test_every_class_is_in_every_resample_and_as_often_as_in_the_data():
    labels = np.array([0] * 17 + [1] * 2 + [2])
    for counts in resamples(units_of("multiclass", labels)):
        assert (counts @ np.eye(3, dtype=int)[labels] == [17, 2, 1]).all()


def test_groups_with_a_rare_class_are_a_stratum_so_that_no_resample_lacks_it():
    labels = np.array([0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    units = units_of("binary", labels, np.repeat(np.arange(5), 2))
    assert all((counts[:, 3] > 0).all() for counts in resamples(units))


def test_a_rare_label_is_in_every_resample_and_where_one_is_not_the_share_is_told():
    labels = np.zeros((30, 3), int)
    labels[:12, 0], labels[0, 1] = 1, 1
    logits = np.random.default_rng(0).normal(size=(1, 30, 3))
    units = units_of("multilabel", labels)
    metrics = label_metrics("multilabel", ["often", "once", "never"])
    shares = [bootstrap_interval(metric.compute, labels, logits, units).usable for metric in metrics.values()]
    assert shares == [1.0, 1.0, 0.0]
    plain = units_of("regression", labels)
    once = bootstrap_interval(metrics["auroc_of_once"].compute, labels, logits, plain)
    assert once.usable == pytest.approx(1 - (1 - 1 / 30) ** 30, abs=0.03)


def test_bootstrap_interval_of_accuracy_is_near_the_binomial_one():
    labels = np.zeros(400, int)
    logits = np.zeros((2, 400, 2))
    logits[:, :80, 1] = 1  # 80 % right, on both seeds the same samples
    interval = bootstrap_interval(accuracy, labels, logits, units_of("binary", labels))
    half_width = 1.96 * (0.8 * 0.2 / 400) ** 0.5
    assert interval.low == pytest.approx(0.8 - half_width, abs=0.01)
    assert interval.high == pytest.approx(0.8 + half_width, abs=0.01)
    assert interval.usable == 1


def test_bootstrap_does_not_depend_on_its_block_size(monkeypatch):
    generator = np.random.default_rng(3)
    labels, logits = generator.integers(3, size=43), generator.normal(size=(1, 43, 3))
    units = units_of("multiclass", labels)
    whole = bootstrap_interval(auroc, labels, logits, units)
    monkeypatch.setattr("i2moe.resampling.MEMORY", 43 * 7)
    assert bootstrap_interval(auroc, labels, logits, units) == whole


def test_an_interval_of_what_is_undefined_or_of_one_group_is_undefined():
    metric = label_metrics("multilabel", ["a"])["auroc_of_a"].compute
    labels = np.zeros((5, 1), int)
    nothing = bootstrap_interval(metric, labels, np.zeros((2, 5, 1)), units_of("multilabel", labels))
    assert np.isnan([nothing.low, nothing.high]).all()
    assert nothing.usable == 0
    numbers = np.arange(5.0)
    alone = units_of("regression", numbers, np.zeros(5))
    mae = TASK_METRICS["regression"]["mae"].compute
    assert np.isnan(bootstrap_interval(mae, numbers, np.zeros((1, 5, 1)), alone).low)


def covered(simulations, *, with_groups):
    """Return how often the interval of accuracy holds the true one, .7, with 14 groups of 24 and correlation .1."""
    hits, groups = 0, np.repeat(np.arange(14), 24)
    for seed in range(simulations):
        generator = np.random.default_rng(seed)
        of_group = generator.beta(0.7 * 9, 0.3 * 9, size=14)  # the variance that makes the correlation .1
        right = generator.random(14 * 24) < of_group[groups]
        labels = generator.integers(2, size=14 * 24)
        logits = np.eye(2)[np.where(right, labels, 1 - labels)][None]
        units = units_of("binary", labels, groups if with_groups else None)
        interval = bootstrap_interval(accuracy, labels, logits, units)
        hits += interval.low <= 0.7 <= interval.high
    return hits / simulations


def test_intervals_cover_the_truth_where_samples_of_a_group_are_alike():
    assert covered(300, with_groups=True) >= 0.92
    assert covered(100, with_groups=False) < 0.85  # what a plain bootstrap does


@pytest.mark.parametrize(("samples", "classes"), [(36, 8), (18, 3)])
def test_intervals_cover_the_truth_with_few_samples_of_a_class(samples, classes):
    hits = 0
    for seed in range(300):
        generator = np.random.default_rng(seed)
        labels = np.resize(np.arange(classes), samples)
        right = generator.random(samples) < 0.6
        logits = np.eye(classes)[np.where(right, labels, (labels + 1) % classes)][None]
        interval = bootstrap_interval(accuracy, labels, logits, units_of("multiclass", labels))
        hits += interval.low <= 0.6 <= interval.high
    assert hits / 300 >= 0.92
