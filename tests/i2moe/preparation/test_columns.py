"""Columns as features: new rows are treated as the train rows were, from what was kept of them."""

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
        (TRAIN.drop(columns="age"), r"new\.csv has no column 'age'; allowed: colour, site"),
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
