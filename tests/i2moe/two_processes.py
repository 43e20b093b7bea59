"""Trains what a file says, in one process or as one of two that share each batch: see test_scale.py."""

import json
import sys
from pathlib import Path
from unittest.mock import patch

from i2moe.data import FeatureSet
from i2moe.model.config import ModelConfig
from i2moe.model.encoders import vector
from i2moe.training import Hardware, fit


def train(case):
    """Train a case: paths of features, cohort and checkpoints, settings of the model, where to train."""
    features = FeatureSet(Path(case["features"]), Path(case["cohort"]))
    config = ModelConfig.model_validate(case["config"])
    hardware = Hardware(**case["hardware"])
    with patch.object(vector, "MAXOUT_DROPOUT", 0.0):  # each process draws its own
        fit(features, config, 0, folder=Path(case["folder"]), hardware=hardware, progress=False)


if __name__ == "__main__":
    for each in json.loads(Path(sys.argv[1]).read_text()):
        train(each)
