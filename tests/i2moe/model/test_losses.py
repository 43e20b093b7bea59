"""Every loss against values worked out by hand."""

import math

import pytest
import torch

from i2moe.model.interaction import expert_names
from i2moe.model.losses import (
    ALL,
    CLASSIFICATION,
    INTERACTION_LOSSES,
    REGRESSION,
    Shown,
    interaction_losses,
    task_loss,
    total_loss,
)


def uniqueness(losses, views, modality, shown=ALL):
    """Return the loss of one modality's expert, where the other modalities' experts put out something else."""
    num_modalities = len(views) - 1 if shown.replaced is None else int(shown.replaced.max()) + 1
    outputs = torch.randn(num_modalities, *views.shape)
    outputs[modality] = views
    return losses.uniqueness(outputs, shown)[modality].item()


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
    assert uniqueness(CLASSIFICATION, TWO_MODALITIES, modality) == pytest.approx(expected, abs=1e-5)


def test_triplet_uniqueness_averages_over_samples_and_positives():
    # Three modalities, two samples, one output; distances to the intact output 0:
    views = torch.tensor([[[0.0], [0.0]], [[2.0], [0.5]], [[1.0], [1.0]], [[4.0], [0.0]]])
    # Modality 0 is the negative: sample 0: max(0, 1-2+1)=0, max(0, 4-2+1)=3; sample 1: 1-.5+1=1.5, 0-.5+1=.5
    assert uniqueness(CLASSIFICATION, views, 0) == pytest.approx((0 + 3 + 1.5 + 0.5) / 4, abs=1e-5)


def test_triplet_uniqueness_equals_torch_for_one_positive():
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(3, 5, 4, generator=generator)
    expected = torch.nn.functional.triplet_margin_loss(views[0], views[2], views[1], margin=1.0, eps=1e-7)
    assert uniqueness(CLASSIFICATION, views, 0) == pytest.approx(expected.item(), abs=1e-6)


def test_cosine_losses_by_hand():
    # cos((3,4),(0,4)) = 16/20 = .8; cos((3,4),(3,3)) = 21/(5·√18) = .98995
    mean = (0.8 + 21 / (5 * math.sqrt(18))) / 2
    assert CLASSIFICATION.synergy(TWO_MODALITIES, ALL, 2).item() == pytest.approx(mean, abs=1e-6)
    assert CLASSIFICATION.redundancy(TWO_MODALITIES, ALL, 2).item() == pytest.approx(1 - mean, abs=1e-6)


def test_synergy_is_lowest_when_the_output_turns_around():
    views = torch.tensor([[[1.0, 2.0]], [[-2.0, -4.0]], [[-1.0, -2.0]]])
    assert CLASSIFICATION.synergy(views, ALL, 2).item() == pytest.approx(-1)


# Regression, two samples: intact 0 and 0; MSE without modality 0: (1 + 9)/2 = 5; without 1: (.25 + .25)/2 = .25.
REGRESSION_VIEWS = torch.tensor([[[0.0], [0.0]], [[1.0], [3.0]], [[0.5], [-0.5]]])


@pytest.mark.parametrize(("modality", "expected"), [(0, max(0, 0.25 - 5 + 1)), (1, 5 - 0.25 + 1)])
def test_squared_uniqueness_is_hinged(modality, expected):
    assert uniqueness(REGRESSION, REGRESSION_VIEWS, modality) == pytest.approx(expected)


def test_squared_synergy_pushes_apart_up_to_the_margin_and_redundancy_pulls_together():
    assert REGRESSION.synergy(REGRESSION_VIEWS, ALL, 2).item() == pytest.approx((0 + 0.75) / 2)
    assert REGRESSION.redundancy(REGRESSION_VIEWS, ALL, 2).item() == pytest.approx((5 + 0.25) / 2)


def test_regression_losses_are_bounded_below():
    far = torch.stack([REGRESSION_VIEWS * 1e3] * 4)
    losses = interaction_losses(far, expert_names(["a", "b"]), 2, REGRESSION)
    assert min(loss.item() for loss in losses.values()) >= 0


def test_interaction_losses_are_named_and_ordered_by_role():
    outputs = torch.stack([TWO_MODALITIES] * 4)
    losses = interaction_losses(outputs, expert_names(["image", "text"]), 2, CLASSIFICATION)
    assert list(losses) == ["uniqueness_image", "uniqueness_text", "synergy", "redundancy"]
    assert losses["uniqueness_text"].item() == pytest.approx(3, abs=1e-5)


