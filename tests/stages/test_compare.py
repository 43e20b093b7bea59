"""Comparing models: what is compared, what a verdict takes, and that shuffled labels show nothing (simulated)."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from i2moe import resampling
from i2moe.explain.ability import KNOWS, abilities
from i2moe.explain.gate import read_gate
from i2moe.resampling import Interval, bootstrap_interval, difference, resampled, units_of
from i2moe.selection import accuracy, auroc
from stages.compare import Pair, differences, gains, pairs
from stages.shared.verdicts import BETTER, NOT_SHOWN, WORSE, verdict


def dataset(task, labels, groups=None):
    """Return what `differences` reads of a dataset that has only a test split."""
    samples = np.arange(len(labels))
    return SimpleNamespace(
        task=task, labels=labels, rows=lambda _: samples, groups=lambda _: samples if groups is None else groups
    )


def test_an_i2moe_is_compared_with_its_vanilla_fusion_and_all_with_the_linear_model_and_a_constant():
    assert pairs(["a", "i2moe-a"], {"i2moe-a": "a"}, "linear", "constant") == [
        ("i2moe-a", "a"),
        ("a", "linear"),
        ("i2moe-a", "linear"),
        ("a", "constant"),
        ("i2moe-a", "constant"),
    ]


def test_a_verdict_needs_a_small_p_value_and_knows_which_way_is_better():
    assert verdict(0.1, 0.2, higher_is_better=True) == NOT_SHOWN
    assert verdict(0.1, 0.01, higher_is_better=True) == BETTER
    assert verdict(0.1, 0.01, higher_is_better=False) == WORSE
    assert verdict(-0.1, 0.01, higher_is_better=False) == BETTER


def test_a_model_that_knows_the_labels_is_better_than_noise_and_one_like_it_is_not():
    generator = np.random.default_rng(0)
    labels = generator.integers(2, size=80)
    good, alike = ((np.eye(2)[labels] + 0.7 * generator.normal(size=(3, 80, 2))) for _ in range(2))
    logits = {"good": good, "alike": alike, "noise": generator.normal(size=(1, 80, 2))}
    table = differences(dataset("binary", labels), logits, pairs(["good"], {"good": "alike"}, "noise", "noise"))
    assert table["verdict"].tolist() == [NOT_SHOWN, BETTER, BETTER]
    expected = np.mean([roc_auc_score(labels, own[:, 1] - own[:, 0]) for own in good])
    noise = logits["noise"][0]
    expected -= roc_auc_score(labels, noise[:, 1] - noise[:, 0])
    assert table["difference"].tolist()[1] == pytest.approx(expected)
    assert table["usable"].tolist() == [1, 1, 1]
    assert (table["low"] < table["difference"]).all()
    assert (table["difference"] < table["high"]).all()


def test_a_gain_is_of_every_metric_on_the_same_resamples():
    """A model is right on six samples more than its base, else the same: the interval is narrower than its score's."""
    generator = np.random.default_rng(0)
    labels = np.resize([0, 1], 120)
    right = generator.random(120) < 0.7
    better = right.copy()
    better[np.flatnonzero(~right)[:6]] = True
    base, model = (np.eye(2)[np.where(own, labels, 1 - labels)] for own in (right, better))
    logits = {"base": base[None], "model": model[None]}
    table = gains(dataset("multiclass", labels), logits, [Pair("model", "base")]).set_index("metric")
    assert list(table.index) == ["accuracy", "auroc", "macro_f1"]
    assert table.loc["accuracy", "difference"] == pytest.approx(6 / 120)
    assert 0 < table.loc["accuracy", "low"] < 0.05 < table.loc["accuracy", "high"]
    alone = bootstrap_interval(accuracy, labels, logits["model"], units_of("multiclass", labels))
    paired = table.loc["accuracy", "high"] - table.loc["accuracy", "low"]
    assert paired < 0.6 * (alone.high - alone.low)
    assert gains(dataset("multiclass", labels), logits, []).empty


