"""Penalties on alike experts: against the formulas written out, their gradients, and in a mixture."""

import pytest
import torch
from small_models import PlainLogits, mixture, tokens

from i2moe.base.errors import InputError
from i2moe.model.config import InteractionConfig
from i2moe.model.decorrelation import PENALTIES
from i2moe.model.interaction import GlobalWeights, InteractionMoE
from i2moe.model.losses import CLASSIFICATION

every_penalty = pytest.mark.parametrize("kind", PENALTIES)


def written_out(kind, one, other):
    """The penalty of a pair [B, D], column by column."""
    if kind == "cosine":
        return torch.stack([torch.cosine_similarity(a, b, dim=0) ** 2 for a, b in zip(one, other, strict=True)]).mean()
    one, other = one - one.mean(dim=0), other - other.mean(dim=0)
    if kind == "cka":
        shared, own, others = (
            torch.linalg.matrix_norm(a.t() @ b) for a, b in ((one, other), (one, one), (other, other))
        )
        return shared**2 / (own * others + 1e-8)
    one, other = (each / each.std(dim=0, correction=0) for each in (one, other))
    correlation = one.t() @ other / len(one)
    width = len(correlation)
    return (correlation.square().sum() - correlation.diagonal().square().sum()) / (width**2 - width)


@every_penalty
@pytest.mark.parametrize(("batch", "width"), [(7, 5), (4, 9), (3, 2)])
def test_a_penalty_is_the_mean_of_its_formula_over_all_pairs(kind, batch, width):
    latents = torch.randn(4, batch, width)
    pairs = [written_out(kind, latents[a], latents[b]) for a in range(4) for b in range(a + 1, 4)]
    assert PENALTIES[kind](latents).item() == pytest.approx(torch.stack(pairs).mean().item(), rel=1e-4)


@every_penalty
@pytest.mark.parametrize("latents", [torch.zeros(3, 4, 5), torch.ones(3, 1, 5), torch.randn(3, 1, 1)])
def test_latents_that_are_all_alike_and_a_batch_of_one_have_a_finite_penalty_and_gradient(kind, latents):
    latents = latents.clone().requires_grad_()
    penalty = PENALTIES[kind](latents)
    penalty.backward()
    assert penalty.isfinite()
    assert latents.grad.isfinite().all()


@every_penalty
def test_following_a_penalty_makes_experts_less_alike(kind):
    latents = torch.randn(3, 16, 6) * 0.5 + torch.randn(16, 6)
    latents.requires_grad_()
    before = PENALTIES[kind](latents)
    optimiser = torch.optim.Adam([latents], lr=0.05)
    for _ in range(20):
        optimiser.zero_grad()
        PENALTIES[kind](latents).backward()
        optimiser.step()
    assert PENALTIES[kind](latents).item() < 0.8 * before.item()


@every_penalty
@pytest.mark.parametrize("loss_weight", [0.5, 0.0])
def test_a_mixture_is_penalised_for_the_latents_of_the_intact_view_in_training_alone(kind, loss_weight):
    settings = {"loss_weight": loss_weight, "decorrelate": {"kind": kind, "weight": 0.1}}
    model, own = mixture("dense", interaction=settings), tokens()
    found = model(own).decorrelation_loss
    assert found.item() == pytest.approx(PENALTIES[kind](model.experts(own).latent).item(), rel=1e-4)
    assert found.requires_grad
    assert model.eval()(own).decorrelation_loss is None
    assert mixture("dense")(own).decorrelation_loss is None


def test_a_module_without_latents_cannot_be_decorrelated():
    config = InteractionConfig(loss_weight=0.5, decorrelate={"kind": "cka", "weight": 1.0})
    model = InteractionMoE(PlainLogits(), GlobalWeights(5), ["a", "b", "c"], CLASSIFICATION, config)
    with pytest.raises(InputError, match=r"interaction\.decorrelate needs a fusion method that returns"):
        model(tokens())
