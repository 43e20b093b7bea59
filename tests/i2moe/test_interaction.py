"""Interaction experts: parameter counts of the paper, views, experts at once against one by one, gradients."""

import copy
import warnings

import pytest
import torch
from torch import nn

from i2moe.experts import Experts
from i2moe.fusion.mult import MulT
from i2moe.interaction import InteractionMoE, Reweighting, expert_names, perturbed_views
from i2moe.losses import CLASSIFICATION, REGRESSION


def mult(modalities=3, patches=2, width=8, outputs=4, dropout=0.0, layers=2, heads=2):
    return MulT(
        num_modalities=modalities,
        num_patches=patches,
        hidden_dim=width,
        num_outputs=outputs,
        dropout=dropout,
        num_layers=layers,
        num_heads=heads,
    )


def mixture(modalities=3, width=8, dropout=0.0, losses=CLASSIFICATION, **fusion):
    reweighting = Reweighting(
        modalities * width, modalities + 2, hidden_dim=16, num_layers=2, temperature=1.5, dropout=dropout
    )
    names = [f"m{index}" for index in range(modalities)]
    return InteractionMoE(mult(modalities, width=width, dropout=dropout, **fusion), reweighting, names, losses)


def tokens(modalities=3, batch=5, patches=2, width=8):
    return [torch.randn(batch, patches, width) for _ in range(modalities)]


def different(experts):
    """Give every expert its own weights, so that mixing experts up shows."""
    with torch.no_grad():
        for parameter in experts.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("dataset", "modalities", "patches", "width", "outputs", "reweighting_width", "one", "all_experts"),
    [("adni", 4, 16, 256, 3, 256, 1_072_131, 6_696_728), ("mimic", 3, 8, 128, 2, 128, 268_034, 1_390_095)],
)
def test_parameter_counts_of_the_papers_table_6(
    dataset, modalities, patches, width, outputs, reweighting_width, one, all_experts
):
    fusion = mult(modalities, patches, width, outputs)
    reweighting = Reweighting(
        modalities * width, modalities + 2, hidden_dim=reweighting_width, num_layers=2, temperature=1.0, dropout=0.5
    )
    names = [f"{dataset}_{index}" for index in range(modalities)]
    assert count(fusion) == one
    assert count(InteractionMoE(fusion, reweighting, names, CLASSIFICATION)) == all_experts


@pytest.mark.parametrize("batch", [1, 5])
def test_shapes_and_weights_that_sum_to_one(batch):
    prediction = mixture().eval()(tokens(batch=batch))
    assert prediction.logits.shape == (batch, 4)
    assert prediction.expert_logits.shape == (batch, 5, 4)
    assert prediction.weights.shape == (batch, 5)
    assert torch.allclose(prediction.weights.sum(dim=1), torch.ones(batch))
    assert prediction.interaction_losses == {}


def test_the_mixture_is_the_weighted_sum_of_expert_logits():
    model = mixture().eval()
    different(model)
    prediction = model(tokens())
    by_hand = (prediction.expert_logits * prediction.weights.unsqueeze(2)).sum(dim=1)
    assert torch.allclose(prediction.logits, by_hand, atol=1e-6)


def test_training_gives_one_loss_an_expert_by_name():
    assert list(mixture()(tokens()).interaction_losses) == expert_names(["m0", "m1", "m2"])


def test_one_modality_is_refused():
    with pytest.raises(ValueError, match="at least two modalities"):
        mixture(modalities=1)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="num_heads=3 does not divide hidden_dim=8"):
        mult(heads=3)


def test_views_replace_exactly_one_modality_each():
    own = tokens(modalities=2, batch=3)
    views = [view.unflatten(1, (3, 3)) for view in perturbed_views(own, num_experts=4)]  # [E, V, B, P, H]
    for index, modality in enumerate(own):
        assert torch.equal(views[index][:, 0], modality.expand(4, *modality.shape))
        for view in (1, 2):
            replaced = view == index + 1
            assert torch.equal(views[index][:, view], modality.expand(4, *modality.shape)) is not replaced


