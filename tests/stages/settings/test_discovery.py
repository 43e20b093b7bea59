"""A new dataset and a new fusion method are found where their files lie; nothing else has to know them."""

import sys
import textwrap

import pytest
import torch

import i2moe.fusion
import stages.datasets
from i2moe.model.config import find_fusion_configs
from i2moe.model.fusion import Sizes, build_fusion
from stages.settings.params import found_in_folders
from stages.settings.sources import source_files

SETTINGS = """
    from i2moe.base.strict import Positive, Strict


    class Settings(Strict):
        raw: str


    class SyntheticSettings(Strict):
        samples: Positive
    """
METHOD_CONFIG = """
    from typing import ClassVar, Literal

    from i2moe.base.strict import Positive
    from i2moe.model.fusion_config import FusionConfig


    class ToyConfig(FusionConfig):
        module: ClassVar[str] = "i2moe.fusion.toy:Toy"
        method: Literal["toy"]
        power: Positive
    """
METHOD = """
    from torch import nn

    from i2moe.fusion.transformer import FeedForward


    class Toy(nn.Module):
        def __init__(self, sizes, *, power):
            super().__init__()
            self.power = power
            self.layer = FeedForward(sizes.hidden_dim, 4, sizes.dropout)
            self.head = nn.Linear(sizes.hidden_dim, sizes.num_outputs)

        def forward(self, tokens):
            return self.head(self.layer(tokens[0]).mean(dim=1) ** self.power)
    """


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a function that lays files beside those of a package, for as long as the test runs."""
    known = set(sys.modules)

    def extend(module, files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(text))
        monkeypatch.setattr(module, "__path__", [*module.__path__, str(tmp_path)])

    yield extend
    for name in set(sys.modules) - known:
        if "toy" in name:
            del sys.modules[name]


def test_a_dataset_is_found_by_its_folder(package):
    before = set(found_in_folders("Settings"))
    package(stages.datasets, {"toy/__init__.py": "", "toy/settings.py": SETTINGS})
    known = {"adni", "enrico", "imdb", "mimic", "mmhs", "mosi"}
    assert known <= before
    assert set(found_in_folders("Settings")) == before | {"toy"}
    assert "toy" in found_in_folders("SyntheticSettings")


def test_a_fusion_method_is_found_by_its_two_files_built_and_hashed_with_what_it_imports(package):
    before = set(find_fusion_configs())
    package(i2moe.fusion, {"toy_config.py": METHOD_CONFIG, "toy.py": METHOD})
    found = find_fusion_configs()
    assert set(found) == before | {"toy"}
    config = found["toy"].model_validate({"method": "toy", "power": 2})
    fusion = build_fusion(config, Sizes(num_modalities=2, num_patches=3, hidden_dim=8, num_outputs=5, dropout=0.0))
    assert fusion.power == 2
    assert fusion([torch.randn(4, 3, 8)] * 2).shape == (4, 5)
    imported = {"dropout.py", "layers.py", "transformer.py"}
    assert {path.name for path in source_files("i2moe.fusion.toy")} == imported | {"toy.py"}


def test_the_source_of_a_module_of_ones_own_is_all_that_it_imports_from_its_package(tmp_path, monkeypatch):
    files = {
        "toys/__init__.py": "",
        "toys/deep/__init__.py": "",
        "toys/deep/first.py": "from . import second\nfrom toys.third import x\nimport numpy",
        "toys/deep/second.py": "from ..fourth import y",
        "toys/third.py": "x = 1",
        "toys/fourth.py": "y = 1",
        "toys/fifth.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    found = {path.name for path in source_files("toys.deep.first")}
    assert found == {"__init__.py", "first.py", "second.py", "third.py", "fourth.py"}
