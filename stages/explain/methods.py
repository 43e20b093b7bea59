"""The explanation methods, by name: each turns a trained model's seeds into one table, or None where it does not apply.

A new method is a function here with a line in METHODS, and its figures in `stages.report.explanations`.

Shapes: S seeds, N samples, E experts, C outputs.
"""

from collections.abc import Callable
from dataclasses import asdict

import pandas as pd

from i2moe.explain.ability import AT_CHANCE
from i2moe.explain.coalitions import coalition_names
from i2moe.explain.experts import agreement, summarise_experts, summarise_seeds, telling_sample
from i2moe.explain.gate import read_gate
from i2moe.explain.shares import leader
from i2moe.metrics import lead_metric
from i2moe.selection import TASK_METRICS, compute_metrics
from stages.explain.explained import Explained
from stages.shared.explanations import MIXTURE
from stages.shared.predictions import output_names


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
    """Return the shares of samples on which the experts agree (Table 3); for multilabel a second row, by label."""
    predictions, task = explained.predictions, explained.features.task
    if not predictions.experts:
        return None
    rows = agreement(task, explained.labels, predictions.logits, predictions.expert_logits, explained.train_labels)
    return pd.DataFrame(rows)


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
    """Score every subset of the modalities, a row per replacement of the others, seed, subset and metric."""
    names = coalition_names(explained.features.modalities)
    rows = []
    for seed, by_replacement in zip(explained.seeds, explained.coalitions, strict=True):
        for replacement, predicted in by_replacement.items():
            for intact, logits in zip(names, predicted.whole, strict=True):
                scores = compute_metrics(explained.features.task, explained.labels, logits)
                labelled = {"replacement": replacement, "seed": seed, "intact": intact}
                rows += [labelled | {"metric": name, "score": score} for name, score in scores.items()]
    return pd.DataFrame(rows)


def gain(explained: Explained) -> pd.DataFrame:
    """Return a row per replacement and seed: what the model gains over no modality and over the best constant."""
    rows = []
    for replacement, own in explained.gains.items():
        values = explained.coalition_values[replacement].mean(axis=2)
        for index, seed in enumerate(explained.seeds):
            rows.append(
                {
                    "replacement": replacement,
                    "seed": seed,
                    "none": values[index, 0],
                    "whole": values[index, -1],
                    "gain": own.gain[index],
                    "low": own.low[index],
                    "high": own.high[index],
                    "is_shown": bool(own.shown[index]),
                }
            )
    return pd.DataFrame(rows)


def shares(explained: Explained) -> pd.DataFrame:
    """Return what each reading gives to each term, a row per reading, seed and term; NaN where nothing is shown."""
    return pd.DataFrame(
        {
            "reading": name,
            "seed": seed,
            "term": term,
            "share": own.share[row, column],
            "low": own.low[row, column],
            "high": own.high[row, column],
        }
        for name, own in explained.readings.items()
        for row, seed in enumerate(explained.seeds)
        for column, term in enumerate(own.terms)
    )


def leaders(explained: Explained) -> pd.DataFrame:
    """Return which term each reading gives the largest share, if any, a row per reading."""
    rows = [{"reading": name} | asdict(leader(own, explained.units)) for name, own in explained.readings.items()]
    return pd.DataFrame(rows)


METHODS: dict[str, Callable[[Explained], pd.DataFrame | None]] = {
    "experts": experts,
    "expert_seeds": expert_seeds,
    "gate": gate,
    "agreement": agreements,
    "example": example,
    "coalitions": coalitions,
    "gain": gain,
    "shares": shares,
    "leaders": leaders,
}