def test_replacement_noise_is_standard_normal_and_new_for_every_expert_and_pass():
    own = tokens(modalities=2, batch=64, patches=4, width=32)
    first, second = (perturbed_views(own, num_experts=2)[0].unflatten(1, (3, 64))[:, 1] for _ in range(2))
    assert abs(first.mean().item()) < 0.02
    assert abs(first.std().item() - 1) < 0.02
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, second)


@pytest.mark.parametrize("losses", [CLASSIFICATION, REGRESSION])
def test_experts_at_once_equal_experts_one_by_one_in_outputs_losses_and_gradients(losses):
    at_once = mixture(losses=losses)
    different(at_once)
    one_by_one = copy.deepcopy(at_once)
    one_by_one.experts.vectorised = False
    own = tokens()
    results = []
    for model in (at_once, one_by_one):
        torch.manual_seed(1)
        prediction = model(own)
        (prediction.logits.sum() + sum(prediction.interaction_losses.values())).backward()
        results.append(prediction)
    assert torch.allclose(results[0].expert_logits, results[1].expert_logits, atol=1e-5)
    for name, loss in results[0].interaction_losses.items():
        assert loss.item() == pytest.approx(results[1].interaction_losses[name].item(), abs=1e-5)
    for (name, first), second in zip(at_once.named_parameters(), one_by_one.parameters(), strict=True):
        assert torch.allclose(first.grad, second.grad, atol=1e-5), name


def test_experts_equal_the_single_modules_they_were_made_of():
    modules = [mult() for _ in range(3)]
    own = tokens()
    experts = Experts(modules).eval()
    for module, output in zip(modules, experts(own), strict=True):
        assert torch.allclose(module.eval()(own), output, atol=1e-6)


def test_every_parameter_gets_a_gradient():
    model = mixture()
    different(model)
    prediction = model(tokens())
    (prediction.logits.square().sum() + sum(prediction.interaction_losses.values())).backward()
    dead = [name for name, parameter in model.named_parameters() if not parameter.grad.abs().sum()]
    assert dead == []


def test_dropout_differs_between_experts_in_training_and_is_off_in_evaluation():
    experts = Experts([module := mult(dropout=0.5), copy.deepcopy(module)])
    own = tokens()
    first, second = experts(own)
    assert not torch.allclose(first, second)
    experts.eval()
    assert torch.equal(experts(own), experts(own))
    first, second = experts(own)
    assert torch.equal(first, second)


def test_dropout_follows_the_training_flag_however_it_was_set():
    experts = Experts([mult(dropout=0.5) for _ in range(2)])
    own = tokens()
    experts.training = False
    assert torch.equal(experts(own), experts(own))
    experts.training = True  # as Lightning restores it after validation
    assert not torch.equal(experts(own), experts(own))


def test_permuting_the_batch_permutes_the_output():
    model = mixture().eval()
    different(model)
    own, order = tokens(), torch.tensor([3, 1, 4, 0, 2])
    permuted = model([modality[order] for modality in own]).logits
    assert torch.allclose(permuted, model(own).logits[order], atol=1e-6)


def test_state_dict_round_trip():
    first, second = mixture().eval(), mixture().eval()
    different(first)
    second.load_state_dict(first.state_dict())
    own = tokens()
    assert torch.equal(first(own).logits, second(own).logits)


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
        outputs = experts(own)
    assert torch.allclose(outputs[1], modules[1](own))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        experts(own)


def test_reweighting_by_hand():
    reweighting = Reweighting(2, 2, hidden_dim=1, num_layers=1, temperature=2.0, dropout=0.5).eval()
    with torch.no_grad():
        reweighting.mlp[0].weight.copy_(torch.eye(2))
        reweighting.mlp[0].bias.zero_()
    # One sample, one modality of two tokens with means (4, 2): softmax((4, 2) / 2) = softmax(2, 1)
    weights = reweighting([torch.tensor([[[3.0, 1.0], [5.0, 3.0]]])])
    assert torch.allclose(weights, torch.softmax(torch.tensor([[2.0, 1.0]]), dim=1))
