"""Training: learning, determinism, and the files it leaves."""

from functools import partial

import numpy as np
import pytest
import torch
from small_models import SPARSE
from small_training import ALONE, CPU, METHODS, VARIANTS, config, weights

from i2moe.base.errors import InputError
from i2moe.checkpoints import curves_of, save
from i2moe.data import FeatureSet
from i2moe.inference import build_for, load, predict
from i2moe.selection import compute_metrics
from i2moe.training import Hardware, TrainingModule, fit


@pytest.mark.parametrize("task", ["multiclass", "binary", "multilabel", "regression"])
def test_every_task_trains_predicts_and_beats_an_untrained_model(synthetic_dataset, tmp_path, task):
    features = FeatureSet(*synthetic_dataset(task))
    own = config(epochs=6)
    target = tmp_path / "models" / "0.ckpt"
    save(fit(features, own, 0, folder=tmp_path / "run", hardware=CPU), target)
    trained = predict(load(features, own, target, torch.device("cpu")), features, "train")
    untrained = predict(build_for(features, own).eval(), features, "train")
    labels = features.labels[features.rows("train")]
    lead = {"multilabel": "macro_auroc", "regression": "r2"}.get(task, "auroc")
    after, before = (compute_metrics(task, labels, one.logits)[lead] for one in (trained, untrained))
    assert after > max(before, 0.5)
    assert trained.expert_logits.shape == (42, 4, features.num_outputs)
    assert trained.weights.sum(axis=1) == pytest.approx(1)


def test_regression_predicts_in_the_labels_units(synthetic_dataset, tmp_path):
    features = FeatureSet(*synthetic_dataset("regression"))
    mean, std = features.label_scale
    train = features.labels[features.rows("train")]
    assert (mean, std) == pytest.approx((train.mean(), train.std()))
    own = config()
    target = tmp_path / "0.ckpt"
    save(fit(features, own, 0, folder=tmp_path / "run", hardware=CPU), target)
    assert (
        abs(predict(load(features, own, target, torch.device("cpu")), features, "test").logits.mean() - 100) < 3 * std
    )


def test_a_compiled_training_gives_the_same_weights_under_the_same_names(synthetic_dataset, tmp_path, monkeypatch):
    # This backend traces as the default one does, but generates no code: it needs no C++ compiler, and draws alike.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    compiled = []
    monkeypatch.setattr(TrainingModule, "on_train_end", lambda module: compiled.append(module.predict))
    features = FeatureSet(*synthetic_dataset("multiclass"))
    own = config(epochs=2, batch_size=21)
    plain, other = (
        weights(fit(features, own, 0, folder=tmp_path / str(each), hardware=Hardware("cpu", compile=each)))
        for each in (False, True)
    )
    assert [hasattr(predict, "_torchdynamo_orig_callable") for predict in compiled] == [False, True]
    assert list(plain) == list(other)
    for name, value in plain.items():
        assert torch.allclose(value, other[name], atol=1e-6), name


EVERY_MODEL = (
    {name: {"fusion": {"method": name, **own}} | ALONE for name, own in METHODS.items()}
    | {f"i2moe-{name}": {"fusion": {"method": name, **own}} for name, own in METHODS.items()}
    | VARIANTS
)


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_every_model_trains_two_epochs_and_its_checkpoint_loads_and_predicts(synthetic_dataset, tmp_path, model):
    features = FeatureSet(*synthetic_dataset())
    own = config(epochs=2, **EVERY_MODEL[model])
    target = tmp_path / "0.ckpt"
    best = fit(features, own, 0, folder=tmp_path / "run", hardware=CPU)
    save(best, target)
    curves = curves_of(best.with_name("last.ckpt"))
    assert [row["epoch"] for row in curves] == [1, 2]
    losses = {name.removeprefix("train_") for name in curves[0] if name.startswith("train_")}
    num_experts = 0 if own.interaction is None else 2 if own.interaction.experts == "synergy-redundancy" else 4
    num_losses = num_experts if own.interaction and own.interaction.loss_weight else 0
    is_sparse = own.fusion.method in SPARSE
    assert losses >= {"total_loss", "task_loss"}
    assert ("balance_loss" in losses) == is_sparse
    assert len(losses) == 2 + num_losses + is_sparse
    loaded = load(features, own, target, torch.device("cpu"))
    predicted = predict(loaded, features, "test")
    assert predicted.logits.shape == (12, 3)
    assert np.isfinite(predicted.logits).all()
    assert len(loaded.expert_names) == num_experts
    if num_experts:
        assert predicted.expert_logits.shape == (12, num_experts, 3)
        assert predicted.weights.sum(axis=1) == pytest.approx(1)
    else:
        assert predicted.expert_logits is None
    again = predict(loaded, features, "test")
    assert np.array_equal(again.logits, predicted.logits)


