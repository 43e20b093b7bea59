"""A trained model, all seeds, with what several explanation methods need of it; each is computed once.

Shapes: S seeds, N samples, E experts, C outputs, M modalities, K = 2^M subsets.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from i2moe.data import FeatureSet
from i2moe.explain.ability import Ability, abilities
from i2moe.explain.coalitions import REPLACEMENTS, CoalitionLogits, coalition_logits
from i2moe.explain.latents import mean_latents
from i2moe.explain.lattice import lattice_parts
from i2moe.explain.mixing import leave_one_out, mixture_values
from i2moe.explain.partial_information import Latents, read_partial_information
from i2moe.explain.parts import part_contributions, part_gains
from i2moe.explain.shares import Gain, Shares, share_out, shows_gain
from i2moe.explain.subsets import shapley_values
from i2moe.explain.value import constant_values, sample_values
from i2moe.inference import listen, scaled_labels
from i2moe.model.interaction import expert_names
from i2moe.model.multimodal import MultimodalModel
from i2moe.model.sealed import Said, SealedMixture
from i2moe.resampling import Units, units_of
from i2moe.selection import Array, Floats
from stages.explain.tokens import TokenFindings
from stages.shared.explanations import EXPLAINED_SPLIT
from stages.shared.predictions import SplitPredictions


@dataclass(frozen=True)
class Explained:
    """A trained model and what it predicts for the split that is explained."""

    features: FeatureSet
    predictions: SplitPredictions
    models: list[MultimodalModel]  # by seed, as the predictions have them
    agreement_tolerance: float | None = None  # of regression, in the label's units
    saw_missing: bool = False  # whether training saw missing modalities (`modality_dropout`)
    tokens: TokenFindings | None = None  # of a model that sees sequences of tokens

    @property
    def seeds(self) -> list[int]:
        """The seeds, in order."""
        return self.predictions.seeds

    @property
    def labels(self) -> Array:
        """Labels of the N samples, [N] or [N, C]."""
        return self.features.labels[self.features.rows(EXPLAINED_SPLIT)]

    @property
    def of_experts(self) -> tuple[str, list[str], Array, Array, Array]:
        """What summaries of experts need: task, names, labels [N] or [N, C], logits [S, N, E, C], weights [S, N, E]."""
        own = self.predictions
        return self.features.task, own.experts, self.labels, own.expert_logits, own.weights

    @property
    def train_labels(self) -> Array:
        """Labels of the train split."""
        return self.features.labels[self.features.rows("train")]

    @property
    def units(self) -> Units:
        """Return which of the N samples are resampled together."""
        return units_of(self.features.task, self.labels, self.features.groups(EXPLAINED_SPLIT))

    @cached_property
    def abilities(self) -> list[list[Ability]]:
        """What each expert alone knows in each seed, [E][S]."""
        return abilities(self.features.task, self.labels, self.predictions.expert_logits, self.units)

    @property
    def terms(self) -> list[str]:
        """The terms that readings of the whole model share its gain out among: one for each expert of an I2MoE."""
        return expert_names(self.features.modalities)

    @cached_property
    def coalitions(self) -> list[dict[str, CoalitionLogits]]:
        """What the model of each seed predicts with every subset of modalities, by replacement of the others."""
        return [coalition_logits(model, self.features, EXPLAINED_SPLIT, REPLACEMENTS) for model in self.models]

    def value(self, logits: Array) -> Floats:
        """Return what each sample adds to the value of predictions, [..., N] of [..., N, C]."""
        return sample_values(self.features.task, self.labels, logits, self.train_labels)

    @cached_property
    def coalition_values(self) -> dict[str, Floats]:
        """What each sample adds to the value of every subset of modalities, [S, K, N], by replacement of the others."""
        return {name: np.stack([self.value(own[name].whole) for own in self.coalitions]) for name in REPLACEMENTS}

    @cached_property
    def gains(self) -> dict[str, Gain]:
        """What the model gains in each seed, by replacement of the modalities that are absent."""
        constant = constant_values(self.features.task, self.labels, self.train_labels)
        return {
            name: shows_gain(values[:, -1], values[:, 0], constant, self.units)
            for name, values in self.coalition_values.items()
        }

    @cached_property
    def readings(self) -> dict[str, Shares]:
        """What each reading gives to each term, by name; NaN in seeds whose model shows no gain."""
        return self._of_weights | self._of_modalities | self._of_latents | self._of_parts

    @cached_property
    def part_gains(self) -> list[Floats]:
        """What the parts of a sealed mixture gain on each sample, by seed; nothing of other models."""
        labels = scaled_labels(self.features, EXPLAINED_SPLIT)
        return [part_gains(mixture, said, labels.to(said.joint.device)) for mixture, said in self._said]

    @cached_property
    def expected_part_gains(self) -> list[Floats]:
        """The same with the model's own prediction in the place of the label."""
        return [part_gains(mixture, said) for mixture, said in self._said]

    @cached_property
    def _said(self) -> list[tuple[SealedMixture, Said]]:
        return [
            (model.fusion, listen(model, self.features, EXPLAINED_SPLIT))
            for model in self.models
            if isinstance(model.fusion, SealedMixture)
        ]

    @property
    def _of_parts(self) -> dict[str, Shares]:
        """Reading of the parts of a sealed mixture."""
        if not self.part_gains:
            return {}
        found = share_out(self.terms, np.stack(self.part_gains), part_contributions, self.units)
        return {"parts": found.where(self.gains["mean"].shown)}

    @property
    def _of_weights(self) -> dict[str, Shares]:
        """Readings of the experts' weights, of a model that has them; their gain is that over the mean tokens."""
        _, names, _, _, weights = self.of_experts
        if not weights.size:
            return {}
        task, _, labels, expert_logits, _ = self.of_experts
        mixed = mixture_values(task, labels, expert_logits, weights, self.train_labels)
        found = {
            "weight": share_out(names, weights.transpose(0, 2, 1), lambda means: means, self.units),
            "leave-one-out": share_out(names, mixed, leave_one_out, self.units),
            "shapley": share_out(names, mixed, shapley_values, self.units),
        }
        return {name: own.where(self.gains["mean"].shown) for name, own in found.items()}

    @property
    def _of_modalities(self) -> dict[str, Shares]:
        """Readings of the whole model by its subsets of modalities, by their replacement."""
        return {
            f"lattice {name}": share_out(self.terms, values, lattice_parts, self.units).where(self.gains[name].shown)
            for name, values in self.coalition_values.items()
        }

    @property
    def _of_latents(self) -> dict[str, Shares]:
        """Reading of what the encoders hand on, whatever the model makes of it; none where samples are too few."""
        latents = [self._latents(model) for model in self.models]
        of_labels = (self.features.task, self.labels, self.train_labels)
        found = read_partial_information(*of_labels, latents, self.terms, self.units)
        return {} if found is None else {"partial information": found.where(self.gains["mean"].shown)}

    def _latents(self, model: MultimodalModel) -> list[Latents]:
        """What each encoder of a model makes of the train split and of the one that is explained."""
        train, own = (mean_latents(model, self.features, split) for split in ("train", EXPLAINED_SPLIT))
        return [Latents(*both) for both in zip(train, own, strict=True)]
