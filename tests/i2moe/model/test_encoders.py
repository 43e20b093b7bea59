"""Encoders: the patch embedding by hand, and shapes."""

import pytest
import torch

from i2moe.base.errors import InputError
from i2moe.model.encoders.build import build_encoder
from i2moe.model.encoders.vector import BatchNorm, Maxout, PatchEmbedding


def build(kind="vector", shape=(10,), encoder="mlp"):
    return build_encoder(
        kind, shape, encoder=encoder, encoder_dim=16, num_patches=4, hidden_dim=6, dropout=0.5, vector_tokens=3
    )


def test_patch_embedding_pads_at_the_end_and_shares_its_projection():
    embedding = PatchEmbedding(num_features=5, num_patches=2, hidden_dim=1)
    assert embedding.patch_length == 3
    with torch.no_grad():
        embedding.projection.weight.copy_(torch.tensor([[1.0, 10.0, 100.0]]))
        embedding.projection.bias.fill_(0.5)
    tokens = embedding(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]]))
    assert tokens.tolist() == [[[321.5], [54.5]]]  # (1, 2, 3) and (4, 5, 0)


@pytest.mark.parametrize("encoder", ["mlp", "patch"])
@pytest.mark.parametrize("batch", [1, 3])
def test_vectors_become_tokens(encoder, batch):
    assert build(encoder=encoder)(torch.randn(batch, 10)).shape == (batch, 4, 6)


def test_patch_alone_has_only_the_projection_and_mlp_one_hidden_layer():
    assert sum(p.numel() for p in build(encoder="patch").parameters()) == 3 * 6 + 6
    assert sum(p.numel() for p in build().parameters()) == (10 * 16 + 16) + (16 * 16 + 16) + (4 * 6 + 6)


def test_a_kind_of_array_without_encoder_is_refused():
    with pytest.raises(
        ValueError,
        match=r"kind 'hologram'; there are encoders for \['image', 'sequence', 'vector', 'volume'\]",
    ):
        build(kind="hologram")


def test_maxout_takes_the_larger_of_two_linear_maps_unit_by_unit():
    layer = Maxout(num_features=2, width=2)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]))
        layer.linear.bias.copy_(torch.tensor([0.0, 0.0, 0.5, 0.0]))
    assert layer(torch.tensor([[3.0, 1.0], [-2.0, -1.0]])).tolist() == [[3.0, -1.0], [-1.0, 2.5]]


def test_maxout_encoders_have_the_layers_of_the_published_mlp():
    encoder = build(shape=(10,), encoder="maxout")
    batch_norms = 2 * (10 + 16 + 16)
    maxouts = (10 * 32 + 32) + (16 * 32 + 32)
    assert sum(p.numel() for p in encoder.parameters()) == batch_norms + maxouts + (4 * 6 + 6)
    assert [layer.p for layer in encoder.modules() if isinstance(layer, torch.nn.Dropout)] == [0.3, 0.3]


def test_a_training_batch_of_one_sample_is_normalised_with_what_the_others_left():
    norm = BatchNorm(3)
    norm(torch.randn(50, 3) * 2 + 5)
    before = norm.running_mean.clone()
    one = torch.randn(1, 3)
    assert torch.equal(norm.train()(one), norm.eval()(one))
    assert torch.equal(norm.running_mean, before)


@pytest.mark.parametrize("batch", [1, 3])
def test_maxout_trains_on_any_batch(batch):
    encoder = build(encoder="maxout").train()
    tokens = encoder(torch.randn(batch, 10))
    assert tokens.shape == (batch, 4, 6)
    tokens.sum().backward()


@pytest.mark.parametrize("encoder", ["mlp", "patch"])
@pytest.mark.parametrize("batch", [1, 3])
def test_an_images_frozen_features_go_through_one_linear(encoder, batch):
    model = build(kind="image", shape=(8, 2, 3), encoder=encoder)
    assert model(torch.randn(batch, 8, 2, 3)).shape == (batch, 4, 6)
    assert sum(p.numel() for p in model.parameters()) == (48 * 16 + 16) + (4 * 6 + 6)


def test_an_encoder_of_vectors_does_not_take_an_image():
    with pytest.raises(InputError, match=r"encoder 'maxout' does not take arrays of kind image; allowed: mlp, patch"):
        build(kind="image", shape=(8, 2, 3), encoder="maxout")
