"""What the page says of training."""

import numpy as np
import pandas as pd

from stages.report.training import changed_settings, confusion
from stages.shared.predictions import SplitPredictions


def test_a_confusion_is_the_share_of_each_class_over_all_seeds():
    logits = np.zeros((2, 4, 2))
    logits[0, [0, 1], 1] = 1  # seed 0 says yes of the first two
    logits[1, :, 1] = 1  # seed 1 of all
    own = SplitPredictions([0, 1], list("pqrs"), logits, [], np.empty((2, 0, 0, 0)), np.empty((2, 4, 0)))
    table = confusion(own, pd.Series(["yes", "no", "no", "no"]), ["no", "yes"])
    assert table.to_dict("records") == [
        {"actual": "no", "predicted": "no", "count": 2, "share": 0.333333},
        {"actual": "no", "predicted": "yes", "count": 4, "share": 0.666667},
        {"actual": "yes", "predicted": "no", "count": 0, "share": 0.0},
        {"actual": "yes", "predicted": "yes", "count": 2, "share": 1.0},
    ]


def test_only_settings_that_differ_are_shown(load):
    config = load({"models.tiny": {"mult": {"hidden_dim": 8, "learning_rate": 1e-4}}}).models["tiny"]["mult"]
    rows = changed_settings(config, {"hidden_dim": 16, "learning_rate": "1e-4"})
    found = {key: (default, value) for key, default, value in rows}
    assert found["hidden_dim"] == ("16", "8")
    assert "learning_rate" not in found
    assert found["fusion"][0] == "–"
    assert "method mult" in found["fusion"][1]
