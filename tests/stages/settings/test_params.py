"""Settings: what loads, and that every mistake is one InputError in the terms of params.yaml."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from i2moe.base.errors import InputError
from stages.settings.__main__ import describe
from stages.settings.__main__ import settings as write_settings
from stages.settings.params import load_params
from stages.shared.base.params import read_params
from tests.stages.conftest import GOOD, error_of

ROOT = Path(__file__).parents[3]

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


def test_the_projects_own_settings_load():
    params = load_params(ROOT / "params.yaml")
    for dataset in params.run.datasets:
        for model in params.run.models:
            assert params.model(dataset, model).epochs > 0


# Each case: the key, its wrong value, and what the message says: key, value, what is allowed, the nearest valid name.
SPARSE = {"method": "gshard", "num_layers": 1, "num_heads": 2, "capacity_factor": 1.2, "balance_weight": 0.01}
MISTAKES = {
    "unknown key": (
        "run.model",
        ["mult"],
        [
            "run: unknown key 'model' (value ['mult'])",
            "datasets, models, seeds, max_epochs, max_batch_size",
            "did you mean 'models'?",
        ],
    ),
    "unknown key at the top": (
        "trian",
        {},
        [
            "unknown key 'trian' (value {})",
            "run, split, synthetic, data, train, explain, models",
            "did you mean 'train'?",
        ],
    ),
    "unknown key of a model": (
        "models.tiny.mult",
        {"droput": 0.1},
        ["models.tiny.mult: unknown key 'droput' (value 0.1)", "allowed: encoder, ", "did you mean 'dropout'?"],
    ),
    "no tolerance at all": (
        "explain.agreement_tolerance",
        0,
        ["explain.agreement_tolerance: ", "greater than 0", "not 0"],
    ),
    "text for a number": ("split.train", "most", ["split.train: ", "valid number", "not 'most'"]),
    "text for an integer": ("train.devices", "two", ["train.devices: ", "valid integer", "not 'two'"]),
    "no device": ("train.devices", 0, ["train.devices: ", "greater than 0", "not 0"]),
    "no node": ("train.num_nodes", 0, ["train.num_nodes: ", "greater than 0", "not 0"]),
    "batches cut into no piece": (
        "train.accumulate_grad_batches",
        0,
        ["train.accumulate_grad_batches: ", "greater than 0", "not 0"],
    ),
    "unknown strategy": (
        "train.strategy",
        "dpp",
        ["train.strategy: ", "'dpp'", "auto, ddp, ddp_find_unused_parameters_true", "did you mean 'ddp'?"],
    ),
    "unknown precision": (
        "train.precision",
        "bf16",
        ["train.precision: ", "'bf16'", "allowed: 32-true, bf16-mixed, 16-mixed", "did you mean 'bf16-mixed'?"],
    ),
    "more devices than samples of a batch": (
        "train.devices",
        9,
        ["models.tiny.mult.batch_size: 8 samples cannot be cut into 9 parts", "allowed: 9 and more, or fewer parts"],
    ),
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
            "allowed: dense, early, gshard, interpretcc, late, lrmf, moepp, mult, switchgate",
            "did you mean 'mult'?",
            "module:Class",
        ],
    ),
    "tokens for a method that takes as many of each modality": (
        "models.tiny.mult.encoder",
        "token",
        [
            "models.tiny.mult: encoder token",
            "fusion.method mult does not take",
            "allowed: dense, gshard",
            "module:Class",
        ],
    ),
    "unknown decorrelation": (
        "models.tiny.mult",
        {
            "interaction": {"loss_weight": 0.1, "decorrelate": {"kind": "cosin", "weight": 0.1}},
            "reweighting": "global",
        },
        ["models.tiny.mult.interaction.decorrelate.kind", "'cosine', 'cka' or 'barlow'", "cosin"],
    ),
    "one expert for a token's two": (
        "models.tiny.mult.fusion",
        SPARSE | {"num_experts": 1},
        ["models.tiny.mult.fusion.num_experts", "greater than or equal to 2"],
    ),
    "more experts than can be built": (
        "models.tiny.mult.fusion",
        SPARSE | {"num_experts": 10**6},
        ["models.tiny.mult.fusion.num_experts", "less than or equal to 1000"],
    ),
    "more layers than can be built": (
        "models.tiny.mult.fusion",
        {"method": "late", "num_layers": 10**6, "num_heads": 1},
        ["models.tiny.mult.fusion.num_layers", "less than or equal to 1000"],
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
        ["models.tiny.big: base 'mlut' is not another model", "allowed: mult", "did you mean 'mult'?"],
    ),
    "a model as its own base": (
        "models.tiny.mult",
        {"base": "mult"},
        ["models.tiny.mult: base 'mult' is not another model"],
    ),
    "number for a shared model": ("models.shared", {"mult": 3}, ["models.tiny.mult", "3"]),
    "number for all shared models": ("models.shared", 3, ["models.shared", "3"]),
    "number for a base": ("models.tiny.big", {"base": 3}, ["models.tiny.big: base 3 is not another model"]),
    "modality without a rule": (
        f"{TINY}.modalities.a",
        {},
        [f"{TINY}.modalities.a: has nothing", "allowed: exactly one of columns, prefix, regex"],
    ),
    "modality with two rules": (
        f"{TINY}.modalities.a",
        {"prefix": "a", "regex": "a.*"},
        [f"{TINY}.modalities.a: has prefix and regex", "allowed: exactly one of columns, prefix, regex"],
    ),
    "modality with an empty list": (f"{TINY}.modalities.a", {"columns": []}, [f"{TINY}.modalities.a", "columns"]),
    "modality with a broken regex": (f"{TINY}.modalities.a", {"regex": "("}, [f"{TINY}.modalities.a", "regex", "'('"]),
    "no modality": (f"{TINY}.modalities", {}, [f"{TINY}.modalities"]),
    "modality that is not a file name": (f"{TINY}.modalities.A", {"prefix": "a"}, [f"{TINY}.modalities.A: ", "'A'"]),
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


def test_classes_for_a_regression_are_refused(load):
    message = error_of(load, {f"{TINY}.task": "regression", f"{TINY}.classes": ["no", "yes"]})
    assert f"{TINY}: classes have no meaning for task 'regression'; allowed: for binary and multiclass only" in message


def test_all_parts_of_a_batch_count_and_so_does_its_cap(load):
    parts = {"train.devices": 2, "train.num_nodes": 2, "train.accumulate_grad_batches": 2}
    assert load(parts).train.num_processes == 4
    assert "4 samples cannot be cut into 8 parts" in error_of(load, parts | {"run.max_batch_size": 4})


def test_several_mistakes_are_reported_together(load):
    message = error_of(load, {"run.model": ["mult"], "split.train": 0.6, "train.devices": "two", f"{TINY}.id": 3})
    for fragment in ("unknown key 'model'", "sum to 1", "train.devices: ", f"{TINY}.id: "):
        assert fragment in message


@pytest.mark.parametrize("text", ["a: [1\n", "a: 1\na: 2\n", "\ta: 1\n", "a: b: c\n"])
def test_broken_yaml_is_refused_with_its_place(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"params.yaml is not valid YAML: [\s\S]*line 1, column"):
        load_params(path)


BOMB = "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: " + "[" * 100_000, "it has more than 100 levels"),
        (BOMB, "its aliases make it more than 1000000 values"),
        (f"{BOMB}run: 1\nrun: *a11\n", "its aliases make it more than 1000000 values"),
        ("a: " + "9" * 5000, "Exceeds the limit"),
        ("a: 2001-99-99", "month must be in 1..12"),
        ("x:\n  " + "? " * 20_000, "it has more than 100 levels"),
        ("x:\n  " + "- " * 20_000, "it has more than 100 levels"),
    ],
    ids=[
        "open brackets",
        "aliases",
        "aliases in a key that is there twice",
        "digits",
        "date",
        "nested keys",
        "nested lists",
    ],
)
def test_yaml_that_would_take_forever_or_is_no_value_is_refused(tmp_path, text, problem):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"params.yaml is not valid YAML: {problem}") as caught:
        load_params(path)
    assert len(str(caught.value)) < 1000


def test_a_value_without_end_is_shown_in_short(tmp_path):
    path = tmp_path / "params.yaml"
    for text in ("x: &x [*x]", "x: " + "a" * 100_000, "x: [" + "1, " * 10_000 + "1]"):
        path.write_text(text)
        with pytest.raises(InputError, match="unknown key 'x' ") as caught:
            load_params(path)
        assert len(str(caught.value)) < 1000


def test_aliases_as_people_write_them_are_read(tmp_path):
    (tmp_path / "params.yaml").write_text("a: &a {b: 1}\nc: [*a, *a]\nd: {<<: *a, e: 2}\n")
    assert read_params(tmp_path / "params.yaml")["d"] == {"b": 1, "e": 2}


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


def test_the_check_writes_each_models_settings_only_where_all_are_valid(load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error_of(load, {"split.train": 0.6})
    with pytest.raises(InputError):
        write_settings()
    assert not Path("results").exists()
    params = load({"models.tiny.big": {"epochs": 2}, "models.tiny.other": {}, "run.models": ["mult", "big"]})
    write_settings()
    written = {path.name: json.loads(path.read_text()) for path in Path("results/settings/tiny").iterdir()}
    assert set(written) == {"mult.json", "big.json"}  # what runs
    assert written["big.json"] == describe(params.model("tiny", "big")).model_dump()
    assert (written["mult.json"]["config"]["epochs"], written["big.json"]["config"]["epochs"]) == (15, 2)
    load({})
    write_settings()
    assert [path.name for path in Path("results/settings/tiny").iterdir()] == ["mult.json"]


def test_written_settings_have_the_capped_epochs_and_every_default(load):
    interaction = {"interaction": {"loss_weight": 0.1}, "reweighting": "global"}
    settings = load({"run.max_epochs": 3, "models.tiny.mult": interaction}).model("tiny", "mult").model_dump()
    assert settings["epochs"] == 3
    assert settings["interaction"] == {
        "loss_weight": 0.1,
        "objective": "published",
        "compare": "logits",
        "experts": "all",
        "views": "all",
        "replacement": "random",
        "decorrelate": None,
    }
    assert settings["reweighting"] == "global"


def test_the_command_ends_in_one_error_line_without_traceback(load, tmp_path):
    error_of(load, {"split.train": 0.6})
    command = subprocess.run(
        [sys.executable, "-m", "stages.settings"],
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


def test_an_i2moe_s_vanilla_model_is_the_one_of_the_run_with_its_fusion_settings(load):
    fusion = {"method": "mult", "num_layers": 1, "num_heads": 4}
    over = {"interaction": {"loss_weight": 0.1}, "reweighting": {"hidden_dim": 8, "num_layers": 1, "temperature": 1}}
    models = {
        "mult": {},
        "wide": {"hidden_dim": 64},
        "i2moe": over,
        "wide-i2moe": over | {"hidden_dim": 64},
        "deep-i2moe": over | {"fusion": fusion | {"num_layers": 2}},
    }
    settings = load({"models.tiny": models, "run.models": list(models)}).to_run({"models": {"tiny": models}})
    assert settings.vanilla == {"tiny": {"i2moe": "mult", "wide-i2moe": "wide"}}
    alone = load({"models.tiny": models, "run.models": ["i2moe", "wide"]}).to_run({"models": {"tiny": models}})
    assert alone.vanilla == {"tiny": {"i2moe": "wide"}}
