"""Scores with a modality missing at random, and by pattern of presence, against what can be counted by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from i2moe.data import FeatureSet
from i2moe.explain.robustness import logits_without, scores_by_pattern, scores_without
from i2moe.inference import predict
from i2moe.model.multimodal import MultimodalModel
from i2moe.selection import TASK_METRICS

ACCURACY = TASK_METRICS["multiclass"]["accuracy"].compute


class First(nn.Module):
    """A fusion that says class 0 where the mean token of the first modality is above .5, else class 1."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, tokens):
        mean = tokens[0].mean(dim=(1, 2)) * self.scale - 0.5
        return torch.stack([mean, -mean, torch.full_like(mean, -9)], dim=1)


class AsToken(nn.Module):
    """An encoder: all numbers of a sample as its one token."""

    def forward(self, values):
        return values.unsqueeze(1)


def model_of(absent=None):
    return MultimodalModel({"first": AsToken(), "second": AsToken()}, First(), absent).eval()


@pytest.fixture
def features(synthetic_dataset):
    """Give the first modality 1 for half of the samples, and 0 for the others."""
    folder, cohort = synthetic_dataset()
    values = np.tile((np.arange(60) % 2).astype(np.float32)[:, None], 5)
    np.save(folder / "first.npy", values)
    return folder, cohort


def test_a_modality_that_decides_costs_all_and_one_that_does_not_costs_nothing(features):
    data, model = FeatureSet(*features), model_of()
    rows = data.rows("test")
    labels = 1 - rows % 2  # what the model says
    whole = predict(model, data, "test").logits
    found = scores_without(model, data, "test", whole, labels, ACCURACY)
    assert [(one.modality, one.share) for one in found[:5]] == [("first", share) for share in (0, 0.25, 0.5, 0.75, 1)]
    assert found[0].score == 1
    # At the train mean of the first modality, whatever that is, one class is said of all.
    assert found[4].score in (labels.mean(), 1 - labels.mean())
    assert found[4].spread == 0
    scores = [one.score for one in found[:5]]
    assert scores == sorted(scores, reverse=True)
    assert found[2].spread > 0
    assert {one.score for one in found[5:]} == {1}
    assert {one.replaced_by for one in found} == {"mean"}


def test_who_already_lacks_it_has_nothing_to_lose_and_the_token_stands_for_it(features):
    folder, cohort = features
    array, present = np.load(folder / "first.npy"), np.arange(60) % 4 > 0
    array[~present] = 0
    np.save(folder / "first.npy", array)
    np.save(folder / "first.present.npy", present)
    data, model = FeatureSet(folder, cohort), model_of({"first": torch.ones(1, 1, 5)})
    logits = logits_without(model, data, "test", 0)
    assert (logits[:, 0] > 0).all()  # the token is above .5
    whole = predict(model, data, "test").logits
    absent = ~data.presence[data.rows("test"), 0]
    np.testing.assert_allclose(logits[absent], whole[absent])
    found = scores_without(model, data, "test", whole, np.zeros(12, np.int64), ACCURACY)
    assert found[4].score == 1
    assert found[0].replaced_by == "token"


def test_each_pattern_is_scored_apart_where_it_has_enough_samples():
    presence = np.array([[True, True]] * 20 + [[True, False]] * 12 + [[False, True]] * 3)
    labels = np.arange(35) % 2
    logits = np.zeros((35, 2))
    logits[np.arange(35), labels] = 1
    logits[20:26] *= -1  # half of the second pattern is wrong
    found = scores_by_pattern(["lab", "note"], presence, logits, labels, ACCURACY)
    assert [(one.pattern, one.samples) for one in found] == [("lab + note", 20), ("lab", 12), ("note", 3)]
    assert [found[0].score, found[1].score] == [1, 0.5]
    assert np.isnan(found[2].score)
    assert 0 < found[1].low < 0.5 < found[1].high < 1
    assert (found[0].low, found[0].high) == (1, 1)
