"""Features of own tables: values by hand, nothing learnt outside train, and which columns may be a feature."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from i2moe.preparation.columns import ColumnEncoder
from stages.datasets.tables.columns import select_columns
from stages.datasets.tables.features import features
from stages.datasets.tables.settings import Modality, TableParams
from stages.datasets.tables.source import Source
from tests.small_settings import TRAIN_YAML

SETTINGS = (
    TRAIN_YAML
    + """
run: {datasets: [tiny], models: [mult], seeds: [0], max_epochs: null, max_batch_size: null}
split: {train: 0.6, validation: 0.2, test: 0.2, seed: 0}
data:
  tables:
    tiny: {raw: own.csv, id: sample, label: outcome, task: binary,
           modalities: {body: {columns: [age, colour]}, blood: {prefix: blood_}}}
models:
  tiny:
    mult: {encoder: mlp, encoder_dim: 8, num_patches: 2, hidden_dim: 8, dropout: 0.5, learning_rate: 1e-3,
           fusion: {method: mult, num_layers: 1, num_heads: 4}, batch_size: 8, epochs: 1, selection: loss}
"""
)
COHORT = """sample_id,group_id,split,label
s1,s1,train,ill
s2,s2,validation,ill
s3,s3,train,well
s4,s4,test,well
s5,s5,train,ill
"""
OWN = """sample,age,colour,blood_a,blood_b,outcome
s5,30,red,1,2,ill
s4,50,blue,3,4,well
s3,10,blue,5,,well
s2,40,red,7,8,ill
s1,20,red,9,2,ill
s0,99,red,9,9,
"""
IS_TRAIN = np.array([True, True, True, False])


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs the stage on a CSV and returns the features and description of each modality."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(SETTINGS)
    Path("data/cohorts").mkdir(parents=True)
    Path("data/cohorts/tiny.csv").write_text(COHORT)

    def run_stage(text):
        Path("own.csv").write_text(text)
        features("tiny")
        folder = Path("data/features/tiny")
        return {
            name: (np.load(folder / f"{name}.npy"), json.loads((folder / f"{name}.json").read_text()))
            for name in ("body", "blood")
        }

    return run_stage


def encode(table, is_train):
    encoder = ColumnEncoder.fit(table, is_train, "own.csv")
    return encoder.transform(table, "own.csv"), encoder


def encode_column(values):
    return encode(pd.DataFrame({"x": values}), IS_TRAIN)


def source_of(table):
    rows = np.arange(len(table))
    return Source(table, {}, dict.fromkeys(table.columns, "own.csv"), rows, len(rows), Path())


def test_a_tiny_table_is_imputed_scaled_and_one_hot_encoded_as_by_hand():
    table = pd.DataFrame(
        {
            "x": [5, None, 0, 5, 5, 6, None],  # train: median 5; then mean 4, deviation √((1+1+16+1+1)/5) = 2
            "colour": ["red", "red", "green", None, "blue", "violet", None],  # train: mode red
            "sex": ["f", "m", "f", "m", "f", "f", "m"],  # two values: one column
        }
    )
    array, encoder = encode(table, np.arange(7) < 5)
    expected = [
        # x, blue, green, red, m, x missing, colour missing
        [0.5, 0, 0, 1, 0, 0, 0],
        [0.5, 0, 0, 1, 1, 1, 0],
        [-2.0, 0, 1, 0, 0, 0, 0],
        [0.5, 0, 0, 1, 1, 0, 1],
        [0.5, 1, 0, 0, 0, 0, 0],
        [1.0, 0, 0, 0, 0, 0, 0],
        [0.5, 0, 0, 1, 1, 1, 1],
    ]
    np.testing.assert_allclose(array, expected, atol=1e-6)
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    assert encoder.features == [
        "x",
        "colour_blue",
        "colour_green",
        "colour_red",
        "sex_m",
        "missingindicator_x",
        "missingindicator_colour",
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2, 4, 6, 4], [[-(1.5**0.5)], [0], [1.5**0.5], [0]]),  # mean 4, deviation √(8/3)
        ([7.0, 7.0, 7.0, 9.0], [[0], [0], [0], [2]]),  # no spread in train: only centred
        ([True, False, True, False], [[1], [0], [1], [0]]),
        (pd.array([True, False, True, None], dtype="boolean"), [[1], [0], [1], [1]]),
        (pd.array([1, 3, 2, None], dtype="Int64"), [[-(1.5**0.5)], [1.5**0.5], [0], [0]]),
        ([2.0, 4.0, 6.0, None], [[-(1.5**0.5)], [0], [1.5**0.5], [0]]),  # missing outside train only: no indicator
    ],
    ids=["integers", "constant", "truth values", "nullable truth values", "nullable integers", "missing in test"],
)
def test_one_column_is_encoded_as_by_hand(values, expected):
    np.testing.assert_allclose(encode_column(values)[0], expected, atol=1e-6)


@pytest.mark.parametrize("values", [["u", "v", "w", "new"], ["u", "v", "u", "new"], ["u", "u", "u", "new"]])
def test_a_category_that_train_lacks_is_all_zeros(values):
    array, encoder = encode_column(values)
    assert array[3].tolist() == [0] * len(encoder.features)


def test_the_stage_writes_a_row_a_cohort_sample_in_order(run):
    result = run(OWN)
    body, description = result["body"]
    # Train ages are 20, 10, 30: mean 20, deviation √(200/3). Colours: blue, red; one column, red.
    deviation = (200 / 3) ** 0.5
    expected = [[0, 1], [20 / deviation, 1], [-10 / deviation, 0], [30 / deviation, 0], [10 / deviation, 1]]
    np.testing.assert_allclose(body, expected, atol=1e-6)
    assert description["shape"] == [2]
    blood, description = result["blood"]
    assert description["features"] == ["blood_a", "blood_b", "missingindicator_blood_b"]
    assert blood[:, 2].tolist() == [0, 0, 1, 0, 0]


def test_changing_validation_and_test_samples_leaves_every_train_row_as_it_was(run):
    train = [0, 2, 4]
    before = {name: array[train].tobytes() for name, (array, _) in run(OWN).items()}
    changed = OWN.replace("s4,50,blue,3,4,well", "s4,-7000,violet,,1e6,well").replace("s2,40,red,7,8", "s2,,,-9,0")
    assert changed.count("violet") == changed.count("s2,,,") == 1
    after = {name: array[train].tobytes() for name, (array, _) in run(changed).items()}
    assert after == before


def test_changing_a_train_sample_changes_the_features(run):
    before = run(OWN)["body"][0]
    after = run(OWN.replace("s5,30,red", "s5,31,red"))["body"][0]
    assert (before != after).any()


TABLE = pd.DataFrame(columns=["age", "blood_a", "blood_b", "blood_group", "blood_outcome"])


def select(**modalities):
    params = TableParams(
        raw="own.csv",
        group="blood_group",
        label="blood_outcome",
        task="binary",
        modalities={name: Modality(**rule) for name, rule in modalities.items()},
    )
    return select_columns(source_of(TABLE), params)


@pytest.mark.parametrize("rule", [{"prefix": "blood_"}, {"regex": "blood_.*"}])
def test_label_and_group_are_never_matched_as_features(rule):
    assert select(blood=rule) == {"blood": ["blood_a", "blood_b"]}


def test_every_label_of_a_multilabel_task_is_kept_out():
    params = TableParams(
        raw="own.csv", label=["blood_a", "blood_outcome"], task="multilabel", modalities={"all": Modality(regex=".*")}
    )
    assert select_columns(source_of(TABLE), params) == {"all": ["age", "blood_b", "blood_group"]}


def test_a_regex_matches_whole_names():
    assert select(blood={"regex": "blood_[ab]"}, rest={"regex": "a.*"}) == {
        "blood": ["blood_a", "blood_b"],
        "rest": ["age"],
    }


def test_named_columns_keep_their_order():
    assert select(mine={"columns": ["blood_b", "age"]}) == {"mine": ["blood_b", "age"]}


WRONG_COLUMNS = {
    "absent": (
        {"mine": {"columns": ["aeg"]}},
        "own.csv has no column 'aeg', named as feature of modality 'mine'; it has .*did you mean 'age'",
    ),
    "in two modalities": (
        {"mine": {"columns": ["age", "blood_a"]}, "blood": {"prefix": "blood_"}},
        "own.csv: column 'blood_a' is in modalities 'mine' and 'blood'; allowed: one modality per column",
    ),
    "named twice": ({"mine": {"columns": ["age", "age"]}}, "own.csv: column 'age'"),
    "no prefix matches": (
        {"mine": {"prefix": "blod_"}},
        "own.csv: modality 'mine' has no column: none matches prefix 'blod_'; it has .*did you mean 'blood_",
    ),
    "no regex matches": ({"mine": {"regex": "blood"}}, "modality 'mine' has no column: none matches regex 'blood'"),
    "only the label matches": ({"mine": {"prefix": "blood_o"}}, "modality 'mine' has no column"),
}


@pytest.mark.parametrize(("modalities", "message"), WRONG_COLUMNS.values(), ids=WRONG_COLUMNS)
def test_wrong_columns_are_refused(modalities, message):
    with pytest.raises(InputError, match=message):
        select(**modalities)


@pytest.mark.parametrize(("column", "role"), [("blood_outcome", "label"), ("blood_group", "group")])
def test_a_named_label_or_group_is_refused_as_what_it_is(column, role):
    with pytest.raises(InputError, match=f"'{column}'") as caught:
        select(mine={"columns": ["age", column]})
    assert "has no column" not in str(caught.value)
    assert role in str(caught.value).replace(column, "")


DAYS = [dt.date(2020, 1, day) for day in (1, 2, 3, 4)]
WRONG_VALUES = {
    "infinite in train": ([1.0, -np.inf, 3.0, 4.0], "own.csv column 'x', sample 2 by id: infinite value"),
    "infinite in test": ([1.0, 2.0, 3.0, np.inf], "own.csv column 'x', sample 4 by id: infinite value"),
    "no number in train": ([None, None, None, 4.0], "own.csv column 'x' has no value in the train split"),
    "no text in train": ([None, None, None, "u"], "own.csv column 'x' has no value in the train split"),
    "times": (pd.to_datetime(DAYS), "own.csv column 'x' holds dates: turn it into a number"),
    "times with a zone": (pd.to_datetime(DAYS, utc=True), "own.csv column 'x' holds dates: turn it into a number"),
    "days, as Parquet stores them": (DAYS, "own.csv column 'x' holds dates: turn it into a number"),
}


@pytest.mark.parametrize(("values", "message"), WRONG_VALUES.values(), ids=WRONG_VALUES)
def test_a_column_that_cannot_be_encoded_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        encode_column(values)


def test_an_unknown_dataset_is_refused(run):
    run(OWN)
    with pytest.raises(InputError, match="tinny"):
        features("tinny")
