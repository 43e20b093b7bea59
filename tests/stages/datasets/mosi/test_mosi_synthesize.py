"""The synthetic CMU-MOSI: reproducible, with the real one's quirks, and with the sentiment it was planted with."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML
from sklearn.linear_model import Ridge
from torch import nn

from i2moe.contract.cohort import read_cohort
from i2moe.data import FeatureSet
from i2moe.model.encoders.sequence import last_step
from stages.datasets.mosi.cohort import cohort
from stages.datasets.mosi.sequence import sequence
from stages.datasets.mosi.synthetic.synthesize import synthesize, write_files
from stages.shared.base import paths
from tests.stages.datasets.mosi.conftest import MODALITIES, set_params

FILES = ("mosi_data.pkl", "planted.csv", "planted.json")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        write_files(tmp_path / name, 6, seed=seed)
    for name in FILES:
        one, same, other = ((tmp_path / folder / name).read_bytes() for folder in ("one", "same", "other"))
        assert one == same
        assert one != other


def test_the_file_is_laid_out_as_the_real_one(synthetic_raw):
    folds = pickle.loads((synthetic_raw / "mosi_data.pkl").read_bytes())  # noqa: S301 (written by the test)
    assert list(folds) == ["train", "valid", "test"]
    videos = []
    for fold in folds.values():
        num = len(fold["id"])
        assert {key: values.shape for key, values in fold.items()} == {
            "vision": (num, 50, 20),
            "audio": (num, 50, 5),
            "text": (num, 50, 300),
            "labels": (num, 1, 1),
            "id": (num, 3),
        }
        assert {key: values.dtype for key, values in fold.items()} == dict.fromkeys(
            (*MODALITIES, "labels"), np.float64
        ) | {"id": object}
        assert all(isinstance(part, bytes) for part in fold["id"].ravel())
        starts, ends = fold["id"][:, 1].astype(float), fold["id"][:, 2].astype(float)
        assert (starts < ends).all()
        assert (np.abs(fold["labels"]) <= 3).all()
        assert fold["labels"] * 5 == pytest.approx(np.round(fold["labels"] * 5))
        videos.append(set(fold["id"][:, 0]))
        is_step = {name: fold[name].any(axis=2) for name in MODALITIES}
        is_word = np.logical_or.reduce(list(is_step.values()))
        assert (np.diff(is_word.astype(int), axis=1) >= 0).all()  # padding is on the left
        for name in ("vision", "audio"):
            has = is_step[name].any(axis=1)
            assert (is_step[name][has] == is_word[has]).all()
    assert sum(map(len, videos)) == len(set.union(*videos)) == 50
    everything = {key: np.concatenate([fold[key] for fold in folds.values()]) for key in (*MODALITIES, "labels")}
    for name in MODALITIES:
        assert 0 < (~everything[name].any(axis=(1, 2))).sum() < 0.06 * len(everything[name])
    assert np.isneginf(everything["audio"]).any()
    assert not np.isnan(everything["audio"]).any()
    assert np.isnan(everything["vision"]).any()
    assert (everything["labels"] == 0).any()
    assert (everything["labels"] == 3).any()


@pytest.fixture
def features(synthetic_project):  # noqa: ARG001 (its folder)
    cohort()
    for modality in MODALITIES:
        sequence(modality)
    return FeatureSet(paths.features("mosi"), paths.cohort("mosi"))


@pytest.fixture
def planted(features, synthetic_raw):
    return pd.read_csv(synthetic_raw / "planted.csv", index_col="sample_id").loc[features.sample_ids]


def test_the_cohort_finds_the_planted_sentiment_of_every_utterance_with_text(features, planted, synthetic_raw):
    table = pd.read_csv(synthetic_raw / "planted.csv")
    assert sorted(table.loc[table["has_text"], "sample_id"]) == features.sample_ids
    assert features.labels == pytest.approx(planted["sentiment"].to_numpy())
    truth = json.loads((synthetic_raw / "planted.json").read_text())
    assert truth["synthetic"] is True
    by_rule = sum(weight * planted[name] for name, weight in truth["weights"].items()).clip(-3, 3)
    assert (planted["sentiment"] - by_rule).std() < 1.5 * np.hypot(truth["speaker"], truth["noise"])
    bits = planted[["audio_bit", "text_bit"]]
    assert set(bits.to_numpy().ravel()) == {-1, 0, 1}
    assert (planted["exclusive_or"] == -bits.prod(axis=1)).all()


def means(features, name):
    """Return a modality's features, averaged over the real steps."""
    return features.arrays[name].sum(axis=1) / features.lengths[name][:, None]


