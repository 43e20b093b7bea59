"""Sequence encoders: padding changes nothing, and the state is that after the last real step."""

import pytest
import torch

from i2moe.base.errors import InputError
from i2moe.model.encoders.build import build_encoder
from i2moe.model.encoders.sequence import RecurrentEncoder, last_step

LENGTHS = torch.tensor([1, 5, 3])


def build(encoder="lstm", kind="sequence", shape=(5, 4)):
    torch.manual_seed(0)
    options = {
        "encoder": encoder,
        "encoder_dim": 16,
        "num_patches": 4,
        "hidden_dim": 6,
        "dropout": 0.5,
        "vector_tokens": 3,
    }
    return build_encoder(kind, shape, **options).eval()


def test_the_last_step_is_the_last_real_one():
    steps = torch.arange(24.0).view(2, 4, 3)
    assert last_step(steps, torch.tensor([2, 4])).tolist() == [[3, 4, 5], [21, 22, 23]]


@pytest.mark.parametrize("encoder", ["lstm", "gru", "patch"])
@pytest.mark.parametrize("batch", [1, 3])
def test_sequences_become_tokens(encoder, batch):
    assert build(encoder)(torch.randn(batch, 5, 4), LENGTHS[:batch]).shape == (batch, 4, 6)


@pytest.mark.parametrize("encoder", ["lstm", "gru", "patch"])
def test_what_stands_in_the_padding_does_not_matter_and_the_last_real_step_does(encoder):
    model, steps = build(encoder), torch.randn(3, 5, 4)
    tokens = model(steps, LENGTHS)
    changed = steps.clone()
    changed[0, 1:], changed[2, 3:] = 1e6, -1e6
    assert torch.equal(model(changed, LENGTHS), tokens)
    changed[2, 2] += 1
    assert not torch.allclose(model(changed, LENGTHS)[2], tokens[2])


@pytest.mark.parametrize("recurrent", ["lstm", "gru"])
def test_a_recurrent_encoder_sees_earlier_steps_and_patch_alone_does_not(recurrent):
    steps = torch.randn(3, 5, 4)
    changed = steps.clone()
    changed[:, 0] += 1
    is_long = LENGTHS > 1
    model, patch = build(recurrent), build("patch")
    assert not torch.allclose(model(changed, LENGTHS)[is_long], model(steps, LENGTHS)[is_long])
    assert torch.equal(patch(changed, LENGTHS)[is_long], patch(steps, LENGTHS)[is_long])


@pytest.mark.parametrize("recurrent", ["lstm", "gru"])
def test_both_ways_give_the_state_and_gradients_of_single_sequences_cut_to_length(recurrent):
    model, steps = build(recurrent), torch.randn(3, 5, 4)
    alone = torch.cat([model.cells(steps[row : row + 1, :length])[0][:, -1] for row, length in enumerate(LENGTHS)])
    gradients = torch.autograd.grad(alone.square().sum(), list(model.cells.parameters()))
    for way in (model.packed_state, model.padded_state):
        state = way(steps, LENGTHS)
        assert torch.allclose(state, alone, atol=1e-6)
        for own, expected in zip(
            torch.autograd.grad(state.square().sum(), list(model.cells.parameters())), gradients, strict=True
        ):
            assert torch.allclose(own, expected, atol=1e-5)


def test_gradients_reach_real_steps_only():
    model, steps = build(), torch.randn(3, 5, 4, requires_grad=True)
    model(steps, LENGTHS).square().sum().backward()
    is_real = torch.arange(5) < LENGTHS[:, None]
    assert (steps.grad[is_real].abs().sum(dim=-1) > 0).all()
    assert (steps.grad[~is_real] == 0).all()


@pytest.mark.parametrize(("recurrent", "gates"), [("lstm", 4), ("gru", 3)])
def test_a_recurrent_encoder_has_one_layer_of_the_given_width(recurrent, gates):
    model = build(recurrent)
    assert isinstance(model, RecurrentEncoder)
    assert sum(p.numel() for p in model.cells.parameters()) == gates * 16 * (4 + 16 + 2)
    assert sum(p.numel() for p in model.embedding.parameters()) == 4 * 6 + 6


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("recurrent", ["lstm", "gru"])
def test_a_gpu_gives_the_same_tokens(recurrent, monkeypatch):
    # cuDNN computes LSTMs and GRUs in TensorFloat-32 unless told otherwise: equal to about 1e-4 only.
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    model, steps = build(recurrent), torch.randn(3, 5, 4)
    expected = model(steps, LENGTHS)
    found = model.to("cuda")(steps.to("cuda"), LENGTHS.to("cuda"))
    assert torch.allclose(found.cpu(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "encoder", "message"),
    [
        ("sequence", "mlp", r"encoder 'mlp' does not take arrays of kind sequence; allowed: lstm, gru, patch, token"),
        ("vector", "lstm", r"encoder 'lstm' does not take arrays of kind vector; allowed: mlp, maxout, patch, token"),
    ],
)
def test_an_encoder_for_another_kind_of_array_is_refused(kind, encoder, message):
    with pytest.raises(InputError, match=message):
        build(encoder, kind)
