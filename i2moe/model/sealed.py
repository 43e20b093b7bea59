"""SealedMixture: interaction experts that cannot know what their name forbids, whose logits add up to the prediction.

    logits = constant + redundancy + sum over modalities of uniqueness + synergy

What an expert sees, not a loss, decides what it can say. Of every modality i a fusion module that is given nothing else
says four things, each learned with its own loss, from everything else cut off by stopped gradients:

- its *belief*: what x_i says of the label by itself;
- its *echo*: an imitation of what the beliefs of the other modalities say together, so only what x_i knows of what
  others know. The redundancy expert is the sum of all echoes;
- its *own* word: what is left of the label for a sum of functions of one modality each, given the redundancy expert;
- its *shadow*: the regression of the joint expert on single modalities, fitted together for all of them on real pairs.

The *joint* expert sees all modalities. Less its shadows it is the synergy expert: what no sum of functions of one
modality each can say. It is not enough to centre it as if modalities were independent: a product of a bit with a bit
that both modalities show has no such part under independence, but is the first bit on real pairs.

Parts that gain nothing on the validation split are dropped. `docs/sealed.md` has the whole argument, and its limits.

Shapes: B samples, M modalities, P tokens per modality, H hidden_dim, C outputs, E experts (M + 2), T sets of
modalities (2^M - 1).
"""

import copy
from itertools import chain, combinations
from typing import NamedTuple

import torch
from torch import Tensor, nn

from i2moe.model.config import SealedConfig
from i2moe.model.experts import Experts
from i2moe.model.interaction import Mixture, Prediction, expert_names
from i2moe.model.losses import best_constant_logits, imitation_losses, sample_losses
from i2moe.model.tokens import Padded, Tokens
from i2moe.model.whole_batch import whole

WORDS = 4  # what a modality's module says: belief, echo, own, shadow
RIDGE = 1e-4  # in the fit of the projection, of a mean diagonal element
SCALE_RATE = 10.0  # learning rate of the scales, in those of the other parameters: they have far to go


class Said(NamedTuple):
    """What the modules say of a batch, in logits without the constant; before any part is dropped."""

    beliefs: Tensor  # [M, B, C]
    echoes: Tensor  # [M, B, C]
    own: Tensor  # [M, B, C]
    shadows: Tensor  # [M, B, C]
    joint: Tensor  # [B, C]
    balance_loss: Tensor | None  # scalar, of a sparse fusion method


