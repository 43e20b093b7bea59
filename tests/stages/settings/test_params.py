"""Settings: what loads, and that every mistake is one InputError in the terms of params.yaml."""

from pathlib import Path

import pytest

from stages.settings.params import load_params
from tests.stages.conftest import error_of

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
