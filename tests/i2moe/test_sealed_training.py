"""A sealed mixture and role supervision through the training loop, the prediction file and the explanations."""

import numpy as np
import pandas as pd
import pytest
import torch
from small_training import ALONE, CPU, config

from i2moe.checkpoints import save
from i2moe.data import FeatureSet
from i2moe.inference import listen, load, predict, prune, scaled_labels
from i2moe.training import fit
from stages.explain.explained import Explained
from stages.explain.methods import METHODS
from stages.explain.tokens import TOKEN_METHODS
from stages.report.explanations import EXPLANATIONS
from stages.report.findings import part_findings
from stages.shared.predictions import Experts, frame, read

SEALED = {"sealed": {"loss_weight": 0.1, "min_gain": 0.01}}
ROLES = {
    "interaction": {"loss_weight": 1.0, "objective": "role-supervised"},
    "reweighting": {"hidden_dim": 8, "num_layers": 2, "temperature": 1.0},
}
NAMES = ["uniqueness_first", "uniqueness_second", "synergy", "redundancy"]


def train(features, folder, mixture, **changes):
    own = config(**(ALONE | mixture | changes))
    save(fit(features, own, 0, folder=folder / "run", hardware=CPU), folder / "0.ckpt")
    return load(features, own, folder / "0.ckpt", torch.device("cpu"))


@pytest.mark.parametrize("task", ["multiclass", "binary", "multilabel", "regression"])
def test_a_sealed_mixture_trains_on_every_task_and_keeps_its_decision_with_its_weights(
    synthetic_dataset, tmp_path, task
):
    features = FeatureSet(*synthetic_dataset(task))
    model = train(features, tmp_path, SEALED)
    decided, projection = model.fusion.kept.clone(), model.fusion.projection.clone()
    assert set(decided.tolist()) <= {0.0, 1.0}
    prune(model, features)  # the same data, the same decision
    assert torch.equal(model.fusion.kept, decided)
    torch.testing.assert_close(model.fusion.projection, projection)
    predicted = predict(model, features, "test")
    assert predicted.weights is None
    assert predicted.expert_logits.shape == (12, 4, features.num_outputs)
    said = listen(model, features, "test")
    constant = model.fusion.constant.numpy()
    mean, std = features.label_scale
    parts = (predicted.expert_logits - mean) / std
    np.testing.assert_allclose((predicted.logits - mean) / std, constant + parts.sum(axis=1), atol=1e-4)
    assert said.joint.shape == (12, features.num_outputs)


def test_labels_are_scaled_as_in_training(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset("regression"))
    scaled = scaled_labels(features, "train")
    assert scaled.mean().item() == pytest.approx(0, abs=1e-5)
    assert scaled.std(correction=0).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("task", ["multiclass", "multilabel", "regression"])
def test_role_supervision_trains_on_every_task(synthetic_dataset, tmp_path, task):
    features = FeatureSet(*synthetic_dataset(task))
    predicted = predict(train(features, tmp_path, ROLES), features, "test")
    assert predicted.weights.shape == (12, 4)
    assert np.isfinite(predicted.logits).all()


@pytest.fixture
def explained(synthetic_dataset, tmp_path):
    """Two seeds of one sealed model, read back from its prediction file."""
    features = FeatureSet(*synthetic_dataset("binary"))
    model = train(features, tmp_path, SEALED, epochs=8)
    predicted = predict(model, features, "test")
    experts = Experts(model.expert_names, predicted.expert_logits, None)
    path = tmp_path / "predictions.parquet"
    frame(features, "test", 0, predicted.logits, experts).to_parquet(path)
    return Explained(features, read(path, features.classes, "test"), [model])


def test_predictions_of_experts_without_weights_are_read_back(explained):
    assert explained.predictions.experts == NAMES
    assert not explained.predictions.is_weighted
    assert explained.predictions.expert_logits.shape == (1, 12, 4, 2)


def test_a_sealed_mixture_has_the_explanations_that_apply_to_it(explained):
    tables = {name: compute(explained) for name, compute in METHODS.items()}
    assert {name for name, table in tables.items() if table is None} == {
        "patterns",
        "experts", "expert_seeds", "gate", "agreement", "example", "weights_replaced", "behaviour", "role_loss",
        "similarity", *TOKEN_METHODS,
    }  # fmt: skip
    for name in ("parts", "sample_parts", "shares"):
        assert set(EXPLANATIONS[name].columns) <= set(tables[name])
    own = tables["shares"][tables["shares"]["reading"] == "parts"]
    assert own["term"].tolist() == NAMES
    assert len(tables["sample_parts"]) == 12 * 4
    by_sample = tables["sample_parts"].pivot_table("share", "sample_id", "expert", dropna=False).sum(axis=1)
    assert by_sample[by_sample > 0].to_numpy() == pytest.approx(1)


def test_other_models_have_no_parts(synthetic_dataset, tmp_path):
    features = FeatureSet(*synthetic_dataset("binary"))
    model = train(features, tmp_path, ROLES)
    with pytest.raises(TypeError, match="only a sealed mixture"):
        listen(model, features, "test")
    prune(model, features)  # does nothing
    predicted = predict(model, features, "test")
    path = tmp_path / "predictions.parquet"
    frame(features, "test", 0, predicted.logits).to_parquet(path)
    explained = Explained(features, read(path, features.classes, "test"), [model])
    assert METHODS["parts"](explained) is None
    assert METHODS["sample_parts"](explained) is None
    alike = METHODS["similarity"](explained)
    assert set(EXPLANATIONS["similarity"].columns) == set(alike)
    assert alike[alike["expert"] == alike["other"]]["cka"].tolist() == pytest.approx([1.0] * len(model.expert_names))
    assert len(alike) == len(model.expert_names) ** 2


def test_the_page_says_which_parts_stay_and_what_their_gains_are_not():
    parts = pd.DataFrame(
        {"seed": [0, 1] * 2, "expert": ["synergy"] * 2 + ["redundancy"] * 2,
         "is_kept": [True, False, False, False], "gain": [0.25, 0.0, 0.0, 0.0]}
    )  # fmt: skip
    stays, dropped, caveat = part_findings(parts)
    assert stays == "synergy stays in 1 of 2 seeds, and has 0.250 of the loss saved there."
    assert dropped == "redundancy is dropped in all 2 seeds: on the validation split it gains nothing."
    assert "not the partial information" in caveat


def test_a_model_is_sealed_or_an_i2moe():
    with pytest.raises(ValueError, match="an I2MoE or `sealed`"):
        train(None, None, SEALED | ROLES)


def test_explanations_name_the_seeds_of_the_predictions_whatever_order_they_were_trained_in(explained, tmp_path):
    features = explained.features
    logits = explained.predictions.logits[0]
    path = tmp_path / "unsorted.parquet"
    pd.concat([frame(features, "test", seed, logits + seed) for seed in (7, 2)]).to_parquet(path)
    predictions = read(path, features.classes, "test")
    assert predictions.seeds == [2, 7]
    np.testing.assert_allclose(predictions.logits, [logits + 2, logits + 7])
    assert Explained(features, predictions, explained.models * 2).seeds == [2, 7]