def test_mean_tokens_are_the_encoders_means_over_train_anew_each_epoch(synthetic_dataset, tmp_path, monkeypatch):
    features = FeatureSet(*synthetic_dataset())
    own = config(dropout=0.5, **VARIANTS["mean-vector"])
    used, expected = [], []
    step = TrainingModule.training_step

    def look(self, batch):
        given = self.model.fusion.mean_tokens
        if not used or given is not used[-1]:
            used.append(given)
            # The first batch of an epoch: the encoders are still those that the means were made with.
            self.model.eval()
            rows = features.rows("train")
            arrays = [torch.from_numpy(features.arrays[name][rows]) for name in features.modalities]
            with torch.no_grad():
                expected.append(
                    [
                        encoder(array).mean(dim=0, keepdim=True)
                        for encoder, array in zip(self.model.encoders, arrays, strict=True)
                    ]
                )
            self.model.train()
        assert all(module.training for module in self.model.modules())
        return step(self, batch)

    monkeypatch.setattr(TrainingModule, "training_step", look)
    fit(features, own, 0, folder=tmp_path / "run", hardware=CPU)
    assert len(used) == own.epochs
    for given, true in zip(used, expected, strict=True):
        for one, other in zip(given, true, strict=True):
            assert one.shape == (1, 2, 8)
            assert not one.requires_grad
            assert torch.allclose(one, other, atol=1e-5)
    assert not torch.allclose(used[0][0], used[1][0], atol=1e-4)


