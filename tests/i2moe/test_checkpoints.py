"""Checkpoints: a training goes on from them as if nothing had happened, and broken ones are named."""

import pytest
import torch
from small_bombs import lower_limits, repacked
from small_training import CPU, VARIANTS, config, weights

from i2moe.base.errors import InputError
from i2moe.checkpoints import curves_of, save
from i2moe.data import FeatureSet
from i2moe.inference import build_for, load
from i2moe.training import TrainingModule, fit


def test_a_resumed_run_with_mean_tokens_ends_like_an_undisturbed_one(synthetic_dataset, tmp_path):
    features = FeatureSet(*synthetic_dataset())
    own = config(epochs=3, **VARIANTS["mean-vector"])
    whole = fit(features, own, 0, folder=tmp_path / "whole", hardware=CPU)
    fit(features, own.model_copy(update={"epochs": 1}), 0, folder=tmp_path / "parts", hardware=CPU)
    parts = fit(features, own, 0, folder=tmp_path / "parts", hardware=CPU)
    first, second = weights(whole), weights(parts)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_interrupted_run_resumes_and_ends_like_an_undisturbed_one(synthetic_dataset, tmp_path, monkeypatch):
    features = FeatureSet(*synthetic_dataset())
    undisturbed = fit(features, config(epochs=4), 0, folder=tmp_path / "undisturbed", hardware=CPU)
    step = TrainingModule.training_step

    def killed_in_the_third_epoch(self, batch):
        if self.current_epoch == 2 and self.global_step % 3 == 1:
            raise KeyboardInterrupt
        return step(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingModule, "training_step", killed_in_the_third_epoch)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            fit(features, config(epochs=4), 0, folder=tmp_path / "disturbed", hardware=CPU)
    resumed = fit(features, config(epochs=4), 0, folder=tmp_path / "disturbed", hardware=CPU)
    first, second = weights(undisturbed), weights(resumed)
    assert all(torch.equal(first[name], second[name]) for name in first)
    last = [
        torch.load(tmp_path / run / "last.ckpt", weights_only=True)["epoch"] for run in ("undisturbed", "disturbed")
    ]
    assert last == [3, 3]
    curves = [curves_of(tmp_path / run / "last.ckpt") for run in ("undisturbed", "disturbed")]
    assert curves[0] == curves[1]
    assert [row["epoch"] for row in curves[0]] == [1, 2, 3, 4]


@pytest.mark.parametrize("content", [b"", b"PK no checkpoint", None, {"state_dict": {}}])
def test_a_checkpoint_that_training_cannot_go_on_from_is_named(synthetic_dataset, tmp_path, content):
    features = FeatureSet(*synthetic_dataset("binary"))
    last = tmp_path / "run" / "last.ckpt"
    last.parent.mkdir()
    if isinstance(content, bytes):
        last.write_bytes(content)
    else:
        torch.save(content, last)
    with pytest.raises(
        InputError, match=r"training cannot go on from .*last.ckpt .*: delete the folder .*run, and train"
    ):
        fit(features, config(), 0, folder=last.parent, hardware=CPU)


@pytest.mark.parametrize("broken", [{}, {"weight_decay": None}])
def test_a_checkpoint_whose_optimizer_lacks_a_setting_is_named(synthetic_dataset, tmp_path, broken):
    features, last = FeatureSet(*synthetic_dataset("binary")), tmp_path / "last.ckpt"
    fit(features, config(epochs=1), 0, folder=tmp_path, hardware=CPU)
    content = torch.load(last, weights_only=True)
    (group,) = content["optimizer_states"][0]["param_groups"]
    del group["weight_decay"]
    group.update(broken)
    torch.save(content, last)
    with pytest.raises(InputError, match=r"training cannot go on from .*last.ckpt .*weight_decay.*: delete the folder"):
        fit(features, config(epochs=2), 0, folder=tmp_path, hardware=CPU)


