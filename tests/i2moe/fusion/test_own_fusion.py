"""A fusion module of one's own, named by its import path."""

import re
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from ruamel.yaml import YAML
from small_models import tokens

from i2moe.base.errors import InputError
from i2moe.checkpoints import save
from i2moe.data import FeatureSet
from i2moe.inference import load, predict
from i2moe.model.config import AnyFusionConfig, ModelConfig
from i2moe.model.fusion import Sizes, build_fusion, import_fusion
from i2moe.model.multimodal import build_model
from i2moe.training import Hardware, fit

ROOT = Path(__file__).parents[3]
OWN = """
    import torch
    from torch import nn

    from i2moe.model.tokens import mean_of


    class Product(nn.Module):
        def __init__(self, sizes, *, power=1):
            super().__init__()
            self.power = power
            self.dropout = nn.Dropout(sizes.dropout)
            self.head = nn.Linear(sizes.hidden_dim, sizes.num_outputs)

        def forward(self, tokens):
            joint = torch.stack([modality.mean(dim=1) for modality in tokens]).prod(dim=0)
            return self.head(self.dropout(joint ** self.power))


    class AnyTokens(Product):
        def forward(self, tokens):
            joint = torch.stack([mean_of(modality) for modality in tokens]).prod(dim=0)
            return self.head(self.dropout(joint))


    class TooWide(Product):
        def forward(self, tokens):
            return super().forward(tokens).repeat(1, 2)


    class Pair(Product):
        def forward(self, tokens):
            return super().forward(tokens), None


    class Picky(nn.Module):
        def __init__(self, *, hidden_dim):
            super().__init__()


    class Unlucky(Product):
        def __init__(self, sizes):
            super().__init__(sizes)
            self.width = sizes.hiden_dim


    class Failing(Product):
        def forward(self, tokens):
            return self.head(torch.cat([tokens[0], tokens[1]], dim=2).mean(dim=1))


    class WrongCall(Product):
        def forward(self, tokens):
            return self.head(tokens[0].mean(dim=1), 3)


    class Silent(nn.Module):
        def __init__(self, sizes):
            super().__init__()
            self.layer = nn.Linear(2, 2)


    class Listed(nn.Module):
        def __init__(self, sizes):
            super().__init__()
            self.heads = [nn.Linear(sizes.hidden_dim, sizes.num_outputs)]

        def forward(self, tokens):
            return self.heads[0](tokens[0].mean(dim=1))


    class NoModule:
        pass
    """


@pytest.fixture(autouse=True)
def _own_module(tmp_path, monkeypatch):
    """Write own_fusion.py where Python finds it, as it would next to params.yaml."""
    folder = tmp_path / "project"
    folder.mkdir()
    path = folder / "own_fusion.py"
    path.write_text(textwrap.dedent(OWN))
    monkeypatch.syspath_prepend(folder)
    yield
    sys.modules.pop("own_fusion", None)


def config(method="own_fusion:Product", *, mixed=False, **own):
    settings = {
        "encoder": "patch",
        "encoder_dim": 8,
        "num_patches": 2,
        "hidden_dim": 8,
        "dropout": 0.1,
        "fusion": {"method": method, **own},
        "learning_rate": 1e-2,
        "batch_size": 16,
        "epochs": 2,
        "selection": "loss",
    }
    if mixed:
        weights = {"hidden_dim": 8, "num_layers": 2, "temperature": 1.0}
        settings |= {"interaction": {"loss_weight": 0.1}, "reweighting": weights}
    return ModelConfig.model_validate(settings)


def build(settings, outputs=3):
    return build_fusion(settings.fusion, Sizes(3, 2, 8, outputs, settings.dropout))


def test_a_module_of_ones_own_gets_its_own_settings():
    module = build(config(power=3))
    assert (type(module).__name__, module.power, module.dropout.p) == ("Product", 3, 0.1)
    assert module.training
    assert module(tokens()).shape == (5, 3)


def test_it_runs_inside_an_i2moe_with_all_experts_at_once():
    model = build_model(
        config(mixed=True),
        kinds={"a": "vector", "b": "vector"},
        shapes={"a": (6,), "b": (4,)},
        task="multiclass",
        num_outputs=3,
    )
    prediction = model.predict(tokens(modalities=2))
    assert model.fusion.experts.vectorised
    assert list(prediction.interaction_losses) == ["uniqueness_a", "uniqueness_b", "synergy", "redundancy"]
    (prediction.logits.square().sum() + sum(prediction.interaction_losses.values())).backward()
    assert all(parameter.grad.any() for parameter in model.fusion.parameters())


@pytest.mark.parametrize("mixed", [False, True])
def test_it_trains_and_its_checkpoint_predicts(synthetic_dataset, tmp_path, mixed):
    features = FeatureSet(*synthetic_dataset())
    own = config(mixed=mixed)
    best = fit(features, own, 0, folder=tmp_path / "run", hardware=Hardware(accelerator="cpu"))
    save(best, tmp_path / "0.ckpt")
    assert predict(load(features, own, tmp_path / "0.ckpt", torch.device("cpu")), features, "test").logits.shape == (
        12,
        3,
    )


