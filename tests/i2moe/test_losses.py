"""Every loss against values worked out by hand."""

import math

import pytest
import torch

from i2moe.losses import (
    CLASSIFICATION,
    INTERACTION_LOSSES,
    REGRESSION,
    interaction_losses,
    task_loss,
    total_loss,
)

# One sample, two outputs: intact (3, 4); without modality 0 (0, 4): distance 3; without 1 (3, 3): distance 1.
TWO_MODALITIES = torch.tensor([[[3.0, 4.0]], [[0.0, 4.0]], [[3.0, 3.0]]])


@pytest.mark.parametrize(
    ("modality", "expected"),
    [
        (0, max(0, 1 - 3 + 1)),  # positive: without 1 (distance 1); negative: without 0 (distance 3)
        (1, max(0, 3 - 1 + 1)),
    ],
)
def test_triplet_uniqueness_by_hand(modality, expected):
    assert CLASSIFICATION.uniqueness(TWO_MODALITIES, modality).item() == pytest.approx(expected, abs=1e-5)


def test_triplet_uniqueness_averages_over_samples_and_positives():
    # Three modalities, two samples, one output; distances to the intact output 0:
    views = torch.tensor([[[0.0], [0.0]], [[2.0], [0.5]], [[1.0], [1.0]], [[4.0], [0.0]]])
    # Modality 0 is the negative: sample 0: max(0, 1-2+1)=0, max(0, 4-2+1)=3; sample 1: 1-.5+1=1.5, 0-.5+1=.5
    assert CLASSIFICATION.uniqueness(views, 0).item() == pytest.approx((0 + 3 + 1.5 + 0.5) / 4, abs=1e-5)


def test_triplet_uniqueness_equals_torch_for_one_positive():
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(3, 5, 4, generator=generator)
    expected = torch.nn.functional.triplet_margin_loss(views[0], views[2], views[1], margin=1.0, eps=1e-7)
    assert CLASSIFICATION.uniqueness(views, 0).item() == pytest.approx(expected.item(), abs=1e-6)


def test_cosine_losses_by_hand():
    # cos((3,4),(0,4)) = 16/20 = .8; cos((3,4),(3,3)) = 21/(5·√18) = .98995
    mean = (0.8 + 21 / (5 * math.sqrt(18))) / 2
    assert CLASSIFICATION.synergy(TWO_MODALITIES).item() == pytest.approx(mean, abs=1e-6)
    assert CLASSIFICATION.redundancy(TWO_MODALITIES).item() == pytest.approx(1 - mean, abs=1e-6)


def test_synergy_is_lowest_when_the_output_turns_around():
    views = torch.tensor([[[1.0, 2.0]], [[-2.0, -4.0]], [[-1.0, -2.0]]])
    assert CLASSIFICATION.synergy(views).item() == pytest.approx(-1)


# Regression, two samples: intact 0 and 0; MSE without modality 0: (1 + 9)/2 = 5; without 1: (.25 + .25)/2 = .25.
REGRESSION_VIEWS = torch.tensor([[[0.0], [0.0]], [[1.0], [3.0]], [[0.5], [-0.5]]])


@pytest.mark.parametrize(("modality", "expected"), [(0, max(0, 0.25 - 5 + 1)), (1, 5 - 0.25 + 1)])
def test_squared_uniqueness_is_hinged(modality, expected):
    assert REGRESSION.uniqueness(REGRESSION_VIEWS, modality).item() == pytest.approx(expected)


def test_squared_synergy_pushes_apart_up_to_the_margin_and_redundancy_pulls_together():
    assert REGRESSION.synergy(REGRESSION_VIEWS).item() == pytest.approx((0 + 0.75) / 2)
    assert REGRESSION.redundancy(REGRESSION_VIEWS).item() == pytest.approx((5 + 0.25) / 2)


def test_regression_losses_are_bounded_below():
    far = REGRESSION_VIEWS * 1e3
    assert min(loss.item() for loss in interaction_losses(torch.stack([far] * 4), ["a", "b"], REGRESSION).values()) >= 0


def test_interaction_losses_are_named_and_ordered_by_role():
    outputs = torch.stack([TWO_MODALITIES] * 4)
    losses = interaction_losses(outputs, ["image", "text"], CLASSIFICATION)
    assert list(losses) == ["uniqueness_image", "uniqueness_text", "synergy", "redundancy"]
    assert losses["uniqueness_text"].item() == pytest.approx(3, abs=1e-5)


def test_total_loss_adds_the_weighted_mean_over_experts():
    parts = {"a": torch.tensor(1.0), "b": torch.tensor(3.0), "c": torch.tensor(2.0)}
    assert total_loss(torch.tensor(10.0), parts, 0.5).item() == 10 + 0.5 * 2
    assert total_loss(torch.tensor(10.0), {}, 0.5).item() == 10


def test_task_losses_by_hand():
    # Cross-entropy of equal logits over 4 classes is log 4.
    assert task_loss("multiclass", torch.zeros(2, 4), torch.tensor([0, 3])).item() == pytest.approx(math.log(4))
    assert task_loss("multilabel", torch.zeros(2, 3), torch.ones(2, 3)).item() == pytest.approx(math.log(2))
    # SmoothL1: |d| = .5 → .125; |d| = 3 → 2.5
    logits, labels = torch.tensor([[0.5], [3.0]]), torch.tensor([0.0, 0.0])
    assert task_loss("regression", logits, labels).item() == pytest.approx((0.125 + 2.5) / 2)


def test_class_weights_weigh_the_samples_of_the_cross_entropy():
    # Losses of equal logits and of odds 3 to 1 for the wrong class: log 2 and log 4.
    logits, labels = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]]), torch.tensor([0, 1])
    expected = (0.25 * math.log(2) + 0.75 * math.log(4)) / (0.25 + 0.75)
    assert task_loss("binary", logits, labels, torch.tensor([0.25, 0.75])).item() == pytest.approx(expected)
    assert task_loss("binary", logits, labels).item() == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_every_task_has_interaction_losses():
    assert set(INTERACTION_LOSSES) == {"binary", "multiclass", "multilabel", "regression"}
