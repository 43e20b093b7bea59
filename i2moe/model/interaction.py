"""InteractionMoE: uniqueness, synergy and redundancy experts, perturbed views and reweighting (paper 3.2–3.4).

Shapes: B samples, M modalities, P tokens per modality, H hidden_dim, C outputs, E experts (M + 2), V views (M + 1).
"""

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from i2moe.base.errors import InputError
from i2moe.model.config import InteractionConfig
from i2moe.model.decorrelation import PENALTIES
from i2moe.model.experts import Experts, Views
from i2moe.model.fusion import Fused
from i2moe.model.losses import RoleLosses, Shown, interaction_losses
from i2moe.model.tokens import Tokens, in_place_of, mean_of, num_samples, values_of, with_values
from i2moe.model.whole_batch import whole


@dataclass(frozen=True)
class Prediction:
    """What a model returns for a batch; only an I2MoE has experts, and only a sparse fusion method a balance loss."""

    logits: Tensor  # [B, C]
    expert_logits: Tensor | None = None  # [B, E, C]
    weights: Tensor | None = None  # [B, E], each row sums to 1; none where experts add up
    interaction_losses: dict[str, Tensor] = field(default_factory=dict)  # by expert name, in training only
    balance_loss: Tensor | None = None  # scalar; mean over the experts of an I2MoE
    decorrelation_loss: Tensor | None = None  # scalar, in training only, of an I2MoE that decorrelates its experts


def expert_names(modalities: list[str], experts: str = "all") -> list[str]:
    """Name the experts in their order: uniqueness of each modality (unless left out), synergy, redundancy.

    Examples:
        >>> expert_names(["lab", "note"])
        ['uniqueness_lab', 'uniqueness_note', 'synergy', 'redundancy']
        >>> expert_names(["lab", "note"], "synergy-redundancy")
        ['synergy', 'redundancy']
    """
    uniqueness = [f"uniqueness_{name}" for name in modalities] if experts == "all" else []
    return [*uniqueness, "synergy", "redundancy"]