def line_of(words):
    """Return the line of own_fusion.py that has these words."""
    lines = textwrap.dedent(OWN).splitlines()
    return next(number for number, line in enumerate(lines, start=1) if words in line)


MISTAKES = {
    "no such module": (
        {"method": "own_fusoin:Product"},
        [
            "fusion.method own_fusoin:Product: cannot import 'own_fusoin'",
            "put its file into the folder own/ and name it own.FILE:CLASS, or install its package",
        ],
    ),
    "no such class": ({"method": "own_fusion:Prodct"}, ["own_fusion:Prodct: ", "no nn.Module class 'Prodct'"]),
    "no nn.Module": ({"method": "own_fusion:NoModule"}, ["own_fusion:NoModule: ", "no nn.Module class 'NoModule'"]),
    "an argument too many": (
        {"exponent": 2},
        ["own_fusion:Product: ", "'exponent'", "it is called with sizes, exponent"],
    ),
    "a constructor that takes less": (
        {"method": "own_fusion:Picky"},
        ["own_fusion:Picky: ", "it is called with sizes"],
    ),
    "too many columns": (
        {"method": "own_fusion:TooWide"},
        ["own_fusion:TooWide: for 3 tensors [2, 2, 8] it returns [2, 6]", "allowed: logits [2, 3]"],
    ),
    "an error while it is built": (
        {"method": "own_fusion:Unlucky"},
        [f"own_fusion.py, line {line_of('hiden_dim')}: AttributeError: ", "'hiden_dim'", "correct it there"],
    ),
    "an error while it fuses": (
        {"method": "own_fusion:Failing"},
        [f"own_fusion.py, line {line_of('torch.cat')}: RuntimeError: mat1 and mat2 shapes cannot be multiplied"],
    ),
    "a call of a layer with too much": (
        {"method": "own_fusion:WrongCall"},
        [f"own_fusion.py, line {line_of(', 3)')}: TypeError: "],
    ),
    "no forward": ({"method": "own_fusion:Silent"}, ["own_fusion.py: ", '"forward"']),
    "layers in a list": (
        {"method": "own_fusion:Listed"},
        ["own_fusion:Listed: it has no parameters: ", "nn.ModuleList", "nn.Parameter"],
    ),
    "a pair": ({"method": "own_fusion:Pair"}, ["own_fusion:Pair: ", "it returns tuple", "allowed: logits [2, 3]"]),
}


@pytest.mark.parametrize(("settings", "fragments"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_in_the_terms_of_params_yaml(settings, fragments):
    with pytest.raises(InputError) as caught:
        build(config(**settings))
    for fragment in ["fusion.method ", *fragments]:
        assert fragment in str(caught.value)


BROKEN = {
    "a sign forgotten": ("import torch\nclass Product(torch.nn.Module)\n    pass", 2, "SyntaxError: "),
    "a name forgotten": ("class Product(nn.Module):\n    pass", 1, "NameError: name 'nn' is not defined"),
    "an import of what is not there": (
        "from torch import nn\nimport no_such_package",
        2,
        "ModuleNotFoundError: No module named 'no_such_package'",
    ),
    "a division by zero": ("x = 1\n\ny = x / 0", 3, "ZeroDivisionError: division by zero"),
}


@pytest.mark.parametrize(("text", "line", "what"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_run_is_named_with_its_line(tmp_path, text, line, what):
    path = tmp_path / "project" / "own_fusion.py"
    path.write_text(text)
    with pytest.raises(InputError, match=re.escape(f"own_fusion:Product: {path}, line {line}: {what}")):
        import_fusion("own_fusion:Product")


@pytest.mark.parametrize("method", ["own.my-fusion:Mine", "own/my_fusion.py:Mine", "own.my_fusion:Mine()"])
def test_what_python_cannot_import_is_refused_with_an_example(method):
    with pytest.raises(ValueError, match=f"not '{re.escape(method)}'; allowed: own.FILE:CLASS"):
        config(method)


def test_a_module_that_cannot_take_the_tokens_of_sequences_is_refused_and_one_that_can_is_not():
    sizes = Sizes(2, 2, 8, 3, 0.1, num_tokens=(4, 6), is_padded=(False, True))
    with pytest.raises(InputError, match=r"own_fusion:Product: it does not take the tokens of sequences, .*Padded"):
        build_fusion(config().fusion, sizes)
    assert build_fusion(config("own_fusion:AnyTokens").fusion, sizes).training


def test_the_shape_is_checked_without_drawing_random_numbers():
    torch.manual_seed(0)
    import_fusion("own_fusion:Product")(Sizes(3, 2, 8, 3, 0.1))
    after_building = torch.get_rng_state()
    torch.manual_seed(0)
    build(config())
    assert torch.equal(torch.get_rng_state(), after_building)


def test_the_documented_example_is_built_from_its_settings_alone_and_inside_an_i2moe():
    text = "".join(path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
    block = next(part for part in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "gated-sum" in part)
    for model in YAML(typ="safe", pure=True).load(block).values():
        config = TypeAdapter(AnyFusionConfig).validate_python(model["fusion"])
        module = build_fusion(config, Sizes(3, 2, 8, 4, 0.5))
        assert module(tokens()).shape == (5, 4)
