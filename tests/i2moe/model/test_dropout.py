"""Cheap dropout behaves as dropout does."""

import pytest
import torch

from i2moe.fusion.dropout import Dropout


@pytest.mark.parametrize("p", [0.5, 0.1, 0.9])
def test_the_share_of_zeros_the_scale_and_the_mean(p):
    torch.manual_seed(0)
    dropped = Dropout(p)(torch.ones(200, 1001))  # an odd number of elements: no whole number of words
    rounded = round(p * 256) / 256
    assert (dropped == 0).float().mean().item() == pytest.approx(rounded, abs=0.005)
    assert dropped.max().item() == pytest.approx(1 / (1 - rounded))
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)


def test_elements_are_dropped_independently_of_their_neighbours():
    torch.manual_seed(0)
    kept = Dropout(0.5)(torch.ones(1000, 64)) != 0
    for distance in (1, 2, 7, 8):  # within a byte of the draw, and across
        same = (kept[:, distance:] == kept[:, :-distance]).float().mean().item()
        assert same == pytest.approx(0.5, abs=0.01)
    assert kept.float().mean(dim=0).tolist() == pytest.approx([0.5] * 64, abs=0.07)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 64, 65])
def test_any_number_of_elements(size):
    assert Dropout(0.5)(torch.ones(size)).shape == (size,)
    assert Dropout(0.3)(torch.ones(size, 3)).shape == (size, 3)


def test_gradients_pass_where_values_do():
    values = torch.randn(50, 7, requires_grad=True)
    dropped = Dropout(0.5)(values)
    dropped.sum().backward()
    assert torch.equal(values.grad != 0, dropped != 0)


def test_nothing_is_dropped_in_evaluation_or_with_probability_zero():
    values = torch.randn(5, 3)
    assert Dropout(0.5).eval()(values) is values
    assert Dropout(0.0)(values) is values


def test_experts_run_at_once_draw_different_masks():
    dropout = Dropout(0.5)
    masks = torch.vmap(dropout, randomness="different")(torch.ones(3, 40, 40)) != 0
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (masks[one] == masks[other]).float().mean().item() == pytest.approx(0.5, abs=0.06)


def test_a_seed_fixes_the_mask():
    results = []
    for _ in range(2):
        torch.manual_seed(3)
        results.append(Dropout(0.5)(torch.ones(30)))
    assert torch.equal(*results)


@pytest.mark.parametrize("p", [0.998, 0.9985, 0.9999, 1.0])
def test_dropout_of_nearly_everything_stays_finite_and_keeps_the_mean(p):
    dropped = Dropout(p)(torch.ones(2_000_000))
    assert torch.isfinite(dropped).all()
    assert dropped.mean().item() == pytest.approx(0 if p == 1 else 1, abs=0.3)