class SealedMixture(Mixture):
    """A mixture of M + 2 sealed experts over one fusion method; there are no weights, experts add up."""

    sets: Tensor
    kept: Tensor
    constant: Tensor
    projection: Tensor
    seen: Tensor
    class_weights: Tensor | None

    def __init__(
        self,
        fusion: nn.Module,
        modalities: list[str],
        task: str,
        num_outputs: int,
        config: SealedConfig,
        class_weights: list[float] | None = None,
    ) -> None:
        """Build the mixture.

        Args:
            fusion: maps the tokens [B, P, H] of M modalities to logits [B, 4C], or to `Fused`.
            modalities: names, in the order of the tokens.
            task: binary | multiclass | multilabel | regression.
            num_outputs: C.
            config: when a part stays.
            class_weights: [C], of the cross-entropy.

        Raises:
            ValueError: with fewer than two modalities there is no interaction.
        """
        super().__init__(expert_names(modalities))
        if len(modalities) < 2:  # noqa: PLR2004
            raise ValueError(f"interaction experts need at least two modalities, got {modalities}")
        self.task = task
        self.config = config
        num_modalities = len(modalities)
        self.experts = Experts([copy.deepcopy(fusion) for _ in range(num_modalities + 1)])
        seen = torch.cat([torch.eye(num_modalities), torch.ones(1, num_modalities)])  # [M + 1, M]
        self.register_buffer("seen", seen, persistent=False)
        members = [[float(i in own) for i in range(num_modalities)] for own in modality_sets(num_modalities)]
        self.register_buffer("sets", torch.tensor(members), persistent=False)  # [T, M]
        self.scales = nn.Parameter(torch.full((len(members),), 1 / SCALE_RATE))
        self.register_buffer("kept", torch.ones(len(self.expert_names)))  # 1, or 0 for a part that is dropped
        self.register_buffer("projection", torch.zeros(1 + WORDS * num_modalities * num_outputs, num_outputs))
        self.register_buffer("constant", torch.zeros(num_outputs))  # the best one of the train split
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights, persistent=False)

    def fit_constant(self, labels: Tensor) -> None:
        """Set the constant prediction from the labels of the train split, as `task_loss` takes them."""
        self.constant = best_constant_logits(self.task, labels, len(self.constant), self.class_weights)

    def forward(
        self,
        tokens: list[Tokens],
        labels: Tensor | None = None,
        presence: Tensor | None = None,  # noqa: ARG002 (the learned token of an absent modality says all)
    ) -> Prediction:
        """Predict; in training also compute every expert's losses.

        Args:
            tokens: [B, P, H] of M modalities, in order.
            labels: as `task_loss` takes them; needed in training alone, where the logits let the joint expert learn and
                no other one.
            presence: not looked at: what an absent modality's token stands for, is its absence.
        """
        said = self.listen(tokens)
        parts = self.parts(said)
        if not self.training:
            return Prediction(self.constant + parts.sum(dim=0), parts.transpose(0, 1), balance_loss=said.balance_loss)
        if labels is None:
            raise ValueError("a sealed mixture learns from labels: training needs them")
        return Prediction(
            logits=self.constant + (parts.sum(dim=0) - parts[-2]).detach() + parts[-2],
            expert_logits=parts.transpose(0, 1),
            interaction_losses=self._losses(_of_whole_batch(said), whole(labels)),
            balance_loss=said.balance_loss,
        )

    def listen(self, tokens: list[Tokens]) -> Said:
        """Run the module of each modality on its tokens, with zeros for all others, and the joint one on all tokens.

        Of others that are padded a module sees padding alone: how many tokens there are would say something too.
        """
        fused = self.experts([_seen_by(own, seen) for own, seen in zip(tokens, self.seen.t(), strict=True)])
        words = torch.unflatten(fused.logits, 2, (WORDS, -1))  # [M + 1, B, 4, C]
        if self.task in ("binary", "multiclass"):  # a shift common to all classes says nothing
            words = words - words.mean(dim=3, keepdim=True)
        balance = None if fused.balance_loss is None else fused.balance_loss.mean()
        beliefs, echoes, own, shadows = words[:-1].unbind(dim=2)
        return Said(beliefs, echoes, own, shadows, words[-1, :, 0], balance)

    def parts(self, said: Said) -> Tensor:
        """Return what each expert adds to the constant, [E, B, C]; all of them in training."""
        return self.parts_of(said, torch.ones_like(self.kept) if self.training else self.kept)

    def parts_of(self, said: Said, kept: Tensor) -> Tensor:
        """Return what each expert adds to the constant, [E, B, C]; 0 for one that is not kept, where `kept` [E] is 0.

        Echoes count as the modalities' own words where the redundancy expert is dropped: what one modality alone says
        is not shared.
        """
        echoes = self.loudness[-1] * said.echoes
        uniqueness = said.own + (1 - kept[-1]) * echoes
        parts = torch.cat([uniqueness, self.synergy(said).unsqueeze(0), echoes.sum(dim=0, keepdim=True)])
        return parts * kept.view(-1, 1, 1)

    def synergy(self, said: Said) -> Tensor:
        """Return the joint expert less what sums of functions of one modality say of it, [B, C].

        In training that are the shadows as they are; only the joint expert learns from the difference.
        """
        if self.training:
            return said.joint - said.shadows.detach().sum(dim=0)
        return said.joint - _columns(said).to(said.joint) @ self.projection

    def fit_projection(self, said: Said) -> None:
        """Fit by least squares what sums of functions of one modality say of the joint expert.

        The functions are a constant and the modalities' words: the shadows, which follow the joint expert but lag
        behind it, and those that know most of the label, where a rest of it would do most harm.

        Args:
            said: of the train split, in evaluation mode.
        """
        columns, joint = _columns(said).double(), said.joint.double()
        gram = columns.t() @ columns
        ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        self.projection = torch.linalg.solve(gram + ridge, columns.t() @ joint).to(said.joint.dtype)

    @property
    def loudness(self) -> Tensor:
        """By how much the echoes of each set of modalities are scaled where they are heard together, [T]."""
        return SCALE_RATE * self.scales

    def shared(self, said: Said) -> Tensor:
        """Return the redundancy expert as each set of modalities by itself has it, [T, B, C]; the last set is all."""
        return torch.einsum("tm,mbc->tbc", self.sets, said.echoes) * self.loudness.view(-1, 1, 1)

    def sample_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the task's loss of each sample [..., B], times its class's weight, for logits without the constant."""
        losses = sample_losses(self.task, self.constant + logits, labels)
        return losses if self.class_weights is None else losses * self.class_weights[labels]

    def _losses(self, said: Said, labels: Tensor) -> dict[str, Tensor]:
        """Return the losses by expert; each reaches the modules of its own expert alone."""
        others = (said.beliefs.sum(dim=0) - said.beliefs).detach()
        imitation = imitation_losses(self.task, self.constant + said.echoes, self.constant + others)
        scaled = self.shared(said._replace(echoes=said.echoes.detach()))
        redundancy = self._mean(imitation, labels)
        for logits in (said.beliefs, scaled):
            redundancy = redundancy + self._mean(self.sample_losses(logits, labels), labels, weighted=True)
        own = scaled[-1].detach() + said.own.sum(dim=0)
        uniqueness = self._mean(self.sample_losses(own, labels), labels, weighted=True)
        names = self.expert_names
        return {
            **dict.fromkeys(names[:-2], uniqueness),
            "synergy": _shadow_loss(said.joint, said.shadows.sum(dim=0)),
            "redundancy": redundancy,
        }

    def _mean(self, losses: Tensor, labels: Tensor, *, weighted: bool = False) -> Tensor:
        """Average losses [..., B] over samples by their classes' weights, which may be in the losses already."""
        if self.class_weights is None:
            return losses.mean()
        weights = self.class_weights[labels]
        return (losses if weighted else losses * weights).mean() / weights.mean()


