"""The sealed mixture: what its parts cannot know, how they add up, what each loss reaches, and which parts stay."""

from math import log

import pytest
import torch
from small_models import METHODS, PlainLogits, different, fusion, tokens
from torch import nn
from torch.testing import assert_close

from i2moe.model.config import SealedConfig
from i2moe.model.losses import task_loss
from i2moe.model.pruning import parts_to_keep
from i2moe.model.sealed import WORDS, Said, SealedMixture

CONFIG = SealedConfig(loss_weight=0.1, min_gain=0.01)
LABELS = {
    "multiclass": torch.tensor([0, 1, 2, 3, 1]),
    "multilabel": torch.tensor([[1, 0, 0, 1]] * 3 + [[0, 1, 1, 0]] * 2),
    "regression": torch.tensor([0.5, -1.0, 2.0, 0.0, -0.5]),
}


def sealed(method="mult", *, modalities=3, task="multiclass", outputs=4, dropout=0.0, **settings):
    module = fusion(method, modalities=modalities, outputs=WORDS * outputs, dropout=dropout)
    names = [f"m{index}" for index in range(modalities)]
    return different(SealedMixture(module, names, task, outputs, CONFIG, **settings))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("training", [False, True])
def test_a_modalitys_words_do_not_change_with_any_other_modality(method, training):
    model = sealed(method, dropout=0.3 if training else 0.0).train(training)
    seen, other = tokens(), tokens()
    for modality in range(3):
        changed = [own if index == modality else new for index, (own, new) in enumerate(zip(seen, other, strict=True))]
        torch.manual_seed(0)
        before = model.listen(seen)
        torch.manual_seed(0)
        after = model.listen(changed)
        for word in ("beliefs", "echoes", "own", "shadows"):
            assert_close(getattr(before, word)[modality], getattr(after, word)[modality])
        assert not torch.allclose(before.joint, after.joint)


@pytest.mark.parametrize(("task", "outputs"), [("multiclass", 4), ("multilabel", 4), ("regression", 1)])
def test_parts_add_up_to_the_prediction_in_every_task(task, outputs):
    model = sealed(task=task, outputs=outputs)
    model.fit_constant(LABELS[task])
    with pytest.raises(ValueError, match="training needs them"):
        model.train()(tokens())
    prediction = model.eval()(tokens())
    assert prediction.weights is None
    assert prediction.expert_logits.shape == (5, 5, outputs)
    assert_close(prediction.logits, model.constant + prediction.expert_logits.sum(dim=1))


def test_the_constant_is_the_best_one_of_the_labels():
    model = sealed()
    model.fit_constant(torch.tensor([0, 0, 1, 2, 3]))
    assert_close(model.constant.softmax(0), torch.tensor([0.4, 0.2, 0.2, 0.2]))
    weighted = sealed(class_weights=[1.0, 2.0, 2.0, 2.0])
    weighted.fit_constant(torch.tensor([0, 0, 1, 2, 3]))
    assert_close(weighted.constant.softmax(0), torch.tensor([0.25, 0.25, 0.25, 0.25]))
    several = sealed(task="multilabel")
    several.fit_constant(torch.tensor([[1, 0, 1, 1], [1, 1, 0, 0]]))
    assert_close(several.constant[1:].sigmoid(), torch.tensor([0.5, 0.5, 0.5]))


class Chosen(nn.Module):
    """A fusion module whose words are parameters, so that gradients tell what a loss reaches."""

    def __init__(self, num_outputs):
        super().__init__()
        self.words = nn.Parameter(torch.arange(WORDS * num_outputs).float() / 10)

    def forward(self, tokens):
        return self.words.expand(len(tokens[0]), -1) * (1 + tokens[0].mean(dim=(1, 2)).unsqueeze(1))


def reached(loss, model):
    """Return which words get a gradient from a loss, of the first modality's module and of the joint one."""
    (gradient,) = torch.autograd.grad(loss, list(model.experts.parameters()), retain_graph=True)
    by_word = gradient.view(3, WORDS, -1).abs().sum(dim=2) > 0
    names = ["belief", "echo", "own", "shadow"]
    return {name for name, hit in zip(names, by_word[0], strict=True) if hit} | (
        {"joint"} if by_word[2].any() else set()
    )


def test_each_loss_reaches_the_words_of_its_own_expert_alone():
    torch.manual_seed(0)
    model = SealedMixture(Chosen(3), ["a", "b"], "multiclass", 3, CONFIG).train()
    labels = torch.tensor([0, 1, 2, 2, 1])
    prediction = model(tokens(2), labels)
    found = prediction.interaction_losses
    assert reached(found["uniqueness_a"], model) == {"own"}
    assert reached(found["redundancy"], model) == {"belief", "echo"}
    assert reached(found["synergy"], model) == {"shadow", "joint"}
    assert reached(task_loss("multiclass", prediction.logits, labels), model) == {"joint"}


