"""MulT's Transformer: against PyTorch's own layers, and settings that do not fit."""

import pytest
import torch
from small_models import different, fusion, tokens
from torch.nn import functional

from i2moe.fusion.transformer import SelfAttention


@pytest.mark.parametrize("method", ["late", "mult", "switchgate", "moepp"])
def test_heads_must_divide_the_width(method):
    with pytest.raises(ValueError, match="num_heads=3 does not divide hidden_dim=8"):
        fusion(method, num_heads=3)


def test_early_fusions_heads_must_divide_its_own_width():
    with pytest.raises(ValueError, match="num_heads=4 does not divide"):
        fusion("early", num_heads=4)


def test_attention_equals_pytorchs_with_a_skip_around_it():
    block = different(SelfAttention(8, 2, dropout=0.5)).eval()
    own = torch.randn(5, 6, 8)
    reference = torch.nn.MultiheadAttention(8, 2, batch_first=True, bias=True).eval()
    with torch.no_grad():
        reference.in_proj_weight.copy_(block.query_key_value.weight)
        reference.in_proj_bias.zero_()
        reference.out_proj.weight.copy_(block.output.weight)
        reference.out_proj.bias.copy_(block.output.bias)
    normed = block.norm(own)
    expected = own + reference(normed, normed, normed)[0]
    assert torch.allclose(block(own), expected, atol=1e-5)
    assert torch.allclose(block(own, block.project(own)), expected, atol=1e-5)


def test_mult_is_its_layers_then_the_mean_of_each_modality():
    model = different(fusion("mult", num_layers=1)).eval()
    own = tokens()
    joined = torch.cat([modality + position for modality, position in zip(own, model.position, strict=True)], dim=1)
    (layer,) = model.layers
    attended = layer.attention(joined)
    mlp = layer.feed_forward.mlp
    hidden = functional.gelu(functional.linear(layer.feed_forward.norm(attended), mlp[0].weight, mlp[0].bias))
    transformed = attended + functional.linear(hidden, mlp[3].weight, mlp[3].bias)
    latent = transformed.view(5, 3, 2, 8).mean(dim=2).reshape(5, 24)
    output = model(own)
    assert torch.allclose(output.latent, latent, atol=1e-5)
    assert torch.allclose(output.logits, model.head(latent), atol=1e-5)
