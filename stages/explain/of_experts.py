"""What the experts of a mixture do: methods that make a table of them, or None of a model without experts."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from i2moe.explain.ability import AT_CHANCE
from i2moe.explain.behaviour import behaviours
from i2moe.explain.experts import agreement, summarise_experts, summarise_seeds, telling_sample, weights_where_present
from i2moe.explain.gate import read_gate
from i2moe.explain.latents import expert_latents
from i2moe.explain.optimum import role_losses
from i2moe.explain.parts import part_contributions, sample_shares
from i2moe.explain.reweighting import best_single, reweight
from i2moe.explain.shares import LEAST_GAIN
from i2moe.explain.similarity import LEAST_SAMPLES, cka_matrix
from i2moe.explain.value import constant_values
from i2moe.inference import predict
from i2moe.metrics import lead_metric
from i2moe.selection import TASK_METRICS
from stages.explain.explained import Explained
from stages.shared.explanations import EXPLAINED_SPLIT, MIXTURE
from stages.shared.predictions import output_names


def experts(explained: Explained) -> pd.DataFrame | None:
    """Return a row per expert over all seeds: its weights, and its score alone.

    Where samples lack a modality there are two columns more: its weight over those that have its modality, and how
    many they are.
    """
    if not explained.predictions.is_weighted:
        return None
    summaries = summarise_experts(*explained.of_experts, explained.train_labels, explained.units, explained.abilities)
    for one in summaries:
        seeds = "seed" if one.num_seeds == 1 else "seeds"
        print(
            f"  {one.expert}: weight {one.mean_weight:.3f}, alone {one.ranking} {one.rank_score:.3f}; of "
            f"{one.num_seeds} {seeds} knows something in {one.knows_seeds}, at chance in {one.chance_seeds}"
        )
    table = pd.DataFrame([asdict(summary) for summary in summaries])
    presence = explained.features.presence[explained.features.rows(EXPLAINED_SPLIT)]
    if presence.all():
        return table
    own = explained.predictions
    return table.assign(**weights_where_present(own.experts, explained.features.modalities, own.weights, presence))


def expert_seeds(explained: Explained) -> pd.DataFrame | None:
    """Return a row per expert and seed: its mean weight, and its score alone."""
    if not explained.predictions.is_weighted:
        return None
    rows = summarise_seeds(*explained.of_experts, explained.seeds, explained.abilities)
    return pd.DataFrame([asdict(row) for row in rows])


def gate(explained: Explained) -> pd.DataFrame | None:
    """Return one row: which expert has the largest weight, if any, and what equal weights would reach."""
    predictions, task = explained.predictions, explained.features.task
    if not predictions.is_weighted:
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
    if not predictions.is_weighted:
        return None
    own = (predictions.logits, predictions.expert_logits, explained.train_labels)
    rows = agreement(task, explained.labels, *own, tolerance)
    table = pd.DataFrame(rows)
    return table.assign(tolerance=table["by"].map({"tolerance": tolerance}).astype(float))


def example(explained: Explained) -> pd.DataFrame | None:
    """Explain one sample of the first seed as the paper's Figure 3 does, a row per expert and class; open data only."""
    features, predictions = explained.features, explained.predictions
    if not predictions.is_weighted or not features.shows_samples or features.task not in ("binary", "multiclass"):
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


def parts(explained: Explained) -> pd.DataFrame | None:
    """Return a row per seed and expert of a sealed mixture: whether it stays, and what it saves of the loss."""
    if not explained.part_gains:
        return None
    rows = []
    for seed, model, gains in zip(explained.seeds, explained.models, explained.part_gains, strict=True):
        saved = part_contributions(gains.mean(axis=1))
        is_kept = model.fusion.get_buffer("kept").tolist()
        rows += [
            {"seed": seed, "expert": name, "is_kept": bool(stays), "gain": float(gain)}
            for name, stays, gain in zip(model.expert_names, is_kept, saved, strict=True)
        ]
    return pd.DataFrame(rows)