def said(num=400, *, beliefs=0.0, echoes=(0.0, 0.0), own=(0.0, 0.0), joint=0.0):
    """Let modules say logits of a binary task, in favour of class 1 by so much."""

    def word(value):
        value = torch.as_tensor(value).expand(num)
        return torch.stack([-value / 2, value / 2], dim=1)

    pair = torch.stack([word(beliefs), word(beliefs)])
    return Said(
        pair,
        torch.stack([word(one) for one in echoes]),
        torch.stack([word(one) for one in own]),
        torch.zeros(2, num, 2),
        word(joint),
        None,
    )


def keep(words, labels):
    model = sealed(modalities=2, task="binary", outputs=2)
    model.scales.data.fill_(0.1)  # a loudness of 1
    return parts_to_keep(model, words, labels).tolist()


def test_parts_that_gain_nothing_are_dropped_and_others_stay():
    torch.manual_seed(0)
    labels = torch.randint(2, (400,))
    right, noise = 2.0 * (2 * labels - 1), 2.0 * torch.randn(400)
    assert keep(said(), labels) == [0, 0, 0, 0]
    assert keep(said(own=(noise, -noise), joint=noise), labels) == [0, 0, 0, 0]
    assert keep(said(own=(right, noise)), labels) == [1, 0, 0, 0]
    assert keep(said(joint=right), labels) == [0, 0, 1, 0]
    assert keep(said(echoes=(right, right)), labels) == [0, 0, 0, 1]


def test_what_one_modality_alone_echoes_is_its_own_word():
    torch.manual_seed(0)
    labels = torch.randint(2, (400,))
    right = 2.0 * (2 * labels - 1)
    words = said(echoes=(right, 0.0))
    assert keep(words, labels) == [1, 0, 0, 0]
    model = sealed(modalities=2, task="binary", outputs=2)
    model.scales.data.fill_(0.1)
    parts = model.parts_of(words, torch.tensor([1.0, 1, 1, 0]))
    assert_close(parts[0], words.echoes[0])
    assert not parts[1:].any()


def test_of_two_words_that_say_the_same_one_is_dropped():
    labels = torch.tensor([0, 1] * 200)
    right = 8.0 * (2 * labels - 1)
    assert sorted(keep(said(own=(right, right)), labels)[:2]) == [0, 1]


def test_a_dropped_part_is_zero_when_evaluating_and_stays_so_with_the_weights():
    model = sealed().eval()
    model.kept[:] = torch.tensor([1.0, 0, 1, 0, 1])
    parts = model(tokens()).expert_logits
    assert [bool(part.any()) for part in parts.unbind(dim=1)] == [True, False, True, False, True]
    other = sealed()
    other.load_state_dict(model.state_dict())
    assert_close(other.kept, model.kept)


def test_the_echo_imitates_what_the_others_together_believe():
    # Beliefs of the other two modalities, log-odds ln 2 each: together 4 to 1.
    model = sealed(modalities=3, task="binary", outputs=2)
    model.scales.data.zero_()
    belief = torch.tensor([[-log(2) / 2, log(2) / 2]])
    echo = torch.tensor([[-log(4) / 2, log(4) / 2]])
    nothing = torch.zeros(3, 1, 2)
    labels = torch.tensor([1])
    words = Said(torch.stack([belief] * 3), torch.stack([echo] * 3), nothing, nothing, torch.zeros(1, 2), None)
    loss = model._losses(words, labels)["redundancy"]
    entropy = -(0.8 * log(0.8) + 0.2 * log(0.2))
    assert_close(loss.item(), entropy - log(2 / 3) + log(2))  # imitation, belief, echoes at loudness 0


def test_synergy_has_no_part_that_modalities_say_one_by_one():
    torch.manual_seed(0)
    model = sealed(outputs=3).eval()
    words = [torch.randn(3, 200, 3) for _ in range(4)]
    one_by_one = words[0][0] @ torch.randn(3, 3) - words[3][2] @ torch.randn(3, 3) + 2
    together = (words[0][0, :, :1] * words[0][1, :, :1]).expand(-1, 3)
    said = Said(*words, one_by_one + together, None)
    model.fit_projection(said)
    synergy = model.synergy(said)
    for word in (*words, torch.ones(1, 200, 3)):
        assert torch.einsum("mbc,bd->mcd", word, synergy).abs().max() / 200 < 1e-3
    model.fit_projection(said._replace(joint=one_by_one))
    assert model.synergy(said._replace(joint=one_by_one)).abs().max() < 0.01


def test_modules_of_ones_own_may_be_sealed():
    class Own(PlainLogits):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(8, WORDS * 4)

        def forward(self, tokens):
            return self.head(torch.stack([modality.mean(dim=1) for modality in tokens]).sum(dim=0))

    model = SealedMixture(Own(), ["a", "b", "c"], "multiclass", 4, CONFIG).train()
    assert model(tokens(), LABELS["multiclass"]).logits.shape == (5, 4)


def test_one_modality_is_refused():
    with pytest.raises(ValueError, match="at least two modalities"):
        SealedMixture(fusion(modalities=1, outputs=16), ["a"], "multiclass", 4, CONFIG)
