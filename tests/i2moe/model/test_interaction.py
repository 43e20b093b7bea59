"""The mixture: parameter counts of the paper, views, reweighting, and the ablations."""

import math

import pytest
import torch
from small_models import METHODS, PlainLogits, count, different, fusion, mixture, tokens
from torch import nn

from i2moe.base.errors import InputError
from i2moe.model.config import InteractionConfig
from i2moe.model.fusion import Fused, Fusion
from i2moe.model.interaction import GlobalWeights, InteractionMoE, Reweighting, expert_names
from i2moe.model.losses import CLASSIFICATION, REGRESSION

# Dataset: M and C; sizes of MulT alone (H, P, L) and its count; of I2MoE (H, P, L, layers of the reweighting MLP) and
# its count. The paper's table mixes configurations: alone and in I2MoE, IMDB has different P.
TABLE_6 = {
    "adni": ((4, 3), (256, 16, 2), 1_072_131, (256, 16, 2, 2), 6_696_728),
    "mimic": ((3, 2), (128, 8, 2), 268_034, (128, 8, 2, 2), 1_390_095),
    "imdb": ((2, 23), (256, 8, 2), 1_068_567, (256, 16, 2, 2), 4_423_008),
    "mosi": ((3, 2), (128, 4, 1), 134_402, (128, 4, 1, 1), 673_935),
    "enrico": ((2, 20), (256, 4, 1), 538_644, (256, 4, 1, 3), 2_352_724),
}


@pytest.mark.parametrize("dataset", TABLE_6)
def test_parameter_counts_of_the_papers_table_6(dataset):
    (modalities, outputs), alone, alone_count, mixed, mixed_count = TABLE_6[dataset]
    names = [f"m{index}" for index in range(modalities)]

    def mult(width, patches, layers):
        return fusion(modalities=modalities, patches=patches, width=width, outputs=outputs, num_layers=layers)

    *sizes, reweighting_layers = mixed
    width = sizes[0]
    reweighting = Reweighting(
        modalities * width,
        modalities + 2,
        hidden_dim=width,
        num_layers=reweighting_layers,
        temperature=1.0,
        dropout=0.5,
    )
    assert count(mult(*alone)) == alone_count
    model = InteractionMoE(mult(*sizes), reweighting, names, CLASSIFICATION, InteractionConfig(loss_weight=0.5))
    assert count(model) == mixed_count


@pytest.mark.parametrize("batch", [1, 5])
def test_shapes_and_weights_that_sum_to_one(batch):
    prediction = mixture().eval()(tokens(batch=batch))
    assert prediction.logits.shape == (batch, 4)
    assert prediction.expert_logits.shape == (batch, 5, 4)
    assert prediction.weights.shape == (batch, 5)
    assert torch.allclose(prediction.weights.sum(dim=1), torch.ones(batch))
    assert prediction.interaction_losses == {}


def test_the_mixture_is_the_weighted_sum_of_expert_logits():
    model = different(mixture()).eval()
    prediction = model(tokens())
    by_hand = (prediction.expert_logits * prediction.weights.unsqueeze(2)).sum(dim=1)
    assert torch.allclose(prediction.logits, by_hand, atol=1e-6)


def test_training_gives_one_loss_an_expert_by_name():
    assert list(mixture()(tokens()).interaction_losses) == expert_names(["m0", "m1", "m2"])


def test_one_modality_is_refused():
    with pytest.raises(ValueError, match="at least two modalities"):
        mixture(modalities=1)