def test_a_constant_that_is_lucky_with_the_test_split_is_no_better_than_guessing():
    """Labels and predictions have nothing to do with each other, but 60 of 90 labels are the constant's."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat([0, 1], [55, 35]))
    guesses = np.tile(np.repeat(np.eye(2), 45, axis=0), (3, 1, 1))
    logits = {"guess": guesses, "best-constant": np.tile([1.0, 0.0], (1, 90, 1))}
    same = {"guess": guesses, "other": logits["best-constant"]}
    data = dataset("multiclass", labels)
    free = differences(data, logits, [Pair("guess", "best-constant")])
    fixed = differences(data, same, [Pair("guess", "other")])
    assert free["verdict"].tolist() == [NOT_SHOWN]
    assert free["p_value"][0] > 2 * fixed["p_value"][0]  # with the classes as frequent as they happen to be


def test_of_numbers_the_smaller_error_is_better():
    generator = np.random.default_rng(0)
    labels = generator.normal(size=60)
    logits = {"good": labels[None, :, None] + 0.1, "bad": generator.normal(size=(2, 60, 1))}
    table = differences(dataset("regression", labels), logits, pairs(["good"], {}, "bad", "bad"))
    assert (table["difference"] < 0).all()
    assert table["verdict"].tolist() == [BETTER, BETTER]


def test_seeds_that_differ_much_show_no_difference_where_the_samples_alone_would():
    labels = np.resize([0, 1], 400)
    units = units_of("binary", labels)

    def scores(shares):
        right = np.stack([np.random.default_rng(3).permutation(400) < share * 400 for share in shares])
        logits = np.eye(2)[np.where(right, labels, 1 - labels)]
        return np.array([accuracy(labels, own) for own in logits]), resampled(accuracy, labels, logits, units)

    steady, unsteady, other = scores([0.8, 0.8, 0.8]), scores([0.6, 0.85, 0.95]), scores([0.7, 0.7, 0.7])
    assert difference(steady, other, units).low > 0
    assert difference(unsteady, other, units).low < 0  # as large a difference, of seeds from .6 to .95


def test_the_interval_of_a_difference_covers_the_truth_in_groups(monkeypatch):
    """14 groups of 24 samples, three seeds a model; what is right is alike within a group, more so for both models."""
    monkeypatch.setattr(resampling, "RESAMPLES", 300)
    groups = np.repeat(np.arange(14), 24)
    hits = 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        labels = generator.integers(2, size=len(groups))
        units = units_of("binary", labels, groups)
        models = []
        for share in (0.75, 0.65):
            of_group = generator.beta(share * 9, (1 - share) * 9, size=14)
            right = generator.random((3, len(groups))) < of_group[groups]
            logits = np.eye(2)[np.where(right, labels, 1 - labels)]
            models.append(
                (np.array([accuracy(labels, one) for one in logits]), resampled(accuracy, labels, logits, units))
            )
        found = difference(*models, units)
        hits += found.low <= 0.1 <= found.high
    assert hits / 200 >= 0.92


def test_on_shuffled_labels_nothing_wins_differs_or_knows(monkeypatch):
    """86 samples as of wdbc's test split, five experts, three seeds: at most 2 of 40 make the page say a thing.

    Logits and labels have nothing to do with each other; the experts' weights differ by sample and by seed.
    """
    monkeypatch.setattr(resampling, "RESAMPLES", 200)
    monkeypatch.setattr("i2moe.explain.ability.bootstrap_interval", lambda *_: Interval(0.0, 1.0, 1.0))  # not asked for
    speaking = 0
    for seed in range(40):
        generator = np.random.default_rng(seed)
        labels = generator.permutation(np.repeat([0, 1], [54, 32]))
        experts = generator.normal(size=(3, 86, 5, 2))
        raw = np.exp(0.5 * generator.normal(size=(3, 1, 5)) + 0.3 * generator.normal(size=(3, 86, 5)))
        weights = raw / raw.sum(axis=2, keepdims=True)
        mixture = (weights[..., None] * experts).sum(axis=2)
        logits = {"vanilla": generator.normal(size=(3, 86, 2)), "i2moe": mixture}
        logits |= {"linear": generator.normal(size=(1, 86, 2)), "constant": np.tile([1.0, 0.0], (1, 86, 1))}
        wanted = pairs(["vanilla", "i2moe"], {"i2moe": "vanilla"}, "linear", "constant")
        table = differences(dataset("binary", labels), logits, wanted)
        units = units_of("binary", labels)
        found = abilities("binary", labels, experts, units)
        gate = read_gate(auroc, list("abcde"), labels, mixture, experts, weights, units)
        has_signal = table["low"].iloc[-1] > 0
        knows = any(one.outcome == KNOWS for of_seeds in found for one in of_seeds)
        speaking += bool((table["verdict"] != NOT_SHOWN).any() or knows or (has_signal and gate.winner))
    assert speaking <= 2
