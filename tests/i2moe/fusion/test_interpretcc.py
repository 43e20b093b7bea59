"""InterpretCC's gates: hard values, logistic noise in training only, the sigmoid's gradient."""

import pytest
import torch
from small_models import fusion, tokens


def gates(*, training=True, **settings):
    return fusion("interpretcc", **settings).train(training)._gate


@pytest.mark.parametrize("training", [True, False])
def test_gates_are_open_or_closed(training):
    opened = gates(training=training)(torch.randn(1000, 1))
    assert set(opened.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("temperature", "threshold", "border"),
    [(1.0, 0.5, 0.0), (0.5, 0.5, 0.0), (2.0, 0.6, 2.0 * 0.405465), (1.0, 0.4, -0.405465)],  # log(.6 / .4) = .405465
)
def test_without_noise_a_gate_opens_where_the_sigmoid_exceeds_the_threshold(temperature, threshold, border):
    gate = gates(training=False, temperature=temperature, threshold=threshold)
    logits = torch.tensor([[border - 0.01], [border + 0.01]])
    assert gate(logits).flatten().tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("logit", "share"), [(0.0, 0.5), (1.0, 0.731059), (-2.0, 0.119203)])
def test_in_training_a_gate_is_a_bernoulli_sample_of_the_sigmoid(logit, share):
    # Logistic noise opens with probability sigmoid(logit); a single Gumbel would open at 0 with 1 - exp(-1) = .632.
    opened = gates()(torch.full((40_000, 1), logit))
    assert opened.mean().item() == pytest.approx(share, abs=0.01)  # four standard errors


def test_the_threshold_shifts_how_often_gates_open():
    # Open where logistic noise > log(.8 / .2) = 1.386: with probability .2
    opened = gates(threshold=0.8)(torch.zeros(40_000, 1))
    assert opened.mean().item() == pytest.approx(0.2, abs=0.01)


def test_the_gradient_is_the_sigmoids():
    logits = torch.tensor([[-1.0], [0.0], [3.0]], requires_grad=True)
    gates(training=False, temperature=2.0)(logits).sum().backward()
    soft = torch.sigmoid(logits.detach() / 2)
    assert torch.allclose(logits.grad, soft * (1 - soft) / 2)


def test_a_closed_gate_hides_its_modality():
    model = fusion("interpretcc").eval()
    with torch.no_grad():
        for index, gate in enumerate(model.gates):
            gate[-1].weight.zero_()
            gate[-1].bias.fill_(-1.0 if index == 1 else 1.0)
    own = tokens()
    changed = [own[0], torch.randn_like(own[1]), own[2]]
    assert torch.equal(model(own).logits, model(changed).logits)
    changed = [torch.randn_like(own[0]), own[1], own[2]]
    assert not torch.equal(model(own).logits, model(changed).logits)
