"""Experts at once against experts one by one, and what cannot run at once."""

import copy
import warnings

import pytest
import torch
from small_models import PlainLogits, different, fusion, mixture, tokens
from torch import nn

from i2moe.fusion.mult import MulT
from i2moe.model.experts import Experts, Views
from i2moe.model.fusion import Sizes
from i2moe.model.losses import CLASSIFICATION, REGRESSION


@pytest.mark.parametrize("losses", [CLASSIFICATION, REGRESSION])
@pytest.mark.parametrize("views", ["all", "two"])
def test_experts_at_once_equal_experts_one_by_one_in_outputs_losses_and_gradients(losses, views):
    at_once = different(mixture(losses=losses, interaction={"views": views}))
    one_by_one = copy.deepcopy(at_once)
    one_by_one.experts.vectorised = False
    own = tokens()
    results = []
    for model in (at_once, one_by_one):
        torch.manual_seed(1)
        prediction = model(own)
        (prediction.logits.sum() + sum(prediction.interaction_losses.values())).backward()
        results.append(prediction)
    assert at_once.experts.vectorised
    assert torch.allclose(results[0].expert_logits, results[1].expert_logits, atol=1e-5)
    for name, loss in results[0].interaction_losses.items():
        assert loss.item() == pytest.approx(results[1].interaction_losses[name].item(), abs=1e-5)
    for (name, first), second in zip(at_once.named_parameters(), one_by_one.parameters(), strict=True):
        assert torch.allclose(first.grad, second.grad, atol=1e-5), name


def test_a_batch_too_large_for_the_caches_runs_one_by_one_with_the_same_result(monkeypatch):
    model = different(mixture()).eval()
    own = tokens()
    at_once = model(own).logits
    monkeypatch.setattr(Experts, "_forward_vmap", None)  # calling it would fail
    monkeypatch.setattr("i2moe.model.experts.CPU_LIMIT", sum(modality.numel() for modality in own) - 1)
    assert torch.allclose(model(own).logits, at_once, atol=1e-5)
    assert model.experts.vectorised


def test_dropout_differs_between_experts_in_training_and_is_off_in_evaluation():
    experts = Experts([module := fusion(dropout=0.5), copy.deepcopy(module)])
    own = tokens()
    first, second = experts(own).logits
    assert not torch.allclose(first, second)
    experts.eval()
    assert torch.equal(experts(own).logits, experts(own).logits)
    first, second = experts(own).logits
    assert torch.equal(first, second)


def test_dropout_follows_the_training_flag_however_it_was_set():
    experts = Experts([fusion(dropout=0.5) for _ in range(2)])
    own = tokens()
    experts.training = False
    assert torch.equal(experts(own).logits, experts(own).logits)
    experts.training = True  # as Lightning restores it after validation
    assert not torch.equal(experts(own).logits, experts(own).logits)


class DataDependent(nn.Module):
    """A fusion that vmap cannot trace: it branches on a value that differs between experts."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 2)

    def forward(self, tokens):
        logits = self.head(tokens[0].mean(dim=1))
        return logits if logits.sum().item() > 0 else -logits


def test_a_module_that_vmap_cannot_trace_runs_in_a_loop_with_one_warning():
    modules = [DataDependent(), DataDependent()]
    experts = Experts(modules)
    own = tokens(modalities=1)
    with pytest.warns(UserWarning, match="one by one"):
        outputs = experts(own).logits
    assert torch.allclose(outputs[1], modules[1](own))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        experts(own)


class FromTheFirstAxis(MulT):
    """A subclass that counts its axes from the first one, as a method may that does not say otherwise."""

    def transform(self, tokens, projected, num_views):
        fused = super().transform(tokens, projected, num_views)
        return fused._replace(logits=fused.logits - tokens.mean(dim=(1, 2)).unsqueeze(1))


def test_a_subclass_gets_no_stacked_parameters_unless_it_says_so():
    modules = [different(FromTheFirstAxis(Sizes(3, 2, 8, 4, 0.0), num_layers=1, num_heads=2)).eval() for _ in range(2)]
    experts = Experts(modules).eval()
    own = tokens()
    with torch.inference_mode():
        for module, output in zip(modules, experts(own).logits, strict=True):
            assert torch.allclose(output, module(own).logits, atol=1e-5)


class Tied(nn.Module):
    """A fusion with one layer under two names, and a buffer."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.second = self.first
        self.head = nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 4))

    def forward(self, tokens):
        return self.head(self.second(self.first(tokens[0].mean(dim=1)).relu()))


@pytest.mark.parametrize("vectorised", [True, False])
def test_shared_parameters_and_buffers_are_those_of_each_expert(vectorised):
    modules = [different(Tied()).eval() for _ in range(2)]
    for module in modules:
        module.head[0].running_mean.normal_()
    experts = copy.deepcopy(Experts(modules)).eval()
    experts.vectorised = vectorised
    own = tokens(modalities=1)
    for module, output in zip(modules, experts(own).logits, strict=True):
        assert torch.allclose(output, module(own), atol=1e-6)
    assert all(parameter.is_meta for parameter in experts._skeleton[0].parameters())


def test_a_plain_module_sees_the_same_views_as_a_fusion():
    modules = [PlainLogits() for _ in range(2)]
    own, noise = tokens(), tokens()
    replaced = torch.tensor([[0, 1, 2, 0, 1], [2, 2, 1, 1, 0]])
    outputs = Experts(modules)(own, Views(noise, replaced)).logits.unflatten(1, (3, 5))
    for module, output in zip(modules, outputs, strict=True):
        assert torch.allclose(output[0], module(own), atol=1e-6)
        for view, replaces in enumerate(replaced):
            seen = [
                torch.where((replaces == index).view(-1, 1, 1), other, intact)
                for index, (intact, other) in enumerate(zip(own, noise, strict=True))
            ]
            assert torch.allclose(output[view + 1], module(seen), atol=1e-6)
