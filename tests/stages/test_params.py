"""Settings: what loads, and that every mistake is one InputError in the terms of params.yaml."""

import functools
import json
import operator
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from i2moe.errors import InputError
from stages.params import check, load_params, merge, required

ROOT = Path(__file__).parents[2]

GOOD = """
run: {datasets: [tiny], models: [mult], seeds: [0], max_epochs: null}
split: {train: 0.7, validation: 0.15, test: 0.15, seed: 0}
data:
  tables:
    tiny: {raw: own.csv, id: sample, label: outcome, task: binary, modalities: {a: {prefix: a}, b: {regex: "b.*"}}}
train: {accelerator: cpu, devices: 1, strategy: auto, precision: 32-true, num_workers: 0}
models:
  defaults:
    encoder: mlp
    encoder_dim: 8
    num_patches: 2
    hidden_dim: 32
    dropout: 0.5
    fusion: {method: mult, num_layers: 1, num_heads: 4}
    learning_rate: 1e-3
    batch_size: 8
    epochs: 15
    selection: accuracy
  tiny:
    mult: {}
"""
TINY = "data.tables.tiny"
MOEPP = {
    "method": "moepp",
    "num_layers": 1,
    "num_heads": 4,
    "num_experts": 8,
    "capacity_factor": 1.1,
    "tau": 0.75,
    "balance_weight": 0.01,
}
HEADS = "models.defaults.fusion.num_heads"


@pytest.fixture
def load(tmp_path):
    """Return a function that loads the good settings with some keys changed; `...` removes a key."""

    def load_changed(changes):
        settings = YAML(typ="safe", pure=True).load(GOOD)
        for key, value in changes.items():
            *blocks, last = key.split(".")
            block = functools.reduce(operator.getitem, blocks, settings)
            block[last] = value
            if value is ...:
                del block[last]
        path = tmp_path / "params.yaml"
        path.write_text(json.dumps(settings))  # JSON is YAML 1.2
        return load_params(path)

    return load_changed


def error_of(load, changes):
    """Return the error's message without the temporary folder in front of the file's name."""
    with pytest.raises(InputError) as caught:
        load(changes)
    _, name, message = str(caught.value).partition("params.yaml")
    return name + message


def test_the_projects_own_settings_load():
    params = load_params(ROOT / "params.yaml")
    for dataset in params.run.datasets:
        for model in params.run.models:
            assert params.model(dataset, model).epochs > 0


