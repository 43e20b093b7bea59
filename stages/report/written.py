"""What other stages wrote as CSV, for the page and its figures: scores, curves, differences."""

import pandas as pd

from i2moe.base.errors import InputError
from i2moe.contract.reading import check_columns, read_csv
from stages.shared.base import paths
from stages.shared.cards import CONSTANT
from stages.shared.explanations import EXPLAINED_SPLIT
from stages.shared.verdicts import BETTER, NOT_SHOWN, WORSE

REMEDY = "delete it and run `dvc repro`"
SCORES = {"split": str, "metric": str, "mean": float, "std": float, "low": float, "high": float, "usable": float}
CURVES = {"epoch": int, "train_task_loss": float, "validation_loss": float}
DIFFERENCES = {"model": str, "against": str, "metric": str, "difference": float, "low": float, "high": float}
DIFFERENCES |= {"usable": float, "p_value": float, "verdict": str}


def read_scores(dataset: str, model: str) -> pd.DataFrame:
    """Read a model's scores on test, a row per metric.

    Raises:
        InputError: for a file that is missing or broken, or has a metric twice or none.
    """
    path = paths.scores(dataset, model)
    table = read_csv(path, REMEDY)
    check_columns(path, table, SCORES, REMEDY)
    table = table[table["split"] == EXPLAINED_SPLIT].drop(columns="split")
    if not len(table) or table["metric"].duplicated().any():
        raise InputError(f"{path} has no score on {EXPLAINED_SPLIT}, or one twice: {REMEDY}")
    return table


def read_curves(dataset: str, model: str, seed: int) -> pd.DataFrame:
    """Read a seed's learning curves: a row per epoch, columns of numbers.

    Raises:
        InputError: for a file that is missing or broken, or lacks an epoch.
    """
    path = paths.curves(dataset, model, seed)
    table = read_csv(path, REMEDY)
    check_columns(path, table, CURVES | {name: float for name in table if name.endswith("_loss")}, REMEDY)
    if table.empty or table["epoch"].tolist() != list(range(1, len(table) + 1)):
        raise InputError(f"{path} does not have epochs from 1 on: {REMEDY}")
    return table


def read_all_curves(dataset: str, model: str, seeds: list[int]) -> list[pd.DataFrame]:
    """Read the learning curves of all seeds, which must be of the same losses and metrics.

    Raises:
        InputError: for a file that is missing or broken, or has other columns than the first seed's.
    """
    curves = [read_curves(dataset, model, seed) for seed in seeds]
    for seed, own in zip(seeds, curves, strict=True):
        if set(own) != set(curves[0]):
            raise InputError(f"{paths.curves(dataset, model, seed)} has other columns than another seed's: {REMEDY}")
    return curves


def read_differences(dataset: str, models: list[str]) -> pd.DataFrame:
    """Read how a dataset's models differ, a row per pair.

    Args:
        dataset: name.
        models: each of which must be compared with the best constant prediction.

    Raises:
        InputError: for a file that is missing or broken, lacks a model, or has a verdict that none is.
    """
    path = paths.differences(dataset)
    table = read_csv(path, REMEDY)
    check_columns(path, table, DIFFERENCES, REMEDY)
    if not set(table["verdict"]) <= {BETTER, WORSE, NOT_SHOWN}:
        raise InputError(f"{path} column 'verdict' holds other than {BETTER}, {WORSE}, {NOT_SHOWN}: {REMEDY}")
    lacking = set(models) - set(table.loc[table["against"] == CONSTANT, "model"])
    if lacking:
        raise InputError(f"{path} does not compare {', '.join(sorted(lacking))} with {CONSTANT}: {REMEDY}")
    return table
