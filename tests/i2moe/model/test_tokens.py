"""Padded tokens: helpers by hand, and experts, mixtures and sealed mixtures that see them."""

import copy

import pytest
import torch
from small_models import PlainLogits, different, fusion, mixture

from i2moe.model.config import SealedConfig
from i2moe.model.experts import Experts, Views
from i2moe.model.interaction import Reweighting
from i2moe.model.sealed import WORDS, SealedMixture
from i2moe.model.tokens import (
    Padded,
    in_place_of,
    mean_of,
    num_samples,
    samples,
    sum_over_samples,
    values_of,
    with_values,
)

METHODS = ["dense", "gshard"]
COUNTS = (5, 2, 3)  # tokens of each modality; the first and the last are padded
every_method = pytest.mark.parametrize("method", METHODS)


def padded(batch=6, count=5, width=8):
    lengths = torch.arange(batch) % count + 1
    return Padded(torch.randn(batch, count, width), torch.arange(count) >= lengths.unsqueeze(1))


def some_tokens(batch=6):
    return [padded(batch, COUNTS[0]), torch.randn(batch, COUNTS[1], 8), padded(batch, COUNTS[2])]


def other_padding(tokens):
    """Put other values where there is no token."""
    return [
        Padded(torch.where(own.padding.unsqueeze(-1), 100 * torch.randn_like(own.values), own.values), own.padding)
        if isinstance(own, Padded)
        else own
        for own in tokens
    ]


def of(method, **sizes):
    return fusion(method, num_tokens=COUNTS, **sizes)


def mixed(method, **settings):
    return different(mixture(method, num_tokens=COUNTS, **settings))


def no_noise(monkeypatch):
    monkeypatch.setattr(torch, "rand_like", lambda values: torch.full_like(values, 0.5))


def test_helpers_by_hand():
    tokens = Padded(
        torch.tensor([[[1.0], [3.0]], [[7.0], [9.0]], [[9.0], [9.0]]]),
        torch.tensor([[False, False], [False, True], [True, True]]),
    )
    assert num_samples(tokens) == num_samples(tokens.values) == 3
    assert mean_of(tokens).tolist() == [[2.0], [7.0], [0.0]]
    total, count = sum_over_samples(tokens)
    assert (total.tolist(), int(count)) == ([[[11.0]]], 3)
    total, count = sum_over_samples(tokens.values)
    assert (total.tolist(), count) == ([[[17.0], [21.0]]], 3)
    instead = in_place_of(torch.tensor([[[5.0]]]), tokens)
    assert instead.values.flatten().tolist() == [5.0] * 6
    assert instead.padding is tokens.padding
    assert with_values(tokens.values, instead.values) is instead.values
    twice = samples(tokens, torch.tensor([1, 1]))
    assert (twice.values.flatten().tolist(), twice.padding[:, 1].tolist()) == ([7.0, 9.0, 7.0, 9.0], [True, True])
    assert samples(tokens.values, torch.tensor([0])).flatten().tolist() == [1.0, 3.0]


def test_reweighting_sees_the_mean_of_real_tokens_normalised_where_it_is_asked_to():
    plain = Reweighting(24, 5, hidden_dim=4, num_layers=2, temperature=1.0, dropout=0.0)
    tokens = some_tokens()
    lone = [samples(tokens[0], torch.tensor([1])), tokens[1][1:2], samples(tokens[2], torch.tensor([1]))]
    cut = [own.values[:, :2] if isinstance(own, Padded) else own for own in lone]  # sample 1 has two tokens of each
    assert torch.allclose(plain(tokens)[1:2], plain(cut), atol=1e-6)
    assert torch.equal(plain(other_padding(tokens)), plain(tokens))
    normed = copy.deepcopy(plain)
    normed.normalise = True
    longer = [with_values(own, 3 * values_of(own)) for own in tokens]
    assert torch.allclose(normed(longer), normed(tokens), atol=1e-6)
    assert not torch.allclose(plain(longer), plain(tokens), atol=1e-3)


@every_method
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("views", ["all", "two"])
@pytest.mark.parametrize("replacement", ["random", "mean", "zero"])
def test_experts_on_padded_tokens_at_once_equal_a_loop_over_them(method, training, views, replacement, monkeypatch):
    no_noise(monkeypatch)
    at_once = mixed(method, interaction={"views": views, "replacement": replacement}).train(training)
    at_once.mean_tokens = [torch.randn(1, 1, 8), torch.randn(1, 2, 8), torch.randn(1, 1, 8)]
    loop = copy.deepcopy(at_once)
    loop.experts.vectorised = False
    tokens = some_tokens()
    outputs = []
    for model in (at_once, loop):
        torch.manual_seed(1)  # replacement noise
        outputs.append(model(tokens))
        (outputs[-1].logits.sum() + sum(outputs[-1].interaction_losses.values())).backward()
    assert at_once.experts.vectorised
    first, second = outputs
    assert torch.allclose(first.expert_logits, second.expert_logits, atol=1e-5)
    assert bool(first.interaction_losses) == training
    for name, loss in first.interaction_losses.items():
        assert loss.item() == pytest.approx(second.interaction_losses[name].item(), abs=1e-5), name
    for (name, one), other in zip(at_once.named_parameters(), loop.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), name
        assert one.grad is None or torch.allclose(one.grad, other.grad, atol=1e-4), name


