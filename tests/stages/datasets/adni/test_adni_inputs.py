"""Subjects of ADNI for people to look at: columns in their unit, against what the features were made from."""

import numpy as np
import pandas as pd

from i2moe.contract.descriptions import describe_modality
from stages.datasets.adni.codebook import Entry
from stages.datasets.adni.encoding import TableEncoder
from stages.datasets.adni.inputs import columns_of
from stages.shared.inputs import UNKNOWN

VALUES = pd.DataFrame(
    {
        "T.AGE": [60.0, 70.0, 100.0, 65.0, 110.0],
        "T.SAME": [3.0, 3.0, 3.0, 3.0, 3.0],
        "T.SEX": ["1", "2", "2", "1", "2"],
        "T.SEX_AT": ["a", "b", "c", "b", "d"],
    }
)


def entry(name, kind):
    table, column = name.split(".")
    return Entry(table, column, kind, [], [], low=0, high=1, unit="", conversion="", optional=False)


def described(array, names, fitted):
    about = {"features": names, "share_of_subjects_missing": dict.fromkeys(VALUES, 0.0)}
    about["fitted"] = {"split": "train", "samples": 3, "what": "ranges"} | fitted
    return columns_of(describe_modality("vector", [array.shape[1]], about))


def test_numbers_and_categories_are_those_of_the_tables():
    kinds = {"T.AGE": "number", "T.SAME": "number", "T.SEX": "category", "T.SEX_AT": "category"}
    read = [entry(name, kind) for name, kind in kinds.items()]
    encoder = TableEncoder.fit(VALUES.head(3), read, "median")
    array = encoder.transform(VALUES)
    found = described(array, encoder.features, encoder.described())
    assert [column.name for column in found] == list(VALUES)
    age, same, sex, at = found
    np.testing.assert_allclose(age.number(array[:, 0]), VALUES["T.AGE"], rtol=1e-6)
    np.testing.assert_allclose(same.number(array[:, 1]), VALUES["T.SAME"], rtol=1e-6)
    assert sex.category(array[:, sex.features]) == VALUES["T.SEX"].tolist()
    assert at.category(array[:, at.features]) == ["a", "b", "c", "b", UNKNOWN]


def test_a_mark_of_subjects_without_any_value_is_0_or_1():
    column = described(np.zeros((2, 1)), ["missing"], {})[0]
    assert (column.name, column.categories) == ("missing", None)
    assert column.number(np.array([-1, 1])).tolist() == [0, 1]


def test_dosages_of_genes_are_copies_of_an_allele():
    about = {"features": ["rs1_A"], "fitted": {"split": "train", "samples": 3, "what": "", "low": [0], "high": [2]}}
    column = columns_of(describe_modality("vector", [1], about))[0]
    assert column.number(np.array([-1.0, 0.0, 1.0])).tolist() == [0, 1, 2]
