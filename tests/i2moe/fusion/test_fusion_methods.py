"""What holds of every fusion method, alone and inside an I2MoE."""

import copy
import warnings

import pytest
import torch
from small_models import METHODS, SPARSE, different, fusion, mixture, tokens
from torch import nn

from i2moe.model.config import FUSION_CONFIGS
from i2moe.model.experts import Experts, Views
from i2moe.model.fusion import Fusion
from i2moe.model.losses import INTERACTION_LOSSES, task_loss, total_loss

BUILDERS = {"alone": fusion, "mixture": mixture}
every_method = pytest.mark.parametrize("method", METHODS)
alone_and_mixed = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


def no_noise(monkeypatch):
    """Uniform noise at its centre: no jitter in SwitchGate, no noise on InterpretCC's gates."""
    monkeypatch.setattr(torch, "rand_like", lambda values: torch.full_like(values, 0.5))


def loss_of(output):
    """Everything of an output that can carry a gradient."""
    parts = [output.logits.square().sum(), *getattr(output, "interaction_losses", {}).values()]
    return sum(parts) + (0 if output.balance_loss is None else output.balance_loss)


def test_every_method_is_tested():
    assert set(FUSION_CONFIGS) == set(METHODS)


@every_method
@alone_and_mixed
@pytest.mark.parametrize(("batch", "modalities", "patches"), [(1, 2, 1), (1, 4, 3), (6, 2, 3), (6, 4, 1)])
@pytest.mark.parametrize("training", [True, False])
def test_shapes(method, build, batch, modalities, patches, training):
    model = build(method, modalities=modalities, patches=patches, dropout=0.5).train(training)
    output = model(tokens(modalities, batch, patches))
    assert output.logits.shape == (batch, 4)
    assert output.logits.isfinite().all()
    assert (output.balance_loss is not None) == (method in SPARSE)
    if output.balance_loss is not None:
        assert output.balance_loss.shape == ()
    if build is fusion:
        assert output.latent.shape[0] == batch
        assert output.latent.dim() == 2


def uses(parameter, name, method, build):
    """Return the sums of a parameter's absolute gradient, one for each expert and sparse expert that has a part."""
    dims = (build is mixture and "stacked" in name) + (method in SPARSE and name.endswith(EXPERT_WEIGHTS))
    return parameter.grad.abs().sum(dim=tuple(range(dims, parameter.dim())))


EXPERT_WEIGHTS = tuple(
    f"{part}{dot}{kind}"
    for part in ("inner", "outer", "feed_forward.gate", "feed_forward/gate")
    for dot in "./"
    for kind in ("weight", "bias")
)


@every_method
@alone_and_mixed
def test_gradients_reach_every_parameter_of_every_expert(method, build):
    model = different(build(method))
    loss_of(model(tokens(batch=64))).backward()
    unreached = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert unreached == []
    dead = [name for name, parameter in model.named_parameters() if not uses(parameter, name, method, build).all()]
    assert dead == []


@every_method
@alone_and_mixed
def test_evaluation_is_deterministic_and_draws_nothing(method, build):
    model = different(build(method, dropout=0.5)).eval()
    own = tokens()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = model(own).logits
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(model(own).logits, first)


@every_method
@alone_and_mixed
def test_permuting_the_batch_permutes_the_output(method, build):
    model = different(build(method)).eval()
    own, order = tokens(), torch.tensor([3, 1, 4, 0, 2])
    permuted = model([modality[order] for modality in own]).logits
    assert torch.allclose(permuted, model(own).logits[order], atol=1e-5)


@every_method
@alone_and_mixed
def test_in_evaluation_a_sample_does_not_depend_on_the_others(method, build):
    model = different(build(method)).eval()
    own = tokens(batch=20)
    together = model(own).logits
    for row in (0, 7, 19):
        alone = model([modality[row : row + 1] for modality in own]).logits
        assert torch.allclose(alone[0], together[row], atol=1e-5)


@every_method
def test_the_order_of_modalities_matters_to_the_output(method):
    model = different(fusion(method)).eval()
    own = tokens()
    assert not torch.allclose(model(own).logits, model(own[::-1]).logits, atol=1e-4)


@every_method
@pytest.mark.parametrize("training", [True, False])
def test_experts_at_once_equal_a_loop_over_them(method, training, monkeypatch):
    no_noise(monkeypatch)
    at_once = different(mixture(method)).train(training)
    loop = copy.deepcopy(at_once)
    loop.experts.vectorised = False
    own = tokens(batch=20)
    outputs = []
    for model in (at_once, loop):
        torch.manual_seed(1)  # replacement noise
        outputs.append(model(own))
        loss_of(outputs[-1]).backward()
    assert at_once.experts.vectorised
    first, second = outputs
    assert torch.allclose(first.logits, second.logits, atol=1e-5)
    assert torch.allclose(first.expert_logits, second.expert_logits, atol=1e-5)
    assert bool(first.interaction_losses) == training
    for name, loss in first.interaction_losses.items():
        assert loss.item() == pytest.approx(second.interaction_losses[name].item(), abs=1e-5), name
    if method in SPARSE:
        assert first.balance_loss.item() == pytest.approx(second.balance_loss.item(), abs=1e-5)
    for (name, one), other in zip(at_once.named_parameters(), loop.parameters(), strict=True):
        scale = other.grad.abs().max().item() + 1
        assert torch.allclose(one.grad, other.grad, atol=1e-5 * scale), name