def held_out(features, inputs, target):
    """Return a ridge regression's correlation with the target, and its predictions of all samples."""
    train, test = features.rows("train"), np.r_[features.rows("validation"), features.rows("test")]
    predicted = Ridge(30).fit(inputs[train], target[train]).predict(inputs)
    return np.corrcoef(predicted[test], target[test])[0, 1], predicted


def test_a_linear_model_finds_each_term_where_it_is_planted_and_nowhere_else(features, planted):
    shown_by = {
        "text": ["text"],
        "shared": ["vision", "audio", "text"],
        "audio_bit": ["audio"],
        "text_bit": ["text"],
        "exclusive_or": [],
    }
    for term, modalities in shown_by.items():
        for name in MODALITIES:
            found, _ = held_out(features, means(features, name), planted[term].to_numpy())
            assert (found > 0.8) if name in modalities else (abs(found) < 0.35), (term, name, found)


def test_only_both_bits_together_give_the_exclusive_or(features, planted):
    target = planted["exclusive_or"].to_numpy()
    everything = np.concatenate([means(features, name) for name in MODALITIES], axis=1)
    assert abs(held_out(features, everything, target)[0]) < 0.35
    _, audio_bit = held_out(features, means(features, "audio"), planted["audio_bit"].to_numpy())
    _, text_bit = held_out(features, means(features, "text"), planted["text_bit"].to_numpy())
    assert np.corrcoef(-audio_bit * text_bit, target)[0, 1] > 0.8


def test_a_small_gru_finds_the_terms(features, planted):
    torch.manual_seed(0)
    terms = {"vision": ["shared"], "audio": ["shared", "audio_bit"], "text": ["text", "text_bit"]}
    train, test = features.rows("train"), np.r_[features.rows("validation"), features.rows("test")]
    for name, targets in terms.items():
        steps = torch.tensor(features.arrays[name])[:, :25]
        lengths = torch.tensor(features.lengths[name]).clamp(max=25)
        target = torch.from_numpy(planted[targets].to_numpy(np.float32))
        gru, head = nn.GRU(steps.shape[2], 16, batch_first=True), nn.Linear(16, len(targets))
        optimiser = torch.optim.Adam([*gru.parameters(), *head.parameters()], lr=0.02)
        for _ in range(60):
            optimiser.zero_grad()
            states, _ = gru(steps[train])
            nn.functional.mse_loss(head(last_step(states, lengths[train])), target[train]).backward()
            optimiser.step()
        with torch.no_grad():
            predicted = head(last_step(gru(steps[test])[0], lengths[test]))
        for index, term in enumerate(targets):
            found = np.corrcoef(predicted[:, index], target[test, index])[0, 1]
            assert found > 0.6, (term, name, found)


def test_the_stage_replaces_what_an_earlier_run_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    set_params(tmp_path)
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((tmp_path / "params.yaml").read_text())
    params["synthetic"]["mosi"]["videos"] = 5
    yaml.dump(params, tmp_path / "params.yaml")
    old = tmp_path / "data/synthetic/mosi/old.pkl"
    old.parent.mkdir(parents=True)
    old.touch()
    synthesize()
    assert sorted(path.name for path in old.parent.iterdir()) == sorted(FILES)
    assert len(pd.read_csv(old.parent / "planted.csv")) > 15
    assert not (tmp_path / "data/synthetic/mosi.partial").exists()
    cohort()
    assert len(read_cohort(paths.cohort("mosi"))) > 15
