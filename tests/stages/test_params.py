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
from stages.params import check, load_params, merge

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
        ["models.tiny.mult.fusion.method: ", "'mlut'", "allowed: mult", "did you mean 'mult'?"],
    ),
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
    assert load({"data.adni": adni}).adni().raw == "data/synthetic/adni"
    with pytest.raises(InputError, match=r"data.adni is missing: take the block from the project's own params.yaml"):
        load({}).adni()


def test_mimic_is_a_dataset_where_its_block_is_given(load):
    mimic = YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())["data"]["mimic"]
    assert load({}).data.names() == ["tiny"]
    assert load({"data.mimic": mimic}).data.names() == ["tiny", "mimic"]
    with pytest.raises(InputError, match=r"data.mimic is missing: take the block from the project's own params.yaml"):
        load({}).mimic()


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


@pytest.mark.parametrize(("cap", "epochs"), [(None, 15), (3, 3), (15, 15), (100, 15)])
def test_max_epochs_caps_a_models_epochs(load, cap, epochs):
    assert load({"run.max_epochs": cap}).model("tiny", "mult").epochs == epochs


def test_the_check_writes_its_stamp_only_for_valid_settings(load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error_of(load, {"split.train": 0.6})
    with pytest.raises(InputError):
        check(Path("results/checked"))
    assert not Path("results").exists()
    load({})
    check(Path("results/checked"))
    assert Path("results/checked").is_file()


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
