"""The explanation methods, by name: each turns a trained model's seeds into one table, or None where it does not apply.

A new method is a function here with a line in METHODS, and its figures in `stages.report.explanations`.

Shapes: S seeds, N samples, E experts, C outputs.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property

import pandas as pd

from i2moe.data import FeatureSet
from i2moe.explain.ability import AT_CHANCE, Ability, abilities
from i2moe.explain.coalitions import coalition_logits
from i2moe.explain.experts import agreement, summarise_experts, summarise_seeds, telling_sample
from i2moe.explain.gate import read_gate
from i2moe.metrics import lead_metric
from i2moe.model.multimodal import MultimodalModel
from i2moe.resampling import Units, units_of
from i2moe.selection import TASK_METRICS, Array, compute_metrics
from stages.shared.explanations import EXPLAINED_SPLIT, MIXTURE
from stages.shared.predictions import SplitPredictions, output_names


@dataclass(frozen=True)
class Explained:
    """A trained model and what it predicts for the split that is explained."""

    features: FeatureSet
    predictions: SplitPredictions
    models: list[MultimodalModel]  # by seed
    seeds: list[int]
    agreement_tolerance: float | None  # of regression, in the label's units

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


def experts(explained: Explained) -> pd.DataFrame | None:
    """Return a row per expert over all seeds: its weights, and its score alone."""
    if not explained.predictions.experts:
        return None
    summaries = summarise_experts(*explained.of_experts, explained.train_labels, explained.units, explained.abilities)
    for one in summaries:
        print(
            f"  {one.expert}: weight {one.mean_weight:.3f}, alone {one.ranking} {one.rank_score:.3f}; of "
            f"{one.num_seeds} seeds knows something in {one.knows_seeds}, at chance in {one.chance_seeds}"
        )
    return pd.DataFrame([asdict(summary) for summary in summaries])


def expert_seeds(explained: Explained) -> pd.DataFrame | None:
    """Return a row per expert and seed: its mean weight, and its score alone."""
    if not explained.predictions.experts:
        return None
    rows = summarise_seeds(*explained.of_experts, explained.seeds, explained.abilities)
    return pd.DataFrame([asdict(row) for row in rows])


def gate(explained: Explained) -> pd.DataFrame | None:
    """Return one row: which expert has the largest weight, if any, and what equal weights would reach."""
    predictions, task = explained.predictions, explained.features.task
    if not predictions.experts:
        return None
    read = read_gate(
        TASK_METRICS[task][lead_metric(task)].compute,
        predictions.experts,
        explained.labels,
        predictions.logits,
        predictions.expert_logits,
        predictions.weights,
        explained.units,
    )
    return pd.DataFrame([asdict(read)])


def agreements(explained: Explained) -> pd.DataFrame | None:
    """Return the shares of samples on which the experts agree (Table 3), a row for each way to agree."""
    predictions, task, tolerance = explained.predictions, explained.features.task, explained.agreement_tolerance
    if not predictions.experts:
        return None
    own = (predictions.logits, predictions.expert_logits, explained.train_labels)
    rows = agreement(task, explained.labels, *own, tolerance)
    table = pd.DataFrame(rows)
    return table.assign(tolerance=table["by"].map({"tolerance": tolerance}).astype(float))


def example(explained: Explained) -> pd.DataFrame | None:
    """Explain one sample of the first seed as the paper's Figure 3 does, a row per expert and class; open data only."""
    features, predictions = explained.features, explained.predictions
    if not predictions.experts or features.licence != "open" or features.task not in ("binary", "multiclass"):
        return None
    labels = explained.labels
    logits, expert_logits, weights = predictions.logits[0], predictions.expert_logits[0], predictions.weights[0]
    index = telling_sample(labels, logits, expert_logits, weights)
    at_chance = [of_seeds[0].outcome == AT_CHANCE for of_seeds in explained.abilities]
    outputs = output_names(features.classes)
    shown = zip(
        [*predictions.experts, MIXTURE],
        [*weights[index], 1.0],
        [*at_chance, False],
        [*expert_logits[index], logits[index]],
        strict=True,
    )
    return pd.DataFrame(
        {
            "sample_id": predictions.sample_ids[index],
            "seed": explained.seeds[0],
            "label": features.classes[labels[index]],
            "predicted": features.classes[int(logits[index].argmax())],
            "expert": expert,
            "weight": float(weight),
            "at_chance": is_at_chance,
            "class": name,
            "logit": float(value),
        }
        for expert, weight, is_at_chance, own in shown
        for name, value in zip(outputs, own, strict=True)
    )


def coalitions(explained: Explained) -> pd.DataFrame:
    """Score every subset of the modalities, a row per seed, subset and metric."""
    features, labels = explained.features, explained.labels
    rows = []
    for seed, model in zip(explained.seeds, explained.models, strict=True):
        for kept, logits in coalition_logits(model, features, EXPLAINED_SPLIT).items():
            intact = " + ".join(kept) or "none"
            scores = compute_metrics(features.task, labels, logits)
            rows += [{"seed": seed, "intact": intact, "metric": name, "score": score} for name, score in scores.items()]
    return pd.DataFrame(rows)


METHODS: dict[str, Callable[[Explained], pd.DataFrame | None]] = {
    "experts": experts,
    "expert_seeds": expert_seeds,
    "gate": gate,
    "agreement": agreements,
    "example": example,
    "coalitions": coalitions,
}
