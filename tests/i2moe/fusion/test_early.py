"""Early fusion joins the modalities token by token before anything else sees them."""

import torch
from small_models import different, fusion, tokens


def test_tokens_are_joined_side_by_side_transformed_and_averaged():
    model = different(fusion("early", num_layers=1)).eval()
    own = tokens()
    joined = torch.cat(own, dim=2) @ model.projection.weight.t()  # [B, P, width]
    latent = model.layers[0](joined).mean(dim=1)
    output = model(own)
    assert torch.allclose(output.latent, latent, atol=1e-5)
    assert torch.allclose(output.logits, model.head(latent), atol=1e-5)


def test_the_order_of_tokens_says_nothing_but_which_ones_are_side_by_side_does():
    model = different(fusion("early", patches=3)).eval()
    own, order = tokens(patches=3), [2, 0, 1]
    reordered = [modality[:, order] for modality in own]
    assert torch.allclose(model(own).logits, model(reordered).logits, atol=1e-5)
    assert not torch.allclose(model(own).logits, model([reordered[0], *own[1:]]).logits, atol=1e-4)


def test_any_number_of_tokens_fits():
    model = fusion("early", patches=3)
    assert model(tokens(patches=7)).logits.shape == (5, 4)
