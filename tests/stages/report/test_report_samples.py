"""Single samples as the page's script reads them, and none of restricted data."""

import base64
import gzip
import json

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from i2moe.contract.descriptions import CohortDescription
from stages.report.samples import Packer, pack_samples, token_findings, without_each
from stages.shared.inputs import Inputs
from stages.shared.predictions import SplitPredictions


def unpack(content):
    return gzip.decompress(base64.b64decode(content))


def array(numbers, entry):
    size = int(np.prod(entry["shape"]))
    own = numbers[entry["start"] : entry["start"] + size].reshape(entry["shape"])
    return np.where(own == -32768, np.nan, own * entry["step"])


def cohort(task="binary", licence="open", classes=("no", "yes")):
    return CohortDescription(
        dataset="tiny", task=task, classes=list(classes), modalities=["a", "b"], licence=licence,
        samples_in_raw_data=3, removed={}, flow=[], samples=3, split="by shares", groups=3, splits={},
    )  # fmt: skip


def predictions(classes=2, experts=("uniqueness_a", "synergy")):
    generator = np.random.default_rng(0)
    shape = (2, 3, len(experts), classes)
    return SplitPredictions(
        seeds=[0, 7],
        sample_ids=["p", "q", "r"],
        logits=generator.normal(size=(2, 3, classes)),
        experts=list(experts),
        expert_logits=generator.normal(size=shape) if experts else np.empty((2, 0, 0, 0)),
        weights=generator.random(shape[:3]) if experts else np.empty((2, 3, 0)),
    )


INPUTS = Inputs(samples=["r", "p"], of=3, how="two of three", modalities={"a": {"kind": "text", "texts": ["x", None]}})
LABELS = pd.DataFrame({"sample_id": ["p", "q", "r"], "label": ["no", "yes", "yes"]})


def test_what_is_packed_is_what_was_predicted_for_the_samples_shown_in_their_order():
    own = predictions()
    rows = [(seed, name, sample) for seed in (0, 7) for name in ("b", "a") for sample in ("p", "q", "r")]
    without = pd.DataFrame(rows, columns=["seed", "name", "sample_id"])
    without["value"] = np.arange(len(without)) / 100
    samples = pack_samples(cohort(), LABELS, INPUTS, {"i2moe": own}, {"i2moe": without}, {})
    about = json.loads(unpack(samples.about))
    numbers = np.frombuffer(unpack(samples.numbers), "<i2")
    model = about["models"]["i2moe"]
    for name, whole in (("logits", own.logits), ("expert_logits", own.expert_logits), ("weights", own.weights)):
        found = array(numbers, model[name])
        np.testing.assert_allclose(found, whole[:, [2, 0]], atol=model[name]["step"] * 0.51)
    np.testing.assert_allclose(
        array(numbers, model["without"]), [[[0.05, 0.02], [0.03, 0.0]], [[0.11, 0.08], [0.09, 0.06]]], atol=1e-5
    )  # by seed and sample: without a, without b
    assert about["samples"] == ["r", "p"]
    assert about["labels"] == [1, 0]
    assert about["inputs"]["a"]["texts"] == ["x", None]
    assert samples.how == "two of three"


def test_models_without_experts_have_neither_weights_nor_expert_logits():
    samples = pack_samples(cohort(), LABELS, INPUTS, {"mult": predictions(experts=())}, {}, {})
    assert set(json.loads(unpack(samples.about))["models"]["mult"]) == {"seeds", "experts", "colours", "logits"}


@pytest.mark.parametrize(
    ("task", "classes", "labels", "expected"),
    [
        ("regression", (), {"label": ["1.5", "2", "-0.25"]}, [-0.25, 1.5]),
        ("multilabel", ("x", "y"), {"label_x": ["1", "0", "0"], "label_y": ["1", "0", "1"]}, [[0, 1], [1, 1]]),
    ],
)
def test_labels_of_every_task(task, classes, labels, expected):
    table = pd.DataFrame({"sample_id": ["p", "q", "r"]} | labels)
    own = predictions(classes=max(len(classes), 1))
    samples = pack_samples(cohort(task, classes=classes), table, INPUTS, {"mult": own}, {}, {})
    assert json.loads(unpack(samples.about))["labels"] == expected


