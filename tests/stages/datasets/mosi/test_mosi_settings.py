"""Wrong settings of CMU-MOSI: each is one InputError in the terms of params.yaml."""

import pytest
from ruamel.yaml import YAML

from i2moe.base.errors import InputError
from stages.datasets.mosi.cohort import cohort
from stages.datasets.mosi.sequence import sequence
from stages.datasets.mosi.synthetic.synthesize import synthesize
from stages.settings.params import load_params
from tests.stages.datasets.mosi.conftest import ROOT

MISTAKES = {
    "unknown key": (
        {"non_finit": "zero"},
        r"data.mosi: unknown key 'non_finit' .*: allowed: raw, modalities, split, incomplete, non_finite; .* 'non",
    ),
    "unknown rule": (
        {"non_finite": "mean"},
        r"data.mosi.non_finite: .*'mean'; allowed: zero, median; did you mean 'median'\?",
    ),
    "unknown split": ({"split": "offical"}, r"data.mosi.split: .*'offical'; allowed: shares, official; did you mean"),
    "unknown modality": ({"modalities": ["video"]}, r"data.mosi.modalities.0: .*'video'; allowed: vision, audio, text"),
    "no modality": ({"modalities": []}, r"data.mosi.modalities: .*at least 1 item"),
    "another order": (
        {"modalities": ["text", "vision"]},
        r"data.mosi.modalities: \['text', 'vision'\]; allowed: vision, audio, text in this order, or fewer of them",
    ),
    "modality twice": ({"modalities": ["text", "text"]}, r"data.mosi.modalities: \['text', 'text'\]; allowed: "),
    "number for a file": ({"raw": 3}, r"data.mosi.raw: .*valid string, not 3"),
}


def write(folder, change):
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text())
    change(params)
    yaml.dump(params, folder / "params.yaml")


@pytest.mark.parametrize("case", MISTAKES)
def test_a_wrong_setting_is_one_clear_error(tmp_path, case):
    changes, message = MISTAKES[case]
    write(tmp_path, lambda params: params["data"]["mosi"].update(changes))
    with pytest.raises(InputError, match=message):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("key", ["raw", "modalities", "split", "non_finite"])
def test_a_missing_setting_is_named(tmp_path, key):
    write(tmp_path, lambda params: params["data"]["mosi"].pop(key))
    with pytest.raises(InputError, match=f"data.mosi.{key} is missing"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("key", "value", "message"), [("videos", 0, "greater than 0"), ("seed", -1, "greater than or")]
)
def test_wrong_settings_of_the_synthetic_data(tmp_path, key, value, message):
    write(tmp_path, lambda params: params["synthetic"]["mosi"].update({key: value}))
    with pytest.raises(InputError, match=rf"synthetic.mosi.{key}: .*{message}"):
        load_params(tmp_path / "params.yaml")


def test_without_its_settings_each_stage_says_which_are_missing(project):
    folder = project()
    cohort()

    def forget(params):
        params["run"]["datasets"] = ["wdbc"]
        del params["data"]["mosi"], params["models"]["mosi"]

    write(folder, forget)
    for stage in (cohort, lambda: sequence("text")):
        with pytest.raises(InputError, match=r"params.yaml: data.mosi is missing"):
            stage()
    write(folder, lambda params: params["synthetic"].pop("mosi"))
    with pytest.raises(InputError, match=r"params.yaml: synthetic.mosi is missing"):
        synthesize()
