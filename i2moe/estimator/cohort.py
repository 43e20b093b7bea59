"""The cohort of an estimator: which rows are the validation split, and the files of the data contract."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length, column_or_1d

from i2moe.base.errors import InputError
from i2moe.contract.descriptions import CohortDescription, SplitCounts
from i2moe.contract.task import Task


def draw_validation(
    task: Task,
    labels: NDArray[Any],
    groups: Any,
    share: float,
    seed: int,
) -> NDArray[np.bool_]:
    """Draw the validation rows [N]: whole groups, or a share of each class that leaves one sample to train.

    Raises:
        InputError: for a share that leaves nothing to either split, samples without a group, or a single group.

    Examples:
        >>> int(draw_validation("binary", np.array([0, 0, 0, 0, 1, 1]), None, 0.5, 0).sum())
        3
    """
    if not 0 < share < 1:
        raise InputError(f"validation_fraction {share}: allowed are shares between 0 and 1")
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), bool)
    if groups is not None:
        check_consistent_length(labels, groups)
        missing = np.flatnonzero(pd.isna(column_or_1d(groups)))
        if len(missing):
            raise InputError(f"groups: row {missing[0]} has none: give each sample its group")
        names, own = np.unique(np.asarray(groups), return_inverse=True)
        if len(names) < 2:  # noqa: PLR2004
            raise InputError("groups: all samples are of one: validation needs a group of its own")
        count = min(max(1, round(share * len(names))), len(names) - 1)
        return _both(np.isin(own, generator.permutation(len(names))[:count]))
    strata = labels if task in ("binary", "multiclass") else np.zeros(len(labels), np.int64)
    for stratum in np.unique(strata):
        rows = generator.permutation(np.flatnonzero(strata == stratum))
        chosen[rows[: min(round(share * len(rows)), len(rows) - 1)]] = True
    if not chosen.any():  # few of each class: one of the most frequent one
        chosen[int(np.flatnonzero(strata == np.bincount(strata).argmax())[-1])] = True
    return _both(chosen)


def chosen_validation(validation: Any, num_samples: int) -> NDArray[np.bool_]:
    """Return the validation rows [N] of a mask [N], or of row numbers.

    Raises:
        InputError: for rows that are not there or named twice, none or all of them.
    """
    chosen = np.zeros(num_samples, bool)
    rows = np.asarray(validation)
    if rows.dtype != bool and len(np.unique(rows)) < rows.size:
        raise InputError("validation: row numbers repeat: a mask is of True and False, not of 1 and 0")
    try:
        chosen[rows] = True
    except IndexError as error:
        raise InputError(f"validation: a mask of {num_samples} rows, or numbers below that ({error})") from error
    return _both(chosen)


def _both(is_validation: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return validation rows [N] that leave some to training."""
    if is_validation.all() or not is_validation.any():
        raise InputError("validation: training and validation need one sample each at least")
    return is_validation


def write_cohort(
    path: Path,
    task: Task,
    classes: list[str],
    modalities: list[str],
    labels: NDArray[Any],
    is_validation: NDArray[np.bool_],
) -> None:
    """Write a cohort by the data contract, whose rows are the samples in order."""
    width = len(str(len(labels)))
    ids = [f"{row:0{width}d}" for row in range(len(labels))]
    table: dict[str, Any] = {"sample_id": ids, "group_id": ids, "split": np.where(is_validation, "validation", "train")}
    if task == "multilabel":
        table |= {f"label_{name}": labels[:, index] for index, name in enumerate(classes)}
    else:
        table["label"] = labels if task == "regression" else np.array(classes, object)[labels]
    pd.DataFrame(table).to_csv(path, index=False)
    counts = {"train": int((~is_validation).sum()), "validation": int(is_validation.sum())}
    description = CohortDescription(
        dataset="estimator",
        task=task,
        classes=classes,
        modalities=modalities,
        licence="restricted",
        samples_in_raw_data=len(labels),
        removed={},
        flow=[],
        samples=len(labels),
        split="by shares",
        groups=len(labels),
        splits={name: SplitCounts(samples=count) for name, count in counts.items()},
    )
    path.with_suffix(".json").write_text(description.to_json(), encoding="utf-8")
