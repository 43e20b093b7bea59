"""Metrics of a model over splits and seeds: one table, and the summary that `dvc metrics` shows."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from i2moe.metrics import LABEL_PREFIX, label_metrics
from i2moe.resampling import Interval, bootstrap_interval, units_of
from i2moe.selection import TASK_METRICS

DECIMALS = 6
EVALUATED_SPLITS = ("validation", "test")


def score_table(
    task: str,
    labels: dict[str, NDArray[Any]],
    logits: dict[str, NDArray[Any]],
    seeds: list[int],
    classes: list[str],
    groups: NDArray[Any] | None = None,
) -> pd.DataFrame:
    """Score every metric on every split, and for a multilabel task each label's AUROC.

    Args:
        task: binary | multiclass | multilabel | regression.
        labels: by split, [N] or [N, C].
        logits: by split, [S, N, C], one row per seed.
        seeds: the S seeds.
        classes: names of the C classes or labels.
        groups: of the test samples, which are resampled together; None: each sample is its own.

    Returns:
        Rows of split, metric, mean and std over seeds (ddof 1), for test the 95 % bootstrap interval of the mean
        (low, high) with the share of resamples that define the metric (usable), and each seed's value.
    """
    units = units_of(task, labels["test"], groups)
    no_interval = Interval(np.nan, np.nan, np.nan)
    rows = []
    metrics = TASK_METRICS[task] | label_metrics(task, classes)
    cases = [(split, name) for split in labels for name in metrics]
    for split, name in tqdm(cases, desc="scores", unit="metric", mininterval=1, delay=2, dynamic_ncols=True):
        metric, truth = metrics[name], labels[split]
        values = np.array([metric.compute(truth, one) for one in logits[split]], dtype=float)
        # Intervals are for the numbers one reports; on the split that chose the epoch they would mean nothing.
        interval = bootstrap_interval(metric.compute, truth, logits[split], units) if split == "test" else no_interval
        std = values.std(ddof=1) if len(values) > 1 else np.nan
        row = {"split": split, "metric": name, "mean": values.mean(), "std": std, **asdict(interval)}
        rows.append(row | {f"seed_{seed}": value for seed, value in zip(seeds, values, strict=True)})
    return pd.DataFrame(rows).round(DECIMALS)


def write_scores(table: pd.DataFrame, table_path: Path, summary_path: Path) -> None:
    """Write the table, and the numbers there are in short as JSON: of test mean and standard deviation.

    A block has the means of the validation split, by which to choose settings. Single labels are in the table only.
    """
    rows = table[~table["metric"].str.startswith(LABEL_PREFIX)]
    test, validation = (rows[rows["split"] == split] for split in ("test", "validation"))
    summary: dict[str, Any] = {}
    for row in test.to_dict("records"):
        if not np.isnan(row["mean"]):
            summary[row["metric"]] = row["mean"]
        if not np.isnan(row["std"]):
            summary[f"{row['metric']}_std"] = row["std"]
    summary["validation"] = validation.set_index("metric")["mean"].dropna().to_dict()
    table_path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(table_path, index=False, lineterminator="\n")
    summary_path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    for row in test.to_dict("records"):
        print(f"  test {row['metric']}: {row['mean']:.4f} (95 % interval {row['low']:.4f} to {row['high']:.4f})")
