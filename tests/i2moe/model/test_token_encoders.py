"""Encoders of tokens as they are: by hand, and how many tokens there are."""

import pytest
import torch

from i2moe.model.encoders.build import build_encoder, count_tokens, is_padded
from i2moe.model.tokens import Padded

SHAPES = {"vector": (10,), "sequence": (5, 4), "image": (3, 2, 4), "volume": (6, 7, 6)}
TOKENS = {"vector": 5, "sequence": 5, "image": 8, "volume": 4}  # vectors: of two features each, 6 at most


def build(kind, shape=None, **own):
    options = {"encoder_dim": 16, "num_patches": 4, "hidden_dim": 3, "dropout": 0.5, "vector_tokens": 6} | own
    return build_encoder(kind, shape or SHAPES[kind], encoder="token", **options)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("batch", [1, 3])
def test_every_kind_of_array_becomes_as_many_tokens_as_are_counted(kind, batch):
    lengths = [torch.full((batch,), 2)] if kind == "sequence" else []
    found = build(kind)(torch.randn(batch, *SHAPES[kind]), *lengths)
    values = found.values if isinstance(found, Padded) else found
    assert values.shape == (batch, TOKENS[kind], 3)
    assert isinstance(found, Padded) == is_padded(kind, "token") == (kind == "sequence")
    counted = count_tokens(kind, SHAPES[kind], encoder="token", num_patches=4, vector_tokens=6)
    assert counted == TOKENS[kind]
    assert count_tokens(kind, SHAPES[kind], encoder="patch", num_patches=7, vector_tokens=6) == 7
    assert not is_padded(kind, "patch")


@pytest.mark.parametrize(("features", "most", "tokens", "length"), [(6, 6, 6, 1), (7, 6, 4, 2), (4096, 128, 128, 32)])
def test_wide_vectors_become_tokens_of_groups_of_features(features, most, tokens, length):
    encoder = build("vector", (features,), vector_tokens=most)
    assert encoder.weight.shape == (tokens, length, 3)
    assert encoder(torch.randn(2, features)).shape == (2, tokens, 3)


def test_a_features_token_is_its_value_times_its_own_vector_plus_its_own_bias():
    encoder = build("vector", (3,))
    vector = torch.tensor([[2.0, 0.0, -1.0]])
    expected = vector.unsqueeze(2) * encoder.weight[:, 0] + encoder.bias
    assert torch.allclose(encoder(vector), expected)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 2 * 3 * 3


def test_a_groups_token_is_the_sum_of_its_features_and_nothing_else():
    encoder = build("vector", (7,))  # two features each, and one in the last group
    vector = torch.randn(1, 7)
    found = encoder(vector)[0]
    for group in range(4):
        own = vector[0, 2 * group : 2 * group + 2]
        expected = own @ encoder.weight[group, : len(own)] + encoder.bias[group]
        assert torch.allclose(found[group], expected, atol=1e-6)


def test_a_steps_token_is_its_projection_and_what_comes_after_the_last_is_padding():
    encoder, steps = build("sequence"), torch.randn(3, 5, 4)
    tokens = encoder(steps, torch.tensor([1, 5, 3]))
    assert tokens.padding.tolist() == [[False] + [True] * 4, [False] * 5, [False] * 3 + [True] * 2]
    assert torch.allclose(tokens.values[1, 4], encoder.projection(steps[1, 4]), atol=1e-6)


def test_a_positions_token_is_the_projection_of_its_channels():
    encoder, image = build("image"), torch.randn(2, 3, 2, 4)
    assert torch.allclose(encoder(image)[1, 6], encoder.projection(image[1, :, 1, 2]), atol=1e-6)
    assert sum(parameter.numel() for parameter in encoder.parameters()) == 3 * 3 + 3
