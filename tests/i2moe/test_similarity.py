"""Centred kernel alignment: independent, identical and partly shared latents, and the unbiased estimate by hand."""

from itertools import permutations

import numpy as np
import pytest

from i2moe.explain.similarity import biased_cka, cka_matrix, debiased_cka


def independent(samples, width, draws=40):
    generator = np.random.default_rng(0)
    return [(generator.normal(size=(samples, width)), generator.normal(size=(samples, width))) for _ in range(draws)]


@pytest.mark.parametrize(("samples", "width", "biased"), [(32, 256, 0.89), (32, 512, 0.94), (128, 256, 0.67)])
def test_independent_latents_are_not_alike_but_the_biased_estimate_says_so(samples, width, biased):
    pairs = independent(samples, width)
    assert np.mean([biased_cka(*pair) for pair in pairs]) == pytest.approx(biased, abs=0.01)
    assert np.mean([debiased_cka(*pair) for pair in pairs]) == pytest.approx(0, abs=0.02)


def test_a_rotation_a_shift_and_a_scale_are_alike():
    (latents, _), *_ = independent(32, 8)
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))
    for cka in (biased_cka, debiased_cka):
        assert cka(latents, latents) == pytest.approx(1)
        assert cka(latents, 3 * latents @ rotation + 5) == pytest.approx(1)


def test_half_the_columns_shared_are_half_alike():
    shared, own = np.random.default_rng(0).normal(size=(2, 2000, 40))
    other = np.random.default_rng(1).normal(size=(2000, 40))
    first, second = np.hstack([shared, own]), np.hstack([shared, other])
    assert debiased_cka(first, second) == pytest.approx(0.5, abs=0.02)


def hsic_written_out(one, other):
    """N(N - 3) times the estimate, as the sum over all different samples that it stands for (Song et al. 2012)."""
    size, total = len(one), 0.0
    for i, j, q, r in permutations(range(size), 4):
        total += one[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q])
    return size * (size - 3) * total / (size * (size - 1) * (size - 2) * (size - 3))


def test_the_debiased_estimate_is_that_of_the_sum_over_different_samples():
    (first, second), *_ = independent(7, 3)
    one, other = first @ first.T, second @ second.T
    shared, own, others = (hsic_written_out(*pair) for pair in ((one, other), (one, one), (other, other)))
    assert debiased_cka(first, second) == pytest.approx(shared / np.sqrt(own * others))


def test_every_pair_of_experts_is_compared():
    latents = np.random.default_rng(0).normal(size=(3, 30, 4))
    latents[2] = latents[0] + 0.1 * latents[1]
    found = cka_matrix(latents)
    assert np.diag(found) == pytest.approx(1)
    assert found == pytest.approx(found.T)
    assert found[0, 2] > 0.9 > abs(found[0, 1])


def test_constant_latents_are_like_nothing_and_three_samples_are_too_few():
    latents = np.random.default_rng(0).normal(size=(5, 2))
    assert np.isnan(debiased_cka(latents, np.ones((5, 2))))
    with pytest.raises(ValueError, match="at least 4 samples, got 3"):
        debiased_cka(latents[:3], latents[:3])
