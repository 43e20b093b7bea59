"""Samples that lack a modality: what stands for it, who has weight, and that nothing changes where all is present."""

from functools import partial

import numpy as np
import pytest
import small_training
import torch
from torch.testing import assert_close

from i2moe.base.errors import InputError
from i2moe.checkpoints import curves_of, save
from i2moe.data import Batch, FeatureSet
from i2moe.explain.additive import additive_projection
from i2moe.explain.coalitions import coalition_logits
from i2moe.explain.optimum import role_losses
from i2moe.inference import load, mean_tokens, predict
from i2moe.model.multimodal import build_model
from i2moe.model.tokens import Padded, values_of
from i2moe.training import Hardware, fit

SHAPES = {"vector": (6,), "sequence": (4, 3), "image": (2, 3, 3)}
config = partial(small_training.config, encoder_dim=8, dropout=0.0, interaction={"loss_weight": 0.5}, epochs=2)


def model_of(kind="vector", absent=("b",), **own):
    torch.manual_seed(0)
    shapes = {"a": SHAPES[kind], "b": SHAPES[kind]}
    return build_model(
        config(**own),
        kinds={"a": kind, "b": kind},
        shapes=shapes,
        task="multiclass",
        num_outputs=3,
        may_be_absent=absent,
    )


def batch_of(kind="vector", present=(True, False, True)):
    count = len(present)
    inputs = {name: torch.randn(count, *SHAPES[kind]) for name in ("a", "b")}
    lengths = {name: torch.tensor([2, 1, 4])[:count] for name in inputs} if kind == "sequence" else {}
    return Batch(inputs, lengths, torch.zeros(count).long(), torch.arange(count), {"b": torch.tensor(present)})


def leave_out(folder, name, rows, samples=60):
    array, present = np.load(folder / f"{name}.npy"), np.ones(samples, bool)
    array[rows], present[rows] = 0, False
    np.save(folder / f"{name}.npy", array)
    np.save(folder / f"{name}.present.npy", present)


CASES = [
    ("vector", {}),
    ("vector", {"encoder": "maxout"}),
    ("image", {}),
    ("sequence", {"encoder": "gru"}),
    ("sequence", {"encoder": "token", "fusion": {"method": "dense", "num_layers": 1, "num_heads": 2}}),
]


@pytest.mark.parametrize(("kind", "own"), CASES)
@pytest.mark.parametrize("training", [True, False])
def test_a_learned_token_stands_in_every_place_of_what_is_absent(kind, own, training):
    model = model_of(kind, **own).train(training)
    torch.nn.init.normal_(model.absent["b"])
    batch = batch_of(kind)
    tokens = model.tokens(batch)[1]
    assert_close(values_of(tokens)[1], model.absent["b"][0].expand_as(values_of(tokens)[1]))
    torch.manual_seed(1)
    first = values_of(model.tokens(batch)[1])
    batch.inputs["b"][1] = 99  # what an absent row holds is not looked at, not even by a batch's statistics
    torch.manual_seed(1)
    assert torch.equal(values_of(model.tokens(batch)[1]), first)
    if isinstance(tokens, Padded):
        assert tokens.padding[1].tolist() == [False, True, True, True]
        assert tokens.padding[0].tolist() == [False, False, True, True]


def test_a_batch_in_which_nobody_has_the_modality_is_all_learned_token():
    model = model_of().eval()
    torch.nn.init.normal_(model.absent["b"])
    tokens = model.tokens(batch_of(present=(False, False, False)))[1]
    assert_close(tokens, model.absent["b"].detach().expand(3, 2, 8))


def test_the_token_is_learned_and_starts_at_0():
    model = model_of().train()
    assert not model.absent["b"].any()
    assert list(model.absent) == ["b"]
    model(batch_of()).logits.sum().backward()
    assert model.absent["b"].grad.abs().sum() > 0


def test_a_modality_that_may_be_absent_changes_no_other_weight():
    with_token, without = model_of().state_dict(), model_of(absent=()).state_dict()
    assert set(with_token) - set(without) == {"absent.b"}
    assert all(torch.equal(with_token[name], value) for name, value in without.items())


def test_a_model_that_never_saw_an_absent_modality_refuses_one():
    with pytest.raises(InputError, match="1 samples lack modality 'b', which all samples had in training"):
        model_of(absent=()).tokens(batch_of())


@pytest.mark.parametrize("weights", [None, "global"])
def test_the_uniqueness_expert_of_an_absent_modality_has_no_weight(weights):
    model = model_of(**({"reweighting": weights} if weights else {})).eval()
    batch = batch_of()
    found = model(batch).weights
    plain = model.fusion.reweighting(model.tokens(batch))
    assert found[1, 1] == 0
    assert_close(found.sum(dim=1), torch.ones(3))
    assert_close(found[[0, 2]], plain[[0, 2]])
    assert_close(found[1, [0, 2, 3]], plain[1, [0, 2, 3]] / (1 - plain[1, 1]))


