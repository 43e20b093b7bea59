"""Which test samples are shown: all, or some of each class."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from i2moe.prepared import Prepared

MAX_SAMPLES = 500
SEED = 0
BINS = 10  # of a regression's labels, with as many test samples each
HOW = {
    "binary": "drawn by class with a fixed seed",
    "multiclass": "drawn by class with a fixed seed",
    "multilabel": "drawn at random with a fixed seed",
    "regression": f"drawn by {BINS} quantiles of the label with a fixed seed",
}


def draw(features: "Prepared") -> tuple["NDArray[np.int64]", str]:
    """Return the cohort rows of the test samples that are shown, in order, and how they were chosen in words."""
    rows = features.rows("test")
    if len(rows) <= MAX_SAMPLES:
        return rows, "all test samples"
    chosen = stratified(strata(features.task, features.labels[rows]), MAX_SAMPLES)
    return rows[chosen], f"{MAX_SAMPLES} of {len(rows)} test samples, {HOW[features.task]}"


def strata(task: str, labels: "NDArray[np.generic]") -> "NDArray[np.int64]":
    """Return the group of each sample [N] of which a draw takes its share: class, bin of a number, or one for all."""
    if task == "multilabel":
        return np.zeros(len(labels), np.int64)
    if task == "regression":
        ranks = np.argsort(np.argsort(labels, kind="stable"), kind="stable")
        return ranks * BINS // len(labels)
    return labels.astype(np.int64)


def stratified(groups: "NDArray[np.int64]", num: int) -> "NDArray[np.int64]":
    """Draw from each group its share, to within one sample; return the places of those drawn, in order.

    The samples, shuffled within each group, stand in line group by group, and every (N / num)-th is taken.

    Examples:
        >>> groups = np.array([0] * 6 + [1] * 3)
        >>> groups[stratified(groups, 3)].tolist()
        [0, 0, 1]
    """
    order = np.lexsort((np.random.default_rng(SEED).permutation(len(groups)), groups))
    return np.sort(order[np.arange(num) * len(groups) // num])
