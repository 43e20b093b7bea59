"""InteractionMoE: uniqueness, synergy and redundancy experts, perturbed views and reweighting (paper 3.2–3.4).

Shapes: B samples, M modalities, P tokens a modality, H hidden_dim, C outputs, E = M + 2 experts, V = M + 1 views.
"""

import copy
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor, nn

from i2moe.experts import Experts
from i2moe.losses import InteractionLosses, interaction_losses


@dataclass(frozen=True)
class Prediction:
    """What a model says of a batch; the last three are empty for a vanilla fusion method."""

    logits: Tensor  # [B, C]
    expert_logits: Tensor | None = None  # [B, E, C]
    weights: Tensor | None = None  # [B, E], each row sums to 1
    interaction_losses: dict[str, Tensor] = field(default_factory=dict)  # by expert name, in training only


def expert_names(modalities: list[str]) -> list[str]:
    """Name the experts in their order: uniqueness of each modality, synergy, redundancy."""
    return [f"uniqueness_{name}" for name in modalities] + ["synergy", "redundancy"]


class Reweighting(nn.Module):
    """MLP from the modality means to one weight an expert: softmax(MLP(concatenated means) / temperature)."""

    def __init__(
        self, in_dim: int, num_experts: int, *, hidden_dim: int, num_layers: int, temperature: float, dropout: float
    ) -> None:
        super().__init__()
        self.temperature = temperature
        widths = [in_dim] + [hidden_dim] * (num_layers - 1)
        layers: list[nn.Module] = []
        for width, next_width in pairwise(widths):
            layers += [nn.Linear(width, next_width), nn.ReLU(), nn.Dropout(dropout)]
        self.mlp = nn.Sequential(*layers, nn.Linear(widths[-1], num_experts))

    def forward(self, tokens: list[Tensor]) -> Tensor:
        """Map M token tensors [B, P, H] to weights [B, E]."""
        means = torch.cat([modality.mean(dim=1) for modality in tokens], dim=1)
        return torch.softmax(self.mlp(means) / self.temperature, dim=1)


class InteractionMoE(nn.Module):
    """A mixture of M + 2 interaction experts over one fusion method (Equation 1).

    All experts start as copies of `fusion`, as in the paper; the interaction losses make them differ. The weights
    always see the intact tokens.
    """

    def __init__(
        self, fusion: nn.Module, reweighting: Reweighting, modalities: list[str], losses: InteractionLosses
    ) -> None:
        """Build the mixture.

        Args:
            fusion: maps M token tensors [B, P, H] to logits [B, C].
            reweighting: gives the experts' weights.
            modalities: names, in the order of the token tensors; they name the experts.
            losses: the role losses of the task.

        Raises:
            ValueError: with fewer than two modalities there is no interaction.
        """
        super().__init__()
        if len(modalities) < 2:  # noqa: PLR2004
            raise ValueError(f"interaction experts need at least two modalities, got {modalities}")
        self.modalities = modalities
        self.expert_names = expert_names(modalities)
        self.losses = losses
        self.experts = Experts([copy.deepcopy(fusion) for _ in self.expert_names])
        self.reweighting = reweighting

    def forward(self, tokens: list[Tensor]) -> Prediction:
        """Predict; in training also run the M perturbed views and compute the interaction losses.

        Args:
            tokens: M tensors [B, P, H], in modality order.
        """
        weights = self.reweighting(tokens)
        if not self.training:
            return _mix(self.experts(tokens), weights, {})
        outputs = self.experts(perturbed_views(tokens, len(self.expert_names)))  # [E, V·B, C]
        outputs = outputs.unflatten(1, (len(tokens) + 1, -1))  # [E, V, B, C]
        return _mix(outputs[:, 0], weights, interaction_losses(outputs, self.modalities, self.losses))


def _mix(expert_logits: Tensor, weights: Tensor, losses: dict[str, Tensor]) -> Prediction:
    """Weigh the experts' logits [E, B, C] by weights [B, E]."""
    logits = torch.einsum("ebc,be->bc", expert_logits, weights)
    return Prediction(logits, expert_logits.transpose(0, 1), weights, losses)


def perturbed_views(tokens: list[Tensor], num_experts: int) -> list[Tensor]:
    """Lay all views along the batch: intact, then for each modality the view in which noise replaces its tokens.

    The noise is N(0, 1), drawn anew for every expert and pass (Equations 2 and 3).

    Args:
        tokens: M tensors [B, P, H].
        num_experts: E.

    Returns:
        M tensors [E, V·B, P, H]; rows v·B to (v + 1)·B are view v.
    """
    views = []
    for index, modality in enumerate(tokens):
        repeated = modality.expand(num_experts, len(tokens) + 1, *modality.shape)  # [E, V, B, P, H]
        noise = torch.randn_like(repeated[:, 0])
        replaced = torch.cat([repeated[:, : index + 1], noise.unsqueeze(1), repeated[:, index + 2 :]], dim=1)
        views.append(replaced.flatten(1, 2))
    return views
