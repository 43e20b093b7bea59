"""What a trained model says of some of a sample's tokens: by hand, against the model itself, and by other means."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from i2moe.explain.tokens.attention import gradient_rollout, rollout
from i2moe.explain.tokens.attribution import METHODS, attribute
from i2moe.explain.tokens.interaction import Sampling
from i2moe.explain.tokens.probe import (
    CHOOSER,
    RANKINGS,
    TRAINED,
    UNTRAINED,
    Probe,
    keep,
    kept,
    read_faithfulness,
    read_masking,
)
from i2moe.explain.tokens.reading import FIXED, MIXTURE, Reading, ReadingGame, can_be_read
from i2moe.explain.tokens.target import targets_of, value_of
from i2moe.model.config import ModelConfig
from i2moe.model.multimodal import build_model
from i2moe.model.tokens import Padded, values_of
from tests.small_models import different, mixture

DENSE = {
    "encoder": "token",
    "encoder_dim": 8,
    "num_patches": 2,
    "hidden_dim": 8,
    "dropout": 0.1,
    "fusion": {"method": "dense", "num_layers": 2, "num_heads": 2},
    "learning_rate": 1e-3,
    "batch_size": 16,
    "epochs": 2,
    "selection": "loss",
}
EXPERTS = {
    "interaction": {"loss_weight": 0.1},
    "reweighting": {"hidden_dim": 8, "num_layers": 2, "temperature": 1.0, "normalise": True},
}
SAMPLES, STEPS, FEATURES = 6, 5, 4


def reading(settings=DENSE | EXPERTS, task="multiclass"):
    """Read a model with random weights: a modality of sequences with padding, and one of vectors."""
    config = ModelConfig.model_validate(settings)
    kinds, shapes = {"steps": "sequence", "columns": "vector"}, {"steps": (STEPS, 3), "columns": (FEATURES,)}
    model = different(build_model(config, kinds=kinds, shapes=shapes, task=task, num_outputs=3)).eval()
    padding = torch.arange(STEPS) >= torch.tensor([5, 4, 3, 2, 1, 5])[:, None]
    tokens = [Padded(torch.randn(SAMPLES, STEPS, 8), padding), torch.randn(SAMPLES, FEATURES, 8)]
    means = [torch.randn(1, 1, 8), torch.randn(1, FEATURES, 8)]
    return Reading(model, tokens, means, task)


def everything():
    return torch.ones(SAMPLES, STEPS + FEATURES, dtype=torch.bool), torch.arange(SAMPLES)


def test_all_tokens_give_what_the_model_predicts_and_each_expert_is_asked_by_itself():
    own = reading()
    predicted = own.model.predict(own.tokens)
    assert own.names == ["uniqueness_steps", "uniqueness_columns", "synergy", "redundancy", MIXTURE, FIXED]
    with torch.no_grad():
        for name in (MIXTURE, FIXED):
            assert own.logits(name, *everything()) == pytest.approx(predicted.logits.detach(), abs=1e-5)
        for place, name in enumerate(own.fusions):
            said = own.logits(name, *everything())
            assert said == pytest.approx(predicted.expert_logits[:, place].detach(), abs=1e-5)


def test_tokens_that_are_out_are_mean_tokens_to_experts_and_weights_alike():
    own = reading()
    inside = torch.rand(SAMPLES, STEPS + FEATURES) < 0.5
    left = [
        torch.where(part.unsqueeze(-1), values_of(each), mean)
        for part, each, mean in zip(inside.split([STEPS, FEATURES], dim=1), own.tokens, own.means, strict=True)
    ]
    tokens = [Padded(left[0], own.tokens[0].padding), left[1]]
    with torch.no_grad():
        predicted = own.model.predict(tokens)
        found = own.logits(MIXTURE, inside, torch.arange(SAMPLES))
        fixed = own.logits(FIXED, inside, torch.arange(SAMPLES))
        weights = own.model.predict(own.tokens).weights
    assert found == pytest.approx(predicted.logits, abs=1e-5)
    assert fixed == pytest.approx(torch.einsum("bec,be->bc", predicted.expert_logits, weights), abs=1e-5)
    assert abs(found - fixed).max() > 1e-3


def test_a_game_asks_any_samples_in_any_order_and_padding_is_not_a_token():
    own = reading()
    game = ReadingGame(own, MIXTURE, "log-probability")
    inside = np.random.default_rng(0).random((2, 7, STEPS + FEATURES)) < 0.5
    values = game(inside, np.array([4, 1]))
    assert values[::-1] == pytest.approx(game(inside[::-1], np.array([1, 4])), abs=1e-6)
    assert (values < 0).all()
    padded = inside.copy()
    padded[0, :, 1:STEPS] ^= True  # sample 4 has one step
    assert game(padded, np.array([4, 1])) == pytest.approx(values, abs=1e-6)
    assert own.players.real.sum(axis=1).tolist() == [9, 8, 7, 6, 5, 9]


def test_values_are_of_what_the_whole_model_predicts_on_each_scale():
    logits = torch.tensor([[2.0, 1.0, -1.0], [-3.0, -2.0, -4.0]])
    assert targets_of("multiclass", logits).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert targets_of("multilabel", logits).tolist() == [[0.5, 0.5, 0], [0, 1, 0]]
    assert targets_of("regression", logits[:, :1]).tolist() == [[1], [1]]
    targets = targets_of("multilabel", logits)
    assert value_of("multilabel", logits, targets, "logit").tolist() == [1.5, -2]
    probability = value_of("multilabel", logits, targets, "probability")
    expected = [torch.sigmoid(logits[0, :2]).mean(), torch.sigmoid(logits[1, 1])]
    assert probability == pytest.approx(torch.tensor(expected))
    one = targets_of("multiclass", logits)
    assert value_of("multiclass", logits, one, "log-probability").exp() == pytest.approx(
        value_of("multiclass", logits, one, "probability")
    )
    assert value_of("regression", logits[:, :1], torch.ones(2, 1), "probability").tolist() == [2, -3]


def test_rollout_by_hand():
    # One head; the first layer looks at the second of two tokens, the second layer at both alike.
    first = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]])
    second = torch.full((1, 1, 2, 2), 0.5)
    real = torch.tensor([[True, True]])
    # With skips, and rows that sum to 1, [[.5, .5], [0, 1]] and [[.75, .25], [.25, .75]]: means of their product.
    assert rollout([first, second], real).tolist() == [[0.25, 0.75]]
    # Of a sample with the first token alone only its own place counts, .75 of .5.
    assert rollout([first, second], torch.tensor([[True, False]])).tolist() == [[0.375, 0.0]]


def test_a_gradient_rollout_counts_what_raises_the_value_alone():
    attention = torch.full((1, 2, 2, 2), 0.5)
    real = torch.tensor([[True, True]])
    nothing = gradient_rollout([attention], [-torch.ones(1, 2, 2, 2)], real)
    assert nothing.tolist() == [[0.5, 0.5]]  # the skip alone
    raising = torch.zeros(1, 2, 2, 2)
    raising[:, 0, :, 1] = 4  # one head's attention to the second token: .5 · 4 / 2 heads = 1
    assert gradient_rollout([attention], [raising], real).tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("settings", [DENSE, DENSE | EXPERTS], ids=["dense", "fl-i2moe"])
def test_an_attribution_scores_real_tokens_and_no_other(method, settings):
    own = reading(settings)
    found = attribute(own, method)
    asked = set(own.names) - ({MIXTURE} if len(own.names) > 1 and method != "integrated gradients" else set())
    assert set(found) == asked
    for scores in found.values():
        assert scores.shape == own.players.real.shape
        assert (scores[own.players.real] > 0).all()
        assert (scores[~own.players.real] == 0).all()
    if method == "rollout":
        assert next(iter(found.values())).sum(axis=1) == pytest.approx(np.ones(SAMPLES), abs=1e-5)
    parts = [attribute(Reading(own.model, _only(own.tokens, row), own.means, own.task), method) for row in range(2)]
    for name, scores in found.items():  # a sample's scores depend on it alone
        assert scores[:2] == pytest.approx(np.concatenate([part[name] for part in parts]), abs=1e-5)


def _only(tokens, row):
    return [Padded(*(part[[row]] for part in tokens[0])), tokens[1][[row]]]


def test_integrated_gradients_agree_with_captum():
    captum = pytest.importorskip("captum.attr", reason="captum is not installed")
    own = reading(DENSE)
    expert = own.fusions[MIXTURE]
    padding = own.tokens[0].padding

    def batched(steps, columns):
        repeat = len(steps) // SAMPLES
        return expert([Padded(steps, padding.repeat(repeat, 1)), columns]).logits

    values = [values_of(each) for each in own.tokens]
    starts = [mean.expand_as(value) for mean, value in zip(own.means, values, strict=True)]
    found = captum.IntegratedGradients(batched).attribute(
        tuple(values), tuple(starts), own.targets.argmax(dim=1), n_steps=16, method="riemann_right"
    )
    expected = torch.cat([part.abs().mean(dim=-1) for part in found], dim=1).numpy() * own.players.real
    assert attribute(own, "integrated gradients")[MIXTURE] == pytest.approx(expected, abs=1e-5)


def test_the_weights_matter_to_the_mixture_by_name():
    found = attribute(reading(), "integrated gradients")
    assert abs(found[MIXTURE] - found[FIXED]).max() > 1e-3


def test_only_models_that_see_sequences_can_be_read():
    assert can_be_read(reading(DENSE).model)
    assert can_be_read(reading().model)
    other = reading()
    other.model.fusion = mixture(modalities=2)
    assert not can_be_read(other.model)


def test_what_is_found_is_kept_and_read_back_and_a_broken_file_is_no_finding(tmp_path):
    torch.manual_seed(1)
    probe = Probe(reading(), reading(), Sampling(round=4, most=4), top=2)
    found = probe.of("synergy")
    keep(tmp_path / "deep" / "0.npz", found)
    again = kept(tmp_path / "deep" / "0.npz")
    np.testing.assert_equal(again, dict(found))
    for weights in (TRAINED, UNTRAINED):
        one, other = (read_faithfulness(each, CHOOSER, weights) for each in (again, found))
        assert one.confidence.tolist() == other.confidence.tolist()
    for ranking in RANKINGS:
        np.testing.assert_equal(read_masking(again, ranking).found, read_masking(found, ranking).found)
    whole = (tmp_path / "deep" / "0.npz").read_bytes()
    (tmp_path / "deep" / "0.npz").write_bytes(whole[: len(whole) // 2])
    assert kept(tmp_path / "deep" / "0.npz") is None
    assert kept(tmp_path / "none.npz") is None
    assert "pairs" not in probe.of(FIXED)


def test_of_few_tokens_the_index_is_exact():
    own = reading(DENSE)
    few = Reading(own.model, [Padded(*(part[:, :3] for part in own.tokens[0])), own.tokens[1]], own.means, own.task)
    found = Probe(few, few, Sampling(round=2, most=2), top=1).of(MIXTURE)
    assert (found["index_error"] == 0).all()
    assert (found["draws"] == 0).all()
    drawn = Probe(own, own, Sampling(round=2, most=2), top=1).of(MIXTURE)
    assert (drawn["draws"] == 2).all()


def test_confidence_is_the_models_own_probability():
    own = reading()
    found = Probe(own, own, Sampling(round=2, most=2), top=1).of(MIXTURE)
    with torch.no_grad():
        probability = functional.softmax(own.model.predict(own.tokens).logits, dim=1).max(dim=1).values
    tested = read_faithfulness(found, "integrated gradients", TRAINED)
    assert tested.confidence == pytest.approx(probability.numpy(), abs=1e-5)