# Each case: the key, its wrong value, and what the message says: key, value, what is allowed, the nearest valid name.
MISTAKES = {
    "unknown key": (
        "run.model",
        ["mult"],
        ["run: unknown key 'model' (value ['mult'])", "datasets, models, seeds, max_epochs", "did you mean 'models'?"],
    ),
    "unknown key at the top": (
        "trian",
        {},
        ["unknown key 'trian' (value {})", "run, split, synthetic, data, train, models", "did you mean 'train'?"],
    ),
    "unknown key of a model": (
        "models.tiny.mult",
        {"droput": 0.1},
        ["models.tiny.mult: unknown key 'droput' (value 0.1)", "allowed: encoder, ", "did you mean 'dropout'?"],
    ),
    "text for a number": ("split.train", "most", ["split.train: ", "valid number", "not 'most'"]),
    "text for an integer": ("train.devices", "two", ["train.devices: ", "valid integer", "not 'two'"]),
    "fraction for an integer": (
        "models.defaults.epochs",
        1.5,
        ["models.tiny.mult.epochs: ", "valid integer", "not 1.5"],
    ),
    "truth value for a seed": ("run.seeds", [True], ["run.seeds.0: ", "valid integer", "not True"]),
    "negative seed": ("run.seeds", [-1], ["run.seeds.0: ", "greater than or equal to 0", "not -1"]),
    "number for text": (f"{TINY}.raw", 3, [f"{TINY}.raw: ", "valid string", "not 3"]),
    "number for a label": (f"{TINY}.label", 3, [f"{TINY}.label: ", "valid string", "not 3"]),
    "number for a block": ("split", 3, ["split: ", "valid dictionary", "not 3"]),
    "nothing for a block": ("run", None, ["run: ", "valid dictionary", "not None"]),
    "number for all models": ("models", 3, ["models: ", "valid dictionary", "not 3"]),
    "number for the defaults": ("models.defaults", 3, ["models.defaults", "3"]),
    "number for a model": ("models.tiny.mult", 3, ["models.tiny.mult", "3"]),
    "nothing for a dataset's models": ("models.tiny", None, ["models.tiny"]),
    "no epochs at all": ("run.max_epochs", 0, ["run.max_epochs: ", "greater than 0", "not 0"]),
    "share of everything": ("split.train", 1, ["split.train: ", "less than 1", "not 1"]),
    "shares that sum to 0.9": ("split.train", 0.6, ["split: ", "is 0.9", "allowed: shares that sum to 1"]),
    "unknown model": (
        "run.models",
        ["mlut"],
        ["run.models: unknown model 'mlut' for dataset tiny", "allowed: mult", "did you mean 'mult'?"],
    ),
    "unknown dataset": (
        "run.datasets",
        ["tinny"],
        ["run.datasets: unknown dataset 'tinny'", "allowed: tiny", "did you mean 'tiny'?"],
    ),
    "heads that do not divide the width": (
        HEADS,
        5,
        ["models.tiny.mult: ", "num_heads 5", "hidden_dim 32", "allowed: 1, 2, 4, 8, 16, 32", "did you mean 4?"],
    ),
    "table with the name of a dataset of its own": (
        "data.tables",
        {"mimic": {"raw": "a.csv", "label": "y", "task": "binary", "modalities": {"a": {"prefix": "a"}}}},
        ["data.tables: 'mimic' is the name of a dataset with stages of its own", "allowed: any other name"],
    ),
    "class weight of zero": (
        "models.tiny.mult",
        {"class_weights": [0.0, 1.0]},
        ["models.tiny.mult.class_weights.0: ", "greater than 0", "not 0"],
    ),
    "unknown task": (
        f"{TINY}.task",
        "binray",
        [f"{TINY}.task: ", "'binray'", "allowed: binary, multiclass, multilabel, regression", "did you mean 'binary'?"],
    ),
    "unknown licence": (
        f"{TINY}.licence",
        "opne",
        [f"{TINY}.licence: ", "'opne'", "allowed: open, restricted", "did you mean 'open'?"],
    ),
    "unknown fusion method": (
        "models.defaults.fusion.method",
        "mlut",
        [
            "models.tiny.mult: fusion.method 'mlut' is unknown",
            "allowed: early, late, lrmf, mult, interpretcc, switchgate, moepp",
            "did you mean 'mult'?",
            "module:Class",
        ],
    ),
    "no fusion method": ("models.defaults.fusion.method", ..., ["models.tiny.mult: fusion.method None is unknown"]),
    "list for a fusion method": ("models.tiny.mult.fusion", {"method": ["late"]}, ["models.tiny.mult", "['late']"]),
    "key of another fusion method": (
        "models.tiny.mult.fusion",
        {"method": "late", "num_layers": 1, "num_heads": 2, "rank": 4},
        ["models.tiny.mult.fusion: unknown key 'rank' (value 4)", "allowed: method, num_layers, num_heads"],
    ),
    "missing key of a fusion method": (
        "models.tiny.mult.fusion",
        {"method": "late", "num_layers": 1},
        ["models.tiny.mult.fusion.num_heads is missing"],
    ),
    "MoE++ without an FFN expert": (
        "models.tiny.mult.fusion",
        MOEPP | {"num_experts": 4},
        ["models.tiny.mult.fusion.num_experts: 4 leaves no FFN expert", "allowed: 5 and more"],
    ),
    "a threshold no gate can reach": (
        "models.tiny.mult.fusion",
        {"method": "interpretcc", "temperature": 1.0, "threshold": 1},
        ["models.tiny.mult.fusion.threshold: ", "less than 1", "not 1"],
    ),
    "heads that do not divide early fusion's width": (
        "models.tiny.mult.fusion",
        {"method": "early", "width": 9, "mlp_dim": 8, "num_layers": 1, "num_heads": 2},
        ["models.tiny.mult: fusion.num_heads 2 does not divide fusion.width 9", "allowed: 1, 3, 9"],
    ),
    "unknown replacement": (
        "models.tiny.mult",
        {"interaction": {"loss_weight": 0.1, "replacement": "rnadom"}, "reweighting": "global"},
        [
            "models.tiny.mult.interaction.replacement: ",
            "'rnadom'",
            "allowed: random, mean, zero",
            "did you mean 'random'?",
        ],
    ),
    "unknown reweighting": (
        "models.tiny.mult",
        {"interaction": {"loss_weight": 0.1}, "reweighting": "globl"},
        ["models.tiny.mult.reweighting: ", "'globl'", "did you mean 'global'?"],
    ),
    "unknown base": (
        "models.tiny.big",
        {"base": "mlut"},
        ["models.tiny.big: base 'mlut' is no other model", "allowed: mult", "did you mean 'mult'?"],
    ),
    "a model as its own base": (
        "models.tiny.mult",
        {"base": "mult"},
        ["models.tiny.mult: base 'mult' is no other model"],
    ),
    "number for a shared model": ("models.shared", {"mult": 3}, ["models.tiny.mult", "3"]),
    "number for all shared models": ("models.shared", 3, ["models.shared", "3"]),
    "number for a base": ("models.tiny.big", {"base": 3}, ["models.tiny.big: base 3 is no other model"]),
    "modality without a rule": (
        f"{TINY}.modalities.a",
        {},
        [f"{TINY}.modalities.a: gives nothing", "allowed: exactly one of columns, prefix, regex"],
    ),
    "modality with two rules": (
        f"{TINY}.modalities.a",
        {"prefix": "a", "regex": "a.*"},
        [f"{TINY}.modalities.a: gives prefix and regex", "allowed: exactly one of columns, prefix, regex"],
    ),
    "modality with an empty list": (f"{TINY}.modalities.a", {"columns": []}, [f"{TINY}.modalities.a", "columns"]),
    "modality with a broken regex": (f"{TINY}.modalities.a", {"regex": "("}, [f"{TINY}.modalities.a", "regex", "'('"]),
    "no modality": (f"{TINY}.modalities", {}, [f"{TINY}.modalities"]),
    "modality that is no file name": (f"{TINY}.modalities.A", {"prefix": "a"}, [f"{TINY}.modalities.A: ", "'A'"]),
    "missing key": ("run.seeds", ..., ["run.seeds is missing"]),
    "missing block": ("split", ..., ["split is missing"]),
    "missing key of a model": ("models.defaults.epochs", ..., ["models.tiny.mult.epochs is missing"]),
    "nothing to run": ("run.datasets", [], ["run.datasets: ", "at least 1"]),
    "dataset twice": ("run.datasets", ["tiny", "tiny"], ["run.datasets: ", "'tiny'", "twice", "allowed: "]),
    "model twice": ("run.models", ["mult", "mult"], ["run.models: ", "'mult'", "twice", "allowed: "]),
    "seed twice": ("run.seeds", [7, 7], ["run.seeds: ", "7", "twice", "allowed: "]),
    "list of labels for one class": (
        f"{TINY}.label",
        ["outcome"],
        [f"{TINY}: label ['outcome']", "task 'binary'", "allowed: a list for multilabel only"],
    ),
    "one label for multilabel": (
        f"{TINY}.task",
        "multilabel",
        [f"{TINY}: label 'outcome'", "task 'multilabel'", "allowed: a list for multilabel only"],
    ),
    "interaction without reweighting": (
        "models.tiny.mult",
        {"interaction": {"loss_weight": 0.1}},
        ["models.tiny.mult: ", "`interaction`", "`reweighting`"],
    ),
}


