"""Parameters of an estimator: of any type that people give, kept when it is saved, and named when they are wrong."""

import numpy as np
import pandas as pd
import pytest

from i2moe import I2MoEClassifier, I2MoERegressor
from i2moe.base.errors import InputError
from own.gated_sum import GatedSum

SMALL = {"hidden_dim": 8, "encoder_dim": 8, "num_patches": 2, "gate_dim": 8, "random_state": 0, "epochs": 1}
GENERATOR = np.random.default_rng(0)
X = {"lab": GENERATOR.normal(size=(30, 2)), "note": GENERATOR.normal(size=(30, 2))}
TABLE = pd.DataFrame(np.concatenate(list(X.values()), axis=1), columns=list("abcd"))
Y = np.arange(30) % 2


def small(**own):
    return I2MoEClassifier(**(SMALL | own))


@pytest.mark.parametrize(
    ("labels", "weights"),
    [(Y, {0: 2.0}), (Y > 0, {True: 3.0}), (Y * 1.0, {1.0: 2.0}), (Y, {np.int64(1): np.float32(2)})],
    ids=["int", "bool", "float", "numpy"],
)
def test_class_weights_are_saved_by_class(labels, weights, tmp_path):
    small(class_weight=weights).fit(X, labels).save(tmp_path / "model")
    assert I2MoEClassifier.load(tmp_path / "model").class_weight == weights


def test_columns_of_any_type_are_saved(tmp_path):
    array = TABLE.to_numpy()
    columns = {"lab": range(2), "note": np.array([3])}
    model = small(modalities=columns, learning_rate=np.float32(0.5)).fit(array, Y)
    model.save(tmp_path / "model")
    loaded = I2MoEClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(array), model.predict_proba(array))
    assert loaded.modalities == {"lab": [0, 1], "note": [3]}
    assert loaded.learning_rate == 0.5


@pytest.mark.parametrize("as_dict", [False, True])
def test_a_fusion_of_ones_own_is_saved_by_name(as_dict, tmp_path):
    method = {"method": GatedSum, "sharpness": 2.0}
    model = small(fusion=method).fit(X, Y)
    if not as_dict:  # what a class alone leaves in the file
        model.set_params(fusion=GatedSum)
    model.save(tmp_path / "model")
    name = "own.gated_sum:GatedSum"
    assert I2MoEClassifier.load(tmp_path / "model").fusion == ({"method": name, "sharpness": 2.0} if as_dict else name)


def test_numbers_of_numpy_are_taken():
    same = small(epochs=np.int64(1), hidden_dim=np.int32(8), dropout=np.float64(0.1), gate_dim=np.int8(8))
    np.testing.assert_array_equal(same.fit(X, Y).predict_proba(X), small().fit(X, Y).predict_proba(X))


def test_columns_of_categories_are_named_or_numbered():
    codes = {"lab": Y.reshape(-1, 1) + np.array([[0, 2]]), "note": TABLE[["a"]]}
    features = small(categorical=[1]).fit(codes, Y).preparation_.fitted["lab"]
    assert features["categorical"].tolist() == ["1"]
    named = small(categorical="a").fit({"lab": TABLE[["a"]].round(), "note": TABLE[["b"]]}, Y)
    assert named.preparation_.fitted["lab"]["categorical"].tolist() == ["a"]


WRONG = {
    "class_weight: y has no class 'il'; allowed: .0, 1.": {"class_weight": {"il": 2}},
    "class_weight of 0 is -1; allowed: numbers above 0": {"class_weight": {0: -1}},
    "class_weight of 1 is 'x'": {"class_weight": {1: "x"}},
    "categorical: no modality has a column 'wrd'; there are .'0', '1'": {"categorical": ["wrd"]},
    "^learning_rate: Input should be a valid number": {"learning_rate": "fast"},
    "^dropout: Input should be a valid number": {"dropout": None},
    "^temperature: Input should be greater than 0": {"temperature": 0},
    "^gate_dim: Input should be greater than 0": {"gate_dim": 0},
    "^validation_fraction 'some'; allowed: a share between 0 and 1": {"validation_fraction": "some"},
    "^callbacks 5; allowed: None, or a list of Lightning's callbacks": {"callbacks": 5},
    "^categorical None; allowed: a list of columns": {"categorical": None},
    "^modalities .'lab'.; allowed: None, or a dict": {"modalities": ["lab"]},
    "^fusion int: a class of your own is an nn.Module": {"fusion": int},
    "accelerator 'tpu': not on this machine": {"accelerator": "tpu"},
    "^interaction_loss_weight: Input should be a valid number": {"interaction_loss_weight": "much"},
}


@pytest.mark.parametrize(("message", "own"), WRONG.items(), ids=WRONG)
def test_a_wrong_parameter_is_named(message, own):
    with pytest.raises(InputError, match=message):
        small(**own).fit(X, Y)


def test_numbers_whose_squares_are_infinite_are_refused():
    with pytest.raises(InputError, match=r"y holds numbers beyond 1e\+15, whose squares are infinite: take a larger"):
        I2MoERegressor(**SMALL).fit(X, Y * 1e20)