@pytest.mark.parametrize("losses", [CLASSIFICATION, REGRESSION])
@pytest.mark.parametrize("replaced", [None, torch.tensor([[0, 1, 2, 0], [2, 0, 1, 1]])])
def test_each_experts_loss_is_of_its_own_outputs(losses, replaced):
    outputs = 0.3 * torch.randn(5, 4 if replaced is None else 3, 4, 2)  # within the margins
    shown = Shown(replaced)
    found = interaction_losses(outputs, expert_names(["a", "b", "c"]), 3, losses, shown)
    expected = [losses.uniqueness(outputs[:3], shown)[index].item() for index in range(3)]
    expected += [losses.synergy(outputs[3], shown, 3).item(), losses.redundancy(outputs[4], shown, 3).item()]
    assert [loss.item() for loss in found.values()] == pytest.approx(expected)
    assert all(loss.shape == () for loss in found.values())
    for index, name in enumerate(found):
        changed = outputs.clone()
        changed[index] = 0.3 * torch.randn_like(outputs[index])
        again = interaction_losses(changed, list(found), 3, losses, shown)
        assert [other for other in found if again[other].item() != pytest.approx(found[other].item())] == [name]


def test_without_uniqueness_experts_there_are_two_losses():
    outputs = torch.stack([TWO_MODALITIES] * 2)
    names = expert_names(["image", "text"], "synergy-redundancy")
    losses = interaction_losses(outputs, names, 2, CLASSIFICATION)
    assert list(losses) == ["synergy", "redundancy"]
    assert losses["synergy"].item() + losses["redundancy"].item() == pytest.approx(1)


# Less-Forward: three modalities, two samples, one output. Sample 0 is without 0 (distance 2) and without 2 (distance
# 4); sample 1 is without 1 (distance 1) and without 0 (distance .5).
TWO_VIEWS = torch.tensor([[[0.0], [0.0]], [[2.0], [1.0]], [[4.0], [-0.5]]])
REPLACED = Shown(torch.tensor([[0, 1], [2, 0]]))


@pytest.mark.parametrize(
    ("modality", "expected"),
    [
        (0, ((4 - 2 + 1) + (1 - 0.5 + 1)) / 2),  # sample 0: positive 2; sample 1: positive 1
        (1, max(0, 0.5 - 1 + 1)),  # sample 0 is never without 1
        (2, max(0, 2 - 4 + 1)),  # sample 1 is never without 2
    ],
)
def test_triplet_uniqueness_counts_the_samples_that_were_without_the_modality(modality, expected):
    assert uniqueness(CLASSIFICATION, TWO_VIEWS, modality, REPLACED) == pytest.approx(expected, abs=1e-5)


def test_a_modality_that_was_never_replaced_costs_nothing():
    views = torch.randn(3, 4, 2, requires_grad=True)
    replaced = Shown(torch.tensor([[0] * 4, [1] * 4]))
    for losses in (CLASSIFICATION, REGRESSION):
        loss = losses.uniqueness(views.expand(3, -1, -1, -1), replaced)[2]
        assert loss.item() == 0
        (gradient,) = torch.autograd.grad(loss, views)
        assert torch.equal(gradient, torch.zeros_like(views))


# Of TWO_VIEWS, MSE without 0: (4 + .25) / 2 = 2.125; without 1: 1; without 2: 16.
@pytest.mark.parametrize(
    ("modality", "expected"),
    [
        (0, (max(0, 1 - 2.125 + 1) + (16 - 2.125 + 1)) / 2),
        (1, ((2.125 - 1 + 1) + (16 - 1 + 1)) / 2),
        (2, 0),
    ],
)
def test_squared_uniqueness_averages_each_modality_over_the_samples_without_it(modality, expected):
    assert uniqueness(REGRESSION, TWO_VIEWS, modality, REPLACED) == pytest.approx(expected)


def test_squared_synergy_and_redundancy_average_each_modality_over_the_samples_without_it():
    far = torch.tensor(
        [[[0.0], [0.0]], [[0.5], [1.0]], [[4.0], [-0.5]]]
    )  # MSE: without 0 .25, without 1 1, without 2 16
    assert REGRESSION.synergy(far, REPLACED, 3).item() == pytest.approx((0.75 + 0 + 0) / 3)
    assert REGRESSION.redundancy(TWO_VIEWS, REPLACED, 3).item() == pytest.approx((2.125 + 1 + 16) / 3)


def test_squared_losses_leave_out_a_modality_that_was_never_replaced():
    replaced = Shown(
        torch.tensor([[0, 0], [2, 2]])
    )  # MSE of TWO_VIEWS: without 0 (4 + 1) / 2, without 2 (16 + .25) / 2
    assert REGRESSION.redundancy(TWO_VIEWS, replaced, 3).item() == pytest.approx((2.5 + 8.125) / 2)
    near = torch.tensor([[[0.0], [0.0]], [[0.5], [0.5]], [[4.0], [4.0]]])
    assert REGRESSION.synergy(near, replaced, 3).item() == pytest.approx((0.75 + 0) / 2)


def test_cosine_losses_average_over_the_views_there_are():
    views = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, -1.0]], [[0.0, 1.0], [0.0, 3.0]]])
    assert CLASSIFICATION.synergy(views, REPLACED, 3).item() == pytest.approx((1 - 1 + 0 + 1) / 4)
    assert CLASSIFICATION.redundancy(views, REPLACED, 3).item() == pytest.approx(1 - 0.25)


