"""Columns as features: new rows are treated as the train rows were, from what was kept of them."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from i2moe.preparation.columns import ColumnEncoder
from i2moe.preparation.fitted import read_fitted, write_fitted

TRAIN = pd.DataFrame(
    {
        "age": [2.0, 4.0, None, 6.0],  # median 4, then mean 4 and deviation √2
        "colour": ["red", "blue", "red", None],  # mode red; of two categories, red alone has a feature
        "site": ["a", "b", "c", "a"],
    }
)


@pytest.fixture
def encoder():
    return ColumnEncoder.fit(TRAIN, np.ones(4, bool), "own.csv")


def test_a_new_row_is_imputed_and_scaled_as_train_was(encoder):
    new = pd.DataFrame({"site": ["b", "z"], "colour": [None, "green"], "age": [8.0, np.nan], "more": [1, 2]})
    expected = [[8**0.5, 1, 0, 1, 0, 0, 1], [0, 0, 0, 0, 0, 1, 0]]  # age, red, a, b, c, age missing, colour missing
    np.testing.assert_allclose(encoder.transform(new, "new.csv"), expected, atol=1e-6)
    assert encoder.features == [
        "age",
        "colour_red",
        "site_a",
        "site_b",
        "site_c",
        "missingindicator_age",
        "missingindicator_colour",
    ]


def test_an_encoder_that_was_kept_is_the_same(encoder, tmp_path):
    write_fitted(tmp_path / "x.npz", encoder.fitted())
    again = ColumnEncoder.from_fitted(read_fitted(tmp_path / "x.npz"))
    assert again.features == encoder.features
    assert again.categories == encoder.categories
    np.testing.assert_array_equal(again.transform(TRAIN, "own.csv"), encoder.transform(TRAIN, "own.csv"))


@pytest.mark.parametrize("columns", [["age"], ["colour"], ["site", "age"]])
def test_columns_of_one_kind_alone_are_kept_too(columns, tmp_path):
    encoder = ColumnEncoder.fit(TRAIN[columns], np.ones(4, bool), "own.csv")
    write_fitted(tmp_path / "x.npz", encoder.fitted())
    again = ColumnEncoder.from_fitted(read_fitted(tmp_path / "x.npz"))
    np.testing.assert_array_equal(again.transform(TRAIN, "own.csv"), encoder.transform(TRAIN, "own.csv"))


def test_drift_is_the_share_of_values_that_train_never_had(encoder):
    new = pd.DataFrame({"age": [1.0, 5.0, 7.0, None], "colour": ["red", "green", None, None], "site": [None] * 4})
    assert encoder.drift(new) == {"age": 2 / 3, "colour": 0.5}
    assert encoder.drift(TRAIN) == {"age": 0, "colour": 0, "site": 0}


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (TRAIN.drop(columns="age"), r"new\.csv has no column 'age'; it has 2 others"),
        (TRAIN.assign(age="old"), r"new\.csv column 'age' holds text, and in the train split numbers alone"),
        (TRAIN.assign(age=np.inf), r"new\.csv column 'age', sample 1 by id: infinite value"),
        (TRAIN.assign(age=pd.Timestamp(0)), r"new\.csv column 'age' holds dates"),
        (TRAIN.assign(age=1e300), r"new\.csv column 'age' holds a value too far"),
    ],
    ids=["missing", "text", "infinite", "dates", "too far"],
)
def test_rows_that_do_not_fit_are_refused_by_file_and_column(encoder, new, message):
    with pytest.raises(InputError, match=message):
        encoder.transform(new, "new.csv")


def fit(values, **settings):
    return ColumnEncoder.fit(pd.DataFrame({"x": values}), np.ones(len(values), bool), "own.csv", **settings)


NUMBERS = [str(value) for value in range(30)]
SLIPS = {
    "a question mark": (
        [*NUMBERS, "?"],
        r"x' holds numbers, but for 1 of 31 values \('\?'\): name those under `missing` \(from Python: make them NaN\)",
    ),
    "limits": ([*NUMBERS, "<0.1", ">9", "<0.2", "<0.3"], r"but for 4 of 34 values \('<0.1', '>9', '<0.2', …\)"),
    "decimal commas": (
        ["1,5", "2,5", "3"],
        r'x\' holds numbers with a decimal comma: set `decimal: ","` \(of pandas `decimal=","`\)',
    ),
    "days": (["2020-01-03", "2020-02-01", None], "x' holds dates: turn them into a number"),
    "German days": (["3.1.2020", "1.12.2020 10:00", "x"], "x' holds dates: turn them into a number"),
    "names": (
        [f"patient {row}" for row in range(30)],
        "x' has 30 different texts in 30 train rows: leave the column out",
    ),
}


@pytest.mark.parametrize(("values", "message"), SLIPS.values(), ids=SLIPS)
def test_text_that_would_be_many_columns_for_nothing_is_refused(values, message):
    with pytest.raises(InputError, match=message):
        fit(values, may_show=True)
    assert len(fit(values, categorical=["x"]).categories) == 1


def test_no_value_is_shown_unless_it_may_be():
    with pytest.raises(InputError, match="but for 1 of 31 values: name those") as caught:
        fit([*NUMBERS, "secret"])
    assert "secret" not in str(caught.value)


def test_few_categories_are_never_too_many_and_many_always_are():
    assert len(fit([f"c{row}" for row in range(20)]).features) == 20
    assert len(fit([f"c{row % 30}" for row in range(300)]).features) == 30
    with pytest.raises(InputError, match="1001 different texts in 100100 train rows"):
        fit([f"c{row % 1001}" for row in range(100_100)])


def test_numbers_that_are_kept_as_objects_or_text_are_numbers():
    encoder = fit(pd.Series(["1", "2.5", None, 4], dtype=object))
    assert encoder.numbers.names == ["x"]
    new = pd.DataFrame({"x": pd.Series(["2.5"], dtype=object)})
    np.testing.assert_array_equal(encoder.transform(new, "n"), encoder.transform(pd.DataFrame({"x": [2.5]}), "n"))


def test_a_category_of_whole_numbers_is_the_same_with_missing_values_beside_it():
    encoder = fit([1, 2, 3, 3], categorical=["x"])
    assert encoder.categories[0].found == ["1", "2", "3"]
    new = pd.DataFrame({"x": [2.0, np.nan]})
    assert encoder.transform(new, "new").tolist() == [[0, 1, 0], [0, 0, 1]]  # the mode, 3


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("medians", None, "has no array 'medians', only "),
        ("categories", None, "has no array 'categories'"),
        ("means", np.zeros(2), r"'means' is float64 of shape \(2,\)"),
        ("scales", np.array(["a"]), r"'scales' is <U1 of shape \(1,\)"),
        ("categorical", np.array([5.9e20]), r"'categorical' is float64"),
        ("category_counts", np.array([0.5]), r"'category_counts' is float64"),
        ("columns", np.array(["y"]), "its names of columns do not fit together"),
        ("indicated", np.array(["y"]), "its names of columns do not fit together"),
        ("category_counts", np.array([1]), r"'category_counts' is int64 of shape \(1,\)"),
        ("columns", np.array("a"), r"'columns' is <U1 of shape \(\)"),
    ],
)
def test_what_was_kept_and_is_broken_is_refused_by_file_and_array(tmp_path, name, value, message):
    values = fit([1, 2, 3, 3]).fitted()
    if value is None:
        del values[name]
    else:
        values[name] = value
    write_fitted(tmp_path / "a.fitted.npz", values)
    with pytest.raises(InputError, match=rf"a\.fitted\.npz:? {message}.*: rerun the feature stage"):
        ColumnEncoder.from_fitted(read_fitted(tmp_path / "a.fitted.npz"))


TIMES = {
    "spans": pd.to_timedelta(range(30), unit="D"),
    "spans as objects": [timedelta(row) for row in range(30)],
    "months": pd.period_range("2020-01", periods=30, freq="M"),
}


@pytest.mark.parametrize("values", TIMES.values(), ids=TIMES)
def test_times_are_no_categories(values):
    with pytest.raises(InputError, match=r"own\.csv column 'x' holds dates: turn it into a number"):
        fit(values)
