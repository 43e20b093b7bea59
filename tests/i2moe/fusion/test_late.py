"""Late fusion adds up what each modality says alone."""

import torch
from small_models import different, fusion, tokens


def test_logits_are_additive_in_the_modalities():
    model = different(fusion("late", modalities=2)).eval()
    (a, b), (other_a, other_b) = tokens(2), tokens(2)
    logits = {
        name: model(pair).logits
        for name, pair in {"ab": [a, b], "Ab": [other_a, b], "aB": [a, other_b], "AB": [other_a, other_b]}.items()
    }
    interaction = logits["ab"] - logits["Ab"] - logits["aB"] + logits["AB"]
    assert torch.allclose(interaction, torch.zeros_like(interaction), atol=1e-6)
    assert not torch.allclose(logits["ab"], logits["Ab"], atol=1e-3)


def test_the_logits_are_the_mean_of_the_modalities_own():
    model = different(fusion("late")).eval()
    own = tokens()
    latent = model(own).latent.split(8, dim=1)
    by_hand = sum(head(part) for head, part in zip(model.heads, latent, strict=True)) / 3
    assert torch.allclose(model(own).logits, by_hand, atol=1e-6)