@every_method
@pytest.mark.parametrize("training", [True, False])
def test_experts_equal_the_single_modules_they_were_made_of(method, training, monkeypatch):
    no_noise(monkeypatch)
    modules = [different(fusion(method)).train(training) for _ in range(3)]
    own = tokens(batch=20)
    experts = Experts(modules).train(training)(own)
    for index, module in enumerate(modules):
        alone = module(own)
        for name, value in alone._asdict().items():
            together = getattr(experts, name)
            assert (value is None) == (together is None)
            assert value is None or torch.allclose(together[index], value, atol=1e-5), name


@pytest.fixture(params=["fast kernels", "as on an accelerator"])
def _kernels(request, monkeypatch):
    if request.param != "fast kernels":
        for module in ("routing", "transformer"):
            monkeypatch.setattr(f"i2moe.fusion.{module}.may_use_fast_kernels", lambda _values: False)


@pytest.mark.usefixtures("_kernels")
@every_method
@pytest.mark.parametrize("own_tokens", [True, False], ids=["tokens for each expert", "the same tokens for all"])
@pytest.mark.parametrize("at_once", [True, False])
def test_inference_equals_evaluation_with_gradients(method, own_tokens, at_once, monkeypatch):
    if not at_once:
        monkeypatch.setattr("i2moe.model.experts.CPU_LIMIT", 0)
    experts = Experts([different(fusion(method)) for _ in range(3)]).eval()
    own = tokens(batch=7)
    if own_tokens:
        own[1] = torch.randn(3, *own[1].shape)
    expected = experts(own)
    with torch.inference_mode():
        if at_once:
            monkeypatch.setattr(Experts, "_forward_vmap", None)  # calling it would fail
        found = experts(own)
    for name, value in expected._asdict().items():
        assert (value is None) == (getattr(found, name) is None)
        assert value is None or torch.allclose(getattr(found, name), value, atol=1e-5), name


class OwnSparse(nn.Module):
    """A fusion of one's own around a method of the project, which `vmap` runs in inference too."""

    def __init__(self, method):
        super().__init__()
        self.inner = fusion(method)

    def forward(self, tokens):
        return self.inner(tokens).logits


@every_method
def test_the_layers_of_a_method_serve_a_module_of_ones_own_under_vmap(method):
    modules = [different(OwnSparse(method)) for _ in range(2)]
    experts = Experts(modules).eval()
    own = tokens(batch=7)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("error")
        outputs = experts(own).logits
        for module, output in zip(modules, outputs, strict=True):
            assert torch.allclose(output, module.eval()(own), atol=1e-5)
    assert experts.vectorised


@every_method
def test_no_warning_is_raised_in_training_nor_evaluation(method):
    model = different(mixture(method, dropout=0.5))
    own = tokens()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss_of(model(own)).backward()
        model.eval()(own)
        with torch.inference_mode():
            model(own)
    assert model.experts.vectorised


@every_method
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_lightnings_true_precisions(method, dtype):
    model = different(fusion(method)).to(dtype)
    own = [modality.to(dtype) for modality in tokens()]
    assert model(own).logits.dtype == dtype
    assert model.eval()(own).logits.isfinite().all()


@every_method
@alone_and_mixed
def test_mixed_precision_gives_nearly_the_same_and_finite_gradients(method, build):
    model = different(build(method)).eval()
    own = tokens(batch=20)
    single = model(own).logits
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model.train()(own)
        loss = loss_of(output)
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)
    if method in ("early", "late", "lrmf", "mult"):  # the others decide by a threshold or a maximum
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.allclose(model.eval()(own).logits.float(), single, atol=0.1)


@every_method
@alone_and_mixed
def test_state_dict_round_trip(method, build):
    first, second = different(build(method)).eval(), build(method).eval()
    second.load_state_dict(first.state_dict())
    own = tokens()
    assert torch.equal(first(own).logits, second(own).logits)


TIGHT = {method: {"capacity_factor": 0.8} for method in SPARSE}  # tokens are dropped in every view


