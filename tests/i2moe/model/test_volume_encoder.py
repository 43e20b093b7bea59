"""The 3D-CNN: layers as published, any large enough shape, and the same result however many volumes come at once."""

import pytest
import torch
from torch import nn

from i2moe.model.encoders import volume as volume_module
from i2moe.model.encoders.build import build_encoder


def build(shape=(24, 25, 30), encoder="mlp", encoder_dim=8):
    torch.manual_seed(0)
    options = {
        "encoder": encoder,
        "encoder_dim": encoder_dim,
        "num_patches": 4,
        "hidden_dim": 6,
        "dropout": 0.5,
        "vector_tokens": 3,
    }
    return build_encoder("volume", shape, **options)


@pytest.mark.parametrize("encoder", ["mlp", "patch"])
@pytest.mark.parametrize("batch", [1, 3])
def test_volumes_become_tokens(encoder, batch):
    assert build(encoder=encoder)(torch.randn(batch, 24, 25, 30)).shape == (batch, 4, 6)


def test_the_layers_are_those_of_the_paper():
    model = build(shape=(91, 109, 91), encoder_dim=256)
    convolutions = [layer for layer in model.blocks if isinstance(layer, nn.Conv3d)]
    widths = [(layer.in_channels, layer.out_channels) for layer in convolutions]
    assert widths == [(1, 32), (32, 32), (32, 64), (64, 64), (64, 128), (128, 256)]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3, 3)}
    assert [layer.kernel_size for layer in model.blocks if isinstance(layer, nn.MaxPool3d)] == [
        (2,) * 3,
        (3,) * 3,
        (4,) * 3,
    ]
    assert [layer.p for layer in model.blocks if isinstance(layer, nn.Dropout3d)] == [0.2] * 3
    assert sum(isinstance(layer, nn.ReLU) for layer in model.blocks) == 6
    assert (model.projection.in_features, model.projection.out_features) == (256 * 3 * 4 * 3, 256)


@pytest.mark.parametrize(("shape", "voxels"), [((24, 24, 24), 1), ((47, 48, 71), 4), ((72, 24, 24), 3)])
def test_the_linears_width_follows_from_the_shape(shape, voxels):
    assert build(shape=shape).projection.in_features == 8 * voxels
    assert build(shape=shape)(torch.zeros(1, *shape)).shape == (1, 4, 6)


def test_pools_are_no_larger_than_what_is_left_of_a_small_volume():
    model = build(shape=(12, 14, 25))
    pools = [layer.kernel_size for layer in model.blocks if isinstance(layer, nn.MaxPool3d)]
    assert pools == [(2, 2, 2), (3, 3, 3), (2, 2, 4)]
    assert model.projection.in_features == 8
    assert model(torch.zeros(1, 12, 14, 25)).shape == build(shape=(1, 1, 1))(torch.zeros(1, 1, 1, 1)).shape == (1, 4, 6)


def test_volumes_without_gradients_go_through_some_at_a_time_and_end_alike(monkeypatch):
    model, volumes = build().eval(), torch.randn(5, 24, 25, 30)
    together = model(volumes).detach()
    seen = []
    monkeypatch.setattr(volume_module, "VOLUMES_AT_ONCE", 2)
    model.blocks.register_forward_hook(lambda _module, inputs, _output: seen.append(len(inputs[0])))
    with torch.no_grad():
        assert torch.allclose(model(volumes), together, atol=1e-5)
    assert seen == [2, 2, 1]


def test_every_parameter_gets_a_gradient_and_every_voxel_counts():
    model, volumes = build().eval(), torch.randn(2, 24, 24, 24, requires_grad=True)
    model = build(shape=(24, 24, 24)).eval()
    model(volumes).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())
    assert (volumes.grad != 0).float().mean() > 0.5


def test_weights_lie_with_channels_last():
    assert build().blocks[2].weight.is_contiguous(memory_format=torch.channels_last_3d)
