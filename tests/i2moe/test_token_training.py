"""Models of token sequences from a dataset to their explanations; one modality is a sequence of unequal lengths."""

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
import small_training
import torch
from sklearn.datasets import load_breast_cancer
from small_training import ALONE, CPU

from i2moe.checkpoints import curves_of, save
from i2moe.data import FeatureSet
from i2moe.explain.additive import additive_projection
from i2moe.explain.coalitions import REPLACEMENTS, coalition_logits
from i2moe.explain.latents import expert_latents, mean_latents
from i2moe.explain.optimum import role_losses
from i2moe.explain.similarity import cka_matrix
from i2moe.inference import build_for, load, mean_tokens, predict
from i2moe.model.tokens import values_of
from i2moe.selection import compute_metrics
from i2moe.training import fit

STEPS = 6
DENSE = {"method": "dense", "num_layers": 1, "num_heads": 2}
GSHARD = DENSE | {"method": "gshard", "num_experts": 3, "capacity_factor": 1.2, "balance_weight": 0.01}
MIXTURE = {
    "interaction": {"loss_weight": 0.1},
    "reweighting": {"hidden_dim": 8, "num_layers": 2, "temperature": 1.0, "normalise": True},
}
MODELS = {
    "dense": {"fusion": DENSE},
    "gshard": {"fusion": GSHARD, "modality_dropout": 0.5},
    "fl-i2moe": {"fusion": DENSE, **MIXTURE},
    "fl-i2moe of means": {
        "fusion": DENSE,
        **MIXTURE,
        "interaction": {"loss_weight": 0.1, "replacement": "mean", "compare": "latent"},
        "modality_dropout": 0.5,
    },
    "fl-i2moe over gshard": {"fusion": GSHARD, **MIXTURE},
    "sealed": {"fusion": DENSE, "sealed": {"loss_weight": 0.1, "min_gain": 0.01}},
}


config = partial(small_training.config, **ALONE, encoder="token", epochs=2)


@pytest.fixture
def with_sequence(synthetic_dataset):
    """Make the second modality a sequence whose last real step is the vector; what follows it is `padding`."""

    def write(padding=0.0):
        folder, cohort = synthetic_dataset()
        vectors = np.load(folder / "second.npy")
        lengths = np.arange(len(vectors)) % STEPS + 1
        steps = np.random.default_rng(1).normal(size=(len(vectors), STEPS, 5)).astype(np.float32)
        steps[np.arange(STEPS) >= lengths[:, None]] = padding
        steps[np.arange(len(vectors)), lengths - 1] = vectors
        np.save(folder / "second.npy", steps)
        np.save(folder / "second.lengths.npy", lengths)
        (folder / "second.json").write_text(json.dumps({"kind": "sequence", "shape": [STEPS, 5]}))
        return FeatureSet(folder, cohort)

    return write


@pytest.fixture
def trained(with_sequence, tmp_path):
    def train(**changes):
        features, own = with_sequence(), config(**changes)
        best = fit(features, own, 0, folder=tmp_path / "run", hardware=CPU)
        save(best, tmp_path / "0.ckpt")
        curves = curves_of(best.with_name("last.ckpt"))
        return features, load(features, own, tmp_path / "0.ckpt", torch.device("cpu")), curves

    return train


@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains_predicts_and_is_explained(trained, model):
    features, found, curves = trained(**MODELS[model])
    assert all(np.isfinite(list(row.values())).all() for row in curves)
    predicted = predict(found, features, "test").logits
    assert predicted.shape == (12, 3)
    for name, own in coalition_logits(found, features, "test", REPLACEMENTS).items():
        assert np.isfinite(own.whole).all(), name
        assert own.whole[-1] == pytest.approx(predicted, abs=1e-5)
    projection = additive_projection(found, features, "test")
    assert projection.logits == pytest.approx(predicted, abs=1e-5)
    assert np.isfinite(projection.additive).all()
    assert [own.shape for own in mean_latents(found, features, "test")] == [(12, 8), (12, 8)]
    is_mixture = model.startswith("fl-i2moe")
    latents = expert_latents(found, features, "test")
    assert (latents is not None) == is_mixture
    if is_mixture:
        assert latents.shape == (4, 12, 16)
        assert np.isfinite(cka_matrix(latents)).all()
    published = is_mixture and found.fusion.config.compare == "logits"
    assert [np.isfinite(one.loss) for one in role_losses(found, features, "test")] == [True] * (2 * published)


