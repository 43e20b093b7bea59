"""Read the experts of a trained I2MoE: weights (paper 3.5), each expert alone (6.1), agreement (6.2).

A weight multiplies an expert's *logits*, and nothing in training keeps weight away from an expert that knows nothing:
on data with planted interactions, experts at chance alone were given up to half of the weight. So weights are
always read together with what each expert alone knows (`i2moe.explain.ability`).

Shapes: S seeds, N samples, E experts, C outputs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from i2moe.explain.ability import AT_CHANCE, KNOWS, RANKINGS, UNCLEAR, Ability
from i2moe.metrics import chance, lead_metric
from i2moe.resampling import Interval, Units, bootstrap_interval
from i2moe.selection import TASK_METRICS, Array


@dataclass(frozen=True)
class ExpertSummary:
    """One expert over the samples of a split."""

    expert: str
    mean_weight: float  # over samples and seeds
    std_weight: float  # over samples, averaged over seeds
    top_share: float  # share of samples that give this expert the largest weight
    mean_contribution: float  # mean of |weight · centred logit|, the expert's part in the final logits
    alone: float  # the task's lead metric with this expert's logits as the prediction, mean over seeds
    alone_low: float  # 95 % bootstrap interval
    alone_high: float
    alone_usable: float  # share of resamples that define the metric
    chance: float  # the same metric for the best constant prediction
    ranking: str  # the metric without a threshold that tells what the expert alone knows
    rank_score: float  # its mean over seeds
    knows_seeds: int  # in how many seeds the expert alone knows something
    chance_seeds: int  # in how many it is at chance
    unclear_seeds: int  # in how many neither can be told
    num_seeds: int
    num_samples: int
    num_units: int  # groups that are resampled whole, or as many as samples where each is its own


def summarise_experts(
    task: str,
    names: list[str],
    labels: Array,
    expert_logits: Array,
    weights: Array,
    train_labels: Array,
    units: Units,
    found: list[list[Ability]],
) -> list[ExpertSummary]:
    """Summarise every expert.

    Args:
        task: binary | multiclass | multilabel | regression.
        names: of the E experts.
        labels: [N] or [N, C].
        expert_logits: [S, N, E, C].
        weights: [S, N, E].
        train_labels: labels of the train split, from which the best constant prediction is chosen.
        units: which of the N samples are resampled together.
        found: what each expert knows in each seed, [E][S].
    """
    metric = TASK_METRICS[task][lead_metric(task)]
    constant = chance(task, train_labels, labels)
    top = weights.argmax(axis=2)
    centred = centre(task, expert_logits, train_labels)
    summaries = []
    for index, name in enumerate(names):
        alone = np.array([metric.compute(labels, seed_logits[:, index]) for seed_logits in expert_logits])
        interval = bootstrap_interval(metric.compute, labels, expert_logits[:, :, index], units)
        summaries.append(
            ExpertSummary(
                expert=name,
                mean_weight=float(weights[:, :, index].mean()),
                std_weight=float(weights[:, :, index].std(axis=1).mean()),
                top_share=float((top == index).mean()),
                mean_contribution=float(np.abs(weights[:, :, index, None] * centred[:, :, index]).mean()),
                alone=float(alone.mean()),
                alone_low=interval.low,
                alone_high=interval.high,
                alone_usable=interval.usable,
                chance=constant,
                ranking=RANKINGS[task].name,
                rank_score=float(np.mean([one.value for one in found[index]])),
                **count_outcomes(found[index]),
                num_seeds=len(alone),
                num_samples=len(labels),
                num_units=len(units.strata),
            )
        )
    return summaries


def weights_where_present(
    names: list[str], modalities: list[str], weights: Array, presence: NDArray[np.bool_]
) -> dict[str, list[float] | list[int]]:
    """Average each expert's weight over the samples that have its modality, of uniqueness; over all, of other experts.

    Over all samples, a uniqueness expert whose modality is absent counts 0, so that its mean also tells how many lack
    the modality.

    Args:
        names: of the E experts.
        modalities: the M names.
        weights: [S, N, E].
        presence: [N, M], which samples have which modality.

    Returns:
        Columns of E values: `mean_weight_present`, over these samples and seeds, NaN where there are none, and
        `num_present`, how many they are.

    Examples:
        >>> weights = np.array([[[0.6, 0.0, 0.4], [0.2, 0.5, 0.3]]])
        >>> presence = np.array([[True, False], [True, True]])
        >>> weights_where_present(["uniqueness_a", "uniqueness_b", "synergy"], ["a", "b"], weights, presence)
        {'mean_weight_present': [0.4, 0.5, 0.35], 'num_present': [2, 1, 2]}
    """
    has = {f"uniqueness_{name}": own for name, own in zip(modalities, presence.T, strict=True)}
    everyone = np.ones(len(presence), bool)
    samples = [has.get(name, everyone) for name in names]
    means = [float(weights[:, own, index].mean()) if own.any() else np.nan for index, own in enumerate(samples)]
    return {"mean_weight_present": means, "num_present": [int(own.sum()) for own in samples]}


def centre(task: str, logits: Array, train_labels: Array) -> Array:
    """Take from logits [..., C] what decides nothing: the mean over classes; of numbers the train labels' mean.

    A shift common to all classes leaves the softmax as it is. Labels of a multilabel task are decided one by one, each
    by the sign of its own logit, so that nothing is taken from them.
    """
    if task == "multilabel":
        return logits
    if task == "regression":
        return np.asarray(logits - np.mean(train_labels))
    return np.asarray(logits - logits.mean(axis=-1, keepdims=True))


def count_outcomes(found: list[Ability]) -> dict[str, int]:
    """Count the seeds of each outcome, by the column that holds it."""
    outcomes = [one.outcome for one in found]
    columns = {"knows_seeds": KNOWS, "chance_seeds": AT_CHANCE, "unclear_seeds": UNCLEAR}
    return {column: outcomes.count(outcome) for column, outcome in columns.items()}


@dataclass(frozen=True)
class ExpertSeed:
    """One expert in one seed."""

    expert: str
    seed: int
    mean_weight: float  # over samples
    alone: float  # the task's lead metric with this expert's logits as the prediction
    rank_score: float  # the metric without a threshold
    p_value: float  # of the permutation test, corrected for all experts and seeds
    rank_low: float  # 95 % interval; NaN where the test was enough
    rank_high: float
    rank_usable: float  # share of resamples that define the metric
    outcome: str  # knows something | at chance | cannot tell


def summarise_seeds(
    task: str,
    names: list[str],
    labels: Array,
    expert_logits: Array,
    weights: Array,
    seeds: list[int],
    found: list[list[Ability]],
) -> list[ExpertSeed]:
    """Summarise every expert in every seed; arguments as in `summarise_experts`, and the S seeds."""
    compute = TASK_METRICS[task][lead_metric(task)].compute
    rows = []
    for index, name in enumerate(names):
        for position, seed in enumerate(seeds):
            own = found[index][position]
            interval = own.interval or Interval(np.nan, np.nan, np.nan)
            rows.append(
                ExpertSeed(
                    expert=name,
                    seed=seed,
                    mean_weight=float(weights[position, :, index].mean()),
                    alone=float(compute(labels, expert_logits[position, :, index])),
                    rank_score=own.value,
                    p_value=own.p_value,
                    rank_low=interval.low,
                    rank_high=interval.high,
                    rank_usable=interval.usable,
                    outcome=own.outcome,
                )
            )
    return rows


def agreement(
    task: str, labels: Array, logits: Array, expert_logits: Array, train_labels: Array, tolerance: float | None = None
) -> list[dict[str, str | float]]:
    """Share of samples on which all experts predict the same, split by whether the mixture is right (Table 3).

    Numbers agree where they lie on the same side of the train labels' mean, and are right where the label does too.
    That needs no choice, and says little of how far apart they are: where a tolerance is chosen there is a second row,
    in which experts agree where the largest and the smallest prediction differ by no more than it, and the mixture is
    right where it misses the label by no more. Multilabel experts agree on a sample where they predict the same set of
    labels, and are right where the set is; the more labels, the rarer. So there is a second row by label: the same of
    each label alone, averaged over labels.

    Args:
        task: binary | multiclass | multilabel | regression.
        labels: [N] or [N, C].
        logits: the mixture's, [S, N, C].
        expert_logits: [S, N, E, C].
        train_labels: labels of the train split.
        tolerance: of numbers, in the label's units; of no meaning for other tasks.

    Returns:
        Rows of four shares that sum to 1, each with what it counts `by`: sample, label or tolerance.

    Examples:
        >>> labels = np.array([0, 1])
        >>> logits = np.array([[[2, 1], [2, 1]]])  # class 0 twice: right, then wrong
        >>> expert_logits = np.array([[[[3, 0], [1, 0]], [[3, 0], [0, 1]]]])  # votes 0 and 0, then 0 and 1
        >>> agreement("binary", labels, logits, expert_logits, labels)[0]
        {'by': 'sample', 'disagree_correct': 0.0, 'disagree_wrong': 0.5, 'agree_correct': 0.5, 'agree_wrong': 0.0}
    """
    if task == "multilabel":
        votes, right = expert_logits > 0, (logits > 0) == (labels > 0)
        agree = (votes == votes[:, :, :1]).all(axis=2)  # [S, N, C]
        return [_shares("sample", agree.all(axis=2), right.all(axis=2)), _shares("label", agree, right)]
    if task == "regression":
        mean = np.mean(train_labels)
        decided, right = expert_logits[..., 0] > mean, (logits[..., 0] > mean) == (labels > mean)
        rows = [_shares("sample", (decided == decided[:, :, :1]).all(axis=2), right)]
        if tolerance is not None:
            near = np.ptp(expert_logits[..., 0], axis=2) <= tolerance
            rows.append(_shares("tolerance", near, np.abs(logits[..., 0] - labels) <= tolerance))
        return rows
    chosen, right = expert_logits.argmax(axis=3), logits.argmax(axis=2) == labels
    return [_shares("sample", (chosen == chosen[:, :, :1]).all(axis=2), right)]


def _shares(by: str, agree: NDArray[np.bool_], right: NDArray[np.bool_]) -> dict[str, str | float]:
    return {
        "by": by,
        "disagree_correct": float((~agree & right).mean()),
        "disagree_wrong": float((~agree & ~right).mean()),
        "agree_correct": float((agree & right).mean()),
        "agree_wrong": float((agree & ~right).mean()),
    }


def telling_sample(labels: Array, logits: Array, expert_logits: Array, weights: Array) -> int:
    """Choose the sample to explain: of those the mixture gets right, the one whose experts differ most.

    Experts differ by the standard deviation of their weighted logits for the predicted class.

    Args:
        labels: [N] class indices.
        logits: [N, C] of one seed.
        expert_logits: [N, E, C].
        weights: [N, E].

    Examples:
        >>> labels = np.array([0, 0, 1])
        >>> logits = np.array([[2, 0], [2, 0], [2, 0]])  # the last sample is predicted wrong
        >>> expert_logits = np.array([[[2, 0], [2, 0]], [[4, 0], [0, 0]], [[9, 0], [0, 0]]])
        >>> telling_sample(labels, logits, expert_logits, np.full((3, 2), 0.5))
        1
    """
    predicted = logits.argmax(axis=1)
    weighted = (weights[:, :, None] * expert_logits)[np.arange(len(labels)), :, predicted]
    return int(np.where(predicted == labels, weighted.std(axis=1), -1.0).argmax())
