"""What the explain stage finds of tokens: on every task, kept by seed and expert, in columns that the report reads."""

import json

import numpy as np
import pytest
import torch

from i2moe.data import FeatureSet
from i2moe.explain.tokens.probe import Probe
from i2moe.explain.tokens.reading import FIXED, MIXTURE
from i2moe.inference import build_for
from i2moe.model.config import ModelConfig
from stages.explain.tokens import TOKEN_METHODS, find
from stages.report.explanations import EXPLANATIONS
from stages.shared.runs import TokenParams
from tests.i2moe.tokens.test_token_reading import DENSE, EXPERTS

PARAMS = TokenParams(samples=5, top=2, draws=2, tolerance=0.1)


def found_on(features, tmp_path, settings=DENSE | EXPERTS, words=None):
    config = ModelConfig.model_validate(settings)
    models = {}
    for seed in (3, 5):
        torch.manual_seed(seed)
        models[seed] = build_for(features, config)
    return find(features, config, models, PARAMS, lambda seed: tmp_path / "kept" / str(seed), words or {})


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
def test_every_table_of_tokens_has_the_columns_that_the_report_reads(synthetic_dataset, tmp_path, task):
    found = found_on(FeatureSet(*synthetic_dataset(task)), tmp_path)
    tables = {name: table(found) for name, table in TOKEN_METHODS.items()}
    missing = {name for name, table in tables.items() if table is None}
    assert missing <= {"token_pair_means"}  # of sequences
    for name in set(tables) - missing:
        assert set(EXPLANATIONS[name].columns) <= set(tables[name])
        assert set(tables[name]["seed"]) == {3, 5}
    assert len(set(tables["token_scores"]["sample_id"])) == 5
    assert set(tables["token_faithfulness"]["expert"]) >= {"synergy", MIXTURE, FIXED}
    assert FIXED not in set(tables["token_pairs"]["expert"])


def test_a_killed_run_goes_on_where_it_was(synthetic_dataset, tmp_path, monkeypatch):
    features = FeatureSet(*synthetic_dataset("binary"))
    whole = found_on(features, tmp_path)
    (tmp_path / "kept/5/2.npz").unlink()
    asked = []
    of = Probe.of
    monkeypatch.setattr(Probe, "of", lambda self, name: asked.append(name) or of(self, name))
    again = found_on(features, tmp_path)
    assert asked == [list(whole.by_seed[5])[2]]
    for (labels, one), (same, other) in zip(whole, again, strict=True):
        assert labels == same
        np.testing.assert_equal(dict(one), dict(other))


def test_a_vanilla_model_is_read_as_a_whole_and_one_of_patches_not_at_all(synthetic_dataset, tmp_path):
    features = FeatureSet(*synthetic_dataset("binary"))
    found = found_on(features, tmp_path, settings=DENSE)
    assert {labels["expert"] for labels, _ in found} == {MIXTURE}
    of_patches = DENSE | {"encoder": "mlp", "fusion": {"method": "mult", "num_layers": 1, "num_heads": 2}}
    assert found_on(features, tmp_path / "other", settings=of_patches) is None


def test_restricted_data_show_no_sample(synthetic_dataset, tmp_path):
    found = found_on(FeatureSet(*synthetic_dataset("binary")), tmp_path)
    found.features.shows_samples = False
    assert TOKEN_METHODS["token_scores"](found) is None
    assert TOKEN_METHODS["token_pairs"](found) is None
    assert "sample_id" not in TOKEN_METHODS["token_faithfulness"](found)
    assert "sample_id" not in TOKEN_METHODS["token_masking"](found)


def test_tokens_are_named_by_features_positions_and_words(synthetic_dataset, tmp_path):
    folder, cohort = synthetic_dataset("binary")
    num = len(np.load(folder / "second.npy", mmap_mode="r"))
    np.save(folder / "first.npy", np.random.default_rng(0).normal(size=(num, 3, 2)).astype(np.float32))
    np.save(folder / "first.lengths.npy", np.resize([1, 2, 3], num))
    (folder / "first.json").write_text(json.dumps({"kind": "sequence", "shape": [3, 2]}))
    np.save(folder / "second.npy", np.random.default_rng(1).normal(size=(num, 4, 2, 3)).astype(np.float32))
    (folder / "second.json").write_text(json.dumps({"kind": "image", "shape": [4, 2, 3]}))
    features = FeatureSet(folder, cohort)
    words = [[f"{features.sample_ids[row]} {place}" for place in range(row % 3 + 1)] for row in range(num)]
    unknown = int(features.rows("test")[0])
    words[unknown] = []
    found = found_on(features, tmp_path, DENSE, {"first": words})
    table = TOKEN_METHODS["token_scores"](found)
    steps = table[(table["modality"] == "first") & (table["sample_id"] != features.sample_ids[unknown])]
    assert (steps["token"] == steps["sample_id"] + " " + steps["place"].astype(str)).all()
    positions = {f"{row}, {column}" for row in (0, 1) for column in range(3)}
    assert set(table[(table["modality"] == "second")]["token"]) == positions
    pairs = TOKEN_METHODS["token_pairs"](found)
    assert all(
        token.startswith(sample) or not token
        for token, sample in zip(pairs["one_token"], pairs["sample_id"], strict=True)
    )
    assert TOKEN_METHODS["token_pair_means"](found) is None  # a step means something else in each sample
