"""A planted XOR of two modalities: whatever fuses them learns it, and nothing that looks at one of them, or adds, can.

Synthetic: each modality has one bit, the sign of its vector along a direction of its own, under noise.
"""

import functools

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from small_models import fusion, mixture
from torch.nn import functional

from i2moe.model.losses import total_loss

WIDTH, PATCHES = 16, 2
# Sizes of each method, where the small ones of the other tests are too small.
FUSES = {
    "early": {},
    "late": {},
    "lrmf": {"rank": 4, "fused_dim": 16, "mlp_dim": 16},
    "mult": {},
    "dense": {},
    "gshard": {},
    "interpretcc": {},
    "switchgate": {"num_experts": 2},
    "moepp": {},
}


def planted_bits(samples, seed):
    """Return one bit per modality, [N, 2]."""
    return torch.randint(2, (samples, 2), generator=torch.Generator().manual_seed(seed))


def xor(samples, seed):
    """Return tokens of two modalities, and the label: the XOR of their bits."""
    bits = planted_bits(samples, seed)
    generator = torch.Generator().manual_seed(100 + seed)
    directions = torch.eye(WIDTH)[[3, 11]]
    tokens = [
        (2.0 * bits[:, modality] - 1).view(-1, 1, 1) * 2 * directions[modality]
        + torch.randn(samples, PATCHES, WIDTH, generator=generator)
        for modality in range(2)
    ]
    return tokens, bits.sum(dim=1) % 2


def trained_accuracy(model, train, test, steps=120):
    """Train with Adam on the train tokens and labels; return the accuracy on the test ones."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    tokens, labels = train
    for _ in range(steps):
        rows = torch.randint(len(labels), (128,))
        output = model([modality[rows] for modality in tokens])
        task = functional.cross_entropy(output.logits, labels[rows])
        loss = total_loss(task, getattr(output, "interaction_losses", {}), 0.1, output.balance_loss, 0.01)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        predicted = model.eval()(test[0]).logits.argmax(dim=1)
    return (predicted == test[1]).float().mean().item()


def small(method, build=fusion, modalities=2):
    layers = {} if method in ("lrmf", "interpretcc") else {"num_layers": 1}
    return build(method, modalities=modalities, patches=PATCHES, width=WIDTH, outputs=2, **layers, **FUSES[method])


@pytest.fixture(scope="module")
def task():
    """Return train and held-out tokens with their labels."""
    return xor(1024, seed=0), xor(1000, seed=1)


@pytest.mark.parametrize("modality", [0, 1])
def test_one_modality_alone_is_at_chance_though_its_bit_is_plain(modality):
    (tokens, label), (test_tokens, test_label) = xor(1024, seed=0), xor(1000, seed=1)
    vectors, test_vectors = tokens[modality].flatten(1), test_tokens[modality].flatten(1)
    on_label = LogisticRegression().fit(vectors, label).score(test_vectors, test_label)
    assert on_label == pytest.approx(0.5, abs=0.05)
    bits, test_bits = (planted_bits(1024, seed=0), planted_bits(1000, seed=1))
    on_bit = LogisticRegression().fit(vectors, bits[:, modality]).score(test_vectors, test_bits[:, modality])
    assert on_bit > 0.95


@pytest.mark.parametrize("modality", [0, 1])
def test_a_model_of_one_modality_stays_at_chance(task, modality):
    train, test = (([tokens[modality]], label) for tokens, label in task)
    assert trained_accuracy(small("mult", modalities=1), train, test) == pytest.approx(0.5, abs=0.05)


def test_a_linear_model_of_both_modalities_stays_at_chance(task):
    (tokens, label), (test_tokens, test_label) = task
    train, test = (torch.cat([modality.flatten(1) for modality in each], dim=1) for each in (tokens, test_tokens))
    assert LogisticRegression().fit(train, label).score(test, test_label) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("method", [method for method in FUSES if method != "late"])
def test_a_method_that_fuses_learns_the_xor(task, method):
    assert trained_accuracy(small(method), *task) > 0.9


def test_late_fusion_stays_at_chance_because_its_logits_are_additive(task):
    # The best sum f(a) + g(b) for an XOR under cross-entropy is 0: what it is for (0, 0) and (1, 1), it is on average
    # for (0, 1) and (1, 0) too.
    assert trained_accuracy(small("late"), *task) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("method", ["lrmf", "mult"])
def test_an_i2moe_over_a_method_that_fuses_learns_it_too(task, method):
    assert trained_accuracy(small(method, mixture), *task) > 0.9


def test_an_i2moe_over_late_fusion_learns_it_through_its_sample_wise_weights_alone(task):
    assert trained_accuracy(small("late", mixture), *task) > 0.85
    with_global_weights = small("late", functools.partial(mixture, weights="global"))
    assert trained_accuracy(with_global_weights, *task) == pytest.approx(0.5, abs=0.08)