@pytest.mark.parametrize("losses", [CLASSIFICATION, REGRESSION])
def test_with_two_modalities_two_views_are_all_views(losses):
    views = torch.randn(3, 5, 4)
    swapped = views.clone()  # samples 1 and 3 lose the modalities in the other order
    swapped[1:, [1, 3]] = views[1:, [1, 3]].flip(0)
    replaced = Shown(torch.tensor([[0, 1, 0, 1, 0], [1, 0, 1, 0, 1]]))
    names = expert_names(["a", "b"])
    every = interaction_losses(torch.stack([views] * 4), names, 2, losses)
    two = interaction_losses(torch.stack([swapped] * 4), names, 2, losses, replaced)
    for name, loss in every.items():
        assert two[name].item() == pytest.approx(loss.item(), abs=1e-6), name


# Three modalities; sample 0 has all, sample 1 lacks the last one, sample 2 has the first alone. Distances from the
# intact output without each: 2, 4, 1; 1, 3, 9; 5, 5, 5.
PRESENT = Shown(present=torch.tensor([[True, True, True], [True, True, False], [True, False, False]]).t())
SOME_ABSENT = torch.tensor([[0.0, 0.0, 0.0], [2.0, 1.0, 5.0], [4.0, -3.0, 5.0], [1.0, 9.0, 5.0]]).unsqueeze(2)


@pytest.mark.parametrize(
    ("modality", "expected"),
    [
        (0, (max(0, 4 - 2 + 1) + max(0, 1 - 2 + 1) + max(0, 3 - 1 + 1)) / 3),
        (1, (max(0, 2 - 4 + 1) + max(0, 1 - 4 + 1) + max(0, 1 - 3 + 1)) / 3),
        (2, (max(0, 2 - 1 + 1) + max(0, 4 - 1 + 1)) / 2),  # sample 0 alone has it
    ],
)
def test_triplet_uniqueness_looks_at_no_view_that_removes_what_is_absent(modality, expected):
    assert uniqueness(CLASSIFICATION, SOME_ABSENT, modality, PRESENT) == pytest.approx(expected, abs=1e-5)


def test_synergy_and_redundancy_look_at_no_view_that_removes_what_is_absent():
    # MSE by modality over samples that have it and another one: (4 + 1) / 2, (16 + 9) / 2, 1.
    assert REGRESSION.redundancy(SOME_ABSENT, PRESENT, 3).item() == pytest.approx((2.5 + 12.5 + 1) / 3)
    near = SOME_ABSENT / 4
    assert REGRESSION.synergy(near, PRESENT, 3).item() == pytest.approx(1 - (2.5 + 12.5 + 1) / 3 / 16)
    views = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]], [[-1.0, 0.0]], [[0.0, 1.0]]]).expand(-1, 3, -1)
    # Similarities without each: 1, -1, 0; of samples 0, 0 and 0, and 1 and 1.
    assert CLASSIFICATION.synergy(views, PRESENT, 3).item() == pytest.approx((2 * 1 + 2 * -1 + 0) / 5)
    assert CLASSIFICATION.redundancy(views, PRESENT, 3).item() == pytest.approx((0 + 2 * 2 + 1) / 5)


@pytest.mark.parametrize("losses", [CLASSIFICATION, REGRESSION])
def test_samples_with_one_modality_alone_cost_nothing(losses):
    views = torch.randn(3, 4, 2, requires_grad=True)
    shown = Shown(present=torch.tensor([[True] * 4, [False] * 4]))
    found = interaction_losses(views.expand(4, -1, -1, -1), expert_names(["a", "b"]), 2, losses, shown)
    assert [loss.item() for loss in found.values()] == [0, 0, 0, 0]


@pytest.mark.parametrize("losses", [CLASSIFICATION, REGRESSION])
@pytest.mark.parametrize("replaced", [None, torch.tensor([[0, 1, 2, 0], [2, 0, 1, 1]])])
def test_where_all_is_present_the_losses_are_those_without_presence(losses, replaced):
    outputs = torch.randn(5, 4 if replaced is None else 3, 4, 2)
    names = expert_names(["a", "b", "c"])
    without = interaction_losses(outputs, names, 3, losses, Shown(replaced))
    given = interaction_losses(outputs, names, 3, losses, Shown(replaced, torch.ones(3, 4, dtype=torch.bool)))
    for name, loss in without.items():
        assert given[name].item() == pytest.approx(loss.item(), abs=1e-6), name


def test_total_loss_adds_the_weighted_mean_over_experts():
    parts = {"a": torch.tensor(1.0), "b": torch.tensor(3.0), "c": torch.tensor(2.0)}
    assert total_loss(torch.tensor(10.0), parts, 0.5, None, 0.25).item() == 10 + 0.5 * 2
    assert total_loss(torch.tensor(10.0), {}, 0.5, None, 0.25).item() == 10
    balance = torch.tensor(4.0)
    assert total_loss(torch.tensor(10.0), parts, 0.5, balance, 0.25).item() == 10 + 0.5 * 2 + 0.25 * 4
    assert total_loss(torch.tensor(10.0), {}, 0.5, balance, 0.25).item() == 10 + 0.25 * 4


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
