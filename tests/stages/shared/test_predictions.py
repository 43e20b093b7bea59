"""The predictions' file: read as it was written, or refused by its name, with what to do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from i2moe.prepared import Prepared
from stages.shared.predictions import frame, read, read_labels, read_of

CLASSES = ["no", "yes"]
PATH = Path("mult.parquet")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(**changes):
    """Write two seeds of two test samples, with some columns changed; `...` takes one out."""
    table = pd.DataFrame(
        {"seed": [3, 3, 5, 5], "sample_id": ["p", "q"] * 2, "split": "test", "label": ["no", "yes"] * 2}
    )
    numbers = np.arange(4.0)
    for number, name in enumerate(("", "a.", "b.")):
        table[f"{name}logit_no"], table[f"{name}logit_yes"] = numbers + 10 * number, -numbers
    table["a.weight"], table["b.weight"] = 0.25, 0.75
    for name, values in changes.items():
        column = name.replace("__", ".")
        table = table.drop(columns=column) if values is ... else table.assign(**{column: values})
    table.to_parquet(PATH, index=False)


def test_seeds_samples_and_experts_are_where_they_belong():
    write()
    found = read(PATH, CLASSES, "test")
    assert (found.seeds, found.sample_ids, found.experts) == ([3, 5], ["p", "q"], ["a", "b"])
    assert found.logits.tolist() == [[[0, 0], [1, -1]], [[2, -2], [3, -3]]]
    assert found.expert_logits[1, 0].tolist() == [[12, -2], [22, -2]]
    assert found.weights[0].tolist() == [[0.25, 0.75]] * 2
    assert read_labels(PATH, "binary", CLASSES, "test").to_dict("list") == {
        "sample_id": ["p", "q"],
        "label": ["no", "yes"],
    }


def test_predictions_of_another_split_are_not_taken_for_those_of_the_cohort(synthetic_dataset):
    """As many test samples as there were, of another seed of the split: scores of them would mean nothing."""
    features = Prepared(*synthetic_dataset("binary"))
    logits = np.zeros((len(features.rows("test")), 2))
    frame(features, "test", 0, logits).to_parquet(PATH, index=False)
    assert len(read_of(features, PATH, "test").sample_ids) == 12
    features.table["split"] = features.table["split"].map({"train": "train", "validation": "test", "test": "test"})
    swapped = features.table.index[features.table["split"] == "test"]
    features.table.loc[swapped[:6], "split"] = "validation"
    assert len(features.rows("test")) == len(logits)
    with pytest.raises(InputError, match=r"mult.parquet is not of the cohort's test samples: run the stage that wr"):
        read_of(features, PATH, "test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"logit_yes": ...}, r"mult.parquet has no column 'logit_yes'.*: delete it and run `dvc repro`"),
        ({"b__logit_yes": ...}, r"mult.parquet has no column 'b.logit_yes'"),
        ({"b__weight": ...}, r"mult.parquet has weights of 1 of 2 experts: delete it"),
        ({"logit_no": [0, 1, None, 2.5]}, r"mult.parquet column 'logit_no' holds NaN or infinity: delete it"),
        ({"a__weight": [0.5, 0.5, 1e39, 0.5]}, r"mult.parquet column 'a.weight' holds NaN or infinity: delete it"),
        ({"a__weight": "x"}, r"mult.parquet column 'a.weight' does not hold float"),
        ({"seed": 0.5}, r"mult.parquet column 'seed' does not hold int"),
        ({"split": "train"}, r"mult.parquet has no row of the split 'test': delete it"),
        ({"sample_id": ["p", "q", "q", "p"]}, r"mult.parquet has a sample twice, or seeds with different samples"),
        ({"seed": 0}, r"mult.parquet has a sample twice, or seeds with different samples"),
        ({"seed": [0, 0, 0, 1]}, r"mult.parquet has a sample twice, or seeds with different samples"),
    ],
)
def test_predictions_that_are_broken(changes, message):
    write(**changes)
    with pytest.raises(InputError, match=message):
        read(PATH, CLASSES, "test")


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        (
            "binary",
            {"label": ["no", "maybe"] * 2},
            r"mult.parquet column 'label' holds a label that is none of the data",
        ),
        ("binary", {"label": [1, 2] * 2}, r"mult.parquet column 'label' does not hold str"),
        ("regression", {}, r"mult.parquet column 'label' holds a label that is none of the dataset's: delete it"),
        (
            "multilabel",
            {"label_no": "1", "label_yes": "2"},
            r"mult.parquet column 'label_yes' holds a label that is none",
        ),
        ("multilabel", {"label_no": "1"}, r"mult.parquet has no column 'label_yes'"),
    ],
)
def test_labels_that_are_broken(task, changes, message):
    write(**changes)
    with pytest.raises(InputError, match=message):
        read_labels(PATH, task, CLASSES, "test")


def test_no_parquet_and_no_file():
    PATH.write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"mult.parquet cannot be read as Parquet .*: delete it and run `dvc repro`"):
        read(PATH, CLASSES, "test")
    PATH.unlink()
    with pytest.raises(InputError, match=r"mult.parquet is missing: delete it and run `dvc repro`"):
        read(PATH, CLASSES, "test")
