"""Readings of experts, modalities and samples, on models and numbers whose truth is known by construction."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_models import different, mixture
from torch import nn

from i2moe.data import FeatureSet
from i2moe.explain.additive import additive_projection
from i2moe.explain.behaviour import IDLE, UNCLEAR_ROLE, behavioural_roles, behaviours
from i2moe.explain.latents import mean_latents
from i2moe.explain.local import local_shares, local_values, without_each
from i2moe.explain.optimum import NEAR, role_losses
from i2moe.explain.reweighting import BEST_SINGLE, LEARNED, SHUFFLED, UNIFORM, best_single, reweight
from i2moe.explain.shares import Shares
from i2moe.inference import predict
from i2moe.model.experts import Experts
from i2moe.model.multimodal import MultimodalModel
from i2moe.resampling import units_of
from i2moe.selection import TASK_METRICS, accuracy
from stages.explain.explained import Explained
from stages.explain.methods import METHODS
from stages.explain.tokens import TOKEN_METHODS
from stages.report.explanations import EXPLANATIONS
from stages.shared.predictions import SplitPredictions

TERMS = ["uniqueness_a", "uniqueness_b", "synergy", "redundancy"]


class Encode(nn.Module):
    """Four numbers of a sample as two tokens [B, 2, 2]."""

    def forward(self, values):
        return values.flatten(1)[:, :4].unflatten(1, (2, 2))


class Sum(nn.Module):
    """Logits that are a sum over modalities."""

    def forward(self, tokens):
        total = sum((number + 1) * own.mean(dim=1) for number, own in enumerate(tokens))
        return torch.tanh(total) if self.is_bent else total

    is_bent = False


def whole(features, fusion):
    return MultimodalModel({name: Encode() for name in features.modalities}, fusion).eval()


def test_a_sum_over_modalities_is_its_own_projection_and_a_product_is_not(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset("binary"))
    found = additive_projection(whole(features, Sum()), features, "test")
    assert found.additive == pytest.approx(found.logits, abs=1e-5)
    bent = Sum()
    bent.is_bent = True
    found = additive_projection(whole(features, bent), features, "test")
    assert abs(found.additive - found.logits).max() > 0.05
    assert found.positions.tolist() == list(range(len(features.rows("test"))))


def test_latents_are_means_over_tokens(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset("binary"))
    latents = mean_latents(whole(features, Sum()), features, "test")
    values = features.__getitems__(features.rows("test").tolist()).inputs[features.modalities[0]]
    assert latents[0] == pytest.approx(Encode()(values).mean(dim=1).numpy())


def test_an_expert_is_named_by_what_it_does():
    """Values of four experts: reads a alone; needs both; knows nothing; a and b are worth alike."""
    num = 200
    units = units_of("binary", np.resize([0, 1], num))
    values = np.array(  # [K, E]: none, a, b, both
        [[0.5, 0.5, 0.5, 0.5], [0.9, 0.5, 0.5, 0.7], [0.5, 0.5, 0.5, 0.7], [0.9, 0.9, 0.5, 0.9]]
    )
    generator = np.random.default_rng(0)
    own = values[None, :, None] + 0.01 * generator.normal(size=(1, 4, num, 4))
    reads_a, needs_both, idle, either = behaviours(
        ["one", "two", "three", "four"], TERMS, own, np.full(num, 0.5), units
    )
    assert (reads_a.roles, needs_both.roles, idle.roles) == (["uniqueness_a"], ["synergy"], [IDLE])
    assert either.roles == [UNCLEAR_ROLE]  # half synergy, half redundancy
    assert reads_a.shares.share[0] == pytest.approx([1, 0, 0, 0], abs=0.01)
    assert reads_a.gain == pytest.approx([0.4], abs=0.01)
    assert np.isnan(idle.shares.share).all()


def test_a_role_needs_a_lead_that_is_shown():
    units = units_of("binary", np.resize([0, 1], 40))
    share = np.array([[0.1, 0.2, 0.7, 0.0]])
    steady = np.repeat(share[None], 50, axis=0)
    nothing = np.full(share.shape, np.nan)
    assert behavioural_roles(Shares(TERMS, share, nothing, nothing, steady), units) == ["synergy"]
    unsteady = steady.copy()
    unsteady[::2] = [0.1, 0.7, 0.2, 0.0]
    assert behavioural_roles(Shares(TERMS, share, nothing, nothing, unsteady), units) == [UNCLEAR_ROLE]


def test_a_mixture_with_other_weights_by_hand():
    labels = np.array([0, 1] * 20)
    right = np.eye(2)[labels] * 4.0
    experts = np.stack([right, -right], axis=1)[None]  # [S, N, E, C]: one right, one wrong
    weights = np.tile([0.9, 0.1], (1, 40, 1))
    logits = np.einsum("snec,sne->snc", experts, weights)
    metric = TASK_METRICS["binary"]["accuracy"]
    singles = best_single(metric, labels, experts)
    assert singles == [0]
    found = reweight(accuracy, ["good", "bad"], labels, logits, experts, weights, singles, units_of("binary", labels))
    scores = {one.weights: one.scores[0] for one in found}
    assert scores[LEARNED] == scores[SHUFFLED] == scores[BEST_SINGLE] == 1.0
    assert scores[UNIFORM] < 1  # logits that are all 0
    assert {one.weights: one.experts for one in found}[BEST_SINGLE] == ["good"]
    error = replace(metric, higher_is_better=False)
    assert best_single(error, labels, experts) == [1]


def test_weights_that_follow_the_sample_are_missed_when_shuffled():
    labels = np.array([0, 1] * 40)
    right = np.eye(2)[labels] * 4.0
    is_first = np.arange(80) < 40
    experts = np.stack([np.where(is_first[:, None], right, -right), np.where(is_first[:, None], -right, right)], axis=1)
    weights = np.stack([is_first, ~is_first], axis=1).astype(float)[None]
    logits = np.einsum("snec,sne->snc", experts[None], weights)
    units = units_of("binary", labels)
    found = reweight(accuracy, ["one", "two"], labels, logits, experts[None], weights, [0], units)
    by_name = {one.weights: one for one in found}
    assert by_name[LEARNED].scores[0] == 1.0
    assert by_name[SHUFFLED].difference.low > 0.2
    assert by_name[BEST_SINGLE].scores[0] == 0.5


def test_a_sample_is_read_by_its_predicted_class_of_each_task():
    logits = np.log(np.array([[[0.5, 0.5]], [[0.9, 0.1]], [[0.5, 0.5]], [[0.9, 0.1]]]))  # only the first counts
    values = local_values("binary", logits, np.array([0, 1]))
    assert values.ravel() == pytest.approx([0.5, 0.9, 0.5, 0.9])
    assert local_shares(values).round(6).tolist() == [[1, 0, 0, 0]]
    assert without_each(values).round(6).tolist() == [[0.5, 0.9]]
    numbers = local_values("regression", np.array([0.0, 1.0, 0.0, 2.0])[:, None, None], np.array([0.0, 4.0]))
    assert numbers.ravel().tolist() == [-1.0, -0.25, -1.0, 0.0]  # squared distances from 2, in variances of 4
    several = np.array([[[0.0, 0.0, 0.0]], [[2.0, 0.0, -1.0]], [[0.0, 0.0, 0.0]], [[2.0, -1.0, -1.0]]])
    own = local_values("multilabel", several, np.zeros((1, 3)))
    assert own.ravel() == pytest.approx([0.5, 1 / (1 + np.exp(-2)), 0.5, 1 / (1 + np.exp(-2))])


class Constant(nn.Module):
    """An expert that says one thing of intact samples and the opposite where a modality is all zeros."""

    def __init__(self):
        super().__init__()
        self.says = nn.Parameter(torch.tensor([3.0, -3.0]))

    def forward(self, tokens):
        is_intact = torch.stack([own.abs().sum(dim=(1, 2)) > 0 for own in tokens]).all(dim=0)
        return torch.where(is_intact, 1.0, -1.0)[:, None] * self.says


def test_a_role_loss_at_its_optimum_without_labels_is_told(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset("binary"))
    own = mixture(modalities=2, width=2, outputs=2, interaction={"replacement": "zero"})
    own.experts = Experts([Constant() for _ in own.expert_names])
    synergy, redundancy = role_losses(whole(features, own), features, "test")
    assert (synergy.expert, redundancy.expert) == ("synergy", "redundancy")
    assert synergy.loss == pytest.approx(-1, abs=NEAR)
    assert synergy.is_label_free
    assert synergy.spread == pytest.approx(0, abs=1e-6)
    assert not redundancy.is_label_free  # its logits turn around too, which its loss forbids
    trained = different(mixture(modalities=2, width=2, outputs=2))
    assert not any(one.is_label_free for one in role_losses(whole(features, trained), features, "test"))
    assert role_losses(whole(features, Sum()), features, "test") == []
    no_losses = mixture(modalities=2, width=2, outputs=2, interaction={"loss_weight": 0})
    assert role_losses(whole(features, no_losses), features, "test") == []


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
def test_every_explanation_has_the_columns_that_the_report_reads(synthetic_dataset, task):
    features = FeatureSet(*synthetic_dataset(task))
    own = mixture(modalities=len(features.modalities), width=2, outputs=features.num_outputs)
    model = whole(features, different(own))
    predicted = predict(model, features, "test")
    predictions = SplitPredictions(
        seeds=[0],
        sample_ids=[features.sample_ids[row] for row in features.rows("test")],
        logits=predicted.logits[None].astype(float),
        experts=model.expert_names,
        expert_logits=predicted.expert_logits[None].astype(float),
        weights=predicted.weights[None].astype(float),
    )
    explained = Explained(features, predictions, [model], saw_missing=True)
    tables = {name: compute(explained) for name, compute in METHODS.items()}
    missing = {name for name, table in tables.items() if table is None}
    assert missing <= {"example", "parts", "patterns", "sample_parts", *TOKEN_METHODS}
    for name in set(METHODS) - missing:
        assert set(EXPLANATIONS[name].columns) <= set(tables[name]), name
    num_terms = len(features.modalities) + 2
    assert len(tables["local"]) == len(features.rows("test")) * (num_terms + len(features.modalities))
    assert set(METHODS["local"](replace(explained, saw_missing=False))["kind"]) == {"without"}


def test_the_table_of_experts_tells_weights_where_present_only_of_incomplete_samples(synthetic_dataset):
    folder, cohort = synthetic_dataset("binary")

    def table_of(lacking):
        present = np.ones(60, bool)
        present[lacking] = False
        np.save(folder / "second.present.npy", present)
        values = np.load(folder / "second.npy")
        values[lacking] = 0
        np.save(folder / "second.npy", values)
        features = FeatureSet(folder, cohort)
        rows, names = features.rows("test"), [f"uniqueness_{name}" for name in features.modalities]
        names = [*names, "synergy", "redundancy"]
        logits = np.random.default_rng(0).normal(size=(1, len(rows), features.num_outputs))
        weights = np.full((1, len(rows), len(names)), 0.2)
        weights[0, np.isin(rows, lacking), 1] = 0
        expert_logits = np.repeat(logits[:, :, None], len(names), axis=2)
        ids = [features.sample_ids[row] for row in rows]
        predictions = SplitPredictions([0], ids, logits, names, expert_logits, weights)
        return METHODS["experts"](Explained(features, predictions, []))

    features = FeatureSet(folder, cohort)
    train, test = (features.rows(split).tolist() for split in ("train", "test"))
    complete = table_of(train[:3])  # of the test split all are complete
    assert "num_present" not in complete
    found = table_of(test[:2]).iloc[1]
    assert found["mean_weight"] == pytest.approx(0.2 * (len(test) - 2) / len(test))
    assert found["mean_weight_present"] == pytest.approx(0.2)
    assert found["num_present"] == len(test) - 2
