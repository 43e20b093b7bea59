"""How two runs differ: test scores, experts' weights, what readings name, and settings, as tables in full.

Where both runs have the same test samples, these are resampled together, as between two models of one run
(`stages.compare`); else each run's on its own.

Shapes: N samples, C outputs, S seeds, E experts, R resamples.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.cohort import labels_of, read_cohort
from i2moe.contract.descriptions import CohortDescription
from i2moe.resampling import Difference, Scores, Units, difference, holm, resampled, resampled_means, units_of
from i2moe.selection import TASK_METRICS
from stages.report.other_run import ComparedRun
from stages.report.planted import expected_terms, planted_table
from stages.shared.base import paths
from stages.shared.cards import Card
from stages.shared.explanations import EXPLAINED_SPLIT
from stages.shared.explanations import read as read_explanation
from stages.shared.predictions import SplitPredictions
from stages.shared.predictions import read as read_predictions
from stages.shared.verdicts import BETTER, WORSE, verdict

SAME, NOT_SET, NOT_READ = "the same predictions", "not set", "not read"
SIZES = {BETTER: "larger", WORSE: "smaller"}  # of what has no better direction


@dataclass(frozen=True)
class Tested:
    """One model of one run on its test samples."""

    cohort: CohortDescription
    predictions: SplitPredictions
    labels: NDArray[Any]  # [N] or [N, C]
    groups: NDArray[np.object_]  # [N]

    @cached_property
    def units(self) -> Units:
        """Return which samples are resampled together."""
        return units_of(self.cohort.task, self.labels, self.groups)

    def in_order_of(self, other: "Tested") -> "Tested | None":
        """Return the same with its samples in the other's order; None unless both have the same, labelled alike."""
        places = {name: place for place, name in enumerate(self.predictions.sample_ids)}
        ids = other.predictions.sample_ids
        if set(places) != set(ids):
            return None
        order = np.array([places[name] for name in ids])
        labels, groups = self.labels[order], self.groups[order]
        if not (np.array_equal(labels, other.labels) and np.array_equal(groups, other.groups)):
            return None
        own = self.predictions
        weights = own.weights[:, order] if own.is_weighted else own.weights
        expert_logits = own.expert_logits[:, order] if own.experts else own.expert_logits
        ordered = SplitPredictions(own.seeds, ids, own.logits[:, order], own.experts, expert_logits, weights)
        return Tested(self.cohort, ordered, labels, groups)


def read_tested(run: ComparedRun, dataset: str, model: str) -> Tested:
    """Read a model's test predictions, and its samples' labels and groups.

    Raises:
        InputError: for a file that is missing, or a sample that is not in the cohort.
    """
    path, cohort_path = run.root / paths.predictions(dataset, model), run.root / paths.cohort(dataset)
    if not path.exists():
        raise InputError(f"{path} is missing: run `dvc repro` there, so that the run is complete")
    cohort = Card.read(run.root / paths.card(dataset)).cohort
    predictions = read_predictions(path, cohort.classes, EXPLAINED_SPLIT)
    table = read_cohort(cohort_path)
    rows = pd.Index(table["sample_id"]).get_indexer(pd.Index(predictions.sample_ids))
    if unknown := int((rows < 0).sum()):
        raise InputError(
            f"{path}: {unknown} of its test samples are not in {cohort_path}: run `dvc repro` there, so that both "
            "are of one run"
        )
    labels = labels_of(table, cohort.task, cohort.classes, cohort_path)[rows]
    return Tested(cohort, predictions, labels, table["group_id"].to_numpy(object)[rows])


@dataclass(frozen=True)
class Pairing:
    """The same model in two runs."""

    this: Tested
    other: Tested
    is_paired: bool

    @classmethod
    def of(cls, this: Tested, other: Tested) -> "Pairing":
        """Pair samples where both runs have the same."""
        ordered = other.in_order_of(this)
        return cls(this, ordered or other, is_paired=ordered is not None)

    @property
    def is_comparable(self) -> bool:
        """Whether scores mean the same in both runs: their task and classes are the same."""
        first, second = self.this.cohort, self.other.cohort
        return (first.task, first.classes) == (second.task, second.classes)

    def difference(self, first: Scores, second: Scores) -> Difference:
        """Return a difference, with both runs' samples resampled together or each on its own.

        Each on its own: resamples are matched at random, and the interval has the degrees of freedom of the smaller
        test split.
        """
        if self.is_paired:
            return difference(first, second, self.this.units)
        shuffled = np.random.default_rng(0).permutation(len(second[1]))
        units = min(self.this.units, self.other.units, key=lambda own: own.spare)
        return difference(first, (second[0], second[1][shuffled]), units)


def score_differences(pairing: Pairing) -> pd.DataFrame:
    """Return a row per metric: both runs' means over seeds, their difference with its interval; no verdict yet."""
    rows = []
    for name, metric in TASK_METRICS[pairing.this.cohort.task].items():
        scores = [
            (
                np.array([float(metric.compute(own.labels, one)) for one in own.predictions.logits]),
                resampled(metric.compute, own.labels, own.predictions.logits, own.units),
            )
            for own in (pairing.this, pairing.other)
        ]
        rows.append({"metric": name, "higher_is_better": metric.higher_is_better} | _row(pairing, *scores))
    return pd.DataFrame(rows)