@every_method
def test_stacked_inference_equals_each_expert_alone(method):
    modules = [different(of(method)).eval() for _ in range(3)]
    experts = Experts(modules).eval()
    tokens = some_tokens()
    with torch.inference_mode():
        stacked = experts(tokens)
        for index, module in enumerate(modules):
            alone = module(tokens)
            assert torch.allclose(stacked.logits[index], alone.logits, atol=1e-5)
            assert torch.allclose(stacked.latent[index], alone.latent, atol=1e-5)


@every_method
@pytest.mark.parametrize("accelerator", [False, True])
def test_each_expert_may_have_its_own_values_and_its_own_padding(method, accelerator, monkeypatch):
    if accelerator:
        for module in ("routing", "transformer"):
            monkeypatch.setattr(f"i2moe.fusion.{module}.may_use_fast_kernels", lambda _values: False)
    modules = [different(of(method)).eval() for _ in range(2)]
    experts = Experts(modules).eval()
    shared, each = some_tokens(), [some_tokens() for _ in modules]
    first = Padded(*(torch.stack(parts) for parts in zip(*(tokens[0] for tokens in each), strict=True)))
    first = first._replace(padding=torch.stack([each[0][0].padding, each[0][0].padding.roll(1, 0)]))
    seen = [first, torch.stack([tokens[1] for tokens in each]), shared[2]]
    for vectorised in (True, False):
        experts.vectorised = vectorised
        for inference in (True, False):
            with torch.inference_mode(inference):
                together = experts(seen).logits
            for index, module in enumerate(modules):
                own = [Padded(first.values[index], first.padding[index]), seen[1][index], shared[2]]
                assert torch.allclose(together[index], module(own).logits, atol=1e-5)


@every_method
def test_what_stands_in_the_padding_changes_nothing_of_a_mixture(method):
    model = mixed(method).eval()
    tokens = some_tokens()
    before, after = model(tokens), model(other_padding(tokens))
    assert torch.allclose(before.logits, after.logits, atol=1e-6)
    assert torch.allclose(before.weights, after.weights, atol=1e-6)


def test_a_replaced_modality_keeps_its_padding():
    model = mixed("dense")
    tokens = some_tokens()
    for replacement in ("random", "zero"):
        model.config = model.config.model_copy(update={"replacement": replacement})
        replacements = model._views(tokens).replacements
        assert [isinstance(each, Padded) for each in replacements] == [True, False, True]
        assert replacements[0].padding is tokens[0].padding
        assert replacements[0].values.shape[-3:] == (6, 5, 8)
        assert (replacements[0].values.abs().sum() > 0) == (replacement == "random")


def test_a_plain_module_sees_padded_tokens_as_padded_in_every_view():
    class Means(PlainLogits):
        def forward(self, tokens):
            assert [isinstance(own, Padded) for own in tokens] == [True, False, True]
            return self.head(torch.stack([mean_of(own) for own in tokens]).prod(dim=0))

    modules = [Means() for _ in range(2)]
    tokens, noise = some_tokens(), some_tokens()
    noise = [with_values(own, values_of(other)) for own, other in zip(tokens, noise, strict=True)]
    outputs = Experts(modules)(tokens, Views(noise, None)).logits.unflatten(1, (4, 6))
    for module, output in zip(modules, outputs, strict=True):
        assert torch.allclose(output[0], module(tokens), atol=1e-6)
        assert torch.allclose(output[1], module([noise[0], *tokens[1:]]), atol=1e-6)


def test_a_sealed_modality_learns_nothing_of_the_number_of_another_ones_tokens():
    single = fusion("dense", modalities=3, outputs=4 * WORDS, num_tokens=COUNTS)
    config = SealedConfig(loss_weight=0.1, min_gain=0.01)
    model = different(SealedMixture(single, ["a", "b", "c"], "multiclass", 4, config)).eval()
    tokens = some_tokens()
    fewer = [tokens[0], tokens[1], tokens[2]._replace(padding=torch.arange(3).expand(6, -1) > 0)]
    before, after = model.listen(tokens), model.listen(fewer)
    for words in ("beliefs", "echoes", "own", "shadows"):
        one, other = getattr(before, words), getattr(after, words)
        assert torch.allclose(one[:2], other[:2], atol=1e-6)
        assert not torch.allclose(one[2], other[2], atol=1e-3)
    assert not torch.allclose(before.joint, after.joint, atol=1e-3)
