"""The estimators: scikit-learn's own checks, every kind of input, what is saved, and each way to be wrong."""

import json
import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pytorch_lightning import Callback
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

import i2moe
from i2moe import I2MoEClassifier, I2MoERegressor
from i2moe.base.errors import InputError
from own.gated_sum import GatedSum

SMALL = {"hidden_dim": 8, "encoder_dim": 8, "num_patches": 2, "gate_dim": 8, "learning_rate": 1e-2, "random_state": 0}
# Predictions in batches of another size or order: float32 is summed in another order.
IN_FLOAT32 = ("check_methods_subset_invariance", "check_methods_sample_order_invariance")
AS_CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def in_float32(compare):
    """Return a comparison that is as close as float32 allows, whatever is asked for."""
    return lambda *values, **options: compare(*values, **options | AS_CLOSE)


@estimator_checks.parametrize_with_checks(
    [I2MoEClassifier(epochs=8, **SMALL), I2MoERegressor(epochs=10, **(SMALL | {"hidden_dim": 16}))]
)
def test_scikit_learns_own_checks_hold(estimator, check, monkeypatch):
    if check.func.__name__ in IN_FLOAT32:
        for name in ("assert_allclose", "assert_allclose_dense_sparse"):
            monkeypatch.setattr(estimator_checks, name, in_float32(getattr(estimator_checks, name)))
    check(estimator)


def samples(num=40, seed=0):
    """Return two modalities as frames, and whether their signs differ."""
    generator = np.random.default_rng(seed)
    lab = pd.DataFrame(
        generator.normal(size=(num, 3)), columns=["a", "b", "c"], index=[f"p{row}" for row in range(num)]
    )
    note = pd.DataFrame({"x": generator.normal(size=num), "ward": generator.choice(["east", "west"], num)})
    return {"lab": lab, "note": note}, np.where(lab["a"].to_numpy() > 0, "ill", "well")


def small(kind=I2MoEClassifier, **own):
    return kind(**(SMALL | {"epochs": 2} | own))


@pytest.fixture(scope="module")
def fitted():
    x, y = samples()
    return small().fit(x, y), x, y