@pytest.mark.parametrize(("key", "value", "fragments"), MISTAKES.values(), ids=MISTAKES)
def test_a_wrong_setting_is_one_line_that_names_key_value_and_remedy(load, key, value, fragments):
    message = error_of(load, {key: value})
    assert message.startswith("params.yaml: ")
    assert "\n" not in message
    for fragment in fragments:
        assert fragment in message


@pytest.mark.parametrize(
    ("key", "value", "fragments"),
    [
        ("modalities", ["code", "lab"], ["data.mimic.modalities: ", "allowed: lab, note, code in this order"]),
        ("modalities", ["labs"], ["data.mimic.modalities.0: ", "'labs'", "did you mean 'lab'?"]),
        ("memory_limit", "lots", ["data.mimic.memory_limit: ", "not 'lots'"]),
        ("cohort.icd_versions", [8], ["data.mimic.cohort.icd_versions.0: ", "not 8"]),
        ("cohort.icd_versions", [9, 9], ["data.mimic.cohort.icd_versions: ", "twice"]),
        ("lab.summaries", ["mean", "mean"], ["data.mimic.lab.summaries: ", "twice"]),
        ("cohort.min_agee", 18, ["data.mimic.cohort: unknown key 'min_agee'", "did you mean 'min_age'?"]),
        ("note.dim", 0, ["data.mimic.note.dim: ", "greater than 0"]),
    ],
)
def test_a_wrong_setting_of_mimic_is_named(load, key, value, fragments):
    mimic = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())["data"]["mimic"]
    *blocks, last = key.split(".")
    functools.reduce(operator.getitem, blocks, mimic)[last] = value
    message = error_of(load, {"data.mimic": mimic})
    for fragment in fragments:
        assert fragment in message


