"""Settings of a tiny project, written to a file with some keys changed."""

import functools
import json
import operator

import pytest
from ruamel.yaml import YAML

from i2moe.base.errors import InputError
from stages.settings.params import load_params
from tests.small_settings import TRAIN_YAML

GOOD = (
    TRAIN_YAML
    + """
run: {datasets: [tiny], models: [mult], seeds: [0], max_epochs: null, max_batch_size: null}
split: {train: 0.7, validation: 0.15, test: 0.15, seed: 0}
data:
  tables:
    tiny: {raw: own.csv, id: sample, label: outcome, task: binary, modalities: {a: {prefix: a}, b: {regex: "b.*"}}}
explain: {agreement_tolerance: null, tokens: {samples: 5, top: 2, draws: 2, tolerance: 0.1}}
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
)


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