def test_the_total_loss_has_lambda_and_gamma(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset())
    own = config(fusion={"method": "switchgate", **METHODS["switchgate"], "balance_weight": 3.0}, dropout=0.0)
    module = TrainingModule(build_for(features, own), features, own, 0)
    total = module.training_step(next(iter(features.loader("train", 8)))).item()
    parts = {name: value.item() / 8 for name, value in module.train_losses.items()}
    interaction = [parts[f"{name}_loss"] for name in module.model.expert_names]
    assert len(interaction) == 4
    assert total == pytest.approx(parts["total_loss"], rel=1e-5)
    expected = parts["task_loss"] + 0.1 * sum(interaction) / 4 + 3.0 * parts["balance_loss"]
    assert total == pytest.approx(expected, rel=1e-4)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(synthetic_dataset, tmp_path):
    features = FeatureSet(*synthetic_dataset())
    runs = [
        weights(fit(features, config(), seed, folder=tmp_path / name, hardware=CPU))
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert not all(torch.equal(runs[0][name], runs[2][name]) for name in runs[0])


def test_hardware_that_the_machine_does_not_have_is_named(synthetic_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("pytorch_lightning.accelerators.MPSAccelerator.is_available", lambda: False)
    features = FeatureSet(*synthetic_dataset("binary"))
    with pytest.raises(InputError, match=r"run here with accelerator mps, devices 2, strategy auto, precision 32"):
        fit(features, config(), 0, folder=tmp_path, hardware=Hardware(accelerator="mps", devices=2))


def test_the_curves_are_handed_on_after_each_epoch(synthetic_dataset, tmp_path):
    features = FeatureSet(*synthetic_dataset())
    seen = []
    best = fit(
        features,
        config(),
        0,
        folder=tmp_path / "run",
        hardware=CPU,
        on_epoch=lambda curves: seen.append([row["epoch"] for row in curves]),
    )
    assert seen == [[1], [1, 2], [1, 2, 3]]
    losses = [row["validation_loss"] for row in curves_of(best.with_name("last.ckpt"))]
    assert torch.load(best, weights_only=True)["epoch"] == losses.index(min(losses))


def test_the_best_epoch_is_kept_not_the_last(synthetic_dataset, tmp_path):
    features = FeatureSet(*synthetic_dataset())
    # A learning rate this high makes the validation loss worse after a while.
    best = fit(features, config(learning_rate=0.3, epochs=8), 0, folder=tmp_path / "run", hardware=CPU)
    assert torch.load(best, weights_only=True)["epoch"] < 7
    assert torch.load(best.with_name("last.ckpt"), weights_only=True)["epoch"] == 7


@pytest.mark.parametrize("selection", ["loss", "accuracy", "auroc"])
def test_a_training_that_diverges_leaves_no_model_and_says_so_each_time(synthetic_dataset, tmp_path, selection):
    features = FeatureSet(*synthetic_dataset("multiclass"))
    own = config(learning_rate=1e30, epochs=1, selection=selection)
    for _ in range(2):  # the second call goes on from what the first one left
        with pytest.raises(InputError, match=r"seed 3: in no epoch are .* finite.*: lower learning_rate"):
            fit(features, own, 3, folder=tmp_path / "run", hardware=CPU)


def test_an_epoch_that_predicts_nan_is_not_the_best_though_its_accuracy_is_higher(
    synthetic_dataset, tmp_path, monkeypatch
):
    features = FeatureSet(*synthetic_dataset("multiclass"))

    def never_right(module, batch):
        wrong = -torch.nn.functional.one_hot(batch.labels, features.num_outputs).float()
        module.validation_logits.append(wrong * np.nan if module.current_epoch == 0 else wrong)
        module.validation_rows.append(batch.rows)

    monkeypatch.setattr(TrainingModule, "validation_step", never_right)
    best = fit(features, config(epochs=2, selection="accuracy"), 0, folder=tmp_path / "run", hardware=CPU)
    assert torch.load(best, weights_only=True)["epoch"] == 1


def test_an_impossible_selection_metric_is_refused_before_training(synthetic_dataset, tmp_path):
    features = FeatureSet(*synthetic_dataset())
    with pytest.raises(InputError, match="'mae' is not a metric of a multiclass task"):
        fit(features, config(selection="mae"), 0, folder=tmp_path / "run", hardware=CPU)
    assert not (tmp_path / "run").exists()


def test_class_weights_count_in_training_and_are_no_part_of_the_model(synthetic_dataset, tmp_path):
    features = FeatureSet(*synthetic_dataset("binary"))
    shares = []
    for name, class_weights in (("even", [1.0, 1.0]), ("second", [0.01, 0.99])):
        own = config(class_weights=class_weights, epochs=6)
        best = fit(features, own, 0, folder=tmp_path / name, hardware=CPU)
        assert all(key.startswith("model.") for key in weights(best))
        save(best, tmp_path / f"{name}.ckpt")
        logits = predict(load(features, own, tmp_path / f"{name}.ckpt", torch.device("cpu")), features, "train").logits
        shares.append((logits.argmax(axis=1) == 1).mean())
    assert shares[1] > shares[0] + 0.2


@pytest.mark.parametrize(
    ("task", "class_weights", "message"),
    [
        ("binary", [1.0, 1.0, 1.0], r"class_weights \[1.0, 1.0, 1.0\]: one weight per class is needed, .*'no', 'yes'"),
        ("regression", [1.0, 1.0], r"class_weights have no meaning for task 'regression'"),
    ],
)
def test_class_weights_that_do_not_fit_are_refused(synthetic_dataset, tmp_path, task, class_weights, message):
    features = FeatureSet(*synthetic_dataset(task))
    with pytest.raises(InputError, match=message):
        fit(features, config(class_weights=class_weights), 0, folder=tmp_path / "run", hardware=CPU)
    assert not (tmp_path / "run").exists()


def test_modality_dropout_adds_the_loss_without_a_modality_and_nothing_else_changes_without_it(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset("binary"))
    batch = next(iter(features.loader("train", 16)))

    def losses(share):
        torch.manual_seed(0)
        own = config(modality_dropout=share, dropout=0.0)
        module = TrainingModule(build_for(features, own), features, own, seed=0).train()
        torch.manual_seed(1)
        total = module.training_step(batch)
        assert module.model.fusion.training
        return module, total.item(), {name: float(value) / 16 for name, value in module.train_losses.items()}

    module, plain, parts = losses(0.0)
    assert "missing_loss" not in parts
    _, total, with_missing = losses(0.5)
    assert total == pytest.approx(plain + 0.5 * with_missing["missing_loss"], rel=1e-5)
    assert with_missing["task_loss"] == pytest.approx(parts["task_loss"])
    module.model.eval()
    tokens = module.model.tokens(batch)
    possible = []
    for lost in range(len(tokens)):
        seen = [own.mean(0, keepdim=True).expand_as(own) if at == lost else own for at, own in enumerate(tokens)]
        possible.append(float(module._task_loss(module.model.predict(seen), batch.labels)))
    assert min(abs(with_missing["missing_loss"] - one) for one in possible) < 1e-5


def test_modality_dropout_draws_the_same_with_the_same_seed(synthetic_dataset, tmp_path):
    features = FeatureSet(*synthetic_dataset("binary"))
    best = fit(features, config(modality_dropout=1.0), 0, folder=tmp_path, hardware=CPU)
    again = fit(features, config(modality_dropout=1.0), 0, folder=tmp_path / "again", hardware=CPU)
    pairs = zip(weights(best).values(), weights(again).values(), strict=True)
    assert all(torch.equal(own, other) for own, other in pairs)
