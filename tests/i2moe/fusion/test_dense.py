"""Dense and GShard over sequences: padding, positions, attention maps, routing and the balance loss by hand."""

import math

import pytest
import torch
from small_models import different, fusion, mixture

from i2moe.fusion.gshard import GShardFeedForward
from i2moe.fusion.sequence import sinusoids
from i2moe.model.tokens import Padded

COUNTS = (5, 2, 4)  # tokens of each modality
every_method = pytest.mark.parametrize("method", ["dense", "gshard"])


def build(method, **own):
    return different(fusion(method, num_tokens=COUNTS, **own)).eval()


def padded(lengths, count):
    padding = torch.arange(count) >= torch.tensor(lengths).unsqueeze(1)
    return Padded(torch.randn(len(lengths), count, 8), padding)


def some_tokens():
    return [padded([5, 2, 1], COUNTS[0]), torch.randn(3, COUNTS[1], 8), padded([1, 4, 3], COUNTS[2])]


@every_method
@pytest.mark.parametrize("inference", [True, False], ids=["fused attention", "written out"])
def test_a_padded_sample_has_the_output_that_it_has_alone_without_padding(method, inference):
    model, own = build(method), some_tokens()
    with torch.inference_mode(inference):
        together = model(own)
        for row in range(3):
            cut = [
                each.values[row : row + 1, ~each.padding[row]] if isinstance(each, Padded) else each[row : row + 1]
                for each in own
            ]
            alone = model(cut)
            assert torch.allclose(together.logits[row], alone.logits[0], atol=1e-5)
            assert torch.allclose(together.latent[row], alone.latent[0], atol=1e-5)


@every_method
@pytest.mark.parametrize("training", [True, False])
def test_what_stands_in_the_padding_changes_no_logit(method, training, monkeypatch):
    monkeypatch.setattr(torch, "rand_like", torch.zeros_like)  # no second expert is left out by chance
    model, own = build(method).train(training), some_tokens()
    other = [
        each._replace(values=torch.where(each.padding.unsqueeze(-1), 1e3, each.values))
        if isinstance(each, Padded)
        else each
        for each in own
    ]
    assert torch.allclose(model(own).logits, model(other).logits, atol=1e-6)


@every_method
def test_padding_gets_no_gradient_and_real_tokens_do(method):
    model, own = build(method), some_tokens()
    values = own[0].values.requires_grad_()
    model(own).logits.square().sum().backward()
    assert torch.equal(values.grad.abs().sum(dim=2) > 0, ~own[0].padding)


@every_method
@pytest.mark.parametrize("inference", [True, False])
def test_a_sample_without_a_token_of_a_modality_or_of_any_has_finite_logits(method, inference):
    model = build(method)
    own = [padded([0, 2, 0], COUNTS[0]), padded([0, 1, 2], COUNTS[1]), padded([0, 4, 3], COUNTS[2])]
    with torch.inference_mode(inference):
        output = model(own)
    assert output.logits.isfinite().all()
    assert torch.allclose(output.logits[0], model.head.bias, atol=1e-6)  # it sees nothing
    assert (output.latent[2, :8] == 0).all()  # the mean of no tokens


def test_the_position_code_is_the_sine_and_cosine_of_the_place_in_the_row_of_all_modalities():
    model = fusion("dense", num_tokens=COUNTS)
    code = sinusoids(11, 8)
    assert torch.equal(model.position, code)
    for place in (0, 1, 7, 10):
        for pair in range(4):
            angle = place / 10_000 ** (2 * pair / 8)
            assert code[place, 2 * pair].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert code[place, 2 * pair + 1].item() == pytest.approx(math.cos(angle), abs=1e-6)
    embedded = model.embed([torch.zeros(1, count, 8) for count in (3, 2, 4)])  # the first modality has two fewer
    assert torch.equal(embedded[1][0][0], code[5:7])  # and others stay where they were
    assert torch.equal(embedded[2][0][0], code[7:11])


def test_dense_is_its_layers_then_the_mean_of_each_modality():
    model, own = build("dense", num_layers=1), [torch.randn(3, count, 8) for count in COUNTS]
    (layer,) = model.layers
    transformed = layer(torch.cat(own, dim=1) + sinusoids(11, 8))
    latent = torch.cat([part.mean(dim=1) for part in transformed.split(COUNTS, dim=1)], dim=1)
    assert torch.allclose(model(own).latent, latent, atol=1e-5)
    assert torch.allclose(model(own).logits, model.head(latent), atol=1e-5)