@every_method
@pytest.mark.parametrize("own_noise", [True, False], ids=["noise for each expert", "one replacement for all"])
@pytest.mark.parametrize("two", [True, False], ids=["two modalities per sample", "every modality"])
def test_views_that_share_embeddings_equal_the_module_on_perturbed_tokens(method, own_noise, two, monkeypatch):
    no_noise(monkeypatch)
    modules = [different(fusion(method, **TIGHT.get(method, {}))) for _ in range(2)]
    own = tokens(batch=4)
    noise = [torch.randn(2, *modality.shape) for modality in own]
    if not own_noise:
        noise = [tensor[:1].expand_as(tensor) for tensor in noise]
    replaced = torch.tensor([[0, 1, 2, 0], [2, 0, 1, 1]]) if two else None
    views = Views(noise if own_noise else [tensor[0] for tensor in noise], replaced)
    outputs = Experts(modules)(own, views)
    by_view = torch.arange(3).unsqueeze(1).expand(3, 4) if replaced is None else replaced
    for index, module in enumerate(modules):
        seen = [own] + [
            [
                torch.where((replaces == modality).view(4, 1, 1), noise[modality][index], intact)
                for modality, intact in enumerate(own)
            ]
            for replaces in by_view
        ]
        logits = torch.cat([module(each).logits for each in seen])
        assert torch.allclose(outputs.logits[index], logits, atol=1e-5)
        latents = torch.cat([module(each).latent for each in seen])
        assert torch.allclose(outputs.latent[index], latents, atol=1e-5)
        if method in SPARSE:
            balance = torch.stack([module(each).balance_loss for each in seen]).mean()
            assert outputs.balance_loss[index].item() == pytest.approx(balance.item(), abs=1e-5)


@pytest.mark.parametrize("method", SPARSE)
def test_a_views_place_in_the_batch_does_not_decide_what_is_dropped(method, monkeypatch):
    no_noise(monkeypatch)
    module = different(fusion(method, capacity_factor=0.5))
    own = tokens(batch=8)
    outputs = Experts([module])(own, Views(own, None)).logits[0].unflatten(0, (4, 8))  # all views are the intact one
    assert torch.allclose(outputs, outputs[:1].expand_as(outputs), atol=1e-6)
    assert not torch.allclose(outputs[0], module.eval()(own).logits, atol=1e-3)  # some tokens were dropped


@every_method
def test_a_mixtures_prediction_in_training_is_that_of_the_intact_view(method, monkeypatch):
    no_noise(monkeypatch)
    if method == "gshard":
        monkeypatch.setattr(torch, "rand_like", torch.zeros_like)  # no second expert is left out
    model = different(mixture(method, **({"capacity_factor": 1000.0} if method in SPARSE else {})))
    own = tokens()
    training, evaluation = model(own), model.eval()(own)
    assert torch.allclose(training.expert_logits, evaluation.expert_logits, atol=1e-5)
    assert torch.allclose(training.logits, evaluation.logits, atol=1e-5)


@pytest.mark.parametrize("method", SPARSE)
def test_a_mixtures_balance_loss_is_the_mean_over_its_experts(method):
    model = different(mixture(method)).eval()
    own = tokens()
    by_expert = model.experts(own).balance_loss
    assert by_expert.shape == (5,)
    assert model(own).balance_loss.item() == pytest.approx(by_expert.mean().item())


@pytest.mark.parametrize("method", ["switchgate", "moepp"])
def test_the_balance_loss_is_the_mean_over_layers(method):
    model = different(fusion(method, num_layers=3)).eval()
    seen = []
    for layer in model.layers:
        layer.register_forward_hook(lambda _module, _inputs, outputs: seen.append(outputs[-1].item()))
    assert model(tokens()).balance_loss.item() == pytest.approx(sum(seen) / 3, abs=1e-6)


TASKS = {
    "regression": (1, lambda: torch.randn(12)),
    "multilabel": (4, lambda: torch.randint(2, (12, 4)).float()),
    "multiclass": (4, lambda: torch.randint(4, (12,))),
}


@every_method
@alone_and_mixed
@pytest.mark.parametrize("task", TASKS)
def test_a_training_step_of_every_task_is_finite_and_lowers_the_loss(method, build, task):
    outputs, labels = TASKS[task]
    losses = {"losses": INTERACTION_LOSSES[task]} if build is mixture else {}
    model = build(method, outputs=outputs, dropout=0.1, **losses)
    own, labels = tokens(batch=12), labels()
    before = task_loss(task, model.eval()(own).logits, labels).item()
    output = model.train()(own)
    loss = total_loss(
        task_loss(task, output.logits, labels),
        getattr(output, "interaction_losses", {}),
        0.1,
        output.balance_loss,
        0.01,
    )
    loss.backward()
    assert loss.isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(15):
        output = model(own)
        optimiser.zero_grad()
        task_loss(task, output.logits, labels).backward()
        optimiser.step()
    assert task_loss(task, model.eval()(own).logits, labels).item() < before


def test_a_method_that_fuses_nothing_cannot_be_built():
    class Embeds(Fusion):
        """Lacks `fuse`."""

    with pytest.raises(TypeError, match=r"abstract method '?fuse"):
        Embeds()
