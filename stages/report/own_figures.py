"""Single figures of a run, as the paper's tables have them: scores, agreement of experts, parameters and times."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from i2moe.base.errors import InputError, first_line
from stages.report.written import REMEDY, read_scores
from stages.shared.base import paths
from stages.shared.explanations import path_of
from stages.shared.explanations import read as read_explanation
from stages.shared.seconds import of_model

NOT_READ, NOT_TIMED = "not read", "not trained here"
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")  # of batch normalisation: saved, but not trained


@dataclass(frozen=True)
class Ours:
    """One figure of ours; where there is none, why."""

    value: float = float("nan")
    low: float = float("nan")  # 95 % interval; NaN where there is none
    high: float = float("nan")
    why: str = ""


def score_on_test(dataset: str, model: str, metric: str) -> Ours:
    """Return a test score in percent with its interval."""
    scores = read_scores(dataset, model)
    row = scores[scores["metric"] == metric]
    return Ours(*(100 * row[["mean", "low", "high"]].iloc[0])) if len(row) else Ours(why="not a metric of this task")


def gains_on_test(datasets: Iterable[str]) -> pd.DataFrame:
    """Return the 95 % intervals in percent of what models gain over the ones that they start from.

    Returns:
        Columns dataset, model, against, metric, delta_low and delta_high.
    """
    columns = ["dataset", "model", "against", "metric", "delta_low", "delta_high"]
    tables = [pd.read_csv(paths.gains(dataset)).assign(dataset=dataset) for dataset in datasets]
    if not tables:
        return pd.DataFrame(columns=columns)
    found = pd.concat(tables)
    return found.assign(delta_low=100 * found["low"], delta_high=100 * found["high"])[columns]


def agreement_share(dataset: str, model: str, case: str) -> Ours:
    """Return the share of samples in percent that are one case of agreement.

    Raises:
        InputError: for a table that is broken, or has no row of samples.
    """
    folder = paths.explanations(dataset, model)
    table = read_explanation(folder, "agreement", {"by": str, case: float})
    if table is None:
        return Ours(why=NOT_READ)
    of_samples = table[case][table["by"] == "sample"]
    if of_samples.empty:
        raise InputError(f"{path_of(folder, 'agreement')} has no row of samples: rerun the explain stage")
    return Ours(100 * float(of_samples.iloc[0]))


def cost(dataset: str, model: str, metric: str) -> Ours:
    """Return a model's number of parameters, or a median time: of its epochs of all seeds, or of inference."""
    if metric == "parameters":
        return Ours(float(num_parameters(dataset, model)))
    measured = of_model(dataset, model)
    epochs = [seconds for seed in measured for seconds in seed.epochs]
    inferences = [seed.inference for seed in measured if seed.inference is not None]
    seconds = epochs if metric == "seconds_per_epoch" else inferences
    return Ours(statistics.median(seconds)) if seconds else Ours(why=NOT_TIMED)


def num_parameters(dataset: str, model: str) -> int:
    """Count the parameters in a model's saved weights, those of the first seed.

    Raises:
        InputError: for a model without weights, or with a broken file of them.
    """
    import torch

    folder = paths.weights(dataset, model, 0).parent
    weights = next(iter(sorted(folder.glob("*.ckpt"))), None)
    if weights is None:
        raise InputError(f"{folder} holds no weights (such as 0.ckpt): rerun the train stage")
    try:
        saved = torch.load(weights, map_location="meta", weights_only=True)
        return sum(int(value.numel()) for name, value in saved.items() if not name.endswith(BUFFERS))
    except Exception as error:  # torch names many kinds of broken or foreign file
        raise InputError(f"{weights} does not hold a model's weights ({first_line(error)}): {REMEDY}") from error


def devices(rows: pd.DataFrame) -> str:
    """Name where the models of Table 6 were timed."""
    measured = [one for key in set(zip(rows["dataset"], rows["model"], strict=True)) for one in of_model(*key)]
    return ", ".join(sorted({name for one in measured for name in (one.trained_on, one.predicted_on)})) or "not known"