def _of_whole_batch(said: Said) -> Said:
    words = {name: whole(getattr(said, name), 1) for name in ("beliefs", "echoes", "own", "shadows")}
    return said._replace(**words, joint=whole(said.joint))


def _seen_by(tokens: Tokens, seen: Tensor) -> Tokens:
    """Return what each module sees of one modality, [M + 1, B, P, H]; `seen` [M + 1] is 1 where it does, else 0."""
    if isinstance(tokens, Padded):
        return Padded(_seen_by(tokens.values, seen), tokens.padding | (seen == 0).view(-1, 1, 1))  # type: ignore[arg-type]
    return tokens * seen.view(-1, 1, 1, 1)


def _shadow_loss(joint: Tensor, shadow: Tensor) -> Tensor:
    """Let the shadow [B, C] follow the joint expert [B, C], and the joint expert shrink where it has one.

    Without the second term both could grow together without end: only their difference is heard.
    """
    size = 1 + joint.detach().square().sum(dim=1).mean()
    follows = (joint.detach() - shadow).square().sum(dim=1).mean() / size
    shrinks = (joint * shadow.detach()).sum(dim=1).mean()
    return follows + shrinks


def _columns(said: Said) -> Tensor:
    """Return what is said of one modality each, and a column of ones, [B, 1 + 4MC]."""
    words = torch.cat([said.beliefs, said.echoes, said.own, said.shadows])  # [4M, B, C]
    columns = words.transpose(0, 1).flatten(1)
    return torch.cat([torch.ones_like(columns[:, :1]), columns], dim=1)


def modality_sets(num_modalities: int) -> list[tuple[int, ...]]:
    """Return the sets of one or more modalities, by size; the last one is all.

    Examples:
        >>> modality_sets(2)
        [(0,), (1,), (0, 1)]
    """
    sizes = range(1, num_modalities + 1)
    return list(chain.from_iterable(combinations(range(num_modalities), size) for size in sizes))
