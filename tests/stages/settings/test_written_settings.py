"""The settings stage: what it writes for the others, only where all of params.yaml is right."""

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
from tests.stages.conftest import error_of

ROOT = Path(__file__).parents[3]


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


def test_sealed_experts_are_no_fusion_method_alone(load):
    over = {"interaction": {"loss_weight": 0.1}, "reweighting": {"hidden_dim": 8, "num_layers": 1, "temperature": 1}}
    models = {"i2moe": over, "sealed": {"sealed": {"loss_weight": 0.1, "min_gain": 0.01}}}
    settings = load({"models.tiny": models, "run.models": list(models)}).to_run({"models": {"tiny": models}})
    assert settings.vanilla == {"tiny": {}}
