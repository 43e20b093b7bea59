"""Labels of a cohort's table, by task; what is no label is refused by the file's row."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from i2moe.contract.cohort import labels_of

PATH = Path("own.csv")


def test_labels_of_every_task():
    table = pd.DataFrame({"label": ["b", "a"], "label_x": ["0", "1"], "label_y": ["1", "1"]})
    assert labels_of(table, "binary", ["a", "b"], PATH).tolist() == [1, 0]
    assert labels_of(table, "multilabel", ["x", "y"], PATH).tolist() == [[0, 1], [1, 1]]
    numbers = labels_of(pd.DataFrame({"label": ["0.1", "-2"]}), "regression", [], PATH)
    assert numbers.dtype == np.float32
    assert numbers.tolist() == [np.float32(0.1), -2]


@pytest.mark.parametrize(
    ("task", "classes", "columns", "message"),
    [
        (
            "regression",
            [],
            {"label": ["1", "x"]},
            r"own.csv row 3: a label is not a finite number: rerun the cohort st",
        ),
        ("regression", [], {"label": ["1e999", "1"]}, r"own.csv row 2: a label is not a finite number"),
        ("regression", [], {"label": ["1", ""]}, r"own.csv row 3: a label is not a finite number"),
        ("multilabel", ["x"], {"label_x": ["1", "2"]}, r"own.csv row 3: a label is not 0 or 1: rerun the cohort stage"),
        ("multilabel", ["x"], {"label_x": ["yes", "1"]}, r"own.csv row 2: a label is not 0 or 1"),
        ("multilabel", ["x", "y"], {"label_x": ["1", "1"]}, r"own.csv has no column 'label_y': rerun the cohort stage"),
        ("multiclass", ["a"], {"label": ["a", "b"]}, r"own.csv row 3: its label is not in \['a'\]"),
    ],
)
def test_labels_that_are_none(task, classes, columns, message):
    with pytest.raises(InputError, match=message):
        labels_of(pd.DataFrame(columns), task, classes, PATH)