def sample_parts(explained: Explained) -> pd.DataFrame | None:
    """Return each expert's share in what a sealed mixture expects to gain on a sample; open data only."""
    if not explained.part_gains or not explained.features.shows_samples:
        return None
    rows = []
    for seed, model, gains in zip(explained.seeds, explained.models, explained.expected_part_gains, strict=True):
        shares = pd.DataFrame(sample_shares(gains, LEAST_GAIN), columns=model.expert_names)
        shares.insert(0, "sample_id", explained.predictions.sample_ids)
        rows.append(shares.melt("sample_id", var_name="expert", value_name="share").assign(seed=seed))
    return pd.concat(rows, ignore_index=True)


def weights_replaced(explained: Explained) -> pd.DataFrame | None:
    """Score a mixture with other weights than its own, a row per kind of weights and seed."""
    predictions, features = explained.predictions, explained.features
    if not predictions.is_weighted:
        return None
    metric = TASK_METRICS[features.task][lead_metric(features.task)]
    validation = [predict(model, features, "validation").expert_logits for model in explained.models]
    singles = best_single(metric, features.labels[features.rows("validation")], np.stack(validation))  # type: ignore[arg-type]
    found = reweight(
        metric.compute,
        predictions.experts,
        explained.labels,
        predictions.logits,
        predictions.expert_logits,
        predictions.weights,
        singles,
        explained.units,
    )
    return pd.DataFrame(
        {
            "weights": one.weights,
            "seed": seed,
            "expert": one.experts[index],
            "score": float(one.scores[index]),
            "loss": one.difference.value,
            "loss_low": one.difference.low,
            "loss_high": one.difference.high,
        }
        for one in found
        for index, seed in enumerate(explained.seeds)
    )


def behaviour(explained: Explained) -> pd.DataFrame | None:
    """Return what role each expert plays alone, next to that in its name, a row per expert, seed and term."""
    names = explained.predictions.experts
    if not explained.predictions.is_weighted:
        return None
    logits = [own["mean"].experts for own in explained.coalitions if own["mean"].experts is not None]
    values = np.stack([np.moveaxis(explained.value(np.moveaxis(own, 2, 0)), 0, -1) for own in logits])
    constant = constant_values(explained.features.task, explained.labels, explained.train_labels)
    found = behaviours(names, explained.terms, values, constant, explained.units)
    return pd.DataFrame(
        {
            "expert": one.expert,
            "seed": seed,
            "role": one.roles[row],
            "gain": one.gain[row],
            "term": term,
            "share": one.shares.share[row, column],
            "low": one.shares.low[row, column],
            "high": one.shares.high[row, column],
        }
        for one in found
        for row, seed in enumerate(explained.seeds)
        for column, term in enumerate(explained.terms)
    )


def role_loss(explained: Explained) -> pd.DataFrame | None:
    """Return whether synergy's and redundancy's role losses are met without the labels, a row per seed and expert."""
    rows = [
        {"seed": seed} | asdict(one)
        for seed, model in zip(explained.seeds, explained.models, strict=True)
        for one in role_losses(model, explained.features, EXPLAINED_SPLIT)
    ]
    return pd.DataFrame(rows) if rows else None


def similarity(explained: Explained) -> pd.DataFrame | None:
    """Return how alike the latents of each two experts are (debiased CKA), a row per seed and pair in both orders."""
    rows = []
    for seed, model in zip(explained.seeds, explained.models, strict=True):
        latents = expert_latents(model, explained.features, EXPLAINED_SPLIT)
        if latents is None or latents.shape[1] < LEAST_SAMPLES:
            return None
        names = model.expert_names
        for one, alike in zip(names, cka_matrix(latents), strict=True):
            rows += [
                {"seed": seed, "expert": one, "other": other, "cka": float(value)}
                for other, value in zip(names, alike, strict=True)
            ]
    return pd.DataFrame(rows)
