"""Shares of a sealed mixture's parts: hand-computed ones, and those of small models trained on planted interactions."""

from math import log

import numpy as np
import pytest
import torch
from small_models import fusion
from torch import nn
from torch.testing import assert_close

from i2moe.explain.parts import part_contributions, part_gains, sample_shares
from i2moe.model.config import SealedConfig
from i2moe.model.losses import task_loss
from i2moe.model.pruning import parts_to_keep
from i2moe.model.sealed import WORDS, Said, SealedMixture


def contributions(additive, shared, whole):
    return part_contributions(np.array([*additive, *shared, whole], float)).round(6).tolist()


def test_each_kind_of_information_goes_to_its_expert():
    nothing = [0, 0, 0, 0]
    assert contributions([0, 1, 0, 1], nothing, 1) == [1, 0, 0, 0]
    assert contributions([0, 1, 1, 2], nothing, 2) == [1, 1, 0, 0]
    assert contributions(nothing, nothing, 1) == [0, 0, 1, 0]
    assert contributions([0, 1, 1, 1], [0, 1, 1, 1], 1) == [0, 0, 0, 1]


def test_a_partial_copy_is_redundant_as_far_as_it_goes():
    # The second modality knows .3 of what the first knows whole, and echoes it.
    assert contributions([0, 1, 0.3, 1], [0, 0.5, 0.3, 0.6], 1) == [0.7, 0, 0, 0.3]


def test_what_two_of_three_modalities_share_survives_the_loss_of_any_one():
    shared = [0, 1, 1, 0, 1, 1, 1, 1]  # none, alone, pairs, all: the third has nothing
    assert contributions(shared, shared, 1) == [0, 0, 0, 0, 1]
    of_one = [0, 1, 0, 0, 1, 1, 0, 1]
    assert contributions(of_one, of_one, 1) == [1, 0, 0, 0, 0]


def test_what_two_noisy_copies_gain_over_one_is_not_redundant():
    assert contributions([0, 0.7, 0.7, 1], [0, 0.7, 0.7, 1], 1) == [0.15, 0.15, 0, 0.7]


def test_shares_of_a_sample_need_a_gain_and_count_nothing_below_zero():
    gains = np.array([[0, 1, -1, 0.5, 0, 0, 0, 0, 0.5], [0, 0, 0, 0, 0, 0, 0, 0, 0]], float).T
    shares = sample_shares(gains, 0.1)
    assert_close(torch.from_numpy(shares[0]), torch.tensor([1.0, 0, 0, 0], dtype=torch.float64))
    assert np.isnan(shares[1]).all()


def sealed(task="binary", outputs=2):
    module = fusion("mult", modalities=2, outputs=WORDS * outputs)
    return SealedMixture(module, ["a", "b"], task, outputs, SealedConfig(loss_weight=0.1, min_gain=0.01))


def test_gains_are_the_constants_loss_less_that_of_sums_of_parts():
    model = sealed()
    model.scales.data.fill_(0.1)  # a loudness of 1
    word = torch.tensor([[[-log(3) / 2, log(3) / 2]]])  # 3 to 1 for class 1
    own = torch.cat([word, 0 * word])
    said = Said(0 * own, 0 * own, own, 0 * own, 0 * own[0], None)
    known = log(2) - log(4 / 3)
    with torch.no_grad():
        gains = part_gains(model, said, torch.tensor([1]))
        expected = part_gains(model, said)
    np.testing.assert_allclose(gains[:, 0], [0, known, 0, known, 0, 0, 0, 0, known], atol=1e-6)
    divergence = log(2) + 0.75 * log(0.75) + 0.25 * log(0.25)
    np.testing.assert_allclose(expected[:, 0], [0, divergence, 0, divergence, 0, 0, 0, 0, divergence], atol=1e-6)
    model.kept[0] = 0
    assert not part_gains(model, said, torch.tensor([1])).any()


class Layers(nn.Module):
    """A small perceptron over all tokens."""

    def __init__(self, num_outputs):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, num_outputs)
        )

    def forward(self, tokens):
        return self.layers(torch.cat([own.flatten(1) for own in tokens], dim=1))


def planted(rule, num, noise=0.5):
    """Draw two modalities [N, 1, 4] of three bits each and a column of noise: own, own copy of 80 %, shared."""
    bits = torch.randint(2, (3, num))
    own, other, shared = bits
    copy = torch.where(torch.rand(num) < 0.8, own, 1 - own)
    labels, second = {
        "first": (own, other),
        "exclusive or": (own ^ other, other),
        "redundancy": (shared, other),
        "copy": (own, copy),
        "and": (own & other, other),
        "or": (own | other, other),
        "inside": (
            own ^ shared,
            other,
        ),  # an exclusive or inside the first modality, if the second lacks the shared bit
        "nothing": (torch.randint(2, (num,)), other),
    }[rule]
    in_second = torch.randint(2, (num,)) if rule == "inside" else shared
    inputs = [torch.stack([own, shared], dim=1), torch.stack([second, in_second], dim=1)]
    inputs = [torch.cat([2.0 * values - 1, torch.zeros(num, 2)], dim=1) for values in inputs]
    return [(values + noise * torch.randn(num, 4)).unsqueeze(1) for values in inputs], labels


def shares_found(rule, epochs=8):
    """Train a small sealed mixture; return the shares of its parts, and which stay."""
    torch.manual_seed(0)
    model = SealedMixture(Layers(WORDS * 2), ["a", "b"], "binary", 2, SealedConfig(loss_weight=1.0, min_gain=0.01))
    (inputs, labels), (validation, known), (test, truth) = (planted(rule, num) for num in (3000, 800, 1500))
    model.fit_constant(labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(64):
            prediction = model.train()([own[rows] for own in inputs], labels[rows])
            loss = task_loss("binary", prediction.logits, labels[rows])
            optimizer.zero_grad()
            (loss + sum(prediction.interaction_losses.values()) / 4).backward()
            optimizer.step()
    with torch.no_grad():
        model.eval().fit_projection(model.listen(inputs))
        model.kept = parts_to_keep(model, model.listen(validation), known)
        found = part_contributions(part_gains(model, model.listen(test), truth).mean(axis=1)).clip(min=0)
    return found / max(found.sum(), 1e-9), model.kept.tolist()


@pytest.mark.parametrize(("rule", "place"), [("first", 0), ("exclusive or", 2), ("redundancy", 3), ("inside", 0)])
def test_a_planted_interaction_has_the_largest_share(rule, place):
    shares, kept = shares_found(rule, epochs=14 if rule in ("exclusive or", "inside") else 8)
    assert shares[place] > 0.75
    assert kept[place] == 1


def test_a_copy_of_80_percent_is_redundant_by_a_third():
    shares, _ = shares_found("copy")
    assert shares[0] == pytest.approx(0.68, abs=0.12)
    assert shares[3] == pytest.approx(0.28, abs=0.1)


@pytest.mark.parametrize("rule", ["and", "or"])
def test_logical_rules_add_up_in_logits_and_are_attributed_so(rule):
    shares, _ = shares_found(rule)
    assert shares[:2].sum() > 0.8


def test_of_labels_that_follow_from_nothing_no_part_stays():
    shares, kept = shares_found("nothing", epochs=3)
    assert not any(kept)
    assert not shares.any()
