"""Models' settings: how blocks are laid over each other, and that the paper's datasets have the paper's."""

import functools
import operator
from pathlib import Path

import pytest

from i2moe.base.errors import InputError
from stages.settings.__main__ import describe
from stages.settings.__main__ import settings as write_settings
from stages.settings.models import bases, merge
from stages.settings.params import load_params
from tests.stages.conftest import error_of

ROOT = Path(__file__).parents[3]


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
    assert params.model("tiny", "back").reweighting.model_dump() == mlp | {"normalise": False}


def test_what_runs_has_the_base_of_each_model_that_runs_too():
    """A dataset's own base wins over the shared one; a base that does not run is none."""
    shared = {"mult": {}, "mixed": {"base": "mult"}, "ablated": {"base": "mixed"}}
    raw = {"models": {"shared": shared, "tiny": {"late": {}, "mixed": {"base": "late"}}}}
    assert bases(raw, "tiny", ["late", "mixed", "ablated"]) == {"mixed": "late", "ablated": "mixed"}
    assert bases(raw, "other", ["mult", "mixed"]) == {"mixed": "mult"}
    assert bases(raw, "other", ["mixed"]) == {}


def test_bases_that_lead_back_are_refused(load):
    chain = {"models.tiny.a": {"base": "b"}, "models.tiny.b": {"base": "c"}, "models.tiny.c": {"base": "a"}}
    message = error_of(load, chain)
    assert message.startswith("params.yaml: models.tiny.")
    assert "base" in message
    assert "is not another model" not in message  # each of them is one


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
    model = params.model("tiny", "mult")
    before = describe(model)
    assert before.config.fusion.model_dump() == fusion
    assert describe(model) == before
    path.write_text(OWN_FUSION.replace("pass", "power = 1"))
    assert describe(model).fusion_source != before.fusion_source


def test_a_fusion_of_ones_own_that_is_not_there_is_one_line(load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load({"models.tiny.mult": {"fusion": {"method": "no_such_fusion:Product"}}})
    with pytest.raises(InputError, match="cannot import 'no_such_fusion'"):
        write_settings()


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
    "latent-contrastive": {"interaction.compare": "latent"},
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


def test_token_models_see_tokens_of_every_dataset(project):
    for models in project.models.values():
        for name in ("dense", "fl-i2moe", "gshard"):
            config = models[name]
            assert (config.encoder, config.fusion.method) == ("token", "gshard" if name == "gshard" else "dense")
            assert (config.interaction is not None) == (name == "fl-i2moe")
        assert models["fl-i2moe"].reweighting.normalise
        assert models["fl-i2moe"].interaction.loss_weight == models["i2moe-mult"].interaction.loss_weight


def test_every_dataset_has_every_model(project):
    methods = ["early", "late", "lrmf", "mult", "interpretcc", "switchgate", "moepp", "dense", "gshard", "fl-i2moe"]
    for models in project.models.values():
        assert {*methods, *PAPER, *ABLATIONS} <= set(models)


@pytest.mark.parametrize(("cap", "epochs"), [(None, 15), (3, 3), (15, 15), (100, 15)])
def test_max_epochs_caps_a_models_epochs(load, cap, epochs):
    assert load({"run.max_epochs": cap}).model("tiny", "mult").epochs == epochs


@pytest.mark.parametrize(("cap", "batch_size"), [(None, 8), (3, 3), (8, 8), (100, 8)])
def test_max_batch_size_caps_a_models_batches(load, cap, batch_size):
    assert load({"run.max_batch_size": cap}).model("tiny", "mult").batch_size == batch_size


def test_models_on_a_stand_in_and_no_other_train_as_stand_ins_need_it(project):
    training = project.synthetic.training
    for dataset in ("adni", "imdb", "mimic", "mosi", "enrico", "mmhs"):
        config = project.model(dataset, "mult")
        own = project.models[dataset]["mult"]
        assert (config.learning_rate, config.dropout) == (training.learning_rate, training.dropout)
        assert (own.learning_rate, own.epochs > 6) == (1e-4, True)
        for name in ("encoder_dim", "hidden_dim", "num_patches", "batch_size", "epochs"):
            assert getattr(config, name) == min(getattr(own, name), getattr(training, name)), name
        assert (config.fusion, config.selection) == (own.fusion, own.selection)
    assert project.model("enrico", "mult").encoder_dim == 16  # at most
    assert project.model("wdbc", "mult") == project.models["wdbc"]["mult"]
    real = project.data.model_copy(update={"adni": project.data.adni.model_copy(update={"raw": "data/raw/adni"})})
    config = project.model_copy(update={"data": real}).model("adni", "mult")
    assert config == project.models["adni"]["mult"]
    own = project.model_copy(update={"synthetic": project.synthetic.model_copy(update={"training": None})})
    assert own.model("adni", "mult").learning_rate == 1e-4
