"""What only validation and test tweets hold reaches no fitted object and no train row (synthetic data)."""

import json

import numpy as np
import pandas as pd
import pytest

from stages.datasets.mmhs.cohort import cohort
from stages.datasets.mmhs.ocr import ocr
from stages.datasets.mmhs.tweet import tweet
from stages.datasets.mmhs.tweets import tweets
from stages.shared.base import paths
from tests.stages.datasets.mmhs.conftest import VECTORS, write_raw

NUM = 40


def run(project, texts, inside):
    """Run the stages of both texts; return the cohort, the arrays and what was fitted."""
    raw = project(modalities=["tweet", "ocr"])
    labels = [[number % 2] * 3 for number in range(NUM)]
    write_raw(raw, {name: (labels[number], texts[name], "") for number, name in enumerate(texts)}, inside)
    for stage in (tweets, cohort, tweet, ocr):
        stage()
    folder = paths.features("mmhs")
    fitted = {name: json.loads((folder / f"{name}.json").read_text())["fitted"] for name in ("tweet", "ocr")}
    arrays = {name: np.load(folder / f"{name}.npy") for name in ("tweet", "ocr")}
    return pd.read_csv(paths.cohort("mmhs"), dtype=str), arrays, fitted


def draw(generator):
    return {str(100 + number): " ".join(generator.choice(list(VECTORS), 3)) for number in range(NUM)}


@pytest.mark.parametrize(("split", "leaks"), [("test", False), ("validation", False), ("train", True)])
def test_other_texts_of_a_split_change_train_rows_and_fitted_objects_only_where_it_is_train(project, split, leaks):
    generator = np.random.default_rng(0)
    texts, inside = draw(generator), draw(generator)
    table, before, fitted = run(project, texts, inside)
    changed = dict.fromkeys(table["sample_id"][table["split"] == split], "fog fog fog tea")
    again, after, fitted_again = run(project, texts | changed, inside | changed)
    pd.testing.assert_frame_equal(table, again)
    assert (fitted != fitted_again) == leaks
    others = (table["split"] != split).to_numpy()
    for name, array in before.items():
        assert (after[name][others].tobytes() != array[others].tobytes()) == leaks
        assert (after[name][~others] != array[~others]).any()
