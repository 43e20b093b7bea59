"""Partial information against laws whose parts are known in closed form, and from latents with planted bits."""

from itertools import product

import numpy as np
import pytest

from i2moe.explain.partial_information import (
    Latents,
    information,
    least_information,
    num_clusters,
    partial_information,
    read_partial_information,
)
from i2moe.resampling import units_of

# Fair bits; the first modality shows a and r, the second b and r. Bits of uniqueness (two), synergy and redundancy.
AND = 2 - 0.75 * np.log2(3)  # entropy of a and b, .811: synergy .5, the rest redundancy
KNOWN = {
    "a": (lambda a, b, r: a, (1, 0, 0, 0)),  # noqa: ARG005
    "b": (lambda a, b, r: b, (0, 1, 0, 0)),  # noqa: ARG005
    "r": (lambda a, b, r: r, (0, 0, 0, 1)),  # noqa: ARG005
    "a xor b": (lambda a, b, r: a ^ b, (0, 0, 1, 0)),  # noqa: ARG005
    "a and b": (lambda a, b, r: a & b, (0, 0, 0.5, AND - 0.5)),  # noqa: ARG005
    "a, b": (lambda a, b, r: (a, b), (1, 1, 0, 0)),  # noqa: ARG005
    "a, r": (lambda a, b, r: (a, r), (1, 0, 0, 1)),  # noqa: ARG005
    "b, r": (lambda a, b, r: (b, r), (0, 1, 0, 1)),  # noqa: ARG005
    "a xor b, r": (lambda a, b, r: (a ^ b, r), (0, 0, 1, 1)),
    "a xor b, a": (lambda a, b, r: (a ^ b, a), (1, 1, 0, 0)),  # noqa: ARG005
    "a, b, r": (lambda a, b, r: (a, b, r), (1, 1, 0, 1)),
    "nothing": (lambda a, b, r: 0, (0, 0, 0, 0)),  # noqa: ARG005
}


def law(points):
    """Return the joint law of points (x, z, y) that are equally likely."""
    values = [sorted(set(column)) for column in zip(*points, strict=True)]
    joint = np.zeros([len(one) for one in values])
    for point in points:
        joint[tuple(one.index(value) for one, value in zip(values, point, strict=True))] += 1 / len(points)
    return joint


@pytest.mark.parametrize("name", KNOWN)
def test_parts_of_laws_in_closed_form(name):
    rule, parts = KNOWN[name]
    joint = law([((a, r), (b, r), rule(a, b, r)) for a, b, r in product((0, 1), repeat=3)])
    assert partial_information(joint) == pytest.approx(parts, abs=0.01)
    assert partial_information(joint).sum() == pytest.approx(information(joint))


def test_a_mode_that_switches_the_rule_makes_a_mixture_of_shared_and_synergetic_bits():
    """The trap: not the shares of the modes."""
    points = [
        ((mode, a, r), (mode, b, r), [a, b, a ^ b, r][mode])
        for a, b, r, mode in product((0, 1), (0, 1), (0, 1), range(4))
    ]
    assert partial_information(law(points)) == pytest.approx([0, 0, 0.5, 0.5], abs=0.01)


def test_a_noisy_law_has_the_least_information_of_a_search():
    """With binary x, z and y each conditional law has one free number: search the grid of both."""
    joint = np.random.default_rng(0).dirichlet(np.ones(8)).reshape(2, 2, 2)
    of_label, first, second = joint.sum(axis=(0, 1)), joint.sum(axis=1), joint.sum(axis=0)
    steps = [
        np.linspace(max(0, first[0, y] + second[0, y] - of_label[y]), min(first[0, y], second[0, y]), 400)
        for y in (0, 1)
    ]
    both = np.stack(np.meshgrid(*steps), axis=-1)[..., None, None, :]
    row, column = first[0] - both, second[0] - both
    rest = of_label - both - row - column
    searched = np.concatenate([np.concatenate([both, row], -2), np.concatenate([column, rest], -2)], -3)
    assert least_information(joint) == pytest.approx(information(np.maximum(searched, 0)).min(), abs=1e-3)


def test_many_laws_at_once_are_as_one_by_one():
    joint = np.random.default_rng(0).dirichlet(np.ones(64), size=(2, 3)).reshape(2, 3, 4, 4, 4)
    assert partial_information(joint)[1, 2] == pytest.approx(partial_information(joint[1, 2]))


SAMPLES = 1200


def latents(*bits, seed=0):
    """Return the latents of a modality that shows bits [N]: corners of a cube with noise, half of them for train."""
    shown = np.stack(bits, axis=1) + 0.1 * np.random.default_rng(seed).normal(size=(2 * SAMPLES, len(bits)))
    return Latents(shown[:SAMPLES], shown[SAMPLES:])


def read(bits, label, task="multiclass", modalities=None):
    a, b, r = bits
    shown = modalities or [latents(a, r), latents(b, r, seed=1)]
    terms = [f"uniqueness_{index}" for index in range(len(shown))] + ["synergy", "redundancy"]
    train, own = label[:SAMPLES], label[SAMPLES:]
    return read_partial_information(task, own, train, [shown], terms, units_of(task, own))


@pytest.fixture(scope="module")
def bits():
    return np.random.default_rng(0).integers(2, size=(3, 2 * SAMPLES))


def test_composite_labels_are_read_from_latents(bits):
    a, b, r = bits
    for label, expected in (
        (2 * a + b, (0.5, 0.5, 0, 0)),
        (2 * (a ^ b) + r, (0, 0, 0.5, 0.5)),
        (2 * a + r, (0.5, 0, 0, 0.5)),
    ):
        found = read(bits, label)
        assert found.share[0] == pytest.approx(expected, abs=0.05)
        assert (found.low <= found.share + 0.01).all()
        assert (found.share <= found.high + 0.01).all()


def test_labels_of_other_tasks(bits):
    a, _, r = bits
    several = read(bits, np.stack([a, r], axis=1), "multilabel")
    assert several.share[0] == pytest.approx([0.5, 0, 0, 0.5], abs=0.05)
    number = read(bits, a + 0.01 * np.random.default_rng(1).normal(size=len(a)), "regression")
    assert number.share[0, 0] > 0.9


def test_with_three_modalities_each_is_set_against_the_rest(bits):
    a, b, r = bits
    three = [latents(a, r), latents(b, r, seed=1), latents(np.random.default_rng(5).integers(2, size=len(a)), seed=2)]
    assert read(bits, r, modalities=three).share[0] == pytest.approx([0, 0, 0, 0, 1], abs=0.1)  # two of three share it
    assert read(bits, a ^ b, modalities=three).share[0] == pytest.approx([0, 0, 0, 1, 0], abs=0.1)
    assert read(bits, b, modalities=three).share[0] == pytest.approx([0, 1, 0, 0, 0], abs=0.1)


def test_too_few_samples_have_no_partial_information():
    assert num_clusters(2000, 4) == 8
    assert num_clusters(86, 2) == 2
    label = np.array([0, 1] * 10)
    few = [Latents(np.zeros((20, 2)), np.zeros((20, 2)))] * 2
    assert (
        read_partial_information("binary", label, label, [few], ["a", "b", "s", "r"], units_of("binary", label)) is None
    )
