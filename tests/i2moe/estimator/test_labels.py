"""Labels, groups and validation rows: of any type, never misread, and named where they are wrong."""

import numpy as np
import pandas as pd
import pytest

from i2moe import I2MoEClassifier
from i2moe.base.errors import InputError
from i2moe.estimator.cohort import draw_validation

X = {name: np.random.default_rng(0).normal(size=(30, 2)) for name in ("lab", "note")}
Y = np.arange(30) % 2


def fit(y=Y, **own):
    model = I2MoEClassifier(epochs=1, hidden_dim=8, encoder_dim=8, num_patches=2, gate_dim=8, random_state=0)
    return model.fit(X, y, **own)


@pytest.mark.parametrize(
    "names",
    [(0, 1), (-1.0, 2.0), (False, True), ("NA", "nan"), ("", " "), ("<b>", 'a,"b"\n'), ("1", "1.0"), ("é|", "$x^$")],
    ids=repr,
)
def test_classes_of_any_type_come_back_as_they_were(names):
    y = np.array(names)[Y]
    model = fit(y)
    assert model.classes_.tolist() == sorted(names)
    assert set(model.predict(X).tolist()) <= set(names)
    assert model.explain(X, y).predictions.columns.tolist() == [str(name) for name in sorted(names)]


@pytest.mark.parametrize("mixed", [False, True])
def test_groups_of_any_type_are_not_divided(mixed):
    groups = [1, "b", "c"] * 10 if mixed else ["a", "b", "c"] * 10
    chosen = draw_validation("binary", Y, groups, 0.3, 0)
    assert len({str(own) for own, is_chosen in zip(groups, chosen, strict=True) if is_chosen}) == 1
    assert chosen.sum() == 10


WRONG = {
    "mask of numbers": ({"validation": Y.tolist()}, "a mask is of True and False, not of 1 and 0"),
    "two ways": ({"validation": [0, 1], "groups": Y}, "`groups`.* or `validation`, not both"),
    "no group": ({"groups": ["a", "b", None] * 10}, "groups: row 2 has none: give each sample its group"),
    "one group": ({"groups": np.zeros(30)}, "groups: all samples are of one: validation needs"),
    "class of validation": ({"validation": Y == 1}, "^y: no train row has the class '1'"),
    "label of none": ({"y": np.stack([Y, 0 * Y], axis=1)}, "^y: no train row has the label 'label_1'"),
    "label twice": ({"y": pd.DataFrame(np.stack([Y, Y], 1), columns=["a", "a"])}, "y has several columns 'a': rename"),
    "one class": ({"y": np.zeros(30)}, "y has one class, 0.0: "),
}


@pytest.mark.parametrize(("own", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(own, message):
    with pytest.raises(InputError, match=message):
        fit(**own)


def test_classes_that_train_lacks_are_shown_as_they_are():
    with pytest.raises(InputError, match=r"y has classes that train lacks; allowed: \[0, 1\]$"):
        fit().explain(X, Y.astype(str))