def test_what_follows_a_sequence_changes_no_prediction(trained):
    features, model, _ = trained(**MODELS["fl-i2moe"])
    before = predict(model, features, "test")
    steps = np.load(path := features.arrays["second"].filename)
    steps[np.arange(STEPS) >= features.lengths["second"][:, None]] = 99.0
    np.save(path, steps)
    after = predict(model, FeatureSet(path.parent, path.parents[1] / "cohorts" / "synthetic.csv"), "test")
    assert after.logits == pytest.approx(before.logits, abs=1e-6)
    assert after.weights == pytest.approx(before.weights, abs=1e-6)


def test_the_mean_token_of_a_sequence_is_that_of_all_real_train_steps(with_sequence):
    features = with_sequence(padding=7.0)
    model = build_for(features, config(**MODELS["dense"]))
    vector, sequence = mean_tokens(model, features)
    rows = features.rows("train")
    real = np.arange(STEPS) < features.lengths["second"][rows][:, None]
    steps = torch.from_numpy(features.arrays["second"][rows][real])
    assert sequence.shape == (1, 1, 8)
    assert torch.allclose(sequence[0, 0], model.encoders[1].projection(steps).mean(dim=0), atol=1e-5)
    assert vector.shape == (1, 5, 8)
    batch = next(iter(features.loader("train", len(rows))))
    assert torch.allclose(vector[0], values_of(model.tokens(batch)[0]).mean(dim=0), atol=1e-5)


@pytest.mark.parametrize("kind", ["cosine", "cka", "barlow"])
def test_decorrelation_is_part_of_the_loss_and_of_the_curves(trained, kind):
    interaction = {"loss_weight": 0.1, "decorrelate": {"kind": kind, "weight": 0.7}}
    _, _, curves = trained(fusion=DENSE, reweighting="global", interaction=interaction)
    for row in curves:
        roles = np.mean(
            [value for name, value in row.items() if name.startswith(("train_un", "train_syn", "train_red"))]
        )
        expected = row["train_task_loss"] + 0.1 * roles + 0.7 * row["train_decorrelation_loss"]
        assert row["train_total_loss"] == pytest.approx(expected, rel=1e-5)


def test_fl_i2moe_learns_real_data_in_two_epochs(tmp_path):
    """The Wisconsin breast masses that scikit-learn has, at the settings that params.yaml gives them."""
    data = load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(data.target))
    split = np.repeat(["train", "validation", "test"], [397, 86, 86])
    rows = data.data[order]
    values = ((rows - rows[:397].mean(axis=0)) / rows[:397].std(axis=0)).astype(np.float32)
    ids = [f"s{row:03d}" for row in range(len(order))]
    cohort = tmp_path / "cohort.csv"
    labels = np.array(["malignant", "benign"])[data.target[order]]
    pd.DataFrame({"sample_id": ids, "group_id": ids, "split": split, "label": labels}).to_csv(cohort, index=False)
    about = {
        "dataset": "wdbc",
        "task": "binary",
        "classes": ["benign", "malignant"],
        "modalities": ["mean", "error", "worst"],
        "licence": "open",
        "samples_in_raw_data": 569,
        "samples": 569,
        "groups": 569,
        "removed": {},
        "flow": [],
        "split": "by shares",
        "splits": {name: {"samples": int((split == name).sum())} for name in ("train", "validation", "test")},
    }
    cohort.with_suffix(".json").write_text(json.dumps(about))
    for index, name in enumerate(about["modalities"]):
        np.save(tmp_path / f"{name}.npy", np.ascontiguousarray(values[:, 10 * index : 10 * index + 10]))
        (tmp_path / f"{name}.json").write_text(json.dumps({"kind": "vector", "shape": [10]}))
    features = FeatureSet(tmp_path, cohort)
    own = config(
        hidden_dim=32,
        dropout=0.5,
        learning_rate=1e-3,
        batch_size=32,
        fusion={"method": "dense", "num_layers": 1, "num_heads": 4},
        interaction={"loss_weight": 0.1},
        reweighting={"hidden_dim": 64, "num_layers": 2, "temperature": 1.0, "normalise": True},
    )
    save(fit(features, own, 0, folder=tmp_path / "run", hardware=CPU), tmp_path / "0.ckpt")
    model = load(features, own, tmp_path / "0.ckpt", torch.device("cpu"))
    scores = compute_metrics("binary", features.labels[features.rows("test")], predict(model, features, "test").logits)
    assert scores["accuracy"] > 0.75  # of the larger class: 0.63
    assert scores["auroc"] > 0.9