class Reweighting(nn.Module):
    """MLP from the modality means to one weight per expert: softmax(MLP(concatenated means) / temperature)."""

    def __init__(
        self,
        in_dim: int,
        num_experts: int,
        *,
        hidden_dim: int,
        num_layers: int,
        temperature: float,
        dropout: float,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.normalise = normalise
        self.temperature = temperature
        widths = [in_dim] + [hidden_dim] * (num_layers - 1)
        layers: list[nn.Module] = []
        for width, next_width in pairwise(widths):
            layers += [nn.Linear(width, next_width), nn.ReLU(), nn.Dropout(dropout)]
        self.mlp = nn.Sequential(*layers, nn.Linear(widths[-1], num_experts))

    def forward(self, tokens: list[Tokens]) -> Tensor:
        """Map the tokens [B, P, H] of M modalities to weights [B, E]."""
        means = [mean_of(modality) for modality in tokens]
        if self.normalise:
            means = [functional.normalize(mean, dim=1) for mean in means]
        return torch.softmax(self.mlp(torch.cat(means, dim=1)) / self.temperature, dim=1)


class GlobalWeights(nn.Module):
    """One learned weight per expert, the same for all samples: the ablation Simple-Weight's form of reweighting."""

    def __init__(self, num_experts: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(num_experts))

    def forward(self, tokens: list[Tokens]) -> Tensor:
        """Return weights [B, E] for the tokens [B, P, H] of M modalities."""
        return torch.softmax(self.scores, dim=0).expand(num_samples(tokens[0]), -1)


class Mixture(nn.Module, ABC):
    """What the mixtures of interaction experts share: experts with names, and labels that training may need."""

    def __init__(self, expert_names: list[str]) -> None:
        super().__init__()
        self.expert_names = expert_names

    @abstractmethod
    def forward(self, tokens: list[Tokens], labels: Tensor | None = None, presence: Tensor | None = None) -> Prediction:
        """Predict from the tokens [B, P, H] of M modalities; in training also compute the experts' losses.

        Args:
            tokens: of each modality, in order.
            labels: as `task_loss` takes them; for losses that look at labels, in training.
            presence: which samples have which modality, [B, M]; None where all have all.
        """


class InteractionMoE(Mixture):
    """A mixture of M + 2 interaction experts over one fusion method (Equation 1), or an ablation of it (section 7).

    All experts start as copies of `fusion`, as in the paper; the interaction losses make them differ. The weights
    always see the intact tokens. Where a sample lacks a modality, its uniqueness expert has no weight, and no role loss
    looks at the view that replaces it.
    """

    def __init__(
        self,
        fusion: nn.Module,
        reweighting: nn.Module,
        modalities: list[str],
        losses: RoleLosses,
        config: InteractionConfig,
    ) -> None:
        """Build the mixture.

        Args:
            fusion: maps the tokens [B, P, H] of M modalities to logits [B, C], or to `Fused`.
            reweighting: maps the same tokens to the experts' weights [B, E].
            modalities: names, in the order of the tokens; they name the experts.
            losses: the role losses of the task.
            config: which experts there are, and how they are perturbed and compared.

        Raises:
            ValueError: with fewer than two modalities there is no interaction.
        """
        super().__init__(expert_names(modalities, config.experts))
        if len(modalities) < 2:  # noqa: PLR2004
            raise ValueError(f"interaction experts need at least two modalities, got {modalities}")
        self.modalities = modalities
        self.losses = losses
        self.config = config
        self.experts = Experts([copy.deepcopy(fusion) for _ in self.expert_names])
        self.reweighting = reweighting
        self.mean_tokens: list[Tensor] | None = None  # M tensors [1, P or 1, H]; whoever trains with `mean` sets them

    def forward(self, tokens: list[Tokens], labels: Tensor | None = None, presence: Tensor | None = None) -> Prediction:
        """Predict; in training also run the perturbed views and compute the interaction losses, unless weighted 0.

        Args:
            tokens: [B, P, H] of M modalities, in order; padded ones keep their padding where they are replaced.
            labels: as `task_loss` takes them; for role losses that look at labels, in training.
            presence: which samples have which modality, [B, M]; None where all have all.
        """
        weights = self._weights_of_present(self.reweighting(tokens), presence)
        views = self._views(tokens) if self.training and self.config.loss_weight else None
        fused = self.experts(tokens, views)
        batch = num_samples(tokens[0])
        expert_logits = fused.logits[:, :batch]  # [E, B, C]; the intact view comes first
        losses = {}
        if views is not None:
            compared = whole(torch.unflatten(self._compared(fused), 1, (-1, batch)), 2)  # [E, V, B, ·]
            role_losses = self.losses.given(None if labels is None else whole(labels))
            replaced = None if views.replaced is None else whole(views.replaced, 1)
            shown = Shown(replaced, None if presence is None else whole(presence).t())
            losses = interaction_losses(compared, self.expert_names, len(tokens), role_losses, shown)
        return replace(
            _mix(expert_logits, weights, fused.balance_loss),
            interaction_losses=losses,
            decorrelation_loss=self._decorrelation(fused, batch) if self.training else None,
        )

    def _weights_of_present(self, weights: Tensor, presence: Tensor | None) -> Tensor:
        """Share the weight [B, E] of the uniqueness experts of absent modalities out among the others."""
        if presence is None or self.config.experts != "all":
            return weights
        others = torch.ones_like(presence[:, :1]).expand(-1, 2)  # synergy and redundancy
        kept = weights * torch.cat([presence, others], dim=1)
        return kept / kept.sum(dim=1, keepdim=True)

    def _compared(self, fused: Fused) -> Tensor:
        """Return what the interaction losses compare, [E, V·B, ·]: logits, or the latents of Latent-Contrastive."""
        return fused.logits if self.config.compare == "logits" else _latent_of(fused, "compare: latent")

    def _decorrelation(self, fused: Fused, batch: int) -> Tensor | None:
        """Return the penalty on the experts' latents of the intact view, if there is one."""
        if self.config.decorrelate is None:
            return None
        return PENALTIES[self.config.decorrelate.kind](whole(_latent_of(fused, "decorrelate")[:, :batch], 1))

    def _views(self, tokens: list[Tokens]) -> Views:
        """Decide what replaces the modalities (Equations 2 and 3; Table 5), and which of them in which view.

        Noise is N(0, 1) and drawn anew for every expert and pass. Less-Forward draws two modalities per sample.
        """
        values = [values_of(own) for own in tokens]
        match self.config.replacement:
            case "random":
                num_experts = len(self.expert_names)
                instead = [torch.randn_like(own.expand(num_experts, *own.shape)) for own in values]
                replacements = [with_values(*pair) for pair in zip(tokens, instead, strict=True)]
            case "zero":
                replacements = [with_values(own, torch.zeros_like(values_of(own))) for own in tokens]
            case "mean":
                if self.mean_tokens is None:
                    raise RuntimeError("set `mean_tokens` before a training pass with replacement `mean`")
                replacements = [in_place_of(*pair) for pair in zip(self.mean_tokens, tokens, strict=True)]
        if self.config.views == "all":
            return Views(replacements, None)
        order = torch.rand(len(values[0]), len(tokens), device=values[0].device).argsort(dim=1)
        return Views(replacements, order[:, :2].t())


def _mix(expert_logits: Tensor, weights: Tensor, balance_loss: Tensor | None) -> Prediction:
    """Return the prediction of experts with logits [E, B, C] and weights [B, E]."""
    return Prediction(
        logits=torch.einsum("ebc,be->bc", expert_logits, weights),
        expert_logits=expert_logits.transpose(0, 1),
        weights=weights,
        balance_loss=None if balance_loss is None else balance_loss.mean(),
    )


def _latent_of(fused: Fused, key: str) -> Tensor:
    """Return the latents, which a setting of `interaction` needs."""
    if fused.latent is None:
        raise InputError(f"interaction.{key} needs a fusion method that returns `i2moe.model.fusion.Fused`")
    return fused.latent
