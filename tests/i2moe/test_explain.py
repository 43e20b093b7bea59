"""Reading experts and coalitions, on predictions whose truth is known by construction."""

import numpy as np
import pytest
import torch
from small_models import different, mixture
from torch import nn

from i2moe.data import FeatureSet
from i2moe.explain.ability import abilities
from i2moe.explain.coalitions import REPLACEMENTS, coalition_logits, coalition_names
from i2moe.explain.experts import agreement, summarise_experts, telling_sample, weights_where_present
from i2moe.inference import mean_tokens, predict
from i2moe.model.multimodal import MultimodalModel
from i2moe.resampling import units_of

LABELS = np.array([0, 0, 1, 1])
RIGHT = np.array([[5.0, -5.0], [5.0, -5.0], [-5.0, 5.0], [-5.0, 5.0]])
CONSTANT = np.tile([1.0, 0.0], (4, 1))


def summaries(seeds=2):
    expert_logits = np.stack([np.stack([RIGHT, CONSTANT], axis=1)] * seeds)  # [S, N, E, C]
    weights = np.stack([np.tile([0.3, 0.7], (4, 1))] * seeds)
    units = units_of("binary", LABELS)
    found = abilities("binary", LABELS, expert_logits, units)
    return summarise_experts(
        "binary", ["uniqueness_a", "synergy"], LABELS, expert_logits, weights, LABELS, units, found
    )


def test_an_expert_at_chance_is_told_however_large_its_weight():
    able, constant = summaries()
    assert (able.alone, able.rank_score, able.chance_seeds) == (1.0, 1.0, 0)
    assert able.unclear_seeds == 2  # four samples
    assert (constant.alone, constant.chance, constant.chance_seeds, constant.num_seeds) == (0.5, 0.5, 2, 2)
    assert (able.mean_weight, constant.mean_weight) == pytest.approx((0.3, 0.7))
    assert (able.top_share, constant.top_share) == (0.0, 1.0)
    assert able.mean_contribution == pytest.approx(0.3 * 5)


def test_a_shift_common_to_all_classes_moves_no_contribution():
    labels = np.array([0, 0, 1, 1])
    weights = np.full((1, 4, 2), 0.5)
    units = units_of("binary", labels)

    def contributions(task, expert_logits, train):
        found = abilities(task, labels, expert_logits, units)
        summary = summarise_experts(task, ["a", "b"], labels, expert_logits, weights, train, units, found)
        return [one.mean_contribution for one in summary]

    experts = np.stack([RIGHT, CONSTANT], axis=1)[None]
    shift = np.array([0.0, 100.0])[:, None]
    assert contributions("binary", experts + shift, labels) == pytest.approx(contributions("binary", experts, labels))
    assert contributions("binary", experts, labels) == pytest.approx([0.5 * 5, 0.5 * 0.5])
    numbers = np.stack([np.full((4, 1), 7.0), np.full((4, 1), 5.0)], axis=1)[None]
    assert contributions("regression", numbers, np.array([4.0, 6.0])) == pytest.approx([0.5 * 2, 0])


def test_a_weight_is_averaged_over_the_samples_that_have_the_experts_modality():
    # Two seeds, three samples: the second lacks b, all lack c.
    weights = np.array(
        [
            [[0.2, 0.4, 0.0, 0.4], [0.7, 0.0, 0.0, 0.3], [0.3, 0.6, 0.0, 0.1]],
            [[0.1, 0.8, 0.0, 0.1], [0.5, 0.0, 0.0, 0.5], [0.6, 0.2, 0.0, 0.2]],
        ]
    )
    presence = np.array([[True, True, False], [True, False, False], [True, True, False]])
    names = ["uniqueness_a", "uniqueness_b", "uniqueness_c", "synergy"]
    found = weights_where_present(names, ["a", "b", "c"], weights, presence)
    assert found["mean_weight_present"] == pytest.approx([2.4 / 6, 2.0 / 4, np.nan, 1.6 / 6], nan_ok=True)
    assert found["num_present"] == [3, 2, 0, 3]
    named = weights_where_present(["synergy", "redundancy"], ["a", "b", "c"], weights[..., 2:], presence)
    assert named == {"mean_weight_present": pytest.approx([0, 1.6 / 6]), "num_present": [3, 3]}


def shares(*, disagree=(0.0, 0.0), agree=(0.0, 0.0), by="sample"):
    """Return a row of agreement: correct and wrong, where the experts disagree and where they agree."""
    names = ("disagree_correct", "disagree_wrong", "agree_correct", "agree_wrong")
    return {"by": by} | dict(zip(names, (*disagree, *agree), strict=True))


def test_agreement_by_hand():
    # Experts: first always right; second votes class 0 always: they agree on the first two samples.
    expert_logits = np.stack([RIGHT, CONSTANT], axis=1)[None]
    assert agreement("binary", LABELS, RIGHT[None], expert_logits, LABELS) == [
        shares(disagree=(0.5, 0), agree=(0.5, 0))
    ]
    assert agreement("binary", LABELS, CONSTANT[None], expert_logits, LABELS) == [
        shares(disagree=(0, 0.5), agree=(0.5, 0))
    ]


