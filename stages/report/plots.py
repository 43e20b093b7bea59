"""The data of `dvc plots`: losses, test predictions by class, and experts' weights, of all models and seeds together.

`dvc.yaml` names the plots, and `.dvc/plots` holds their Vega-Lite templates. The tables hold counts and means, not the
numbers of single samples. They are in git as metrics are, so that plots of any two revisions can be compared.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from stages.report.training import confusion
from stages.report.written import read_curves
from stages.shared.base import paths
from stages.shared.cards import Card
from stages.shared.explanations import EXPLAINED_SPLIT
from stages.shared.files import write_whole
from stages.shared.predictions import read as read_predictions
from stages.shared.predictions import read_labels
from stages.shared.runs import Run

FOLDER = Path("results/plots")
DECIMALS = 6
SPLITS = {"train_task_loss": "train", "validation_loss": "validation"}


def write_plots(run: Run) -> None:
    """Write results/plots/losses.csv, confusion.csv and weights.csv; a table without rows keeps its header."""
    tables = {"losses": losses, "confusion": confusions, "weights": weights}
    for name, table_of in tables.items():
        parts = [labelled(table_of(run, *one), run, *one) for one in pairs(run)]
        filled = [part for part in parts if len(part)] or parts[:1]  # columns without a row have no type
        write_table(pd.concat(filled, ignore_index=True).round(DECIMALS), name)


def pairs(run: Run) -> list[tuple[str, str]]:
    """Return the datasets and models that run."""
    return [(dataset, model) for dataset in run.datasets for model in run.models]


def labelled(table: pd.DataFrame, run: Run, dataset: str, model: str) -> pd.DataFrame:
    """Return a table with dataset, as reports name it, and model in front."""
    table.insert(0, "dataset", run.datasets[dataset])
    table.insert(1, "model", model)
    return table


def write_table(table: pd.DataFrame, name: str) -> None:
    """Write a table of the plots as CSV."""
    write_whole(FOLDER / f"{name}.csv", lambda partial: table.to_csv(partial, index=False, lineterminator="\n"))


def losses(run: Run, dataset: str, model: str) -> pd.DataFrame:
    """Return a row per seed, split and epoch: the mean loss."""
    parts = []
    for seed in run.seeds:
        curves = read_curves(dataset, model, seed).rename(columns=SPLITS)
        long = curves.melt("epoch", list(SPLITS.values()), var_name="split", value_name="loss")
        parts.append(long.assign(seed=seed))
    return pd.concat(parts)[["seed", "split", "epoch", "loss"]]


def confusions(run: Run, dataset: str, model: str) -> pd.DataFrame:  # noqa: ARG001 (all tables are made alike)
    """Return what is predicted as what; tasks that are not about one class of several have no rows."""
    cohort, path = Card.read(paths.card(dataset)).cohort, paths.predictions(dataset, model)
    if cohort.task not in ("binary", "multiclass"):
        return pd.DataFrame(columns=["actual", "predicted", "count", "share"])
    own = read_predictions(path, cohort.classes, EXPLAINED_SPLIT)
    labels = read_labels(path, cohort.task, cohort.classes, EXPLAINED_SPLIT)
    return confusion(own, labels["label"], cohort.classes)


def weights(run: Run, dataset: str, model: str) -> pd.DataFrame:  # noqa: ARG001
    """Return a row per seed and expert: its mean weight over the test samples; none of a model without weights."""
    cohort = Card.read(paths.card(dataset)).cohort
    own = read_predictions(paths.predictions(dataset, model), cohort.classes, EXPLAINED_SPLIT)
    means = own.weights.mean(axis=1) if own.is_weighted else np.empty((0, 0))
    rows = [
        (seed, expert, weight)
        for seed, of_seed in zip(own.seeds, means, strict=False)
        for expert, weight in zip(own.experts, of_seed, strict=True)
    ]
    return pd.DataFrame(rows, columns=["seed", "expert", "weight"])