@pytest.mark.parametrize(
    ("key", "value", "fragments"),
    [
        (
            "modalities",
            ["genetic", "image"],
            ["data.adni.modalities: ", "allowed: image, genetic, clinical, biospecimen"],
        ),
        ("modalities", ["genetic"], ["data.adni: modalities without image"]),
        ("image_source", "raven", ["data.adni.image_source: ", "'raven'", "did you mean 'ravens'?"]),
        ("cohort.label", "stabel", ["data.adni.cohort.label: ", "did you mean 'stable'?"]),
        ("image.downsample", 0, ["data.adni.image.downsample: ", "greater than 0"]),
        ("genetic.min_maf", 0.6, ["data.adni.genetic.min_maf: ", "less than or equal to 0.5"]),
        ("genetic.prune", {"window": 50}, ["data.adni.genetic.prune.max_r2 is missing"]),
        ("genetic.prunee", 3, ["data.adni.genetic: unknown key 'prunee'", "did you mean 'prune'?"]),
        ("clinical.tables", ["VITAL"], ["data.adni.clinical.tables.0: ", "did you mean 'VITALS'?"]),
        ("clinical.tables", ["VITALS", "VITALS"], ["data.adni.clinical.tables: ", "twice"]),
        ("biospecimen.tables", ["APOERES", "APOERES"], ["data.adni.biospecimen.tables: ", "twice"]),
    ],
)
def test_a_wrong_setting_of_adni_is_named(load, key, value, fragments):
    adni = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())["data"]["adni"]
    *blocks, last = key.split(".")
    functools.reduce(operator.getitem, blocks, adni)[last] = value
    message = error_of(load, {"data.adni": adni})
    for fragment in fragments:
        assert fragment in message


def test_adni_is_a_dataset_where_its_block_is_given(load):
    adni = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())["data"]["adni"]
    assert load({"data.adni": adni}).data.names() == ["tiny", "adni"]
    assert required(load({"data.adni": adni}).data.adni, "data.adni").raw == "data/synthetic/adni"
    with pytest.raises(InputError, match=r"data.adni is missing: take the block from the project's own params.yaml"):
        required(load({}).data.adni, "data.adni")


def test_mimic_is_a_dataset_where_its_block_is_given(load):
    mimic = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())["data"]["mimic"]
    assert load({}).data.names() == ["tiny"]
    assert load({"data.mimic": mimic}).data.names() == ["tiny", "mimic"]
    with pytest.raises(InputError, match=r"data.mimic is missing: take the block from the project's own params.yaml"):
        required(load({}).data.mimic, "data.mimic")


def test_classes_for_a_regression_are_refused(load):
    message = error_of(load, {f"{TINY}.task": "regression", f"{TINY}.classes": ["no", "yes"]})
    assert f"{TINY}: classes have no meaning for task 'regression'; allowed: for binary and multiclass only" in message