def test_without_uniqueness_experts_all_keep_their_weight():
    model = model_of(interaction={"loss_weight": 0.5, "experts": "synergy-redundancy"}).eval()
    batch = batch_of()
    assert torch.equal(model(batch).weights, model.fusion.reweighting(model.tokens(batch)))


def test_where_all_is_present_prediction_and_losses_are_as_without_presence():
    model = model_of().train()
    given = batch_of(present=(True, True, True))
    without = given._replace(present={})
    torch.manual_seed(3)
    one = model(given)
    torch.manual_seed(3)
    other = model(without)
    assert_close(one.logits, other.logits)
    for name, loss in one.interaction_losses.items():
        assert_close(loss, other.interaction_losses[name])


def test_the_baseline_is_not_told_and_sees_the_train_mean():
    torch.manual_seed(0)
    kinds, shapes = {"a": "vector", "b": "vector"}, {"a": (6,), "b": (6,)}
    given = {"kinds": kinds, "shapes": shapes, "task": "multiclass", "num_outputs": 3, "may_be_absent": ["b"]}
    model = build_model(config(absent="mean"), **given).eval()
    assert not model.absent
    batch = batch_of()
    batch.inputs["b"][1] = 0
    assert torch.equal(model(batch).logits, model(batch._replace(present={})).logits)
    assert (model(batch).weights > 0).all()


MODELS = {
    "i2moe": {},
    "mean": {"interaction": {"loss_weight": 0.5, "replacement": "mean"}},
    "two views": {"interaction": {"loss_weight": 0.5, "views": "two"}},
    "latent": {"interaction": {"loss_weight": 0.5, "compare": "latent"}},
    "roles": {"interaction": {"loss_weight": 0.5, "objective": "role-supervised"}, "modality_dropout": 1.0},
    "not told": {"absent": "mean"},
    "vanilla": {"interaction": None, "reweighting": None},
    "sealed": {"interaction": None, "reweighting": None, "sealed": {"loss_weight": 0.5, "min_gain": 0.0}},
}


@pytest.mark.parametrize("task", ["multiclass", "multilabel", "regression"])
@pytest.mark.parametrize("own", MODELS.values(), ids=MODELS)
def test_every_kind_of_model_learns_from_incomplete_samples(synthetic_dataset, tmp_path, task, own):
    folder, cohort = synthetic_dataset(task)
    leave_out(folder, "second", list(range(0, 60, 3)))
    leave_out(folder, "first", list(range(1, 60, 6)))
    features, settings = FeatureSet(folder, cohort), config(**own)
    best = fit(features, settings, 0, folder=tmp_path / "run", hardware=Hardware("cpu"))
    curves = curves_of(best)
    assert np.isfinite([value for row in curves for name, value in row.items() if name.endswith("loss")]).all()
    save(best, tmp_path / "0.ckpt")
    model = load(features.signature, settings, tmp_path / "0.ckpt", torch.device("cpu"))
    assert sorted(model.absent) == ([] if own == MODELS["not told"] else ["first", "second"])
    found = predict(model, features, "test")
    assert np.isfinite(found.logits).all()


@pytest.fixture
def trained(synthetic_dataset, tmp_path):
    folder, cohort = synthetic_dataset()
    leave_out(folder, "second", list(range(0, 60, 3)))
    features = FeatureSet(folder, cohort)
    save(fit(features, config(), 0, folder=tmp_path / "run", hardware=Hardware("cpu")), tmp_path / "0.ckpt")
    return load(features, config(), tmp_path / "0.ckpt", torch.device("cpu")), features


def test_taking_away_what_is_absent_changes_nothing(trained):
    model, features = trained
    found = coalition_logits(model, features, "test", ("mean", "sample", "zero"))
    absent = ~features.presence[features.rows("test"), 1]
    assert absent.any()
    for own in found.values():  # none, first, second, both
        np.testing.assert_array_equal(own.whole[1][absent], own.whole[3][absent])
        assert (own.whole[1][~absent] != own.whole[3][~absent]).any(axis=1).all()
        np.testing.assert_array_equal(own.whole[3], predict(model, features, "test").logits)


def test_the_mean_of_a_modality_is_that_of_the_samples_that_have_it(trained):
    model, features = trained
    rows = [row for row in features.rows("train") if features.presence[row, 1]]
    with torch.no_grad():
        own = model.tokens(features.__getitems__(rows))[1].mean(dim=0, keepdim=True)
    assert_close(mean_tokens(model, features)[1], own)


def test_other_readings_know_who_lacks_what(trained):
    model, features = trained
    projected = additive_projection(model, features, "test")
    np.testing.assert_allclose(projected.logits, predict(model, features, "test").logits, atol=1e-5)
    assert np.isfinite(projected.additive).all()
    assert [one.expert for one in role_losses(model, features, "test")] == ["synergy", "redundancy"]
