"""LRMF against the outer product that it never forms."""

import torch
from small_models import different, fusion, tokens


def test_the_fused_vector_is_the_full_weight_tensor_on_the_outer_product():
    # Liu et al. 2018: W = Σ_r weight_r · w₁⁽ʳ⁾ ⊗ w₂⁽ʳ⁾ ⊗ w₃⁽ʳ⁾ and h = W · (z₁ ⊗ z₂ ⊗ z₃) + b, where z is x with a 1.
    width, rank, fused_dim = 3, 2, 4
    model = different(fusion("lrmf", modalities=3, patches=2, width=width, rank=rank, fused_dim=fused_dim)).eval()
    own = tokens(modalities=3, batch=5, patches=2, width=width)
    first, second, third = (matrix.view(width + 1, rank, fused_dim) for matrix in model.factors)
    weight = torch.einsum("r,ird,jrd,krd->ijkd", model.rank_weights[0], first, second, third)
    ones = torch.ones(5, 1)
    padded = [torch.cat([modality.mean(dim=1), ones], dim=1) for modality in own]
    outer = torch.einsum("bi,bj,bk->bijk", *padded)
    fused = torch.einsum("bijk,ijkd->bd", outer, weight) + model.bias
    seen = []
    model.dropout.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    latent = model(own).latent
    assert torch.allclose(seen[0], fused, atol=1e-5)
    assert torch.allclose(latent, model.hidden(fused), atol=1e-5)


def test_every_factor_and_rank_weight_is_saved():
    names = set(fusion("lrmf", modalities=2).state_dict())
    assert {"factors.0", "factors.1", "rank_weights", "bias"} <= names
