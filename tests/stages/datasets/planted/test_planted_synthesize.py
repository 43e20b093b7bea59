"""The tables with a planted interaction: what is written, and that the cohort and the features of tables read it."""

import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from i2moe.base.errors import InputError
from i2moe.contract.cohort import read_cohort
from i2moe.contract.descriptions import CohortDescription
from i2moe.contract.planted import Planted, PlantedPair
from i2moe.data import FeatureSet
from stages.datasets.planted.synthesize import DATASETS, PURE, synthesize
from stages.datasets.tables.cohort import cohort
from stages.datasets.tables.features import features
from stages.settings.params import load_params
from stages.shared.base import paths
from tests.docs.documents import write_params


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the project's settings and few samples."""
    write_params(tmp_path / "params.yaml", settings=("synthetic.planted.samples=120",))
    monkeypatch.chdir(tmp_path)


OF_TURNED_COLUMNS = [dataset for dataset in DATASETS if dataset != "planted-tokens"]


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("dataset", OF_TURNED_COLUMNS)
def test_a_table_becomes_features_that_know_what_is_planted(dataset):
    synthesize(dataset)
    cohort(dataset)
    features(dataset)
    found = FeatureSet(paths.features(dataset), paths.cohort(dataset))
    assert (found.modalities, found.shows_samples) == (["first", "second"], True)
    assert {name: values.shape for name, values in found.arrays.items()} == {"first": (120, 16), "second": (120, 16)}
    planted = CohortDescription.read(paths.cohort(dataset).with_suffix(".json")).planted
    roles = [(term.role, term.modalities) for term in planted.terms]
    each = [
        ("uniqueness", ["first"]),
        ("uniqueness", ["second"]),
        ("synergy", ["first", "second"]),
        ("redundancy", ["first", "second"]),
    ]
    some = {"planted-none": [], "planted-composite": [each[0], each[2]], "planted-switch": each}
    pure = {name: [own] for name, own in zip(PURE, each, strict=True)}
    assert roles == (pure | some)[dataset]
    assert planted.pairs is None
    assert planted.rule == ("the label follows from nothing" if dataset == "planted-none" else planted.rule)
    assert len(found.classes) == (4 if dataset == "planted-composite" else 2) == planted.model_extra["classes"]
    assert load_params().label(dataset) == f"{dataset} (synthetic)"


@pytest.mark.usefixtures("project")
def test_all_have_the_same_inputs_and_other_labels():
    tables = {}
    for dataset in OF_TURNED_COLUMNS:
        synthesize(dataset)
        tables[dataset] = pd.read_csv(paths.synthetic(dataset) / "table.csv")
    inputs = [table.drop(columns="label") for table in tables.values()]
    assert all(inputs[0].equals(other) for other in inputs)
    labels = [tuple(table["label"]) for table in tables.values()]
    assert len(set(labels)) == len(OF_TURNED_COLUMNS)


@pytest.mark.usefixtures("project")
def test_the_switch_says_of_each_sample_which_term_holds():
    synthesize("planted-switch")
    of_sample = pd.read_csv(paths.synthetic("planted-switch") / "planted.csv")
    assert set(of_sample["term"]) == {"uniqueness_first", "uniqueness_second", "synergy", "redundancy"}
    table = pd.read_csv(paths.synthetic("planted-switch") / "table.csv")
    assert of_sample["sample"].equals(table["sample"])
    synthesize("planted-redundancy")
    other = pd.read_csv(paths.synthetic("planted-redundancy") / "table.csv")
    is_redundant = of_sample["term"] == "redundancy"
    assert np.array_equal(table["label"][is_redundant], other["label"][is_redundant])


@pytest.mark.usefixtures("project")
def test_four_classes_and_more_noise_are_settings(tmp_path):
    write_params(
        tmp_path / "params.yaml",
        settings=("synthetic.planted.samples=200", "synthetic.planted.classes=4", "synthetic.planted.noise=2.0"),
    )
    synthesize("planted-redundancy")
    cohort("planted-redundancy")
    planted = json.loads((paths.synthetic("planted-redundancy") / "planted.json").read_text())
    assert planted["best_accuracy"] == pytest.approx(0.7602**2, abs=1e-3)  # 0.7602: of a normal below the root of 2 / 2
    assert set(read_cohort(paths.cohort("planted-redundancy"))["label"].astype(str)) == set("0123")


@pytest.mark.usefixtures("project")
def test_another_name_is_an_error_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'planted-synergy'"):
        synthesize("planted-sinergy")


@pytest.mark.usefixtures("project")
def test_tokens_become_features_whose_planted_pairs_are_named_as_the_features_are():
    synthesize("planted-tokens")
    cohort("planted-tokens")
    features("planted-tokens")
    found = FeatureSet(paths.features("planted-tokens"), paths.cohort("planted-tokens"))
    assert {name: values.shape for name, values in found.arrays.items()} == {"first": (120, 8), "second": (120, 8)}
    planted = CohortDescription.read(paths.cohort("planted-tokens").with_suffix(".json")).planted
    both = ["first", "second"]
    assert [(pair.role, pair.modalities) for pair in planted.pairs] == [
        ("synergy", both),
        ("redundancy", both),
        ("synergy", ["first", "first"]),
    ]
    for pair in planted.pairs:
        for name, modality in zip(pair.features, pair.modalities, strict=True):
            about = json.loads((paths.features("planted-tokens") / f"{modality}.json").read_text())
            assert name in about["features"]
            assert name in pair.words
            assert name in planted.rule
    assert [(term.role, term.share) for term in planted.terms] == [
        (role, pytest.approx(1 / 3)) for role in ("synergy", "redundancy", "uniqueness")
    ]
    assert len(found.classes) == 8 == planted.model_extra["classes"]
    assert planted.model_extra["best_accuracy"] == pytest.approx(0.9555**2 * 0.9977, abs=1e-3)


@pytest.mark.usefixtures("project")
def test_labels_of_tokens_follow_from_the_named_columns():
    synthesize("planted-tokens")
    folder = paths.synthetic("planted-tokens")
    table, planted = pd.read_csv(folder / "table.csv"), Planted.read(folder / "planted.json")
    bits = []
    for pair in planted.pairs:
        first, second = ((table[name] > 0).astype(int) for name in pair.features)
        bits.append(first if pair.role == "redundancy" else first ^ second)
    right = table["label"] == bits[0] + 2 * bits[1] + 4 * bits[2]
    assert right.mean() > 0.8  # a sign is wrong in 2 % of the columns


def test_a_planted_pair_has_two_features():
    pair = {"role": "synergy", "modalities": ["first", "second"], "features": ["first_1", "second_0"], "words": "one"}
    assert PlantedPair.model_validate(pair).features == ["first_1", "second_0"]
    for wrong in (
        {"features": ["first_1"]},
        {"features": ["first_1", "first_1"]},
        {"features": ["a", "b", "c"]},
        {"modalities": ["first"]},
        {"role": "uniqueness"},
    ):
        with pytest.raises(ValidationError):
            PlantedPair.model_validate(pair | wrong)
