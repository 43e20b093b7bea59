"""Routing by hand: slots, drops, blocks, balance loss; and the sparse layers token by token."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import different
from torch.nn import functional

from i2moe.fusion.moepp import MixedExperts, MoEPlusPlus
from i2moe.fusion.routing import (
    ExpertLinear,
    balance_loss,
    from_blocks,
    route,
    rows,
    through_experts,
    to_blocks,
)
from i2moe.fusion.switchgate import SwitchFeedForward
from i2moe.model.fusion import Sizes


def test_with_a_capacity_what_comes_late_is_dropped():
    # Expert 0 is chosen by tokens 0, 1, 3 and takes two; expert 1 by token 2.
    routed = route(torch.tensor([[0], [0], [1], [0]]), num_experts=2, capacity=2)
    assert routed.kept.flatten().tolist() == [True, True, True, False]
    assert routed.slots.flatten()[:3].tolist() == [0, 1, 2]
    assert routed.source[[0, 1, 2]].tolist() == [0, 1, 2]
    assert (routed.owners, routed.block, len(routed.source)) == (None, 2, 4)


def test_first_choices_come_before_second_ones():
    # Second choices of tokens 0 and 1 are expert 1, which token 2 chooses first.
    choices = torch.tensor([[0, 1], [0, 1], [1, 0]])
    routed = route(choices, num_experts=2, capacity=2)
    assert routed.kept.tolist() == [[True, True], [True, False], [True, False]]
    assert routed.slots[2, 0] == 2  # first in expert 1's queue
    assert routed.slots[0, 1] == 3


def test_each_group_has_a_capacity_of_its_own():
    # Expert 0 is chosen by tokens 0, 1, 2 of the first group and 0, 2 of the second, and takes two of each.
    choices = torch.tensor([[0], [0], [0], [0], [1], [0]])
    routed = route(choices, num_experts=2, capacity=2, num_groups=2)
    assert routed.kept.flatten().tolist() == [True, True, False, True, True, True]
    assert routed.slots.flatten()[[0, 1, 3, 5]].tolist() == [0, 1, 2, 3]
    assert routed.slots[4, 0] == 6  # expert 1, second group
    assert routed.source[[0, 1, 2, 3, 6]].tolist() == [0, 1, 3, 5, 4]
    assert (routed.owners, routed.block, len(routed.source)) == (None, 4, 8)
    together = route(choices, num_experts=2, capacity=4)
    assert together.kept.flatten().tolist() == [True, True, True, True, True, False]  # what comes last loses


@pytest.mark.parametrize("capacity", [3, None])
def test_choices_of_no_expert_here_go_nowhere(capacity):
    routed = route(torch.tensor([[0, 2], [3, 1], [4, 4]]), num_experts=2, capacity=capacity)
    assert routed.kept.tolist() == [[True, False], [False, True], [False, False]]
    buffer = to_blocks(torch.arange(3.0).view(3, 1) + 1, routed)
    outputs = from_blocks(buffer, routed, torch.ones(3, 2))
    assert outputs.flatten().tolist() == [1, 2, 0]


SKEWED = torch.tensor([[1], [1], [1], [1], [1], [1], [1], [0]])
BALANCED = torch.tensor([[0], [1], [2], [3], [0], [1], [2], [3]])
FEW = torch.tensor([[3], [0]])


@pytest.mark.parametrize("choices", [SKEWED, BALANCED, FEW, torch.tensor([[2]]), torch.tensor([[1, 3], [3, 0]])])
def test_without_a_capacity_every_choice_has_a_slot_of_its_expert_to_itself(choices):
    routed = route(choices, num_experts=4, capacity=None)
    assert routed.kept.all()
    assert routed.slots.unique().numel() == choices.numel()
    tokens = torch.arange(len(choices)).unsqueeze(1).expand_as(choices)
    assert torch.equal(routed.source[routed.slots], tokens)
    assert torch.equal(routed.owners[routed.slots // routed.block], choices)
    assert len(routed.source) == len(routed.owners) * routed.block


def test_buffer_and_back_gives_each_token_once_for_each_kept_choice():
    tokens = torch.randn(6, 3)
    gates = torch.rand(6, 2)
    choices = torch.tensor([[0, 1], [1, 2], [2, 0], [0, 2], [0, 1], [0, 1]])
    routed = route(choices, num_experts=3, capacity=None)
    assert torch.allclose(
        from_blocks(to_blocks(tokens, routed), routed, gates), tokens * gates.sum(dim=1, keepdim=True)
    )
    routed = route(choices[:, :1], num_experts=3, capacity=2)
    kept = torch.tensor([1.0, 1, 1, 1, 0, 0]).unsqueeze(1)
    assert torch.equal(from_blocks(to_blocks(tokens, routed), routed, torch.ones(6, 1)), tokens * kept)


def by_token(tokens, choices, gates, weight, bias, capacity):
    """Send the tokens of one group one by one, all first choices before all second ones."""
    num_experts = len(weight)
    outputs, taken = torch.zeros(len(tokens), weight.shape[2]), [0] * num_experts
    for choice in range(choices.shape[1]):
        for token in range(len(tokens)):
            expert = int(choices[token, choice])
            if expert >= num_experts or (capacity is not None and taken[expert] == capacity):
                continue
            taken[expert] += 1
            outputs[token] += gates[token, choice] * (tokens[token] @ weight[expert] + bias[expert, 0])
    return outputs


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_sending_tokens_through_blocks_equals_sending_them_one_by_one(data):
    num_experts = data.draw(st.integers(1, 5))
    elsewhere = data.draw(st.integers(0, 3))
    num_choices = data.draw(st.integers(1, min(2, num_experts + elsewhere)))
    preferences = data.draw(
        st.lists(st.permutations(range(num_experts + elsewhere)), min_size=1, max_size=30),
    )
    capacity = data.draw(st.none() | st.integers(1, 12))
    num_groups = data.draw(st.sampled_from([size for size in (1, 2, 3, 5) if len(preferences) % size == 0]))
    choices = torch.tensor([order[:num_choices] for order in preferences])
    torch.manual_seed(0)
    tokens, gates = torch.randn(len(choices), 4), torch.rand(len(choices), num_choices)
    layer = ExpertLinear(num_experts, 4, 3)
    routed = route(choices, num_experts, capacity, num_groups)
    outputs = from_blocks(layer(to_blocks(tokens, routed), routed.owners), routed, gates)
    groups = zip(*(part.chunk(num_groups) for part in (tokens, choices, gates)), strict=True)
    expected = torch.cat([by_token(*group, layer.weight, layer.bias, capacity) for group in groups])
    assert torch.allclose(outputs, expected, atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_rows_of_their_own_equal_blocks_for_layers_side_by_side_too(data):
    num_layers, num_experts, elsewhere = (data.draw(st.integers(low, 3)) for low in (1, 1, 0))
    num_choices = data.draw(st.integers(1, min(2, num_experts + elsewhere)))
    order = st.permutations(range(num_experts + elsewhere))
    preferences = data.draw(
        st.lists(order, min_size=num_layers, max_size=12).filter(lambda own: not len(own) % num_layers)
    )
    choices = torch.tensor([own[:num_choices] for own in preferences]).unflatten(0, (num_layers, -1))
    torch.manual_seed(0)
    tokens, gates = torch.randn(*choices.shape[:2], 4), torch.rand(choices.shape)
    layers = [ExpertLinear(num_experts, 4, 4) for _ in range(num_layers)]
    stacked = ExpertLinear(num_experts, 4, 4)
    for name in ("weight", "bias"):
        stacked._parameters[name] = torch.stack([layer._parameters[name].detach() for layer in layers])
    with torch.no_grad():
        together = through_experts(stacked, tokens, gates, choices, num_experts, None)
    for layer, output, *own in zip(layers, together, tokens, gates, choices, strict=True):
        assert torch.allclose(output, through_experts(layer, *own, num_experts, None), atol=1e-5)  # with gradients


def test_rows_equal_indexing():
    table, index = torch.randn(5, 3), torch.tensor([[4, 0], [0, 2]])
    assert torch.equal(rows(table, index), table[index])


def test_expert_linear_starts_as_a_linear_layer_does():
    layer = ExpertLinear(50, 16, 8)
    assert layer.weight.shape == (50, 16, 8)
    assert layer.weight.abs().max().item() == pytest.approx(16**-0.5, rel=0.01)
    assert layer.bias.abs().max().item() == pytest.approx(16**-0.5, rel=0.02)
    assert ExpertLinear(2, 4, 4, bias=False).bias is None


def test_balance_loss_by_hand():
    # Three tokens choose experts 0, 0, 1: shares 2/3 and 1/3; mean probabilities .6 and .4; two experts: penalties 2.
    probabilities = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    loss = balance_loss(probabilities, torch.tensor([[0], [0], [1]]), torch.tensor([2.0, 2.0]))
    assert loss.item() == pytest.approx(2 * (2 / 3 * 0.6 + 1 / 3 * 0.4))


def test_balance_loss_of_groups_is_their_mean_so_that_opposite_views_do_not_cancel_out():
    # The first group crowds expert 0, the second expert 1: shares 1 and 0, then 0 and 1.
    probabilities = torch.tensor([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.2, 0.8]])
    choices, penalties = torch.tensor([[0], [0], [1], [1]]), torch.tensor([2.0, 2.0])
    loss = balance_loss(probabilities, choices, penalties, num_groups=2)
    assert loss.item() == pytest.approx((2 * 0.8 + 2 * 0.7) / 2)
    assert balance_loss(probabilities, choices, penalties).item() == pytest.approx(0.55 + 0.45)  # as if balanced


def test_balance_loss_of_two_choices_and_unequal_penalties_by_hand():
    # Shares of tokens that choose an expert: 1, 1/2, 1/2.
    probabilities = torch.tensor([[0.5, 0.3, 0.2], [0.6, 0.1, 0.3]])
    loss = balance_loss(probabilities, torch.tensor([[0, 1], [0, 2]]), torch.tensor([1.0, 1.0, 0.75]))
    assert loss.item() == pytest.approx(1 * 0.55 + 0.5 * 0.2 + 0.75 * 0.5 * 0.25)


def test_balance_loss_is_one_at_uniform_routing_and_larger_where_one_expert_takes_all():
    penalties = torch.full((4,), 4.0)
    uniform = balance_loss(torch.full((8, 4), 0.25), BALANCED, penalties)
    assert uniform.item() == pytest.approx(1)
    for strength in (0.5, 2.0, 10.0):
        scores = torch.zeros(8, 4)
        scores[:, 0] = strength
        probabilities = scores.softmax(dim=1)
        assert balance_loss(probabilities, probabilities.argmax(dim=1, keepdim=True), penalties).item() > 1
    all_to_one = functional.one_hot(torch.zeros(8, dtype=torch.long), 4).float()
    assert balance_loss(all_to_one, torch.zeros(8, 1, dtype=torch.long), penalties).item() == pytest.approx(4)


def test_balance_loss_teaches_the_router_to_spread():
    scores = torch.randn(200, 4) + torch.tensor([2.0, 0, 0, 0])
    offset = torch.zeros(4, requires_grad=True)
    optimiser = torch.optim.Adam([offset], lr=0.1)

    def shares():
        return ((scores + offset).argmax(dim=1, keepdim=True) == torch.arange(4)).float().mean(dim=0)

    assert shares()[0] > 0.75
    for _ in range(60):
        probabilities = (scores + offset).softmax(dim=1)
        loss = balance_loss(probabilities, probabilities.argmax(dim=1, keepdim=True), torch.full((4,), 4.0))
        optimiser.zero_grad()
        loss.backward()
        assert (offset.grad != 0).all()
        optimiser.step()
    assert shares().max() < 0.4


def same_gradients(outputs, by_hand, inputs):
    """Compare the gradients of two computations of the same outputs."""
    towards = torch.randn_like(outputs)
    gradients = [torch.autograd.grad(each, inputs, towards, retain_graph=True) for each in (outputs, by_hand)]
    return all(torch.allclose(one, other, atol=1e-4) for one, other in zip(*gradients, strict=True))


def test_a_switch_layer_in_evaluation_sends_each_token_to_its_expert():
    layer = different(SwitchFeedForward(8, num_experts=3, capacity_factor=0.1, dropout=0.5)).eval()
    tokens = torch.randn(4, 5, 8, requires_grad=True)
    outputs, loss = layer(tokens)
    used, probabilities, by_hand = set(), [], []
    for sample in range(4):
        for place in range(5):
            token = tokens[sample, place]
            normed = layer.norm(token)
            probability = layer.router(normed).softmax(dim=0)
            expert = int(probability.argmax())
            hidden = functional.gelu(normed @ layer.inner.weight[expert] + layer.inner.bias[expert, 0])
            mixed = hidden @ layer.outer.weight[expert] + layer.outer.bias[expert, 0]
            by_hand.append(token + probability[expert] * mixed)
            used.add(expert)
            probabilities.append(probability)
    assert used == {0, 1, 2}
    by_hand = torch.stack(by_hand).view(4, 5, 8)
    assert torch.allclose(outputs, by_hand, atol=1e-5)
    assert same_gradients(outputs, by_hand, [tokens, *layer.parameters()])
    probabilities = torch.stack(probabilities)
    choices = probabilities.argmax(dim=1, keepdim=True)
    assert loss.item() == pytest.approx(balance_loss(probabilities, choices, torch.full((3,), 3.0)).item(), abs=1e-5)


def test_in_training_tokens_beyond_the_capacity_go_on_unchanged(monkeypatch):
    monkeypatch.setattr("i2moe.fusion.switchgate.JITTER", 0.0)
    layer = different(SwitchFeedForward(8, num_experts=3, capacity_factor=0.5, dropout=0.0))
    tokens = torch.randn(4, 6, 8)
    flat = tokens.flatten(0, 1)
    expert_of = layer.router(layer.norm(flat)).argmax(dim=1)
    outputs = layer(tokens)[0].flatten(0, 1)
    kept = layer.eval()(tokens)[0].flatten(0, 1)
    capacity = 4  # .5 x 24 tokens / 3 experts
    taken = [0, 0, 0]
    for token, expert in enumerate(expert_of.tolist()):
        expected = kept[token] if taken[expert] < capacity else flat[token]
        taken[expert] += 1
        assert torch.allclose(outputs[token], expected, atol=1e-6)
    assert max(taken) > capacity


def test_jitter_is_in_training_only_and_within_one_per_cent():
    layer = SwitchFeedForward(8, num_experts=3, capacity_factor=9.0, dropout=0.0)
    seen = []
    layer.router.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    tokens = torch.randn(30, 5, 8)
    layer(tokens)
    layer.eval()(tokens)
    ratio = seen[0] / seen[1]
    assert ratio.min().item() == pytest.approx(0.99, abs=1e-3)
    assert ratio.max().item() == pytest.approx(1.01, abs=1e-3)
    assert torch.equal(seen[1], layer.norm(tokens).flatten(0, 1))


def test_routing_is_in_float32_under_mixed_precision():
    layers = (
        SwitchFeedForward(8, num_experts=3, capacity_factor=1.2, dropout=0.0),
        MixedExperts(8, num_experts=6, capacity_factor=1.1, tau=0.75, dropout=0.0, first=True),
    )
    for layer, more in zip(layers, ([], [None]), strict=True):
        scores = []
        layer.router.register_forward_hook(lambda _module, _inputs, output, seen=scores: seen.append(output))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            layer(torch.randn(2, 5, 8), *more)
        assert scores[0].dtype == torch.float32


@pytest.mark.parametrize("first", [True, False])
def test_a_moepp_layer_in_evaluation_sends_each_token_to_its_two_experts(first):
    layer = MixedExperts(8, num_experts=6, capacity_factor=0.1, tau=0.75, dropout=0.5, first=first).eval()
    different(layer)
    with torch.no_grad():  # make choices differ
        layer.router[2].weight.mul_(5)
    tokens = torch.randn(4, 10, 8, requires_grad=True)
    earlier = None if first else torch.randn(40, 6, requires_grad=True)
    outputs, scores, _ = layer(tokens, earlier)
    used, by_hand = set(), []
    for index, token in enumerate(tokens.flatten(0, 1)):
        normed = layer.norm(token)
        own = layer.router[2].weight @ torch.tanh(layer.router[0].weight @ normed)
        if not first:
            own = own + layer.residual.weight @ earlier[index]
        assert torch.allclose(scores[index], own, atol=1e-5)
        probability = own.softmax(dim=0)
        mixed = torch.zeros(8)
        for expert in probability.argsort(descending=True)[:2].tolist():
            used.add(expert)
            if expert < 2:  # feed-forward
                hidden = functional.silu(normed @ layer.gate.weight[expert]) * (normed @ layer.inner.weight[expert])
                output = hidden @ layer.outer.weight[expert]
            elif expert < 4:  # constant: α₁ · token + α₂ · constant, (α₁, α₂) = softmax(W · token)
                constant = expert - 2
                alpha = (layer.mixing.weight[2 * constant : 2 * constant + 2] @ normed).softmax(dim=0)
                output = alpha[0] * normed + alpha[1] * layer.constants[constant]
            else:  # copy, zero
                output = normed if expert == 4 else torch.zeros(8)
            mixed = mixed + probability[expert] * output
        by_hand.append(token + mixed)
    assert used == set(range(6))
    by_hand = torch.stack(by_hand).view(4, 10, 8)
    assert torch.allclose(outputs, by_hand, atol=1e-5)
    assert same_gradients(outputs, by_hand, [tokens, *layer.parameters(), *([] if first else [earlier])])


def test_only_ffn_experts_of_moepp_have_a_capacity():
    # tau .75, 2 FFN and 4 zero-computation experts: an FFN takes 1 x 2 x .75 / (2 x .75 + 4) of the tokens.
    layer = different(MixedExperts(8, num_experts=6, capacity_factor=1.0, tau=0.75, dropout=0.0, first=True))
    assert layer.capacity_share == pytest.approx(1.5 / 5.5)
    assert layer.penalties.tolist() == [1.0, 1.0, 0.75, 0.75, 0.75, 0.75]
    tokens = torch.randn(1, 22, 8)
    with torch.no_grad():
        layer.router[2].weight[0].add_(50 * torch.tanh(layer.router[0](layer.norm(tokens))).mean(dim=(0, 1)))
    _, scores, _ = layer(tokens, None)
    takes = (scores.topk(2, dim=1).indices == 0).any(dim=1)
    assert takes.sum() > 6  # of 22 tokens it may take 6
    training, evaluation = layer(tokens, None)[0][0], layer.eval()(tokens, None)[0][0]
    same = torch.isclose(training, evaluation, atol=1e-6).all(dim=1)
    assert (takes & ~same).sum() >= takes.sum() - 6
    assert torch.equal(same | takes, torch.ones(22, dtype=torch.bool))


@pytest.mark.parametrize("num_experts", [1, 4])
def test_moepp_needs_an_ffn_expert(num_experts):
    with pytest.raises(ValueError, match=rf"num_experts={num_experts} leaves no FFN expert.*allowed: 5 and more"):
        MoEPlusPlus(
            Sizes(2, 1, 8, 2, 0.0),
            num_layers=1,
            num_heads=2,
            num_experts=num_experts,
            capacity_factor=1.1,
            tau=0.75,
        )