class Means(Fusion):
    """A fusion without parameters that matter: each modality's token mean is an output of its own."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.ones(1))

    def fuse(self, embedded):
        means = torch.cat([modality.mean(dim=(1, 2), keepdim=True).squeeze(2) for modality in embedded], dim=1)
        return Fused(means * self.unused, means)


class CountingCalls(Means):
    """Means that remember the rows of every call."""

    rows = ()

    def fuse(self, embedded):
        CountingCalls.rows = (*CountingCalls.rows, len(embedded[0]))
        return super().fuse(embedded)


def mixture_of_means(modalities=3, module=Means, **interaction):
    names = [f"m{index}" for index in range(modalities)]
    config = InteractionConfig(**({"loss_weight": 0.5} | interaction))
    weights = GlobalWeights(len(expert_names(names, config.experts)))
    return InteractionMoE(module(), weights, names, CLASSIFICATION, config)


def views_of_means(model, own):
    """Return each expert's view of each modality's mean, [E, V, B, M]."""
    views = model._views(own)
    return torch.unflatten(model.experts(own, views).logits, 1, (-1, len(own[0]))), views


def test_views_replace_exactly_one_modality_each():
    own = tokens(modalities=3, batch=4)
    views, _ = views_of_means(mixture_of_means(), own)
    intact = torch.stack([modality.mean(dim=(1, 2)) for modality in own], dim=1)
    assert torch.allclose(views[:, 0], intact.expand(5, 4, 3), atol=1e-6)
    for view in range(3):
        is_intact = torch.isclose(views[:, view + 1], intact, atol=1e-6).all(dim=(0, 1))
        assert is_intact.tolist() == [modality != view for modality in range(3)]


def test_replacement_noise_is_standard_normal_and_new_for_every_expert_and_pass():
    own = tokens(modalities=2, batch=64, patches=4, width=32)
    model = mixture(modalities=2, width=32)
    first, second = (model._views(own).replacements for _ in range(2))
    assert [noise.shape for noise in first] == [(4, 64, 4, 32)] * 2
    assert abs(first[0].mean().item()) < 0.02
    assert abs(first[0].std().item() - 1) < 0.02
    for one, other in ((first[0][0], first[0][1]), (first[0], second[0]), (first[0], first[1])):
        assert abs((one * other).mean().item()) < 0.05


def test_zero_replacement_puts_zeros_and_mean_replacement_the_mean_tokens():
    own = tokens(modalities=2, batch=3)
    assert all(not tensor.any() for tensor in mixture_of_means(2, replacement="zero")._views(own).replacements)
    model = mixture_of_means(2, replacement="mean")
    model.mean_tokens = tokens(modalities=2, batch=1)
    views, _ = views_of_means(model, own)
    for view in range(2):
        expected = model.mean_tokens[view].mean()
        assert torch.allclose(views[:, view + 1, :, view], expected.expand(4, 3), atol=1e-6)


def test_mean_replacement_without_mean_tokens_is_refused_in_training_only():
    model = mixture(interaction={"replacement": "mean"})
    with pytest.raises(RuntimeError, match="mean_tokens"):
        model(tokens())
    assert model.eval()(tokens()).logits.shape == (5, 4)


def test_reweighting_by_hand():
    reweighting = Reweighting(2, 2, hidden_dim=1, num_layers=1, temperature=2.0, dropout=0.5).eval()
    with torch.no_grad():
        reweighting.mlp[0].weight.copy_(torch.eye(2))
        reweighting.mlp[0].bias.zero_()
    # One sample, one modality of two tokens with means (4, 2): softmax((4, 2) / 2) = softmax(2, 1)
    weights = reweighting([torch.tensor([[[3.0, 1.0], [5.0, 3.0]]])])
    assert torch.allclose(weights, torch.softmax(torch.tensor([[2.0, 1.0]]), dim=1))


# Simple-Weight


def test_global_weights_are_the_same_for_all_samples_sum_to_one_and_start_equal():
    model = mixture(weights="global")
    weights = model(tokens()).weights
    assert torch.allclose(weights, torch.full((5, 5), 1 / 5))
    weights = different(model)(tokens()).weights
    assert torch.equal(weights, weights[:1].expand(5, -1))
    assert torch.allclose(weights.sum(dim=1), torch.ones(5))
    assert weights[0].unique().numel() == 5


def test_global_weights_learn():
    model = different(mixture(weights="global"))
    model(tokens()).logits.square().sum().backward()
    assert (model.reweighting.scores.grad != 0).all()


# No-Interaction


def test_without_loss_weight_there_is_one_view_and_no_loss():
    rows = {}
    for weight in (0.5, 0.0):
        CountingCalls.rows = ()
        model = mixture_of_means(module=CountingCalls, loss_weight=weight)
        prediction = model(tokens(batch=7))
        rows[weight] = CountingCalls.rows
        assert bool(prediction.interaction_losses) == (weight > 0)
    assert rows == {0.5: (4 * 7,), 0.0: (7,)}  # one call for all experts at once


def test_evaluation_has_one_view_and_no_loss():
    CountingCalls.rows = ()
    prediction = mixture_of_means(module=CountingCalls).eval()(tokens(batch=7))
    assert CountingCalls.rows == (7,)
    assert prediction.interaction_losses == {}


# Synergy-Redundancy


def test_synergy_redundancy_has_exactly_those_two_experts():
    model = mixture(interaction={"experts": "synergy-redundancy"})
    prediction = model(tokens())
    assert model.expert_names == ["synergy", "redundancy"] == list(prediction.interaction_losses)
    assert prediction.weights.shape == (5, 2)
    assert prediction.expert_logits.shape == (5, 2, 4)


# Less-Forward


def test_less_forward_replaces_exactly_two_modalities_drawn_for_each_sample():
    own = tokens(modalities=4, batch=200)
    views, drawn = views_of_means(mixture_of_means(4, views="two"), own)
    assert views.shape == (6, 3, 200, 4)
    assert drawn.replaced.shape == (2, 200)
    assert (drawn.replaced[0] != drawn.replaced[1]).all()
    pairs = {tuple(pair) for pair in drawn.replaced.t().tolist()}
    assert len(pairs) == 4 * 3  # every ordered pair
    intact = torch.stack([modality.mean(dim=(1, 2)) for modality in own], dim=1)
    for view in range(2):
        is_replaced = ~torch.isclose(views[:, view + 1], intact, atol=1e-6).all(dim=0)  # [B, M]
        assert is_replaced.sum(dim=1).tolist() == [1] * 200
        assert torch.equal(is_replaced.int().argmax(dim=1), drawn.replaced[view])


def test_less_forward_losses_by_hand(monkeypatch):
    # Outputs are the modalities: intact (3, 4, 12), of length 13; distance and cosine without 0: 3 and √160/13,
    # without 1: 4 and √153/13, without 2: 12 and 5/13. Ranks of the draw make it replace 0 and 2.
    model = mixture_of_means(views="two", replacement="zero")
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([[0.1, 0.9, 0.5]]))
    losses = model([torch.full((1, 1, 1), value) for value in (3.0, 4.0, 12.0)]).interaction_losses
    cosine = (math.sqrt(160) / 13 + 5 / 13) / 2
    expected = {
        "uniqueness_m0": 12 - 3 + 1,
        "uniqueness_m1": 0,
        "uniqueness_m2": max(0, 3 - 12 + 1),
        "synergy": cosine,
        "redundancy": 1 - cosine,
    }
    assert {name: loss.item() for name, loss in losses.items()} == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("losses", [CLASSIFICATION, REGRESSION])
def test_with_two_modalities_less_forward_is_the_full_model(losses):
    every = different(mixture(modalities=2, losses=losses, interaction={"replacement": "zero"}))
    two = mixture(modalities=2, losses=losses, interaction={"replacement": "zero", "views": "two"})
    two.load_state_dict(every.state_dict())
    own = tokens(modalities=2)
    first, second = (model(own).interaction_losses for model in (every, two))
    for name, loss in first.items():
        assert second[name].item() == pytest.approx(loss.item(), abs=1e-5), name


# Latent-Contrastive


@pytest.mark.parametrize("method", METHODS)
def test_latent_losses_teach_the_fusion_and_not_its_head(method):
    model = different(mixture(method, interaction={"compare": "latent"}))
    sum(model(tokens(batch=20)).interaction_losses.values()).backward()
    learns = {
        name: parameter.grad is not None and bool(parameter.grad.any())
        for name, parameter in model.experts.named_parameters()
    }
    is_head = {name: name.removeprefix("stacked.").startswith(("head/", "heads/")) for name in learns}
    assert any(is_head.values())
    assert [name for name in learns if learns[name] == is_head[name]] == []


def test_latent_losses_are_the_role_losses_of_the_latents():
    model = mixture_of_means(compare="latent", replacement="zero")  # its latent is its output
    own = tokens()
    on_logits = mixture_of_means(replacement="zero")(own).interaction_losses
    for name, loss in model(own).interaction_losses.items():
        assert torch.equal(loss, on_logits[name])


def test_latent_losses_need_a_latent():
    config = InteractionConfig(loss_weight=0.5, compare="latent")
    model = InteractionMoE(PlainLogits(), GlobalWeights(5), ["a", "b", "c"], CLASSIFICATION, config)
    with pytest.raises(InputError, match=r"interaction.compare: latent needs a fusion method that returns .*Fused"):
        model(tokens())
    assert model.eval()(tokens()).logits.shape == (5, 4)
