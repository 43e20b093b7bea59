"""Samples as people have them: rows in another order, twice the same column, odd names; what is wrong is named."""

import numpy as np
import pandas as pd
import pytest

from i2moe import I2MoEClassifier
from i2moe.base.errors import InputError

GENERATOR = np.random.default_rng(0)
IDS = [f"p{row}" for row in range(30)]
LAB = pd.DataFrame(GENERATOR.normal(size=(30, 2)), columns=["crp", "urea"], index=IDS)
NOTE = pd.DataFrame(GENERATOR.normal(size=(30, 2)), columns=["x", "y"], index=IDS)
Y = np.arange(30) % 2


def fit(x, y=Y, **own):
    model = I2MoEClassifier(
        epochs=1, hidden_dim=8, encoder_dim=8, num_patches=2, gate_dim=8, random_state=0, validation_fraction=0.2, **own
    )
    return model.fit(x, y)


@pytest.fixture(scope="module")
def fitted():
    return fit({"lab": LAB, "note": NOTE})


def test_modalities_and_columns_may_come_in_another_order(fitted):
    expected = fitted.predict_proba({"lab": LAB, "note": NOTE})
    turned = {"note": NOTE[["y", "x"]].assign(more=1), "lab": LAB}
    np.testing.assert_array_equal(fitted.predict_proba(turned), expected)
    assert fitted.explain(turned).weights.columns[0] == "uniqueness_lab"


def test_any_name_of_a_modality_is_taken():
    names = ["cohort", "lab <b>&é"]
    model = fit({names[0]: LAB, names[1]: NOTE})
    assert list(model.preparation_.kinds) == names


def test_an_index_that_counts_rows_names_none():
    model = fit({"lab": LAB, "note": NOTE.reset_index(drop=True)})
    assert model.explain({"lab": LAB["crp"].to_frame().assign(urea=0), "note": NOTE}).predictions.index[0] == "p0"


def test_a_series_gives_its_index_to_an_explanation():
    x = {"lab": LAB["crp"], "note": NOTE["x"]}
    assert fit(x).explain(x).predictions.index.tolist() == IDS


def without(table, row):
    """Return a frame one of whose rows is empty."""
    return table.where(pd.Series(np.arange(30) != row, index=table.index), np.nan)


STEPS = [np.ones((2 + row % 3, 1)) for row in range(30)]
BROKEN = [np.full((3, 1), np.nan) if row == 7 else own for row, own in enumerate(STEPS)]
WRONG = {
    "another order": (
        lambda _: fit({"lab": LAB, "note": NOTE[::-1]}),
        "modalities 'lab' and 'note' have another index from row 0 on: 'p0', 'p29'; bring their rows",
    ),
    "another order, new": (
        lambda model: model.predict({"lab": LAB, "note": NOTE.iloc[[0, 2, 1, *range(3, 30)]]}),
        "from row 1 on: 'p1', 'p2'",
    ),
    "a column twice": (
        lambda _: fit({"lab": LAB.set_axis(["crp", "crp"], axis=1), "note": NOTE}),
        "modality 'lab' has two columns 'crp': rename one",
    ),
    "a column twice, as text": (
        lambda _: fit({"lab": LAB.set_axis([1, "1"], axis=1), "note": NOTE}),
        "two columns '1'",
    ),
    "a modality twice, as text": (lambda _: fit({1: LAB, "1": NOTE}), "two modalities have the name '1'"),
    "a folder": (lambda _: fit({"lab/blood": LAB, "note": NOTE}), "modality 'lab/blood': .* without / .* rename it"),
    "no name": (lambda _: fit({"": LAB, "note": NOTE}), "modality ''.*rename it"),
    "a column of two": (
        lambda _: fit(LAB.reset_index(drop=True), modalities={"a": ["crp", "crp"], "b": ["urea"]}),
        "modality 'a' has two columns 'crp'",
    ),
    "no rows": (lambda model: model.predict({"lab": LAB[:0], "note": NOTE[:0]}), "one at least of them; found .*0"),
    "no rows to explain": (lambda model: model.explain({"lab": LAB[:0], "note": NOTE[:0]}), "found {'lab': 0"),
    "nothing in a row": (
        lambda model: model.predict({"lab": without(LAB, 7), "note": without(NOTE, 7)}),
        "1 samples have no modality at all, the first in row 7: leave them out",
    ),
    "a step": (
        lambda _: fit({"steps": BROKEN, "note": NOTE}, categorical=[]),
        "modality 'steps': 1 samples hold NaN or infinity, the first in row 7",
    ),
    "ids": (lambda model: model.explain({"lab": LAB, "note": NOTE}, sample_ids=[1]), "sample_ids: 1 for 30 samples"),
    "a column's name": (
        lambda _: fit({"lab": LAB, "note": NOTE}, np.where(Y, "expert", "other")).explain({"lab": LAB, "note": NOTE}),
        "class 'expert' has the name of a column of the explanation",
    ),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(fitted, call, message):
    with pytest.raises(InputError, match=message):
        call(fitted)