def test_several_mistakes_are_reported_together(load):
    message = error_of(load, {"run.model": ["mult"], "split.train": 0.6, "train.devices": "two", f"{TINY}.id": 3})
    for fragment in ("unknown key 'model'", "sum to 1", "train.devices: ", f"{TINY}.id: "):
        assert fragment in message


@pytest.mark.parametrize("text", ["a: [1\n", "a: 1\na: 2\n", "\ta: 1\n", "a: b: c\n"])
def test_broken_yaml_is_refused_with_its_place(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"params.yaml is no valid YAML: [\s\S]*line 1, column"):
        load_params(path)


def test_broken_yaml_is_told_in_one_line(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("a: [1\n")
    with pytest.raises(InputError) as caught:
        load_params(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- run\n", "run\n"], ids=["empty", "a list", "a word"])
def test_a_file_without_keys_is_refused_under_its_name(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_params(path)
    assert "params.yaml: " in str(caught.value)
    assert ": : " not in str(caught.value)


def test_a_missing_file_is_refused_with_where_to_run(tmp_path):
    with pytest.raises(InputError, match=r"params.yaml is missing: run this in the project's root"):
        load_params(tmp_path / "params.yaml")


def test_a_number_in_scientific_notation_is_a_number(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(GOOD)
    assert "learning_rate: 1e-3" in GOOD
    assert load_params(path).model("tiny", "mult").learning_rate == 0.001


def test_a_model_says_only_what_differs_from_the_defaults(load):
    params = load({"models.tiny.big": {"fusion": {"num_heads": 8}, "epochs": 2}})
    small, big = params.model("tiny", "mult"), params.model("tiny", "big")
    assert (small.fusion.num_heads, small.epochs) == (4, 15)
    assert (big.fusion.method, big.fusion.num_layers, big.fusion.num_heads) == ("mult", 1, 8)
    assert (big.epochs, big.hidden_dim) == (2, 32)


def test_merge_goes_block_by_block_and_leaves_its_arguments_alone():
    base, override = {"a": 1, "b": {"c": 2, "d": 3}, "e": {"f": 4}}, {"b": {"c": 5}, "e": 6, "g": 7}
    assert merge(base, override) == {"a": 1, "b": {"c": 5, "d": 3}, "e": 6, "g": 7}
    assert base == {"a": 1, "b": {"c": 2, "d": 3}, "e": {"f": 4}}
    assert override == {"b": {"c": 5}, "e": 6, "g": 7}


# How models are resolved


def test_blocks_lie_over_each_other_defaults_shared_dataset_defaults_dataset(load):
    blocks = {
        "models.defaults.epochs": 1,
        "models.shared": {"mult": {"epochs": 2, "batch_size": 22, "dropout": 0.2}, "other": {"epochs": 2}},
        "models.tiny.defaults": {"batch_size": 3, "dropout": 0.3},
        "models.tiny.mult": {"dropout": 0.4},
    }
    params = load(blocks)
    model = params.model("tiny", "mult")
    assert (model.hidden_dim, model.epochs, model.batch_size, model.dropout) == (32, 2, 3, 0.4)
    other = params.model("tiny", "other")
    assert (other.hidden_dim, other.epochs, other.batch_size, other.dropout) == (32, 2, 3, 0.3)
    assert set(params.models["tiny"]) == {"mult", "other"}


def test_a_dataset_without_a_block_has_the_shared_models(load):
    params = load({"models.tiny": ..., "models.shared": {"mult": {"epochs": 2}}})
    assert params.model("tiny", "mult").epochs == 2


def test_a_model_with_a_base_starts_from_it_as_the_dataset_has_it(load):
    blocks = {
        "models.shared": {
            "mult": {"dropout": 0.1},
            "mixed": {"base": "mult", "interaction": {"loss_weight": 0.5}, "reweighting": "global"},
            "ablated": {"base": "mixed", "interaction": {"loss_weight": 0}},
        },
        "models.tiny.defaults": {"epochs": 7},
        "models.tiny.mult": {"hidden_dim": 64},
        "models.tiny.mixed": {"interaction": {"loss_weight": 0.2}, "epochs": 9},
        "models.tiny.ablated": {"batch_size": 4},
    }
    params = load(blocks)
    mult, mixed, ablated = (params.model("tiny", name) for name in ("mult", "mixed", "ablated"))
    assert (mult.dropout, mult.hidden_dim, mult.epochs, mult.interaction) == (0.1, 64, 7, None)
    assert (mixed.dropout, mixed.hidden_dim, mixed.epochs, mixed.interaction.loss_weight) == (0.1, 64, 9, 0.2)
    assert (ablated.dropout, ablated.hidden_dim, ablated.epochs) == (0.1, 64, 9)
    assert (ablated.interaction.loss_weight, ablated.batch_size, ablated.reweighting) == (0, 4, "global")


def test_a_dataset_can_give_a_shared_model_another_base(load):
    blocks = {
        "models.shared": {"mult": {"epochs": 2}, "late": {"epochs": 3}, "mixed": {"base": "mult", "dropout": 0.1}},
        "models.tiny.mixed": {"base": "late"},
    }
    assert load(blocks).model("tiny", "mixed").epochs == 3


def test_another_method_replaces_the_fusion_block(load):
    params = load({"models.tiny.mult": {"fusion": {"method": "lrmf", "rank": 2, "fused_dim": 4, "mlp_dim": 4}}})
    assert params.model("tiny", "mult").fusion.model_dump() == {
        "method": "lrmf",
        "rank": 2,
        "fused_dim": 4,
        "mlp_dim": 4,
    }


def test_the_same_method_is_merged(load):
    params = load({"models.tiny.mult": {"fusion": {"method": "mult", "num_heads": 8}}})
    assert params.model("tiny", "mult").fusion.model_dump() == {"method": "mult", "num_layers": 1, "num_heads": 8}


def test_global_reweighting_replaces_the_block_and_a_block_replaces_it(load):
    mlp = {"hidden_dim": 8, "num_layers": 2, "temperature": 1.0}
    blocks = {
        "models.tiny.mixed": {"base": "mult", "interaction": {"loss_weight": 0.5}, "reweighting": mlp},
        "models.tiny.simple": {"base": "mixed", "reweighting": "global"},
        "models.tiny.back": {"base": "simple", "reweighting": mlp},
    }
    params = load(blocks)
    assert params.model("tiny", "simple").reweighting == "global"
    assert params.model("tiny", "back").reweighting.model_dump() == mlp


def test_bases_that_lead_back_are_refused(load):
    chain = {"models.tiny.a": {"base": "b"}, "models.tiny.b": {"base": "c"}, "models.tiny.c": {"base": "a"}}
    message = error_of(load, chain)
    assert message.startswith("params.yaml: models.tiny.")
    assert "base" in message
    assert "is no other model" not in message  # each of them is one


def test_a_wrong_default_is_told_once(load):
    models = {f"models.tiny.model{index}": {} for index in range(4)}
    message = error_of(load, {"models.defaults.epochs": 0, **models})
    assert message.count("not 0") == 1
    assert "(and 4 more)" in message
    assert ".epochs: " in message


def test_wrong_values_of_two_models_are_told_apart(load):
    message = error_of(load, {"models.tiny.a": {"epochs": 0}, "models.tiny.b": {"epochs": -1}})
    assert "models.tiny.a.epochs" in message
    assert "models.tiny.b.epochs" in message
    assert " more)" not in message


OWN_FUSION = """
from torch import nn


class Product(nn.Module):
    pass
"""


def test_settings_change_with_the_file_of_a_fusion_of_ones_own(load, tmp_path, monkeypatch):
    path = tmp_path / "settings_own_fusion.py"
    path.write_text(OWN_FUSION)
    monkeypatch.syspath_prepend(tmp_path)
    fusion = {"method": "settings_own_fusion:Product", "power": 2}
    params = load({"models.tiny.mult": {"fusion": fusion}})
    before = params.settings("tiny", "mult")
    assert before["fusion"] == fusion | {"source": before["fusion"]["source"]}
    assert params.settings("tiny", "mult") == before
    path.write_text(OWN_FUSION.replace("pass", "power = 1"))
    after = params.settings("tiny", "mult")
    assert after["fusion"].pop("source") != before["fusion"].pop("source")
    assert after == before


def test_a_fusion_of_ones_own_that_is_not_there_is_one_line(load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load({"models.tiny.mult": {"fusion": {"method": "no_such_fusion:Product"}}})
    with pytest.raises(InputError, match="cannot import 'no_such_fusion'"):
        check()


# The paper's Tables 7-10, in the order of the keys.
COMMON = (
    "learning_rate",
    "batch_size",
    "epochs",
    "hidden_dim",
    "interaction.loss_weight",
    "reweighting.hidden_dim",
    "reweighting.num_layers",
    "reweighting.temperature",
)
DEEP = (*COMMON, "num_patches", "fusion.num_layers", "fusion.num_heads")
SPARSE = (*DEEP, "fusion.num_experts")
GATED = (*COMMON, "fusion.temperature", "fusion.threshold")
PAPER = {
    "i2moe-mult": (
        DEEP,
        {
            "adni": (1e-4, 32, 50, 256, 0.5, 256, 2, 1, 16, 2, 4),
            "mimic": (1e-4, 32, 30, 128, 0.01, 128, 2, 2, 8, 2, 1),
            "imdb": (1e-4, 32, 40, 256, 0.5, 256, 3, 2, 4, 2, 4),
            "mosi": (1e-4, 32, 30, 256, 0.005, 256, 3, 2, 4, 1, 1),
            "enrico": (1e-4, 32, 50, 256, 0.5, 256, 3, 2, 8, 2, 4),
        },
    ),
    "i2moe-switchgate": (
        SPARSE,
        {
            "adni": (1e-4, 8, 30, 128, 0.01, 256, 2, 2, 8, 2, 4, 16),
            "mimic": (1e-4, 64, 30, 256, 0.5, 256, 2, 2, 16, 2, 4, 16),
            "imdb": (1e-4, 64, 40, 128, 0.5, 256, 2, 2, 4, 2, 4, 16),
            "mosi": (1e-4, 32, 50, 128, 0.001, 128, 1, 2, 16, 1, 4, 4),
            "enrico": (1e-4, 8, 30, 128, 0.01, 128, 3, 1, 4, 1, 2, 4),
        },
    ),
    "i2moe-interpretcc": (
        GATED,
        {
            "adni": (1e-4, 32, 30, 128, 0.5, 128, 2, 2, 1.0, 0.5),
            "mimic": (1e-4, 128, 50, 256, 0.1, 128, 2, 2, 0.7, 0.5),
            "imdb": (1e-4, 32, 40, 256, 0.01, 256, 3, 2, 1.0, 0.6),
            "mosi": (1e-4, 32, 50, 128, 0.001, 256, 2, 1.5, 1.0, 0.6),
            "enrico": (1e-4, 64, 60, 256, 0.5, 256, 2, 4, 0.5, 0.4),
        },
    ),
    "i2moe-moepp": (
        SPARSE,
        {
            "adni": (1e-4, 64, 50, 256, 0.5, 256, 3, 2, 8, 2, 4, 8),
            "mimic": (1e-4, 32, 30, 128, 0.5, 256, 2, 1, 4, 2, 4, 8),  # the paper's 4 leaves no FFN expert
            "imdb": (1e-4, 32, 40, 256, 0.5, 256, 2, 1, 8, 2, 4, 8),  # likewise
            "mosi": (1e-4, 32, 50, 64, 0.001, 128, 2, 2, 4, 1, 4, 8),
            "enrico": (1e-4, 32, 50, 64, 0.5, 256, 2, 1, 4, 2, 4, 8),
        },
    ),
}
PAPER_CASES = [(model, dataset) for model, (_, datasets) in PAPER.items() for dataset in datasets]


@pytest.fixture(scope="module")
def project():
    return load_params(ROOT / "params.yaml")


@pytest.mark.parametrize(("model", "dataset"), PAPER_CASES)
def test_the_papers_datasets_have_the_papers_settings(project, model, dataset):
    keys, datasets = PAPER[model]
    config = project.models[dataset][model]
    found = {key: operator.attrgetter(key)(config) for key in keys}
    assert found == dict(zip(keys, datasets[dataset], strict=True))
    assert (config.dropout, config.fusion.method) == (0.5, model.removeprefix("i2moe-"))
    if model == "i2moe-interpretcc":
        assert config.num_patches == 1


ABLATIONS = {
    "no-interaction-loss": {"interaction.loss_weight": 0.0},
    "latent-contrastive": {"interaction.on": "latent"},
    "simple-weight": {"reweighting": "global"},
    "less-forward": {"interaction.views": "two"},
    "synergy-redundancy": {"interaction.experts": "synergy-redundancy"},
    "mean-vector": {"interaction.replacement": "mean"},
    "zero-vector": {"interaction.replacement": "zero"},
}


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_an_ablation_is_i2moe_mult_with_only_the_ablated_part_changed(project, ablation):
    for models in project.models.values():
        full, changed = models["i2moe-mult"].model_dump(), models[ablation].model_dump()
        for key, value in ABLATIONS[ablation].items():
            *blocks, last = key.split(".")
            block = functools.reduce(operator.getitem, blocks, full)
            assert block[last] != value
            block[last] = value
        assert changed == full


def test_every_dataset_has_every_model(project):
    methods = ["early", "late", "lrmf", "mult", "interpretcc", "switchgate", "moepp"]
    for models in project.models.values():
        assert {*methods, *PAPER, *ABLATIONS} <= set(models)


@pytest.mark.parametrize(("cap", "epochs"), [(None, 15), (3, 3), (15, 15), (100, 15)])
def test_max_epochs_caps_a_models_epochs(load, cap, epochs):
    assert load({"run.max_epochs": cap}).model("tiny", "mult").epochs == epochs


def test_the_check_writes_each_models_settings_only_where_all_are_valid(load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error_of(load, {"split.train": 0.6})
    with pytest.raises(InputError):
        check(Path("results/settings"))
    assert not Path("results").exists()
    params = load({"models.tiny.big": {"epochs": 2}, "models.tiny.other": {}, "run.models": ["mult", "big"]})
    check(Path("results/settings"))
    written = {path.name: json.loads(path.read_text()) for path in Path("results/settings/tiny").iterdir()}
    assert set(written) == {"mult.json", "big.json"}  # what runs
    assert written["big.json"] == params.settings("tiny", "big")
    assert (written["mult.json"]["epochs"], written["big.json"]["epochs"]) == (15, 2)
    load({})
    check(Path("results/settings"))
    assert [path.name for path in Path("results/settings/tiny").iterdir()] == ["mult.json"]


def test_written_settings_have_the_capped_epochs_and_every_default(load):
    interaction = {"interaction": {"loss_weight": 0.1}, "reweighting": "global"}
    settings = load({"run.max_epochs": 3, "models.tiny.mult": interaction}).settings("tiny", "mult")
    assert settings["epochs"] == 3
    assert settings["interaction"] == {
        "loss_weight": 0.1,
        "on": "logits",
        "experts": "all",
        "views": "all",
        "replacement": "random",
    }
    assert settings["reweighting"] == "global"


def test_the_command_ends_in_one_error_line_without_traceback(load, tmp_path):
    error_of(load, {"split.train": 0.6})
    command = subprocess.run(
        [sys.executable, "-m", "stages.params"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert command.returncode == 1
    assert command.stdout == ""
    expected = "error: params.yaml: split: train + validation + test is 0.9; allowed: shares that sum to 1"
    assert command.stderr.splitlines() == [expected]


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("data/synthetic/mimic", "mimic (synthetic)"),
        ("data/synthetic/mimic/", "mimic (synthetic)"),
        ("data/raw/mimic", "mimic"),
    ],
)
def test_a_dataset_of_synthetic_files_is_called_synthetic(tmp_path, raw, label):
    settings = YAML(typ="safe", pure=True).load(ROOT / "params.yaml")
    settings["data"]["mimic"]["raw"] = raw
    path = tmp_path / "params.yaml"
    path.write_text(json.dumps(settings))
    params = load_params(path)
    assert params.label("mimic") == label
    assert params.label("wdbc") == "wdbc"
