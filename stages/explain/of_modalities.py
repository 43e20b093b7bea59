"""What the modalities are to a model, whatever it is made of: methods that make a table of it with some of them."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from i2moe.explain.additive import additive_projection
from i2moe.explain.coalitions import coalition_names
from i2moe.explain.local import local_shares, local_values, without_each
from i2moe.explain.robustness import scores_by_pattern, scores_without
from i2moe.explain.shares import leader
from i2moe.explain.subsets import interaction_indices, pairs
from i2moe.metrics import lead_metric
from i2moe.resampling import difference, percentiles, resampled, resampled_means, units_of
from i2moe.selection import TASK_METRICS, compute_metrics
from stages.explain.explained import Explained
from stages.shared.explanations import EXPLAINED_SPLIT


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


def interactions(explained: Explained) -> pd.DataFrame:
    """Return the interaction index of each pair of modalities in the model's value, a row per seed and pair."""
    values, names = explained.coalition_values["mean"], explained.features.modalities
    indices = interaction_indices(values.mean(axis=2))
    on_resamples = interaction_indices(resampled_means(values, explained.units))
    rows = []
    for row, seed in enumerate(explained.seeds):
        for column, pair in enumerate(pairs(len(names))):
            interval = percentiles(on_resamples[:, row, column], explained.units)
            both = " + ".join(names[index] for index in pair)
            rows.append(
                {
                    "seed": seed,
                    "modalities": both,
                    "index": indices[row, column],
                    "low": interval.low,
                    "high": interval.high,
                }
            )
    return pd.DataFrame(rows)


def additive(explained: Explained) -> pd.DataFrame:
    """Return what each seed's model scores, and its projection onto sums of single modalities (the EMAP gap)."""
    features = explained.features
    compute = TASK_METRICS[features.task][lead_metric(features.task)].compute
    rows = []
    for seed, model in zip(explained.seeds, explained.models, strict=True):
        found = additive_projection(model, features, EXPLAINED_SPLIT)
        labels, groups = explained.labels[found.positions], features.groups(EXPLAINED_SPLIT)
        units = units_of(features.task, labels, None if groups is None else groups[found.positions])
        whole, projected = (
            (np.array([compute(labels, own)]), resampled(compute, labels, own[None], units))
            for own in (found.logits, found.additive)
        )
        gap = difference(whole, projected, units, is_same_run=True)
        rows.append(
            {
                "seed": seed,
                "num_samples": len(labels),
                "score": float(whole[0][0]),
                "additive_score": float(projected[0][0]),
                "gap": gap.value,
                "low": gap.low,
                "high": gap.high,
            }
        )
    return pd.DataFrame(rows)


def robustness(explained: Explained) -> pd.DataFrame:
    """Return the score with each modality missing in a share of the samples, a row per seed, modality and share."""
    features, labels = explained.features, explained.labels
    compute = TASK_METRICS[features.task][lead_metric(features.task)].compute
    return pd.DataFrame(
        {"seed": seed} | asdict(one)
        for seed, model, whole in zip(explained.seeds, explained.models, explained.predictions.logits, strict=True)
        for one in scores_without(model, features, EXPLAINED_SPLIT, whole, labels, compute)
    )


def patterns(explained: Explained) -> pd.DataFrame | None:
    """Return the score by pattern of presence, a row per seed and pattern; None where all samples have all."""
    features, labels = explained.features, explained.labels
    if not features.present:
        return None
    compute = TASK_METRICS[features.task][lead_metric(features.task)].compute
    presence = features.presence[features.rows(EXPLAINED_SPLIT)]
    return pd.DataFrame(
        {"seed": seed} | asdict(one)
        for seed, whole in zip(explained.seeds, explained.predictions.logits, strict=True)
        for one in scores_by_pattern(features.modalities, presence, whole, labels, compute)
    )


def local(explained: Explained) -> pd.DataFrame | None:
    """Return what is predicted of each sample without each modality, and its shares, of open data, by seed and name.

    Shares are only of models that saw missing modalities in training: others may say anything where one is missing.
    """
    features = explained.features
    if not features.shows_samples:
        return None
    tables = []
    for seed, own in zip(explained.seeds, explained.coalitions, strict=True):
        values = local_values(features.task, own["mean"].whole, explained.train_labels)
        found = {"without": (without_each(values), features.modalities)}
        if explained.saw_missing:
            found |= {"share": (local_shares(values), explained.terms)}
        for kind, (numbers, names) in found.items():
            table = pd.DataFrame(numbers, columns=names)
            table.insert(0, "sample_id", explained.predictions.sample_ids)
            tables.append(table.melt("sample_id", var_name="name").assign(kind=kind, seed=seed))
    return pd.concat(tables, ignore_index=True)
