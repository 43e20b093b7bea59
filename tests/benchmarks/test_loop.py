"""The plain loop that speed is measured against does the same mathematics."""

import copy

import pytest
import torch
from small_models import SETTINGS, different, fusion, tokens

from benchmarks.loop import LoopMixture, plain
from benchmarks.speed import CASES, launches
from i2moe.model.config import InteractionConfig
from i2moe.model.experts import Experts
from i2moe.model.interaction import InteractionMoE, Reweighting
from i2moe.model.losses import CLASSIFICATION, REGRESSION

# Forward and backward of one training step; how many there are: benchmarks/RESULTS.md.
MOST_LAUNCHES = {
    ("adni", "i2moe-mult"): 650,
    ("mimic", "i2moe-mult"): 550,
    ("imdb", "i2moe-mult"): 450,
    ("mosi", "i2moe-mult"): 320,
    ("enrico", "i2moe-mult"): 450,
    ("adni", "i2moe-switchgate"): 600,
    ("adni", "i2moe-moepp"): 800,
    ("adni", "i2moe-interpretcc"): 520,
}


def single(experts: Experts, template, index):
    """Return one expert as a module of its own."""
    module = copy.deepcopy(template)
    module.load_state_dict(
        {name.replace("/", "."): value[index] for name, value in experts.stacked.items()}
        | {name: experts.get_buffer(name.replace(".", "/"))[index] for name, _ in template.named_buffers()}
    )
    return plain(module)


@pytest.fixture
def _no_noise(monkeypatch):
    """Replace by zeros, and draw no jitter."""
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    monkeypatch.setattr(torch, "rand_like", lambda tensor: torch.full_like(tensor, 0.5))


@pytest.mark.usefixtures("_no_noise")
@pytest.mark.parametrize("losses", [CLASSIFICATION, REGRESSION], ids=["classification", "regression"])
@pytest.mark.parametrize("method", list(SETTINGS))
def test_the_loop_gives_the_same_logits_losses_and_gradients(method, losses):
    template = fusion(method)
    reweighting = Reweighting(3 * 8, 5, hidden_dim=16, num_layers=2, temperature=1.5, dropout=0.0)
    ours = InteractionMoE(template, reweighting, ["a", "b", "c"], losses, InteractionConfig(loss_weight=0.5))
    different(ours)
    loop = LoopMixture(template, copy.deepcopy(ours.reweighting), ["a", "b", "c"], ours.expert_names, losses)
    loop.experts = torch.nn.ModuleList(single(ours.experts, template, index) for index in range(5))
    own = [modality.requires_grad_() for modality in tokens()]
    results, gradients = [], []
    for model in (ours, loop):
        prediction = model.train()(own)
        balance = 0 if prediction.balance_loss is None else prediction.balance_loss
        (prediction.logits.sum() + sum(prediction.interaction_losses.values()) + balance).backward()
        results.append(prediction)
        gradients.append([modality.grad.clone() for modality in own])
        for modality in own:
            modality.grad = None
    assert torch.allclose(results[0].logits, results[1].logits, atol=1e-5)
    for name, loss in results[0].interaction_losses.items():
        assert loss.item() == pytest.approx(results[1].interaction_losses[name].item(), abs=1e-5)
    for first, second in zip(*gradients, strict=True):
        assert torch.allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_training_step_has_few_kernel_launches(case):
    assert launches(*case, ours=True) <= MOST_LAUNCHES[case]
