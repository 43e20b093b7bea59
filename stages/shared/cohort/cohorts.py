"""Split a cohort and write it by the data contract (`i2moe.prepared`); every dataset's cohort stage ends here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.cohort import SPLITS
from i2moe.contract.descriptions import CohortDescription, SplitCounts
from i2moe.contract.planted import read_planted
from i2moe.contract.task import Licence, Task
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.cohort.shares import SplitParams
from stages.shared.cohort.split import assign_splits, iterative_splits, stratify_by
from stages.shared.files import write_whole

Step = dict[str, str | int]  # a row of a flow table


@dataclass
class Cohort:
    """Who is in, in sorted order of sample_id.

    `labels` are class indices [N], numbers [N] for regression, or [N, C] of 0 and 1 for multilabel.
    `splits` are the splits of the dataset's authors, by sample; none to split by shares and seed.
    `filters` counts the samples that each filter removed from the `num_raw` there were. `flow` says it step by step: a
    row per filter, its name first, then counts removed and left. `raw` is where they are, a file or a folder; that of
    synthetic data says what is planted. `presence` [N, M] says who has which modality; none: all have all.
    """

    dataset: str
    task: Task
    classes: list[str]
    modalities: list[str]
    licence: Licence
    sample_ids: NDArray[np.str_]
    labels: NDArray[Any]
    num_raw: int
    raw: str
    groups: NDArray[np.str_] | None = None
    splits: NDArray[np.str_] | None = None
    filters: dict[str, int] = field(default_factory=dict)
    flow: list[Step] = field(default_factory=list)
    presence: NDArray[np.bool_] | None = None


def finish_cohort(cohort: Cohort) -> None:
    """Write data/cohorts/DATASET.csv and .json, split as params.yaml says under `split`.

    Raises:
        InputError: as `write_cohort`.
    """
    write_cohort(paths.cohort(cohort.dataset), cohort, load_block("split", SplitParams))


def write_cohort(path: Path, cohort: Cohort, shares: SplitParams) -> None:
    """Split the cohort and write its CSV and JSON.

    Raises:
        InputError: when a class is too small to be in every split, or a `planted.json` is broken; nothing is written
            then. In splits of the dataset's authors only train must have every class.
    """
    splits = _split(cohort, shares) if cohort.splits is None else cohort.splits
    _check_splits(cohort, splits)
    ids = cohort.sample_ids
    columns = {"sample_id": ids, "group_id": ids if cohort.groups is None else cohort.groups, "split": splits}
    table = pd.DataFrame(columns | _label_columns(cohort))
    description = _describe(cohort, splits)
    write_whole(path, lambda partial: table.to_csv(partial, index=False, lineterminator="\n"))
    write_whole(path.with_suffix(".json"), lambda partial: partial.write_text(description.to_json(), encoding="utf-8"))
    _print_counts(path, description)


def _split(cohort: Cohort, shares: SplitParams) -> NDArray[np.str_]:
    """Split by shares and seed: multilabel by iterative stratification, groups whole, others stratified by label."""
    _check_classes(cohort)
    try:
        if cohort.task == "multilabel" and cohort.groups is None:
            return iterative_splits(cohort.labels, shares)
        return assign_splits(stratify_by(cohort.task, cohort.labels, shares), cohort.groups, shares)
    except InputError as error:
        raise InputError(f"{cohort.dataset}: {error}") from error


def _check_classes(cohort: Cohort) -> None:
    """Refuse a class with fewer samples than there are splits."""
    if cohort.task not in ("binary", "multiclass"):
        return
    sizes = np.bincount(cohort.labels, minlength=len(cohort.classes))
    for name, size in zip(cohort.classes, sizes, strict=True):
        if size < len(SPLITS):
            raise InputError(
                f"{cohort.dataset}: class {name!r} has {size} samples, too few for train, validation and test: "
                "leave it out of the data or bring more samples"
            )


def _check_splits(cohort: Cohort, splits: NDArray[np.str_]) -> None:
    """Refuse an empty split, or one without a class; of the authors' splits only train must have all."""
    for split in SPLITS:
        inside = cohort.labels[splits == split]
        if not len(inside):
            raise InputError(f"{cohort.dataset}: the {split} split is empty: there are too few samples or groups")
        for name in _absent_classes(cohort, split, inside):
            if cohort.splits is None or split == "train":
                change = "change split.seed or the shares" if cohort.splits is None else "split by shares"
                raise InputError(
                    f"{cohort.dataset}: class {name!r} is absent from the {split} split: {change}, bring more samples "
                    "of it, or leave it out of the data"
                )
            print(f"{cohort.dataset}: class {name!r} is absent from the official {split} split")


def _absent_classes(cohort: Cohort, split: str, inside: NDArray[Any]) -> list[str]:
    """Return the classes absent from a split's labels; of a multilabel task only train must have every label."""
    if cohort.task in ("binary", "multiclass"):
        return [name for index, name in enumerate(cohort.classes) if index not in inside]
    if cohort.task == "multilabel" and split == "train":
        return [name for name, number in zip(cohort.classes, inside.sum(axis=0), strict=True) if not number]
    return []


