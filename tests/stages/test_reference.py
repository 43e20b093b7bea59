"""The linear reference's inputs."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet
from i2moe.metrics import chance, lead_metric
from i2moe.selection import softmax
from stages import reference as module
from stages.reference import choose_strength, fit_linear, into_row_space, reference, vectors
from stages.shared.base import paths
from stages.shared.predictions import read


def test_a_sequence_gives_the_mean_of_its_real_steps_and_a_vector_itself(synthetic_dataset):
    folder, cohort = synthetic_dataset()
    sequences = np.arange(60 * 3 * 2, dtype=np.float32).reshape(60, 3, 2)
    lengths = np.resize([1, 3], 60)
    np.save(folder / "first.npy", sequences)
    np.save(folder / "first.lengths.npy", lengths)
    (folder / "first.json").write_text(json.dumps({"kind": "sequence", "shape": [3, 2]}))
    features = FeatureSet(folder, cohort)
    rows = np.array([4, 1])
    assert vectors(features, "first", rows).tolist() == [sequences[4, 0].tolist(), sequences[1].mean(axis=0).tolist()]
    assert vectors(features, "second", rows).tolist() == features.arrays["second"][rows].tolist()


def test_blocks_of_sequences_of_any_size_give_the_same(synthetic_dataset, monkeypatch):
    folder, cohort = synthetic_dataset()
    np.save(folder / "first.npy", np.random.default_rng(0).normal(size=(60, 3, 2)).astype(np.float16))
    np.save(folder / "first.lengths.npy", np.resize([1, 3, 2], 60))
    (folder / "first.json").write_text(json.dumps({"kind": "sequence", "shape": [3, 2]}))
    features = FeatureSet(folder, cohort)
    whole = vectors(features, "first", np.arange(60)[::-1])
    monkeypatch.setattr(module, "BLOCK_NUMBERS", 20)
    assert np.array_equal(vectors(features, "first", np.arange(60)[::-1]), whole)


def test_an_image_is_flattened_or_where_there_are_too_many_numbers_the_mean_over_its_positions(
    synthetic_dataset, monkeypatch
):
    folder, cohort = synthetic_dataset()
    maps = np.arange(60 * 2 * 2 * 3, dtype=np.float16).reshape(60, 2, 2, 3)
    np.save(folder / "first.npy", maps)
    (folder / "first.json").write_text(json.dumps({"kind": "image", "shape": [2, 2, 3]}))
    features = FeatureSet(folder, cohort)
    rows = np.array([4, 1])
    assert vectors(features, "first", rows).tolist() == maps[rows].reshape(2, 12).tolist()
    monkeypatch.setattr(module, "MAX_NUMBERS", 60 * 12 - 1)
    assert vectors(features, "first", rows).tolist() == [[50.5, 56.5], [14.5, 20.5]]


def wide(samples, columns=1000, seed=0):
    """Return inputs with more columns than rows, thirty of which tell the class a little; and the class."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(2, size=samples)
    inputs = generator.normal(size=(samples, columns))
    inputs[:, :30] += 0.2 * (2 * labels[:, None] - 1)
    return inputs, labels


def test_with_more_columns_than_rows_the_penalty_is_chosen_and_the_row_is_worth_something():
    train, labels = wide(150)
    test, truth = wide(500, seed=1)
    strength, decide = fit_linear("binary", train, labels, np.arange(150))
    assert strength < 0.1  # scikit-learn's default is 1
    default = LogisticRegression().fit(train, labels).predict_proba(test)
    constant = np.log(2)
    assert log_loss(truth, softmax(decide(test))) < constant < log_loss(truth, default)
    assert roc_auc_score(truth, decide(test)[:, 1]) > 0.65


def test_two_classes_give_two_logits_whatever_the_task_is_called():
    inputs, labels = wide(60)
    two, same = (fit_linear(task, inputs, labels, np.arange(60))[1](inputs) for task in ("binary", "multiclass"))
    assert two.shape == (60, 2)
    assert np.array_equal(two, same)


def test_groups_stay_whole_when_the_penalty_is_chosen():
    # Ten near-copies of each of 20 samples: left out one by one, the copies would speak for fitting them exactly.
    generator = np.random.default_rng(0)
    inputs = np.repeat(generator.normal(size=(20, 300)), 10, axis=0) + 0.01 * generator.normal(size=(200, 300))
    labels = np.repeat(generator.integers(2, size=20), 10)
    groups = np.repeat(np.arange(20), 10)
    assert choose_strength("binary", inputs, labels, groups) < 1e-3
    assert choose_strength("binary", inputs, labels, np.arange(200)) > 1
    with pytest.raises(InputError, match="is one group"):
        choose_strength("binary", inputs, labels, np.zeros(200, int))


def test_a_class_or_label_with_one_train_sample_stops_nothing():
    inputs, labels = wide(60, columns=20)
    labels[0] = 2
    strength, decide = fit_linear("multiclass", inputs, labels, np.arange(60))
    assert np.isfinite(decide(inputs)).all()
    assert strength < 10
    several = np.stack([labels == 1, labels == 2], axis=1).astype(np.float32)
    assert fit_linear("multilabel", inputs, several, np.arange(60))[1](inputs).shape == (60, 2)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
def test_the_reference_leaves_its_predictions_as_a_model_does(synthetic_dataset, tmp_path, monkeypatch, task):
    folder, cohort = synthetic_dataset(task)
    monkeypatch.chdir(tmp_path)
    cohort.parent.rename(tmp_path / "data_cohorts")
    for name, path in (("features", folder), ("cohort", tmp_path / "data_cohorts" / "synthetic.csv")):
        monkeypatch.setattr(paths, name, lambda _, path=path: path)
    paths.predictions("d", "linear-reference").parent.mkdir(parents=True)
    paths.card("d").parent.mkdir(parents=True)
    reference("d")
    features = FeatureSet(folder, tmp_path / "data_cohorts" / "synthetic.csv")
    path = paths.predictions("d", "linear-reference")
    stored = read(path, features.classes, "test")
    assert stored.experts == []
    assert stored.logits.shape == (1, 12, features.num_outputs)
    table = pd.read_parquet(path)
    assert set(table["seed"]) == {0}
    assert len(table) == 60
    scores = {name: pd.read_csv(paths.scores("d", name)) for name in ("linear-reference", "best-constant")}
    assert np.isfinite(scores["linear-reference"]["mean"]).any()
    assert scores["best-constant"]["metric"].tolist() == scores["linear-reference"]["metric"].tolist()
    test = scores["best-constant"].query("split == 'test'").set_index("metric")["mean"]
    labels = {split: features.labels[features.rows(split)] for split in ("train", "test")}
    assert test[lead_metric(task)] == pytest.approx(chance(task, labels["train"], labels["test"]), abs=1e-6)


def test_in_the_space_of_the_train_rows_the_model_is_the_same():
    generator = np.random.default_rng(0)
    inputs, new = generator.normal(size=(40, 300)), generator.normal(size=(25, 300))
    labels = (inputs[:, 0] + generator.normal(size=40) > 0).astype(int)
    turn = into_row_space(inputs)
    assert turn(new).shape == (25, 40)
    plain = LogisticRegression(C=0.1, tol=1e-10).fit(inputs, labels)
    turned = LogisticRegression(C=0.1, tol=1e-10).fit(turn(inputs), labels)
    np.testing.assert_allclose(turned.decision_function(turn(new)), plain.decision_function(new), atol=1e-5)
    assert into_row_space(inputs[:, :30])(new) is new