@pytest.mark.parametrize("broken", [{"kth_best_model_path": ""}, {"best_k_models": {"best.ckpt": None}}])
def test_a_checkpoint_that_lost_the_best_epoch_is_named(synthetic_dataset, tmp_path, broken):
    features, last = FeatureSet(*synthetic_dataset("binary")), tmp_path / "last.ckpt"
    fit(features, config(epochs=1), 0, folder=tmp_path, hardware=CPU)
    content = torch.load(last, weights_only=True)
    (kept,) = [own for own in content["callbacks"].values() if own.get("best_k_models")]
    kept.update(broken)
    torch.save(content, last)
    with pytest.raises(
        InputError, match=r"training cannot go on from .*last.ckpt .*which epoch was the best.*: delete"
    ):
        fit(features, config(epochs=2), 0, folder=tmp_path, hardware=CPU)


@pytest.mark.parametrize("moment", [None, torch.zeros(3, 5, 7)])
def test_a_checkpoint_whose_optimizer_lacks_a_moment_is_named(synthetic_dataset, tmp_path, moment):
    features, last = FeatureSet(*synthetic_dataset("binary")), tmp_path / "last.ckpt"
    fit(features, config(epochs=1), 0, folder=tmp_path, hardware=CPU)
    content = torch.load(last, weights_only=True)
    content["optimizer_states"][0]["state"][2]["exp_avg_sq"] = moment
    torch.save(content, last)
    with pytest.raises(InputError, match=r"training cannot go on from .*last.ckpt .*exp_avg_sq.*: delete the folder"):
        fit(features, config(epochs=2), 0, folder=tmp_path, hardware=CPU)


def test_a_checkpoint_that_unpacks_to_far_more_than_it_has_is_named(synthetic_dataset, tmp_path, monkeypatch):
    features, last = FeatureSet(*synthetic_dataset("binary")), tmp_path / "last.ckpt"
    fit(features, config(epochs=1), 0, folder=tmp_path, hardware=CPU)
    torch.save(torch.load(last, weights_only=True) | {"more": torch.zeros(2**18)}, last)
    repacked(last, last)
    lower_limits(monkeypatch, most=5)
    with pytest.raises(InputError, match=r"last.ckpt has .* MB, and arrays of .* MB: save it again"):
        fit(features, config(epochs=2), 0, folder=tmp_path, hardware=CPU)
    with pytest.raises(InputError, match=r"last.ckpt has .* MB, and arrays of .* MB: save it again"):
        curves_of(last)


def test_an_error_in_training_is_no_fault_of_the_checkpoint(synthetic_dataset, tmp_path, monkeypatch):
    features = FeatureSet(*synthetic_dataset("binary"))
    fit(features, config(epochs=1), 0, folder=tmp_path, hardware=CPU)
    monkeypatch.setattr(TrainingModule, "training_step", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fit(features, config(epochs=2), 0, folder=tmp_path, hardware=CPU)


def test_checkpoints_and_weights_that_are_broken_are_named(synthetic_dataset, tmp_path):
    path = tmp_path / "best.ckpt"
    with pytest.raises(InputError, match=r"best.ckpt is missing: train again"):
        save(path, tmp_path / "0.ckpt")
    path.write_bytes(b"PK no checkpoint")
    with pytest.raises(InputError, match=r"best.ckpt is not a readable file of PyTorch \(.*\): train again"):
        curves_of(path)
    torch.save([1], path)
    with pytest.raises(InputError, match=r"best.ckpt does not hold what a training saves: train again"):
        curves_of(path)
    torch.save({"curves": [1]}, path)
    with pytest.raises(InputError, match=r"best.ckpt holds no learning curves: delete the folder .*, and train again"):
        curves_of(path)
    with pytest.raises(InputError, match=r"best.ckpt has no state_dict: delete the folder .*, and train again"):
        save(path, tmp_path / "0.ckpt")
    with pytest.raises(
        InputError, match=r"best.ckpt does not hold the weights of the model that is described: train a"
    ):
        load(FeatureSet(*synthetic_dataset("binary")), config(), path, torch.device("cpu"))


def test_a_checkpoint_holds_tensors_only(synthetic_dataset, tmp_path):
    features = FeatureSet(*synthetic_dataset())
    save(fit(features, config(epochs=1), 0, folder=tmp_path / "run", hardware=CPU), tmp_path / "0.ckpt")
    state = torch.load(tmp_path / "0.ckpt", weights_only=True)
    assert set(state) == set(build_for(features, config()).state_dict())
    assert all(isinstance(value, torch.Tensor) for value in state.values())