def _label_columns(cohort: Cohort) -> dict[str, NDArray[Any]]:
    if cohort.task == "multilabel":
        return {f"label_{name}": cohort.labels[:, index] for index, name in enumerate(cohort.classes)}
    if cohort.task == "regression":
        return {"label": cohort.labels}
    return {"label": np.array(cohort.classes)[cohort.labels]}


def _describe(cohort: Cohort, splits: NDArray[np.str_]) -> CohortDescription:
    return CohortDescription(
        dataset=cohort.dataset,
        task=cohort.task,
        classes=cohort.classes,
        modalities=cohort.modalities,
        licence=cohort.licence,
        samples_in_raw_data=cohort.num_raw,
        removed=cohort.filters,
        flow=cohort.flow,
        samples=len(splits),
        split="official" if cohort.splits is not None else "by shares",
        groups=len(splits) if cohort.groups is None else len(np.unique(cohort.groups)),
        splits={split: count_labels(cohort.task, cohort.classes, cohort.labels[splits == split]) for split in SPLITS},
        planted=read_planted(Path(cohort.raw)),
        presence=None if cohort.presence is None else count_patterns(cohort.modalities, cohort.presence),
    )


def count_patterns(modalities: list[str], presence: NDArray[np.bool_]) -> dict[str, int] | None:
    """Count the samples of each pattern of presence [N, M], the most frequent one first; None where all have all.

    Examples:
        >>> count_patterns(["lab", "note"], np.array([[True, True], [True, False], [True, True]]))
        {'lab + note': 2, 'lab': 1}
        >>> count_patterns(["lab", "note"], np.ones((2, 2), bool))
    """
    if presence.all():
        return None
    patterns, counts = np.unique(presence, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {" + ".join(np.array(modalities, object)[patterns[row]]): int(counts[row]) for row in order}


def keep_complete(
    presence: NDArray[np.bool_], modalities: list[str], incomplete: Literal["drop", "keep"], filters: dict[str, int]
) -> NDArray[np.bool_]:
    """Return which samples [N] stay by their presence [N, M], and count the others.

    Args:
        presence: who has which modality.
        modalities: the M names.
        incomplete: drop whoever lacks one; keep whoever has any.
        filters: to which the counts are added, where any sample is removed.

    Examples:
        >>> presence, filters = np.array([[True, True], [True, False], [False, False]]), {}
        >>> keep_complete(presence, ["lab", "note"], "keep", filters).tolist(), filters
        ([True, True, False], {'without any modality': 1})
        >>> filters = {}
        >>> keep_complete(presence, ["lab", "note"], "drop", filters).tolist(), filters
        ([True, False, False], {'without lab': 1, 'without note': 1})
    """
    if incomplete == "keep":
        kept = np.asarray(presence.any(axis=1))
        removed = {"without any modality": int((~kept).sum())}
    else:
        kept, removed = np.ones(len(presence), bool), {}
        for index, name in enumerate(modalities):
            removed[f"without {name}"] = int((kept & ~presence[:, index]).sum())
            kept = np.asarray(kept & presence[:, index])
    filters |= {name: count for name, count in removed.items() if count}
    return kept


def count_labels(task: Task, classes: list[str], labels: NDArray[Any]) -> SplitCounts:
    """Count the samples of a split and those of each class; of numbers, return mean and standard deviation.

    Args:
        task: binary | multiclass | multilabel | regression.
        classes: names of the C classes; none for regression.
        labels: [N] class indices or numbers; [N, C] of 0 and 1 for multilabel.

    Examples:
        >>> counts = count_labels("multiclass", ["low", "middle", "high"], np.array([0, 2, 2, 2]))
        >>> counts.samples, counts.classes
        (4, {'low': 1, 'middle': 0, 'high': 3})
        >>> count_labels("multilabel", ["flu", "cold"], np.array([[1, 0], [1, 1], [0, 0]])).classes
        {'flu': 2, 'cold': 1}
        >>> numbers = count_labels("regression", [], np.array([1.0, 3.0]))
        >>> numbers.mean_label, numbers.std_label
        (2.0, 1.0)
    """
    samples = len(labels)
    if task == "regression":
        return SplitCounts(samples=samples, mean_label=float(labels.mean()), std_label=float(labels.std()))
    sizes = labels.sum(axis=0) if task == "multilabel" else np.bincount(labels, minlength=len(classes))
    return SplitCounts(samples=samples, classes={name: int(size) for name, size in zip(classes, sizes, strict=True)})


def count_removed(flow: list[Step], unit: str) -> dict[str, int]:
    """Return how many samples each filter of a flow table removed.

    Args:
        flow: a row per filter.
        unit: what the table calls a sample.

    Examples:
        >>> count_removed([{"filter": "without a plot", "movies_removed": 2, "movies_left": 5}], "movies")
        {'without a plot': 2}
    """
    return {str(step["filter"]): int(step[f"{unit}_removed"]) for step in flow}


def _print_counts(path: Path, description: CohortDescription) -> None:
    print(f"{path}: {description.samples_in_raw_data} samples in the raw data")
    for reason, removed in description.removed.items():
        print(f"  - {removed} {reason}")
    sizes = ", ".join(f"{split} {counts.samples}" for split, counts in description.splits.items())
    print(f"  = {description.samples} samples: {sizes}")
    for pattern, count in (description.presence or {}).items():
        print(f"    {count} with {pattern}")