def test_multilabel_experts_agree_on_the_whole_set_and_on_each_label():
    labels = np.array([[1, 0], [1, 1]])
    experts = np.array([[[1.0, -1.0], [1.0, -1.0]], [[1.0, 1.0], [1.0, -1.0]]])[None]
    logits = np.array([[[1.0, -1.0], [1.0, -1.0]]])
    assert agreement("multilabel", labels, logits, experts, labels) == [
        shares(disagree=(0, 0.5), agree=(0.5, 0)),
        shares(disagree=(0, 0.25), agree=(0.75, 0), by="label"),
    ]


def test_experts_of_numbers_agree_on_one_side_of_the_train_labels_mean():
    labels, train = np.array([1.0, 9.0]), np.array([4.0, 6.0])
    experts = np.array([[[2.0], [4.9]], [[7.0], [3.0]]])[None]
    assert agreement("regression", labels, np.array([[[3.0], [4.0]]]), experts, train) == [
        shares(disagree=(0, 0.5), agree=(0.5, 0))
    ]


def test_experts_of_numbers_agree_within_a_tolerance_where_one_is_chosen():
    # Three samples: experts 1 apart and the mixture .5 off; 1 apart and 2 off; 3 apart and right.
    labels, train = np.array([3.0, 3.0, 3.0]), np.array([4.0, 6.0])
    logits = np.array([[[3.5], [5.0], [3.0]]])
    experts = np.array([[[3.0], [4.0]], [[5.0], [6.0]], [[2.0], [5.0]]])[None]
    rows = agreement("regression", labels, logits, experts, train, tolerance=1.0)
    third = pytest.approx(1 / 3)
    assert rows[0] == shares(disagree=(third, 0), agree=(pytest.approx(2 / 3), 0))  # 5 is not above the mean of train
    assert rows[1] == shares(disagree=(third, 0), agree=(third, third), by="tolerance")
    wide = agreement("regression", labels, logits, experts, train, tolerance=3.0)
    assert wide[1] == shares(disagree=(0, 0), agree=(1, 0), by="tolerance")
    assert [row["by"] for row in agreement("regression", labels, logits, experts, train)] == ["sample"]


def test_the_telling_sample_is_right_and_its_experts_differ_most():
    logits = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    expert_logits = np.zeros((3, 2, 2))
    expert_logits[:, 0, 0] = [1.0, 3.0, 9.0]
    weights = np.full((3, 2), 0.5)
    assert telling_sample(np.array([0, 0, 1]), logits, expert_logits, weights) == 1  # sample 2 is predicted wrong


class FirstToken(nn.Module):
    """A fusion that reads only the first modality."""

    def forward(self, tokens):
        return tokens[0].mean(dim=1)[:, :1]


def reader(features):
    """Return a model whose prediction is the first number of the first modality."""
    return MultimodalModel(dict.fromkeys(features.modalities, nn.Unflatten(1, (1, 5))), FirstToken()).eval()


def test_a_coalition_without_the_modality_that_matters_gives_the_mean_answer(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset("regression"))
    model = reader(features)
    train = torch.from_numpy(features.arrays["first"][features.rows("train")])
    assert torch.allclose(mean_tokens(model, features)[0][0, 0], train.mean(dim=0), atol=1e-6)
    none, first, second, both = coalition_logits(model, features, "test")["mean"].whole
    assert np.ptp(none) == np.ptp(second) == 0
    assert np.ptp(first) > 1
    assert first == pytest.approx(both)


def test_an_absent_modality_is_replaced_by_its_mean_by_another_sample_or_by_nothing(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset("regression"))
    model = reader(features)
    mean, std = features.label_scale
    found = coalition_logits(model, features, "test", REPLACEMENTS)
    train = features.arrays["first"][features.rows("train")][:, 0]
    assert found["zero"].whole[0] == pytest.approx(mean)
    assert found["mean"].whole[0] == pytest.approx(train.mean() * std + mean, rel=1e-5)
    others = (found["sample"].whole[0, :, 0] - mean) / std
    assert np.abs(others[:, None] - train).min(axis=1) == pytest.approx(0, abs=1e-4)
    assert len(np.unique(others.round(4))) > 1
    assert found["sample"].whole[2] == pytest.approx(found["sample"].whole[0])  # the donor of both is the same
    for own in found.values():
        assert own.whole[3] == pytest.approx(found["mean"].whole[3])
        assert own.experts is None
    again = coalition_logits(model, features, "test", ("sample",))["sample"]
    assert np.array_equal(again.whole[:, :, 0].shape, found["sample"].whole[:, :, 0].shape)
    assert np.array_equal(again.whole, coalition_logits(model, features, "test", ("sample",))["sample"].whole)


def test_experts_predict_with_every_subset_as_the_model_does(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset())
    names = ["first", "second"]
    torch.manual_seed(0)
    moe = different(mixture("late", modalities=2, width=5, outputs=3, patches=1, num_heads=1))
    model = MultimodalModel(dict.fromkeys(names, nn.Unflatten(1, (1, 5))), moe).eval()
    found = coalition_logits(model, features, "test")["mean"]
    assert coalition_names(names) == ["none", "first", "second", "first + second"]
    assert found.whole.shape == (4, 12, 3)
    assert found.experts.shape == (4, 12, 4, 3)
    assert np.ptp(found.experts[0], axis=0) == pytest.approx(0, abs=1e-6)
    assert found.whole[3] == pytest.approx(predict(model, features, "test").logits, abs=1e-6)
    assert found.experts[3] == pytest.approx(predict(model, features, "test").expert_logits, abs=1e-6)
