"""From Python and through the stages: the same arrays, settings and seed give the same weights, bit for bit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from i2moe import I2MoEClassifier, open_run
from i2moe.base.errors import InputError
from i2moe.contract.cohort import read_cohort
from i2moe.prepared import Prepared
from stages.datasets.tables.cohort import cohort
from stages.datasets.tables.examples import examples
from stages.datasets.tables.features import features
from stages.predict import predict
from stages.settings.__main__ import settings
from stages.shared.base import paths
from stages.shared.runs import read_model
from stages.train import train
from tests.small_settings import HARDWARE

MODALITIES = {"mean": {"prefix": "mean "}, "error": {"regex": ".* error"}, "worst": {"prefix": "worst "}}
MODEL = {
    "encoder": "mlp",
    "encoder_dim": 16,
    "num_patches": 2,
    "hidden_dim": 8,
    "dropout": 0.2,
    "fusion": {"method": "mult", "num_layers": 1, "num_heads": 2},
    "interaction": {"loss_weight": 0.1},
    "reweighting": {"hidden_dim": 8, "num_layers": 2, "temperature": 1.0},
    "learning_rate": 1e-2,
    "batch_size": 32,
    "epochs": 2,
}
ESTIMATOR = {
    "fusion": MODEL["fusion"],
    "interaction_loss_weight": 0.1,
    "gate_dim": 8,
    "temperature": 1.0,
    **{
        name: MODEL[name] for name in ("encoder_dim", "num_patches", "hidden_dim", "dropout", "learning_rate", "epochs")
    },
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Run the stages of the breast-cancer table, one small model with two seeds; return the folder."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        table = {"raw": "data/examples/wdbc.csv", "id": "sample", "label": "diagnosis", "task": "binary"}
        params = {
            "run": {
                "datasets": ["wdbc"],
                "models": ["small"],
                "seeds": [0, 1],
                "max_epochs": None,
                "max_batch_size": None,
            },
            "split": {"train": 0.7, "validation": 0.15, "test": 0.15, "seed": 0},
            "data": {"tables": {"wdbc": table | {"modalities": MODALITIES, "licence": "open"}}},
            "train": HARDWARE,
            "explain": {
                "agreement_tolerance": None,
                "tokens": {"samples": 4, "top": 2, "draws": 2, "tolerance": 0.1},
            },
            "models": {"wdbc": {"small": MODEL}},
        }
        Path("params.yaml").write_text(json.dumps(params))
        examples("wdbc")
        settings()
        cohort("wdbc")
        features("wdbc")
        train("wdbc", "small")
        yield folder


@pytest.fixture(autouse=True)
def _here(project, monkeypatch):
    monkeypatch.chdir(project)


def frame():
    """Return the raw rows in the order of the cohort, by modality, with labels and splits."""
    table = read_cohort(paths.cohort("wdbc"))
    raw = pd.read_csv("data/examples/wdbc.csv").set_index("sample").loc[table["sample_id"]]
    columns = {
        "mean": [name for name in raw if name.startswith("mean ")],
        "error": [name for name in raw if name.endswith(" error")],
        "worst": [name for name in raw if name.startswith("worst ")],
    }
    return {name: raw[own] for name, own in columns.items()}, table["label"].to_numpy(), table["split"].to_numpy()


def part(given, rows):
    return {name: own[rows] for name, own in given.items()}


@pytest.mark.parametrize("seed", [0, 1])
def test_the_estimator_has_the_weights_and_predictions_of_the_stage(seed):
    given, labels, splits = frame()
    rows = splits != "test"
    model = I2MoEClassifier(**ESTIMATOR, random_state=seed, accelerator="cpu")
    model.fit(part(given, rows), labels[rows], validation=splits[rows] == "validation")
    state = torch.load(paths.weights("wdbc", "small", seed), weights_only=True)
    own = model.trained_.models[seed].state_dict()
    assert list(own) == list(state)
    assert all(torch.equal(own[name], value) for name, value in state.items())
    stored = pd.read_parquet(paths.predictions("wdbc", "small"))
    stored = stored[(stored["seed"] == seed) & (stored["split"] == "test")]
    logits = stored[["logit_benign", "logit_malignant"]].to_numpy(np.float64)
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponents / exponents.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(model.predict_proba(part(given, splits == "test")), expected)


def test_the_settings_are_those_of_the_stage():
    given, labels, _ = frame()
    model = I2MoEClassifier(**(ESTIMATOR | {"epochs": 1}), random_state=0).fit(given, labels)
    theirs = read_model("wdbc", "small")
    assert model.trained_.config == theirs.model_copy(update={"epochs": 1, "selection": None})


def test_a_run_is_opened_as_an_estimator_of_all_seeds():
    found = Prepared(paths.features("wdbc"), paths.cohort("wdbc"))
    model, rows = open_run("results/models/wdbc/small", "cpu"), found.rows("test")
    arrays = {name: np.array(own[rows]) for name, own in found.arrays.items()}
    stored = pd.read_parquet(paths.predictions("wdbc", "small"))
    stored = stored[stored["split"] == "test"]
    logits = stored[["logit_benign", "logit_malignant"]].to_numpy(np.float64)
    margins = (logits[:, 1] - logits[:, 0]).reshape(2, -1)
    expected = (1 / (1 + np.exp(-margins))).mean(axis=0)
    np.testing.assert_allclose(model.predict_proba(arrays)[:, 1], expected, rtol=1e-12)
    assert sorted(model.trained_.models) == [0, 1]
    found_roles = model.explain(arrays, stored["label"][: len(rows)].to_numpy()).roles
    assert sorted(found_roles["seed"].unique()) == [0, 1]
    with pytest.raises(InputError, match="columns, in the train samples 10"):
        model.predict(arrays | {"mean": arrays["mean"][:, :9]})
    with pytest.raises(InputError, match=r"modality 'mean' holds text; .* `python -m stages.predict` takes raw files"):
        model.predict(arrays | {"mean": arrays["mean"].astype(str).astype(object) + "%"})
    with pytest.raises(InputError, match="holds no trained model"):
        open_run("results/models/wdbc/big")


def test_new_raw_rows_without_labels_give_exactly_the_stored_predictions(tmp_path, capsys):
    table = read_cohort(paths.cohort("wdbc"))
    chosen = table["sample_id"][table["split"] == "test"]
    raw = pd.read_csv("data/examples/wdbc.csv").drop(columns="diagnosis")
    raw[raw["sample"].isin(chosen)].to_csv(tmp_path / "new.csv", index=False)
    predict("wdbc", "small", tmp_path / "new.csv", tmp_path / "out" / "predictions.parquet")
    found = pd.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert found["sample_id"].tolist() == chosen.tolist()
    stored = pd.read_parquet(paths.predictions("wdbc", "small"))
    stored = stored[stored["split"] == "test"]
    logits = stored[["logit_benign", "logit_malignant"]].to_numpy(np.float64).reshape(2, -1, 2)
    exponents = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares = exponents / exponents.sum(axis=2, keepdims=True)
    np.testing.assert_array_equal(found["probability_malignant"], shares.mean(axis=0)[:, 1])
    np.testing.assert_array_equal(found["probability_malignant_std"], shares.std(axis=0, ddof=1)[:, 1])
    weights = stored["synergy.weight"].to_numpy(float).reshape(2, -1)
    np.testing.assert_array_equal(found["synergy.weight"], weights.mean(axis=0))
    assert set(found["predicted"]) == {"benign", "malignant"}
    drift = pd.read_csv(tmp_path / "out" / "predictions.drift.csv")
    assert set(drift["modality"]) == {"mean", "error", "worst"}
    said = capsys.readouterr().out
    assert "predictions.parquet: 86 samples" in said
    assert said.startswith("mean.npy: 86 x 10\n")
    assert ".predict-" not in said  # a folder that is gone
    assert not any(name in said for name in chosen)
    assert not list((tmp_path / "out").glob(".predict-*"))


WRONG = {
    "no such dataset": (("wdbd", "small", "new.csv", "out.csv"), "holds no trained model"),
    "no raw files": (("wdbc", "small", "none.csv", "out.csv"), "none.csv is missing: name the new raw files"),
    "another ending": (("wdbc", "small", "new.csv", "out.xlsx"), "out.xlsx: allowed are .parquet and .csv"),
    "a column less": (("wdbc", "small", "less.csv", "out.csv"), "modality 'worst' has no column: none matches prefix"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_predicted_is_refused(tmp_path, arguments, message):
    raw = pd.read_csv("data/examples/wdbc.csv").head(5)
    raw.to_csv(tmp_path / "new.csv", index=False)
    raw[[name for name in raw if not name.startswith("worst ")]].to_csv(tmp_path / "less.csv", index=False)
    dataset, model, *files = arguments
    with pytest.raises(InputError, match=message):
        predict(dataset, model, *(tmp_path / name for name in files))
    assert not list(tmp_path.glob("out*"))


def test_one_sample_is_one(tmp_path, capsys):
    pd.read_csv("data/examples/wdbc.csv").head(1).to_csv(tmp_path / "new.csv", index=False)
    predict("wdbc", "small", tmp_path / "new.csv", tmp_path / "out.csv")
    assert "out.csv: 1 sample\n" in capsys.readouterr().out


def test_far_values_are_said_to_be_far(tmp_path, capsys):
    raw = pd.read_csv("data/examples/wdbc.csv").head(10).drop(columns="diagnosis")
    raw["mean radius"] *= 100
    raw.to_csv(tmp_path / "new.csv", index=False)
    predict("wdbc", "small", tmp_path / "new.csv", tmp_path / "out.csv")
    assert "mean: 10.0% of values are outside of what train had: mean radius 100%" in capsys.readouterr().out
