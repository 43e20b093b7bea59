"""Reading the gate, on weights that are made up."""

import numpy as np
import pytest

from i2moe.explain.gate import read_gate
from i2moe.resampling import units_of
from i2moe.selection import accuracy

NAMES = ["uniqueness_a", "uniqueness_b", "synergy"]
SAMPLES = 60


def gate(shifts, seed=0, scale=0.3, groups=None):
    """Read a gate whose weights are the softmax of noise and of a shift for each seed and expert [S, E]."""
    generator = np.random.default_rng(seed)
    shifts = np.array(shifts, float)
    raw = shifts[:, None] + scale * generator.normal(size=(len(shifts), SAMPLES, len(NAMES)))
    weights = np.exp(raw) / np.exp(raw).sum(axis=2, keepdims=True)
    labels = generator.integers(2, size=SAMPLES)
    expert_logits = generator.normal(size=(len(shifts), SAMPLES, len(NAMES), 2))
    expert_logits[:, :, 2] += 2 * np.eye(2)[labels]  # synergy alone knows something
    logits = (weights[..., None] * expert_logits).sum(axis=2)
    return read_gate(accuracy, NAMES, labels, logits, expert_logits, weights, units_of("binary", labels, groups))


def test_an_expert_that_leads_in_every_seed_wins():
    read = gate([[0, 0, 1]] * 3)
    assert (read.winner, read.heaviest, read.seeds_won) == ("synergy", "synergy", 3)
    assert 0 < read.lead_low < read.lead < read.lead_high


def test_an_expert_that_leads_over_all_seeds_but_not_in_each_does_not_win():
    read = gate([[0, 0, 2], [0, 0, 2], [0.5, 0, 0]])
    assert (read.winner, read.heaviest, read.seeds_won) == ("", "synergy", 2)
    assert read.lead_low > 0


def test_a_lead_of_one_group_of_samples_wins_nothing():
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), 15)
    weights = np.tile([0.33, 0.33, 0.34], (3, SAMPLES, 1))
    weights[:, :15] = [0.1, 0.1, 0.8]
    labels = generator.integers(2, size=SAMPLES)
    experts = generator.normal(size=(3, SAMPLES, 3, 2))
    logits = (weights[..., None] * experts).sum(axis=2)
    alone, together = (
        read_gate(accuracy, NAMES, labels, logits, experts, weights, units_of("regression", labels, own))
        for own in (None, groups)
    )
    assert (alone.winner, together.winner) == ("synergy", "")


def test_a_gate_that_ignores_the_sample_is_told_and_equal_weights_are_measured():
    read = gate([[0, 0, 1]] * 3, scale=0)
    assert read.ignores_samples
    assert read.winner == "synergy"
    assert not gate([[0, 0, 1]] * 3).ignores_samples
    strong = gate([[0, 0, 4]] * 3)
    assert strong.score > strong.uniform_score
    assert strong.uniform_difference == pytest.approx(strong.score - strong.uniform_score)
    even = gate([[0, 0, 0]] * 3, scale=0)
    assert (even.uniform_difference, even.uniform_low, even.uniform_high) == (0, 0, 0)
    assert even.winner == ""