def weight_differences(pairing: Pairing) -> pd.DataFrame:
    """Return a row per expert that both runs have: both mean weights, their difference with its interval."""
    first, second = pairing.this.predictions, pairing.other.predictions
    if not (first.is_weighted and second.is_weighted):
        return pd.DataFrame()
    rows = []
    for expert in first.experts:
        if expert in second.experts:
            scores = [_weights_of(own, own.predictions.experts.index(expert)) for own in (pairing.this, pairing.other)]
            rows.append({"expert": expert} | _row(pairing, *scores))
    return pd.DataFrame(rows)


def _weights_of(own: Tested, expert: int) -> Scores:
    """Return an expert's mean weight in each seed [S], and on every resample [R, S]."""
    weights = own.predictions.weights[:, :, expert]
    return weights.mean(axis=1), resampled_means(weights, own.units)


def _row(pairing: Pairing, first: Scores, second: Scores) -> dict[str, Any]:
    """Compare two numbers; between models with the same predictions nothing differs, whatever their seeds do."""
    means = {"this": float(first[0].mean()), "other": float(second[0].mean())}
    is_same = pairing.is_paired and np.array_equal(pairing.this.predictions.logits, pairing.other.predictions.logits)
    found = Difference(0.0, 0.0, 0.0, 1.0, 1.0) if is_same else pairing.difference(first, second)
    return means | asdict(found) | {"is_same": is_same, "is_paired": pairing.is_paired}


def with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Correct the p-values of a dataset's differences by Holm's method for how many there are, and say what they show.

    A weight is neither better nor worse: without the column higher_is_better, verdicts are larger and smaller.
    """
    if table.empty:
        return table
    table = table.rename(columns={"value": "difference"}).assign(p_value=holm(table["p_value"].to_numpy()))
    table["verdict"] = [_verdict(row) for row in table.to_dict("records")]
    return table.drop(columns=["is_same", "higher_is_better"], errors="ignore")


def _verdict(row: dict[str, Any]) -> str:
    if row["is_same"]:
        return SAME
    word = verdict(row["difference"], row["p_value"], higher_is_better=row.get("higher_is_better", True))
    return word if "higher_is_better" in row else SIZES.get(word, word)


def reading_differences(this: ComparedRun, other: ComparedRun, dataset: str, model: str) -> pd.DataFrame:
    """Return a row for what each reading names in both runs: experts' roles, leading terms, planted terms."""
    first, second = (read_named(run, dataset, model) for run in (this, other))
    keys = [*first, *(key for key in second if key not in first)]
    rows = [(key, first.get(key, NOT_READ), second.get(key, NOT_READ)) for key in keys]
    return pd.DataFrame(rows, columns=["reading", "this", "other"])


def read_named(run: ComparedRun, dataset: str, model: str) -> dict[str, str]:
    """Return what the readings of a model name: by reading, in words."""
    folder = run.root / paths.explanations(dataset, model)
    named = {}
    behaviour = read_explanation(folder, "behaviour", {"expert": str, "seed": int, "role": str})
    if behaviour is not None:
        for expert, own in behaviour.drop_duplicates(["expert", "seed"]).groupby("expert", sort=False):
            named[f"role of {expert}"] = counted(own["role"])
    leaders = read_explanation(folder, "leaders", {"reading": str, "winner": str})
    if leaders is not None:
        named |= {f"leads by {row.reading}": row.winner or "none shown" for row in leaders.itertuples()}
    cohort = Card.read(run.root / paths.card(dataset)).cohort
    shares = read_explanation(
        folder, "shares", {"reading": str, "seed": int, "term": str, "share": float, "low": float}
    )
    if cohort.planted and shares is not None:
        terms, _ = expected_terms(cohort.planted, cohort.modalities)
        found = planted_table(list(terms), {model: shares})
        named |= {f"planted, by {row['reading']}": str(row["verdict"]) for row in found.to_dict("records")}
    return named


def counted(values: Iterable[str]) -> str:
    """Say how many seeds have which value.

    Examples:
        >>> counted(["synergy", "idle", "synergy"])
        'synergy in 2 seeds, idle in 1'
    """
    (first, count), *rest = Counter(values).most_common()
    return ", ".join([f"{first} in {count} seed{'s' if count > 1 else ''}", *(f"{name} in {n}" for name, n in rest)])


def setting_differences(this: ComparedRun, other: ComparedRun) -> pd.DataFrame:
    """Return a row per key of params.yaml whose values differ, each as JSON."""
    first, second = flat(this.params), flat(other.params)
    keys = [*first, *(key for key in second if key not in first)]
    rows = [(key, first.get(key, NOT_SET), second.get(key, NOT_SET)) for key in keys]
    return pd.DataFrame([row for row in rows if row[1] != row[2]], columns=["key", "this", "other"])


def flat(params: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return each setting by its key with dots, as JSON.

    Examples:
        >>> flat({"run": {"seeds": [0, 1], "max_epochs": None}})
        {'run.seeds': '[0, 1]', 'run.max_epochs': 'null'}
    """
    found: dict[str, str] = {}
    for key, value in params.items():
        nested = isinstance(value, dict) and value
        found |= flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": json.dumps(value, default=str)}
    return found
