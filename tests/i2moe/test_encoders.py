"""Encoders: the patch embedding by hand, and shapes."""

import pytest
import torch

from i2moe.encoders import build_encoder
from i2moe.encoders.vector import PatchEmbedding


def build(kind="vector", shape=(10,), encoder="mlp"):
    return build_encoder(kind, shape, encoder=encoder, encoder_dim=16, num_patches=4, hidden_dim=6, dropout=0.5)


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
