"""A GPU gives what the CPU gives, and the same each time; everything here is skipped where there is none."""

import numpy as np
import pytest
import torch
from small_models import METHODS, SPARSE, mixture, tokens
from small_training import METHODS as SETTINGS
from small_training import VARIANTS, config, weights

from i2moe.checkpoints import save
from i2moe.data import FeatureSet
from i2moe.explain.coalitions import coalition_logits
from i2moe.inference import choose_device, load, predict
from i2moe.training import Hardware, fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

GPU = Hardware(accelerator="gpu")
DRAWS = [*SPARSE, "interpretcc"]  # random numbers in training, where a GPU's are others


@pytest.fixture(autouse=True)
def _plain_float32():
    """Compare in full float32: TensorFloat-32 has ten bits of mantissa."""
    torch.backends.cuda.matmul.allow_tf32 = False


def test_auto_chooses_the_gpu():
    assert choose_device("auto").type == "cuda"


@pytest.mark.parametrize("method", METHODS)
def test_a_mixture_predicts_what_it_predicts_on_the_cpu(method):
    torch.manual_seed(0)
    model, inputs = mixture(method).eval(), tokens(batch=6)
    expected = model(inputs)
    found = model.to("cuda")([own.to("cuda") for own in inputs])
    for name in ("logits", "expert_logits", "weights"):
        assert torch.allclose(getattr(found, name).cpu(), getattr(expected, name), atol=1e-4), name


@pytest.mark.parametrize("method", [method for method in METHODS if method not in DRAWS])
def test_a_training_step_has_the_losses_and_gradients_of_the_cpu(method):
    torch.manual_seed(0)
    model, inputs = mixture(method, interaction={"replacement": "zero"}).train(), tokens(batch=6)

    def run(device):
        model.to(device).zero_grad()
        prediction = model([own.to(device) for own in inputs])
        loss = prediction.logits.square().mean() + sum(prediction.interaction_losses.values())
        loss.backward()
        return [loss.detach().cpu(), *(own.grad.cpu() for own in model.parameters() if own.grad is not None)]

    for found, expected in zip(run("cuda"), run("cpu"), strict=True):
        assert torch.allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    "change", [*({"fusion": {"method": name} | own} for name, own in SETTINGS.items()), *VARIANTS.values()]
)
def test_the_same_seed_gives_the_same_weights_also_after_an_interruption(synthetic_dataset, tmp_path, change):
    features = FeatureSet(*synthetic_dataset())
    own = config(**change)
    once, again = (weights(fit(features, own, 0, folder=tmp_path / name, hardware=GPU)) for name in ("a", "b"))
    fit(features, own.model_copy(update={"epochs": 2}), 0, folder=tmp_path / "c", hardware=GPU)
    resumed = weights(fit(features, own, 0, folder=tmp_path / "c", hardware=GPU))
    for name, value in once.items():
        assert torch.equal(value, again[name]), name
        assert torch.equal(value, resumed[name]), name


def test_weights_of_the_gpu_predict_the_same_on_the_cpu(synthetic_dataset, tmp_path):
    features, own, target = FeatureSet(*synthetic_dataset()), config(), tmp_path / "0.ckpt"
    save(fit(features, own, 0, folder=tmp_path / "run", hardware=GPU), target)
    on = {name: load(features, own, target, torch.device(name)) for name in ("cuda", "cpu")}
    found, expected = (predict(on[name], features, "test") for name in ("cuda", "cpu"))
    assert np.allclose(found.logits, expected.logits, atol=1e-4)
    assert np.allclose(found.weights, expected.weights, atol=1e-4)
    on_gpu, on_cpu = (coalition_logits(on[name], features, "test")["mean"].whole for name in ("cuda", "cpu"))
    assert np.allclose(on_gpu, on_cpu, atol=1e-4)


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("task", ["multiclass", "multilabel", "regression"])
def test_half_precision_trains_and_predicts_in_float32(synthetic_dataset, tmp_path, precision, task):
    features, own, target = FeatureSet(*synthetic_dataset(task)), config(), tmp_path / "0.ckpt"
    save(fit(features, own, 0, folder=tmp_path, hardware=Hardware(accelerator="gpu", precision=precision)), target)
    found = predict(load(features, own, target, choose_device("auto")), features, "test")
    assert found.logits.dtype == np.float32
    assert np.isfinite(found.logits).all()
