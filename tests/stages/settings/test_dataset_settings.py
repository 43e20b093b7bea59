"""Settings of the datasets with stages of their own: every mistake is named, and a missing block too."""

import functools
import importlib
import operator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from i2moe.base.errors import InputError
from stages.shared.base.params import load_block
from tests.stages.conftest import error_of

ROOT = Path(__file__).parents[3]

# Dataset, key, wrong value, what the message says.
MISTAKES = [
    ("mimic", "modalities", ["code", "lab"], ["data.mimic.modalities: ", "allowed: lab, note, code in this order"]),
    ("mimic", "modalities", ["labs"], ["data.mimic.modalities.0: ", "'labs'", "did you mean 'lab'?"]),
    ("mimic", "memory_limit", "lots", ["data.mimic.memory_limit: ", "not 'lots'"]),
    ("mimic", "cohort.icd_versions", [8], ["data.mimic.cohort.icd_versions.0: ", "not 8"]),
    ("mimic", "cohort.icd_versions", [9, 9], ["data.mimic.cohort.icd_versions: ", "twice"]),
    ("mimic", "lab.summaries", ["mean", "mean"], ["data.mimic.lab.summaries: ", "twice"]),
    ("mimic", "cohort.min_agee", 18, ["data.mimic.cohort: unknown key 'min_agee'", "did you mean 'min_age'?"]),
    ("mimic", "note.dim", 0, ["data.mimic.note.dim: ", "greater than 0"]),
    (
        "adni",
        "modalities",
        ["genetic", "image"],
        ["data.adni.modalities: ", "allowed: image, genetic, clinical, biospecimen"],
    ),
    ("adni", "modalities", ["genetic"], ["data.adni: modalities without image"]),
    ("adni", "image_source", "raven", ["data.adni.image_source: ", "'raven'", "did you mean 'ravens'?"]),
    ("adni", "cohort.label", "stabel", ["data.adni.cohort.label: ", "did you mean 'stable'?"]),
    ("adni", "image.downsample", 0, ["data.adni.image.downsample: ", "greater than 0"]),
    ("adni", "genetic.min_maf", 0.6, ["data.adni.genetic.min_maf: ", "less than or equal to 0.5"]),
    ("adni", "genetic.prune", {"window": 50}, ["data.adni.genetic.prune.max_r2 is missing"]),
    ("adni", "genetic.prunee", 3, ["data.adni.genetic: unknown key 'prunee'", "did you mean 'prune'?"]),
    ("adni", "clinical.tables", ["VITAL"], ["data.adni.clinical.tables.0: ", "did you mean 'VITALS'?"]),
    ("adni", "clinical.tables", ["VITALS", "VITALS"], ["data.adni.clinical.tables: ", "twice"]),
    ("adni", "biospecimen.tables", ["APOERES", "APOERES"], ["data.adni.biospecimen.tables: ", "twice"]),
    ("imdb", "modalities", ["poster", "plot"], ["data.imdb.modalities: ", "allowed: plot, poster in this order"]),
    ("imdb", "split", "offical", ["data.imdb.split: ", "'offical'", "did you mean 'official'?"]),
    ("imdb", "plot.unknown", "mean", ["data.imdb.plot.unknown: ", "not 'mean'", "allowed: drop, zero"]),
    ("imdb", "poster.batch_size", 0, ["data.imdb.poster.batch_size: ", "greater than 0"]),
    ("imdb", "poster.weight", "none", ["data.imdb.poster: unknown key 'weight'", "did you mean 'weights'?"]),
    ("mmhs", "labels", "class", ["data.mmhs.labels: ", "not 'class'", "did you mean 'classes'?"]),
    ("mmhs", "modalities", ["ocr", "tweet"], ["data.mmhs.modalities: ", "allowed: tweet, image, ocr in this order"]),
]


def own_settings(dataset):
    return YAML(typ="safe", pure=True).load((ROOT / "params.yaml").read_text())["data"][dataset]


@pytest.mark.parametrize(("dataset", "key", "value", "fragments"), MISTAKES)
def test_a_wrong_setting_of_a_dataset_is_named(load, dataset, key, value, fragments):
    settings = own_settings(dataset)
    *blocks, last = key.split(".")
    functools.reduce(operator.getitem, blocks, settings)[last] = value
    message = error_of(load, {f"data.{dataset}": settings})
    for fragment in fragments:
        assert fragment in message


@pytest.mark.parametrize("dataset", ["mimic", "adni", "imdb", "mosi", "enrico", "mmhs"])
def test_a_dataset_is_one_where_its_block_is_given(load, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where `load` writes params.yaml
    kind = importlib.import_module(f"stages.datasets.{dataset}.settings").Settings
    params = load({f"data.{dataset}": own_settings(dataset)})
    assert list(params.data.raw()) == ["tiny", dataset]
    assert params.data.raw()[dataset].startswith(f"data/synthetic/{dataset}")
    assert load_block(f"data.{dataset}", kind) == getattr(params.data, dataset)
    assert list(load({}).data.raw()) == ["tiny"]
    with pytest.raises(
        InputError, match=rf"params.yaml: data.{dataset} is missing: take the block from the project's own params.yaml"
    ):
        load_block(f"data.{dataset}", kind)