def test_a_dict_of_frames_is_fitted_and_predicted_by_class_name(fitted):
    model, x, y = fitted
    shares = model.predict_proba(x)
    assert model.classes_.tolist() == ["ill", "well"]
    assert shares.shape == (40, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert set(model.predict(x)) <= set(y)
    assert list(model.curves_["epoch"]) == [1, 2]


def test_the_same_seed_gives_the_same_model_and_another_another(fitted):
    model, x, y = fitted
    np.testing.assert_array_equal(small().fit(x, y).predict_proba(x), model.predict_proba(x))
    assert (small(random_state=1).fit(x, y).predict_proba(x) != model.predict_proba(x)).any()


def test_training_leaves_no_trace_in_global_random_states():
    x, y = samples()
    np.random.seed(3)  # noqa: NPY002 (the global state is meant)
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002 (the global state is meant)
    small(epochs=1).fit(x, y)
    assert np.random.random() == expected  # noqa: NPY002


def kinds_of_input():
    generator = np.random.default_rng(0)
    sequences = [generator.normal(size=(1 + row % 4, 3)) for row in range(40)]
    return {
        "arrays": {"one": generator.normal(size=(40, 3)), "two": generator.normal(size=40)},
        "sequences and columns": {"heart": sequences, "lab": generator.normal(size=(40, 2))},
        "sequences alone": {"heart": sequences, "ecg": generator.normal(size=(40, 5, 2))},
        "images": {"scan": generator.normal(size=(40, 2, 4, 4)), "lab": generator.normal(size=(40, 2))},
        "one modality": {"lab": generator.normal(size=(40, 2))},
        "absent": {
            "heart": [None if row % 3 == 0 else own for row, own in enumerate(sequences)],
            "lab": np.where(np.arange(40)[:, None] % 6 == 1, np.nan, generator.normal(size=(40, 2))),
        },
    }


@pytest.mark.parametrize("given", kinds_of_input().values(), ids=kinds_of_input())
def test_every_kind_of_input_is_taken(given):
    labels = np.arange(40) % 2
    model = small().fit(given, labels)
    assert np.isfinite(model.predict_proba(given)).all()
    assert len(model.trained_.expert_names) == (0 if len(given) == 1 else 4)


def test_sequences_longer_than_trains_keep_their_last_steps():
    generator = np.random.default_rng(0)
    given = {"heart": [generator.normal(size=(3, 2)) for _ in range(20)], "lab": generator.normal(size=(20, 2))}
    model = small().fit(given, np.arange(20) % 2)
    long = [np.concatenate([generator.normal(size=(4, 2)), own]) for own in given["heart"]]
    np.testing.assert_allclose(model.predict_proba(given | {"heart": long}), model.predict_proba(given))


def test_several_labels_are_learned_at_once():
    x, _ = samples()
    y = pd.DataFrame({"flu": np.arange(40) % 2, "cold": (np.arange(40) // 2) % 2})
    model = small().fit(x, y)
    assert model.classes_.tolist() == ["flu", "cold"]
    assert model.trained_.config.selection is None
    assert set(np.unique(model.predict(x))) <= {0, 1}
    assert model.explain(x, y).alone["macro_auroc"].between(0, 1).all()


def test_a_regression_predicts_in_the_units_of_its_numbers():
    x, _ = samples(80)
    y = 1000 + 50 * x["lab"]["a"].to_numpy()
    model = small(I2MoERegressor, epochs=30).fit(x, y)
    assert model.score(x, y) > 0.8
    assert 850 < model.predict(x).mean() < 1150
    explained = model.explain(x, y)
    np.testing.assert_allclose(explained.predictions["value"], model.predict(x), rtol=1e-5)


def test_columns_are_named_by_modality_or_halved():
    x, y = samples()
    table = x["lab"].join(x["note"].set_index(x["lab"].index))
    named = small(modalities={"lab": ["a", "b", "c"], "note": ["x", "ward"]}).fit(table, y)
    apart = small().fit(x, y)
    np.testing.assert_array_equal(named.predict_proba(table), apart.predict_proba(x))
    assert small().fit(table, y).trained_.signature.modalities == ["first", "second"]
    numbered = small(modalities={"one": [0, 2], "two": [1]}).fit(x["lab"].to_numpy(), y)
    assert numbered.trained_.signature.shapes == {"one": (2,), "two": (1,)}


@pytest.mark.parametrize(
    "fusion",
    [
        "late",
        "dense",
        GatedSum,
        {"method": "own.gated_sum:GatedSum", "sharpness": 2.0},
        {"method": "mult", "num_heads": 2},
    ],
)
def test_any_fusion_is_taken_by_name_class_or_settings(fusion):
    x, y = samples()
    fusion = {"method": fusion, "sharpness": 2.0} if fusion is GatedSum else fusion
    assert np.isfinite(small(fusion=fusion, epochs=1).fit(x, y).predict_proba(x)).all()


def test_the_fusion_alone_is_trained_without_interaction_losses():
    x, y = samples()
    model = small(interaction_loss_weight=None).fit(x, y)
    assert model.trained_.expert_names == []
    assert model.explain(x, y).weights is None


def test_rows_of_ones_own_or_whole_groups_are_the_validation_split():
    x, y = samples()
    mask = np.arange(40) >= 30
    by_mask, by_number = small().fit(x, y, validation=mask), small().fit(x, y, validation=np.flatnonzero(mask))
    np.testing.assert_array_equal(by_mask.predict_proba(x), by_number.predict_proba(x))
    groups = np.arange(40) // 4
    assert small(validation_fraction=0.5).fit(x, y, groups=groups).predict(x).shape == (40,)


def test_class_weights_follow_the_train_rows():
    x, y = samples()
    mask = np.arange(40) >= 30
    model = small(class_weight="balanced").fit(x, y, validation=mask)
    counts = [(y[~mask] == name).sum() for name in ("ill", "well")]
    assert model.trained_.config.class_weights == pytest.approx([30 / (2 * count) for count in counts])
    assert small(class_weight={"ill": 3.0}).fit(x, y).trained_.config.class_weights == [3.0, 1.0]


def test_it_works_in_scikit_learns_tools():
    x, y = samples()
    table, given = x["lab"].to_numpy(), small(epochs=1)
    assert cross_val_score(make_pipeline(StandardScaler(), given), table, y, cv=2).shape == (2,)
    search = GridSearchCV(given, {"hidden_dim": [4, 8]}, cv=2).fit(table, y)
    assert search.best_params_["hidden_dim"] in (4, 8)
    assert clone(given).get_params() == given.get_params()


def test_what_is_saved_is_the_same_and_holds_no_pickle_but_tensors(fitted, tmp_path):
    model, x, y = fitted
    path = tmp_path / "model.i2moe"
    model.save(path)
    again = I2MoEClassifier.load(path)
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))
    assert again.classes_.tolist() == model.classes_.tolist()
    pd.testing.assert_frame_equal(again.explain(x, y).roles, model.explain(x, y).roles)
    assert again.get_params() == model.get_params() | {"categorical": []}
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    assert {name.rpartition(".")[2] for name in names} == {"json", "npz", "ckpt", "csv"}


def test_it_is_pickled_as_the_same_file(fitted):
    model, x, _ = fitted
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 (our own bytes)
    np.testing.assert_array_equal(again.predict_proba(x), model.predict_proba(x))
    assert pickle.loads(pickle.dumps(small())).get_params() == small().get_params()  # noqa: S301


def test_a_file_that_is_something_else_is_refused(fitted, tmp_path):
    model, *_ = fitted
    path = tmp_path / "model.i2moe"
    with pytest.raises(InputError, match="cannot be read"):
        I2MoEClassifier.load(path)
    model.save(path)
    with pytest.raises(InputError, match="holds a I2MoEClassifier, not a I2MoERegressor"):
        I2MoERegressor.load(path)
    whole = path.read_bytes()
    for broken in (b"text", whole[: len(whole) // 2]):
        path.write_bytes(broken)
        with pytest.raises(InputError, match="is not what `save` writes"):
            I2MoEClassifier.load(path)


def test_no_name_in_a_file_leads_out_of_its_folder(fitted, tmp_path):
    model, *_ = fitted
    path = tmp_path / "model.i2moe"
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../evil.txt", "x")
    I2MoEClassifier.load(path)
    assert not list(tmp_path.parent.glob("evil.txt"))


def test_an_explanation_has_frames_by_sample_a_figure_and_a_page(fitted, tmp_path):
    model, x, y = fitted
    found = model.explain(x, y)
    ids = x["lab"].index.tolist()
    assert found.predictions.index.tolist() == found.weights.index.tolist() == ids
    np.testing.assert_allclose(found.predictions.to_numpy(), model.predict_proba(x), rtol=1e-5)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-5)
    names = ["uniqueness_lab", "uniqueness_note", "synergy", "redundancy"]
    assert list(found.weights) == names
    assert found.experts["expert"].unique().tolist() == names
    assert found.subsets["intact"].unique().tolist() == ["none", "lab", "note", "lab + note"]
    whole = found.subsets[found.subsets["intact"] == "lab + note"]
    np.testing.assert_allclose(whole[["ill", "well"]].to_numpy(), found.predictions.to_numpy(), rtol=1e-5)
    assert found.alone["expert"].tolist() == found.roles["expert"].tolist() == names
    assert model.explain(x).roles is None
    assert len(found.plot("p7").axes) == 2
    with pytest.raises(InputError, match="sample 'p99' is not explained"):
        found.plot("p99")
    found.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "uniqueness_lab" in page
    assert "http://" not in page.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


class Epochs(Callback):
    """Counts epochs."""

    def __init__(self):
        self.count = 0

    def on_train_epoch_end(self, *_):
        self.count += 1


def test_callbacks_are_called():
    x, y = samples()
    counter = Epochs()
    small(callbacks=[counter]).fit(x, y)
    assert counter.count == 2


X, Y = samples()
WRONG = {
    "lengths": (lambda: small().fit({"a": X["lab"], "b": X["note"][:30]}, Y), "equally many samples"),
    "no modality": (lambda: small().fit({}, Y), "one at least of them"),
    "modalities twice": (lambda: small(modalities={"a": ["x"]}).fit(X, Y), "a dict says them itself"),
    "no such column": (lambda: small(modalities={"a": ["z"]}).fit(X["lab"], Y), r"no column \['z'\]"),
    "axes": (lambda: small().fit({"a": np.zeros((40, 1, 1, 1, 1)), "b": X["lab"]}, Y), "allowed: columns"),
    "NaN inside": (
        lambda: small().fit({"a": [np.full((2, 2), np.nan)] * 40, "b": X["lab"]}, Y),
        "modality 'a': .* samples hold NaN or infinity",
    ),
    "ragged": (lambda: small().fit({"a": [np.ones((2, 2))] * 39 + [np.ones((2, 3))], "b": X["lab"]}, Y), "different"),
    "fusion": (lambda: small(fusion="mutl").fit(X, Y), "fusion 'mutl' is unknown; allowed: .*did you mean 'mult'"),
    "heads": (lambda: small(fusion={"method": "mult", "num_heads": 3}).fit(X, Y), "num_heads 3 does not divide"),
    "epochs": (lambda: small(epochs=0).fit(X, Y), "epochs: Input should be greater than 0"),
    "share": (lambda: small(validation_fraction=1.5).fit(X, Y), "allowed are shares between 0 and 1"),
    "all validation": (lambda: small().fit(X, Y, validation=np.ones(40, bool)), "one sample each"),
    "validation rows": (lambda: small().fit(X, Y, validation=[99]), "a mask of 40 rows"),
    "weights": (lambda: small(class_weight="some").fit(X, Y), "class_weight 'some'"),
    "labels": (lambda: small().fit(X, np.full((40, 2), 2)), "0 and 1 alone are allowed"),
    "selection": (lambda: small(selection="mae").fit(X, Y), "'mae' is not a metric of a binary task"),
    "other modalities": (lambda: small(epochs=1).fit(X, Y).predict({"lab": X["lab"]}), "the modalities are"),
    "another kind": (
        lambda: small(epochs=1).fit(X, Y).predict(X | {"note": [np.ones((2, 2))] * 40}),
        "'note' is of kind sequence, in the train samples vector",
    ),
    "unknown class": (lambda: small(epochs=1).fit(X, Y).explain(X, ["dead"] * 40), "classes that train lacks"),
    "nothing at all": (
        lambda: small().fit({name: own.iloc[1:].reindex(own.index) for name, own in X.items()}, Y),
        "1 samples have no modality at all, the first in row 0: leave them out",
    ),
    "newly absent": (
        lambda: small(epochs=1).fit(X, Y).predict(X | {"lab": X["lab"] * np.nan}),
        "40 samples lack modality 'lab', which all samples had in training: train with samples that lack it, too",
    ),
}


@pytest.mark.parametrize(("call", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_the_library_offers_three_names_and_imports_in_no_time():
    assert dir(i2moe) == i2moe.__all__ == ["I2MoEClassifier", "I2MoERegressor", "open_run"]
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        i2moe.fit  # noqa: B018
    code = "import time; t = time.perf_counter(); import i2moe; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.1
    assert (Path(i2moe.__file__).parent / "py.typed").exists()


def test_json_of_a_saved_estimator_is_readable(fitted, tmp_path):
    model, *_ = fitted
    model.save(tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m") as archive:
        about = json.loads(archive.read("estimator.json"))
    assert about["kinds"] == {"lab": "vector", "note": "vector"}
    assert about["params"]["hidden_dim"] == 8


def test_a_file_that_was_packed_is_refused(fitted, tmp_path):
    model, *_ = fitted
    path = tmp_path / "model.i2moe"
    model.save(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.npz", bytes(10**7))
    with pytest.raises(
        InputError, match=r"model\.i2moe is not what `save` writes \(its members are packed, .* 10 MB\)"
    ):
        I2MoEClassifier.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kinds": None}, "estimator.json breaks the data contract: key 'kinds'"),
        ({"kinds": {"a": "vector"}}, "estimator.json names modalities {'a': 'vector'}, model.json others"),
        ({"classes_dtype": "nonsense"}, "estimator.json: the classes are not of type 'nonsense'"),
        ({"params": {"accelerator": "abacus"}}, "train.accelerator 'abacus': not on this machine"),
    ],
)
def test_a_file_with_other_values_is_refused_by_name(fitted, tmp_path, change, message):
    model, *_ = fitted
    path = tmp_path / "model.i2moe"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["estimator.json"] = json.dumps(json.loads(members["estimator.json"]) | change).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=rf"model\.i2moe is not what `save` writes \({re.escape(message)}"):
        I2MoEClassifier.load(path)
