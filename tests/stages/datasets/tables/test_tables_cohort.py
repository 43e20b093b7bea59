"""The cohort stage on own tables: labels, classes, groups, and who is left out."""

import json
from pathlib import Path

import pytest

from i2moe.base.errors import InputError
from i2moe.contract.cohort import read_cohort
from stages.datasets.tables.cohort import cohort
from tests.small_settings import TRAIN_YAML

SETTINGS = (
    TRAIN_YAML
    + """
run: {datasets: [tiny], models: [mult], seeds: [0], max_epochs: null, max_batch_size: null}
split: {train: 0.6, validation: 0.2, test: 0.2, seed: 0}
models:
  tiny:
    mult: {encoder: mlp, encoder_dim: 8, num_patches: 2, hidden_dim: 8, dropout: 0.5, learning_rate: 1e-3,
           fusion: {method: mult, num_layers: 1, num_heads: 4}, batch_size: 8, epochs: 1, selection: loss}
"""
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that writes own.csv and params.yaml, runs the stage and returns the cohort and its JSON."""
    monkeypatch.chdir(tmp_path)

    def run_stage(columns, **table):
        if not any(name.startswith("a") for name in columns):
            columns = columns | {"a": range(len(next(iter(columns.values()))))}
        rows = zip(*columns.values(), strict=True)
        lines = [",".join(columns), *(",".join("" if cell is None else str(cell) for cell in row) for row in rows)]
        Path("own.csv").write_text("\n".join(lines) + "\n")
        described = {"raw": "own.csv", "label": "outcome", "task": "multiclass", "modalities": {"a": {"prefix": "a"}}}
        data = {"tables": {"tiny": described | table}}
        Path("params.yaml").write_text(SETTINGS + f"data: {json.dumps(data)}\n")
        cohort("tiny")
        return read_cohort(Path("data/cohorts/tiny.csv")), json.loads(Path("data/cohorts/tiny.json").read_text())

    return run_stage


def repeated(*labels, times=5):
    return {"age": range(len(labels) * times), "outcome": [label for label in labels for _ in range(times)]}


def test_samples_without_label_or_group_are_dropped_and_counted(run):
    columns = repeated("well", "ill", times=6)
    columns["person"] = [f"p{row}" for row in range(12)]
    columns["outcome"][0] = columns["outcome"][7] = columns["person"][11] = None
    table, description = run(columns, task="binary", group="person")
    assert description["samples_in_raw_data"] == 12
    assert description["removed"] == {"outcome missing": 2, "person missing": 1}
    assert description["samples"] == len(table) == 9
    assert table["sample_id"].tolist() == [f"row-{row:02d}" for row in range(12) if row not in (0, 7, 11)]
    assert table["group_id"].tolist() == [f"p{row}" for row in range(12) if row not in (0, 7, 11)]


def test_samples_that_another_file_lacks_are_counted(run, tmp_path):
    ids = range(10, 21)
    (tmp_path / "more.csv").write_text("sample,dose\n" + "".join(f"{row},1\n" for row in ids[1:]))
    columns = {"sample": ids, "outcome": ["ill", *["well", "ill"] * 5]}
    _, description = run(columns, task="binary", id="sample", raw=".", files=["own.csv", "more.csv"])
    assert description["samples_in_raw_data"] == 11
    assert description["removed"] == {"not in more.csv": 1, "outcome missing": 0}
    assert description["samples"] == 10


def test_numeric_groups_stay_whole_numbers_where_some_are_missing(run):
    columns = repeated("well", "ill") | {"person": [*range(9), None]}
    table, _ = run(columns, task="binary", group="person")
    assert table["group_id"].tolist() == [str(person) for person in range(9)]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "9", "2"], ["2", "9", "10"]),
        (["well", "3", "ill"], ["3", "ill", "well"]),
        (["1", "0"], ["0", "1"]),
        (["1", "-1"], ["-1", "1"]),
        (["1", "-10", "-2"], ["-10", "-2", "1"]),
        (["True", "False"], ["False", "True"]),
    ],
)
def test_classes_come_in_order_of_number_then_name(run, labels, classes):
    table, description = run(repeated(*labels))
    assert description["classes"] == classes
    assert table["label"].tolist() == repeated(*labels)["outcome"]


def test_number_classes_stay_whole_numbers_where_some_are_missing(run):
    columns = repeated("0", "1", times=6)
    columns["outcome"][0] = None
    assert run(columns, task="binary")[1]["classes"] == ["0", "1"]


def test_classes_from_the_settings_keep_their_order(run):
    _, description = run(repeated("benign", "malignant"), task="binary", classes=["malignant", "benign"])
    assert description["classes"] == ["malignant", "benign"]


def test_several_labels_a_sample_become_a_column_each(run):
    columns = {"age": range(10), "flu": [0, 1] * 5, "cold": [1, 1, 0, 0, 1] * 2}
    table, description = run(columns, task="multilabel", label=["flu", "cold"])
    assert description["classes"] == ["flu", "cold"]
    assert table["label_flu"].tolist() == [str(value) for value in columns["flu"]]
    assert table["label_cold"].tolist() == [str(value) for value in columns["cold"]]


def test_a_regression_keeps_its_numbers(run):
    columns = {"age": range(10), "outcome": [0.25 * row for row in range(10)]}
    table, description = run(columns, task="regression")
    assert description["classes"] == []
    assert table["label"].astype(float).tolist() == columns["outcome"]


WRONG_LABELS = {
    "unknown class": (
        repeated("benign", "malign"),
        {"classes": ["benign", "malignant"]},
        r"own.csv column 'outcome': unknown label in 5 samples; allowed by `classes`: \['benign', 'malignant'\]",
    ),
    "three classes for binary": (
        repeated("low", "middle", "high"),
        {"task": "binary"},
        "column 'outcome': task binary needs 2 classes, found 3: name them under `classes`",
    ),
    "one class for binary": (repeated("low"), {"task": "binary"}, "task binary needs 2 classes, found 1"),
    "two in a multilabel": (
        {"flu": [0, 1, 1], "cold": [1, 2, 0]},
        {"task": "multilabel", "label": ["flu", "cold"]},
        "column 'cold': label is not 0 or 1, as task multilabel asks, in 1 samples",
    ),
    "text for a regression": (
        {"outcome": ["1.5", "high", "2"]},
        {"task": "regression"},
        "column 'outcome': label is not a finite number, as task regression asks, in 1 samples: correct it, name it ",
    ),
    "infinity for a regression": (
        {"outcome": ["1.5", "inf", "2"]},
        {"task": "regression", "licence": "open"},
        "column 'outcome': label .*inf.* is not a finite number, as task regression asks, in 1 samples",
    ),
    "no such label": (
        repeated("ill", "well"),
        {"label": "outcom"},
        "own.csv has no column 'outcom', named as label or group; it has 2 others; did you mean 'outcome'",
    ),
    "no such group": (repeated("ill", "well"), {"group": "patient"}, "has no column 'patient'"),
    "no label at all": ({"age": [1, 2], "outcome": [None, None]}, {}, "own.csv: no sample has a value in .*'outcome'"),
    "a class of one sample": (
        {"outcome": ["a", "b"] * 5 + ["c"]},
        {},
        "column 'outcome': 1 of 3 labels are of fewer than 3 samples",
    ),
    "a class of one sample, which may be shown": (
        {"outcome": ["a", "b"] * 5 + ["c"]},
        {"licence": "open"},
        "tiny: class 'c' has 1 samples, too few",
    ),
    "an unknown class, which may be shown": (
        repeated("benign", "malign"),
        {"classes": ["benign", "malignant"], "licence": "open"},
        "unknown label 'malign' in 5 samples; allowed by",
    ),
}


@pytest.mark.parametrize(("columns", "table", "message"), WRONG_LABELS.values(), ids=WRONG_LABELS)
def test_a_wrong_label_is_refused_and_nothing_is_written(run, columns, table, message):
    with pytest.raises(InputError, match=message):
        run(columns, **table)
    assert not Path("data").exists()


def test_an_unknown_dataset_is_refused(run):
    run(repeated("ill", "well"))
    with pytest.raises(InputError, match="tinny"):
        cohort("tinny")
