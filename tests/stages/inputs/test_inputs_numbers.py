"""What is shown of vectors and sequences, against values worked out by hand."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from i2moe.preparation.columns import ColumnEncoder
from i2moe.preparation.fitted import write_fitted
from i2moe.prepared import Prepared
from stages.inputs.columns import columns_of, fitted_columns
from stages.inputs.draw import MAX_SAMPLES, draw, strata, stratified
from stages.inputs.numbers import percentiles_among, show_sequences, show_vectors, shown
from stages.shared.inputs import UNKNOWN, Column

# Of ten samples, the first seven are train: the table's own order of splits.
AGE = [20, 30, 30, 40, 50, None, 60, 35, 30, 99]
SEX = ["f", "m", "m", "m", "f", "m", "f", "m", "f", "m"]
SITE = ["a", "b", "c", "a", "b", "c", "a", "a", "d", "c"]
IS_TRAIN = np.arange(10) < 7
TABLE = pd.DataFrame({"age": AGE, "sex": SEX, "site": SITE})


@pytest.fixture
def prepared(synthetic_dataset):
    """Return a function that writes a modality's array and description, and opens the dataset."""

    def write(array, about=None, lengths=None, present=None):
        folder, cohort = synthetic_dataset(samples=len(array))
        kind = "vector" if lengths is None else "sequence"
        np.save(folder / "first.npy", array)
        (folder / "first.json").write_text(json.dumps({"kind": kind, "shape": array.shape[1:]} | (about or {})))
        if lengths is not None:
            np.save(folder / "first.lengths.npy", lengths)
        if present is not None:
            np.save(folder / "first.present.npy", present)
        return Prepared(folder, cohort)

    return write


def test_numbers_are_shown_in_their_unit_and_categories_as_their_text(prepared):
    encoder = ColumnEncoder.fit(TABLE, IS_TRAIN, "own.csv")
    array = encoder.transform(TABLE, "own.csv")
    features = prepared(array, {"features": encoder.features})
    assert features.rows("train").tolist() == list(range(7))
    found = show_vectors(features, "first", np.array([7, 8, 9]), columns_of(encoder))
    assert (found.unit, found.left_out) == ("raw", None)
    assert found.names == ["age", "sex", "site", "missingindicator_age"]
    # The median of train, 35, is in the place of the missing age. One of seven train ages is missing.
    assert found.means == [pytest.approx(265 / 7, abs=0.005), None, None, 0.1429]
    assert found.values == [[35, "m", "a", 0], [30, "f", UNKNOWN, 0], [99, "m", "c", 0]]
    # Of 20, 30, 30, 35, 40, 50, 60: three are below 35 and it is there itself; one is below 30, which is there twice.
    assert [row[0] for row in found.percentiles] == [50, pytest.approx(200 / 7, abs=0.005), 100]
    assert [row[1:3] for row in found.percentiles] == [[None, None]] * 3


def test_a_number_that_was_0_is_0_again(prepared):
    table = pd.DataFrame({"pixel": [0, 0, 3, 7, 0, 1, 0, 0, 0, 7]})
    encoder = ColumnEncoder.fit(table, IS_TRAIN, "own.csv")
    features = prepared(encoder.transform(table, "own.csv"), {"features": ["pixel"]})
    found = show_vectors(features, "first", np.array([7, 9]), columns_of(encoder))
    assert found.values == [[0], [7]]
    assert found.percentiles == [[pytest.approx(100 * 2 / 7, abs=0.005)], [pytest.approx(100 * 6.5 / 7, abs=0.005)]]


def test_what_was_fitted_gives_the_columns_only_where_it_made_the_features(tmp_path):
    encoder = ColumnEncoder.fit(TABLE, IS_TRAIN, "own.csv")
    path = tmp_path / "first.fitted.npz"
    assert fitted_columns(path, encoder.features) is None
    write_fitted(path, {"mean": np.zeros(2)})
    assert fitted_columns(path, encoder.features) is None
    write_fitted(path, encoder.fitted())
    assert fitted_columns(path, encoder.features) == columns_of(encoder)
    assert fitted_columns(path, ["age", "other"]) is None


def test_of_many_features_those_that_vary_most_are_shown_and_the_others_counted(prepared):
    array = np.zeros((10, 70), np.float32)
    array[::2, 5:65] = 1
    array[::2, 64] = 0.5
    array[::2, 69] = 2
    features = prepared(array, {"features": [f"f{place}" for place in range(70)]})
    found = show_vectors(features, "first", np.array([8]), None)
    assert found.unit == "scaled"
    assert found.names == [*(f"f{place}" for place in range(5, 64)), "f69"]
    assert found.left_out == 10
    assert found.values == [[1] * 59 + [2]]
    assert found.means == [0.5714] * 59 + [1.143]