def test_nothing_is_packed_of_restricted_data_or_where_no_sample_is_shown():
    restricted = cohort(licence="restricted")
    assert pack_samples(restricted, LABELS, INPUTS, {"i2moe": predictions()}, {}, {}) is None
    empty = INPUTS.model_copy(update={"samples": []})
    assert pack_samples(cohort(), LABELS, empty, {"i2moe": predictions()}, {}, {}) is None


def test_the_same_samples_give_the_same_bytes():
    assert len({pack_samples(cohort(), LABELS, INPUTS, {"i2moe": predictions()}, {}, {}) for _ in range(2)}) == 1


def test_numbers_that_are_not_finite_are_kept_apart_from_zero():
    packer = Packer()
    entry = packer.add(np.array([np.nan, 0.0, 2.0, -2.0]))
    assert packer.parts[0].tolist() == [-32768, 0, 32767, -32767]
    assert entry["step"] == 2.0 / 32767
    assert packer.add(np.zeros(3))["start"] == 4


def test_what_was_found_of_the_tokens_of_single_samples_is_of_the_whole_model(tmp_path):
    scores = pd.DataFrame(
        {"sample_id": "p", "seed": 7, "expert": expert, "method": method, "modality": "a", "place": 0, "token": token}
        | {"score": score}
        for expert, method, token, score in [
            ("mixture", "integrated gradients", "tea", -0.25),
            ("mixture", "integrated gradients", "war", 0.5),
            ("mixture", "gradient rollout", "tea", 9.0),
            ("synergy", "integrated gradients", "tea", 9.0),
        ]
    )
    pairs = pd.DataFrame(
        {"sample_id": "p", "seed": 7, "expert": expert, "one_modality": "a", "one_token": "tea", "other_modality": "b"}
        | {"other_token": "x", "index": index, "index_error": 0.1, "gap": 0.0, "draws": 4, "of": 4}
        for expert, index in (("mixture", 0.05), ("mixture", -0.5), ("synergy", 9.0))
    )
    assert token_findings(tmp_path) == {}
    scores.to_parquet(tmp_path / "token_scores.parquet")
    pairs.to_parquet(tmp_path / "token_pairs.parquet")
    found = token_findings(tmp_path)
    assert found["tokens"] == {"p": {"7": {"a": [["tea", 0.25], ["war", 0.5]]}}}
    assert found["pairs"] == {"p": {"7": ["a tea + b x: -0.50 ± 0.10", "(a tea + b x: +0.05 ± 0.10)"]}}


@pytest.mark.parametrize("second", [{}, {"name": "c"}, {"sample_id": "q", "name": "b"}, {"seed": 1, "name": "b"}, None])
def test_a_sample_that_is_twice_in_the_explanations_or_lacks_something_is_refused(tmp_path, second):
    first = {"sample_id": "p", "name": "a", "value": 0.5, "kind": "without", "seed": 0}
    rows = [first] if second is None else [first, first | second]
    pd.DataFrame(rows).to_parquet(tmp_path / "local.parquet")
    predicted = SplitPredictions([0], ["p"], np.zeros((1, 1, 2)), [], np.empty((1, 0, 0, 0)), np.empty((1, 1, 0)))
    with pytest.raises(InputError, match=r"local.parquet lacks a sample, or has one twice: rerun the explain stage"):
        without_each(tmp_path, predicted, ["a", "b"])
    pd.DataFrame([first, first | {"name": "b"}]).to_parquet(tmp_path / "local.parquet")
    assert len(without_each(tmp_path, predicted, ["a", "b"])) == 2
