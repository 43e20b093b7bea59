"""Role supervision against hand-computed values, for every task, and in training."""

from math import log

import pytest
import torch
from small_models import mixture, tokens
from torch.testing import assert_close

from i2moe.model.config import InteractionConfig
from i2moe.model.losses import Shown, interaction_losses
from i2moe.model.roles import RoleSupervision, silence

NAMES = ["uniqueness_a", "uniqueness_b", "synergy", "redundancy"]


def losses(task, outputs, labels, replaced=None, present=None):
    """Compute the losses of experts that all return the same [V, B, C]."""
    every = torch.stack([outputs] * 4)
    return interaction_losses(every, NAMES, 2, RoleSupervision(task).given(labels), Shown(replaced, present))


def test_each_expert_is_taught_where_its_role_may_know_and_silenced_where_not():
    # Of two classes, sure of class 1 by log-odds ln 3 in view 0, by -ln 3 without a, silent without b.
    outputs = torch.tensor([[[0.0, log(3)]], [[log(3), 0.0]], [[0.0, 0.0]]])
    found = losses("binary", outputs, torch.tensor([1]))
    right, wrong, nothing, silenced = log(4 / 3), log(4), log(2), log(2 / 3**0.5)
    assert_close(found["uniqueness_a"].item(), (right + silenced + nothing) / 3)
    assert_close(found["uniqueness_b"].item(), (right + wrong + 0) / 3)
    assert_close(found["synergy"].item(), (right + silenced + 0) / 3)
    assert_close(found["redundancy"].item(), (right + wrong + nothing) / 3)


def test_labels_of_a_multilabel_task_are_silenced_one_by_one():
    outputs = torch.tensor([[[log(3), 0.0]]]).expand(3, 1, 2)
    found = losses("multilabel", outputs, torch.tensor([[1, 0]]))
    known, silenced = (log(4 / 3) + log(2)) / 2, log(2 / 3**0.5) / 2
    assert_close(found["redundancy"].item(), known)
    assert_close(found["synergy"].item(), (known + 2 * silenced) / 3)


def test_numbers_are_silenced_towards_the_mean_of_the_train_split():
    outputs = torch.tensor([[[2.0]], [[1.0]], [[0.0]]])
    found = losses("regression", outputs, torch.tensor([2.0]))
    assert_close(found["synergy"].item(), (0 + 0.5 + 0) / 3)
    assert_close(found["uniqueness_a"].item(), (0 + 0.5 + 1.5) / 3)
    assert_close(found["redundancy"].item(), (0 + 0.5 + 1.5) / 3)


def test_what_a_sample_lacks_is_neither_taught_nor_silenced():
    # As in the first test, for a sample that has both modalities and one that lacks b.
    outputs = torch.tensor([[[0.0, log(3)]], [[log(3), 0.0]], [[0.0, 0.0]]]).expand(-1, 2, -1)
    present = torch.tensor([[True, True], [True, False]])  # [M, B]
    found = losses("binary", outputs, torch.tensor([1, 1]), present=present)
    right, wrong, nothing, silenced = log(4 / 3), log(4), log(2), log(2 / 3**0.5)
    assert_close(
        found["uniqueness_a"].item(), (right + silenced + nothing + right) / 4
    )  # of the second the intact view
    assert_close(found["uniqueness_b"].item(), (right + wrong + 0) / 3)
    assert_close(found["synergy"].item(), (right + silenced + 0) / 3)
    assert_close(found["redundancy"].item(), (right + wrong + nothing + right) / 4)


def test_modalities_that_are_drawn_by_sample_are_told_apart():
    # Two samples, one perturbed view: without a in the first, without b in the second.
    outputs = torch.tensor([[[0.0], [0.0]], [[1.0], [1.0]]])
    found = losses("regression", outputs, torch.tensor([1.0, 1.0]), torch.tensor([[0, 1]]))
    assert_close(found["uniqueness_a"].item(), (0.5 + 0.5 + 0.5 + 0) / 4)
    assert_close(found["synergy"].item(), (0.5 + 0.5 + 0.5 + 0.5) / 4)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
def test_a_prediction_that_says_nothing_is_silent(task):
    width = 1 if task == "regression" else 3
    assert_close(silence(task, torch.zeros(2, width)), torch.zeros(2))
    assert (silence(task, torch.eye(3)[:, :width]) >= 0).all()


def test_a_mixture_in_training_needs_labels_and_has_a_loss_for_every_expert():
    model = mixture(losses=RoleSupervision("multiclass"), interaction={"objective": "role-supervised"}).train()
    with pytest.raises(ValueError, match="training needs them"):
        model(tokens())
    found = model(tokens(), torch.tensor([0, 1, 2, 3, 0])).interaction_losses
    assert list(found) == model.expert_names
    sum(found.values()).backward()
    assert all(parameter.grad is not None for parameter in model.experts.parameters())


def test_role_supervision_of_latents_is_refused():
    with pytest.raises(ValueError, match="allowed: compare logits"):
        InteractionConfig(loss_weight=1, objective="role-supervised", compare="latent")