def test_unnamed_features_of_a_vector_are_counted_alone(prepared):
    features = prepared(np.ones((10, 4), np.float32))
    found = show_vectors(features, "first", np.array([8, 9]), None)
    assert (found.names, found.values, found.left_out) == ([], [[], []], 4)


def test_only_train_samples_that_have_the_modality_decide_and_others_have_no_values(prepared):
    array = np.array([[4], [0], [8], [6], [6], [6], [6], [6], [6], [0]], np.float32)
    features = prepared(array, {"features": ["dose"]}, present=array[:, 0] > 0)
    found = show_vectors(features, "first", np.array([8, 9]), None)
    assert found.means == [6]
    assert found.values == [[6], None]
    assert found.percentiles == [[50], None]


def test_a_column_of_features_of_minus_1_and_1_is_a_category_too():
    column = Column("gender", [0, 1], categories=["female", "male"])
    assert column.category(np.array([[-1, 1], [1, -1], [-1, -1]])) == ["male", "female", UNKNOWN]


def test_sequences_show_the_features_that_vary_most_over_the_real_steps(prepared):
    array = np.zeros((10, 3, 8), np.float32)
    array[:, :2] = np.arange(8) * np.array([-1, 1])[:, None]  # feature f is -f and f
    array[:, 2] = 1e6  # padding: no real step
    array[8] = [[0.123456] * 8, [2] * 8, [9] * 8]
    lengths = np.array([2] * 8 + [3, 1])
    features = prepared(array, {"features": list("abcdefgh")}, lengths)
    found = show_sequences(features, "first", np.array([8, 9]), [])
    assert found.names == list("cdefgh")
    assert found.steps == [[[0.1235, 2, 9]] * 6, [[-place] for place in range(2, 8)]]
    assert found.words is None


def test_sequences_without_names_have_numbers_and_words_end_with_the_steps(prepared):
    array = np.zeros((10, 3, 2), np.float32)
    present = np.arange(10) != 9
    lengths = np.where(present, 2, 1)
    features = prepared(array, None, lengths, present)
    words = [["a", "b", "c"]] * 9 + [[]]
    found = show_sequences(features, "first", np.array([8, 9]), words)
    assert found.names == ["feature 1", "feature 2"]
    assert found.steps == [[[0, 0], [0, 0]], None]
    assert found.words == [["a", "b"], []]


def test_percentiles_of_values_beyond_train_are_0_and_100():
    assert percentiles_among(np.array([1.0, 2.0, 2.0, 4.0]), np.array([-1, 1, 2, 3, 5])).tolist() == [
        0,
        12.5,
        50,
        75,
        100,
    ]


def test_numbers_have_four_significant_digits():
    assert shown(np.array([1234567, -0.00012345, 2.0, -0.0, 99.996])) == [1235000, -0.0001234, 2, 0, 100]


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel", "regression"])
def test_few_test_samples_are_all_shown(synthetic_dataset, task):
    features = Prepared(*synthetic_dataset(task))
    rows, how = draw(features)
    assert rows.tolist() == features.rows("test").tolist()
    assert how == "all test samples"


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("binary", "500 of 2000 test samples, drawn by class with a fixed seed"),
        ("multilabel", "500 of 2000 test samples, drawn at random with a fixed seed"),
        ("regression", "500 of 2000 test samples, drawn by 10 quantiles of the label with a fixed seed"),
    ],
)
def test_of_many_test_samples_500_are_drawn_alike_each_time(task, words):
    test = np.arange(3000, 5000)
    labels = np.random.default_rng(1).integers(0, 2, (5000, 3) if task == "multilabel" else 5000)
    features = SimpleNamespace(task=task, labels=labels, rows={"test": test}.get)
    rows, how = draw(features)
    assert how == words
    assert len(rows) == len(set(rows.tolist())) == MAX_SAMPLES
    assert rows.tolist() == sorted(rows.tolist())
    assert set(rows.tolist()) <= set(test.tolist())
    assert draw(features)[0].tolist() == rows.tolist()


def test_each_class_has_its_share_of_a_draw():
    classes = np.repeat([0, 1, 2], [1400, 500, 100])
    np.random.default_rng(1).shuffle(classes)
    counts = np.bincount(classes[stratified(strata("multiclass", classes), 500)])
    np.testing.assert_allclose(counts, [350, 125, 25], atol=1)


def test_each_tenth_of_a_regressions_labels_has_its_share_of_a_draw():
    labels = np.random.default_rng(1).normal(size=2000).astype(np.float32)
    drawn = stratified(strata("regression", labels), 500)
    tenth = np.searchsorted(np.quantile(labels, np.arange(1, 10) / 10), labels[drawn])
    assert np.bincount(tenth).tolist() == [50] * 10


def test_a_draw_takes_others_than_the_first_of_each_class():
    drawn = stratified(np.zeros(2000, int), 500)
    gaps = np.diff(drawn)
    assert gaps.min() == 1  # not every fourth
    assert gaps.max() > 4