@every_method
def test_attention_maps_lie_on_the_way_to_the_logits_and_give_padding_nothing(method):
    model, own = build(method), some_tokens()
    output, maps = model.with_attention(own)
    assert torch.allclose(output.logits, model(own).logits, atol=1e-6)
    assert [tuple(each.shape) for each in maps] == [(3, 2, 11, 11)] * 2
    padding = torch.cat([own[0].padding, torch.zeros(3, 2, dtype=torch.bool), own[2].padding], dim=1)
    for each in maps:
        assert torch.allclose(each.sum(dim=3), torch.ones(3, 2, 11), atol=1e-5)
        assert (each.transpose(2, 3)[padding[:, None].expand(-1, 2, -1)] == 0).all()
    gradients = torch.autograd.grad(output.logits[:, 1].sum(), maps)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_a_maps_gradient_is_what_a_change_of_it_does_to_the_logit():
    model, own = build("dense", num_layers=1), some_tokens()
    output, (attention,) = model.with_attention(own)
    (gradient,) = torch.autograd.grad(output.logits[0, 1], [attention])
    step, layer = 1e-2, model.layers[0]
    changed = attention.detach().clone()
    changed[0, 0, 3, 1] += step
    placed = torch.cat([parts[0] for parts in model.embed(own)], dim=1)
    value = layer.attention.project(placed).unflatten(-1, (3, 2, 4))[:, :, 2].transpose(1, 2)
    rows = layer.feed_forward(placed + layer.attention.output((changed @ value).transpose(1, 2).flatten(2)))
    means = [rows[0, :5].mean(dim=0), rows[0, 5:7].mean(dim=0), rows[0, 7:8].mean(dim=0)]  # all, all and one are real
    logit = model.head(torch.cat(means))[1]
    assert ((logit - output.logits[0, 1]) / step).item() == pytest.approx(gradient[0, 0, 3, 1].item(), abs=2e-3)


def test_an_expert_alone_says_what_it_says_among_the_others():
    own = some_tokens()
    model = different(mixture("dense", num_tokens=COUNTS)).eval()
    among = model.experts(own).logits
    for place in range(model.experts.num_experts):
        assert torch.allclose(model.experts.alone(place)(own).logits, among[place], atol=1e-5)
    assert not any(module is model.experts.alone(0) for module in model.modules())


def gate(**own):
    return GShardFeedForward(8, **({"num_experts": 4, "capacity_factor": 1.2, "dropout": 0.0} | own))


def test_each_token_goes_to_its_two_likeliest_experts_with_their_shares_of_the_probability():
    layer = gate(num_experts=3).eval()
    probabilities = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6], [0.2, 0.2, 0.6]])
    gates, choices = layer.choose(probabilities[:2], torch.tensor([False, False]))
    assert choices.tolist() == [[0, 1], [2, 1]]
    assert gates.flatten().tolist() == pytest.approx([5 / 8, 3 / 8, 2 / 3, 1 / 3])
    _, choices = layer.choose(probabilities, torch.tensor([False, True, False]))
    assert choices[1].tolist() == [3, 3]  # padding goes nowhere


def test_in_training_a_second_expert_is_left_out_by_chance_the_more_often_the_smaller_its_weight():
    layer = gate().train()
    probabilities = torch.tensor([[0.8, 0.1, 0.1, 0.0], [0.45, 0.45, 0.1, 0.0]]).repeat(4000, 1)
    _, choices = layer.choose(probabilities, None)
    kept = (choices[:, 1] < 4).view(-1, 2).float().mean(dim=0)
    assert kept[0].item() == pytest.approx(2 / 9, abs=0.03)  # twice its weight of 1/9
    assert kept[1].item() == 1.0


def test_a_token_is_the_weighted_sum_of_its_experts_outputs():
    layer = different(gate()).eval()
    own = torch.randn(2, 3, 8)
    normed = layer.norm(own)
    probabilities = layer.router(normed).softmax(dim=2)
    expected = own.clone()
    for row in range(2):
        for place in range(3):
            weights, experts = probabilities[row, place].topk(2)
            for weight, expert in zip(weights / weights.sum(), experts, strict=True):
                hidden = normed[row, place] @ layer.inner.weight[expert] + layer.inner.bias[expert, 0]
                said = torch.nn.functional.gelu(hidden) @ layer.outer.weight[expert] + layer.outer.bias[expert, 0]
                expected[row, place] += weight * said
    found, _ = layer(own, None, 1)
    assert torch.allclose(found, expected, atol=1e-5)


def test_the_balance_loss_by_hand_leaves_padding_out():
    layer = different(gate(num_experts=2)).eval()
    own = torch.randn(2, 3, 8)
    padding = torch.tensor([[False, False, True], [False, True, True]])
    probabilities = layer.router(layer.norm(own)).softmax(dim=2)[~padding]  # of three tokens
    shares = torch.bincount(probabilities.argmax(dim=1), minlength=2) / 3
    expected = 2 * (shares * probabilities.mean(dim=0)).sum()
    assert layer(own, padding, 1)[1].item() == pytest.approx(expected.item(), abs=1e-6)


def test_padding_takes_no_capacity():
    layer = different(gate(num_experts=2, capacity_factor=0.5)).train()  # an expert takes 3 of 6 places
    torch.nn.init.zeros_(layer.router.weight)
    with torch.no_grad():
        layer.router.bias.copy_(torch.tensor([1.0, 0.9]))  # every token: the first expert, then the second
    own = torch.randn(1, 6, 8)
    padding = torch.tensor([[True, True, True, False, False, False]])
    changed = (layer(own, padding, 1)[0] != own).any(dim=2)
    assert changed.tolist() == (~padding).tolist()
    assert (layer(own, None, 1)[0] != own).any(dim=2).tolist() == [[True] * 3 + [False] * 3]
