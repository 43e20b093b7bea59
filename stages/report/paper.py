"""Our scores beside those that the paper prints in its Tables 1 to 6, where a model ran on the real files.

The paper's figures are in `published/`, a file for each table; each file's first line names its source. A run of all
of the paper's models on stand-ins alone is a rehearsal: its figures are in the tables too, called synthetic and not
compared.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from i2moe.base.errors import InputError
from i2moe.metrics import arrow
from stages.report.layout import ReadingTable, records
from stages.shared.base import paths
from stages.shared.explanations import EXPLAINED_SPLIT
from stages.shared.explanations import read as read_explanation
from stages.shared.files import write_whole
from stages.shared.runs import Run
from stages.shared.seconds import of_model

PUBLISHED = Path(__file__).parent / "published"
STAND_IN, NOT_RUN, NOT_READ, NOT_TIMED = "stand-in", "not run", "not read", "not trained here"
SYNTHETIC = "synthetic"  # in place of a reason, for a figure of a rehearsal
REHEARSAL = "A rehearsal on synthetic data, whose figures say nothing about the paper's and are not compared. "
BUFFERS = ("running_mean", "running_var", "num_batches_tracked")  # of batch normalisation: saved, but not trained
CASES = {
    "disagree_correct": "experts disagree, the model is right",
    "disagree_wrong": "experts disagree, the model is wrong",
    "agree_correct": "experts agree, the model is right",
    "agree_wrong": "experts agree, the model is wrong",
}
COSTS = {
    "seconds_per_epoch": "training, seconds per epoch",
    "seconds_of_inference": "inference, seconds",
    "parameters": "parameters",
}
DECIMALS = {"seconds_per_epoch": 2, "seconds_of_inference": 2, "parameters": 0}  # of others: 1


@dataclass(frozen=True)
class Ours:
    """One figure of ours; where there is none, why."""

    value: float = float("nan")
    low: float = float("nan")  # 95 % interval; NaN where there is none
    high: float = float("nan")
    why: str = ""


Reader = Callable[[str, str, str], Ours]  # of a dataset, a model and a metric


def score_on_test(dataset: str, model: str, metric: str) -> Ours:
    """Return a test score in percent with its interval."""
    scores = pd.read_csv(paths.scores(dataset, model))
    row = scores[(scores["split"] == EXPLAINED_SPLIT) & (scores["metric"] == metric)]
    return Ours(*(100 * row[["mean", "low", "high"]].iloc[0])) if len(row) else Ours(why="not a metric of this task")


def agreement_share(dataset: str, model: str, case: str) -> Ours:
    """Return the share of samples in percent that are one case of agreement."""
    table = read_explanation(paths.explanations(dataset, model), "agreement", {"by": str, case: float})
    return Ours(why=NOT_READ) if table is None else Ours(100 * float(table.set_index("by").loc["sample", case]))


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
        InputError: for a model without weights.
    """
    import torch

    folder = paths.weights(dataset, model, 0).parent
    weights = next(iter(sorted(folder.glob("*.ckpt"))), None)
    if weights is None:
        raise InputError(f"{folder} holds no weights (such as 0.ckpt): rerun the train stage")
    saved = torch.load(weights, map_location="meta", weights_only=True)
    return sum(value.numel() for name, value in saved.items() if not name.endswith(BUFFERS))


@dataclass(frozen=True)
class PaperTable:
    """How a table of the paper is laid out, and where its figures are in a run."""

    title: str
    note: str
    read: Reader
    row: Callable[[dict[str, str]], str]
    column: Callable[[dict[str, str]], str]


def _model(row: dict[str, str]) -> str:
    return row["model"]


def _dataset(row: dict[str, str]) -> str:
    return row["dataset"]


def _score(row: dict[str, str]) -> str:
    return f"{row['dataset']} {row['metric']} {arrow(row['metric'])}"


TABLES = {
    1: PaperTable("Fusion methods alone, and I2MoE-MulT", "", score_on_test, _model, _score),
    2: PaperTable("I2MoE over other fusion methods", "", score_on_test, _model, _score),
    3: PaperTable(
        "Agreement of the experts of I2MoE-MulT",
        "In percent of the test samples. How experts of a regression agree is our choice: on the side of the train "
        "labels' mean. ",
        agreement_share,
        lambda row: CASES[row["metric"]],
        _dataset,
    ),
    4: PaperTable("Ablations of I2MoE-MulT", "", score_on_test, _model, _score),
    5: PaperTable("What replaces a masked modality (i2moe-mult: a random vector)", "", score_on_test, _model, _score),
    6: PaperTable(
        "Cost of MulT and I2MoE-MulT",
        "Times are medians over epochs and seeds: of an epoch's training batches, and of all test samples. The paper's "
        "are from one NVIDIA A100 and its own split. On a CPU three seeds train at once. ",
        cost,
        _dataset,
        lambda row: f"{row['model']}, {COSTS[row['metric']]}",
    ),
}


@cache
def published() -> dict[int, pd.DataFrame]:
    """Read the paper's tables by number: columns model, dataset, metric, value and std."""
    return {number: pd.read_csv(PUBLISHED / f"table{number}.csv", comment="#") for number in TABLES}


def paper_tables(run: Run) -> list[ReadingTable]:
    """Lay out the paper's Tables 1 to 6 with our figures; none where the run is not of its datasets' real files.

    A rehearsal has them too.
    """
    rows = paper_rows(run)
    return [] if rows.empty else [lay_out(number, rows[rows["table"] == number]) for number in TABLES]


def write_paper(run: Run) -> None:
    """Write the figures of all tables as one CSV, where there are any of ours."""
    rows = paper_rows(run)
    if not rows.empty:
        path = paths.REPORTS / "tables/paper.csv"
        write_whole(path, lambda partial: rows.to_csv(partial, index=False, lineterminator="\n"))


def paper_rows(run: Run) -> pd.DataFrame:
    """Return a row per figure of the paper: the paper's, ours with its interval, the difference, or why there is none.

    Returns:
        Columns table, model, dataset, metric, paper, paper_std, ours, low, high, difference, difference_low,
        difference_high, why; no row where no dataset of the paper runs on real files, but for a rehearsal.
    """
    if not (any(is_real(run, dataset) for dataset in published()[1]["dataset"]) or is_rehearsal(run)):
        return pd.DataFrame()
    rows = []
    for number, table in published().items():
        for one in records(table):
            key = (one["dataset"], one["model"], one["metric"])
            own = ours(run, TABLES[number].read, *key)
            paper = float("nan") if own.why else one["value"]
            differences = [value - paper for value in (own.value, own.low, own.high)]
            rows.append([number, *key, one["value"], one["std"], own.value, own.low, own.high, *differences, own.why])
    names = "table dataset model metric paper paper_std ours low high difference difference_low difference_high why"
    return pd.DataFrame(rows, columns=names.split())


def is_real(run: Run, dataset: str) -> bool:
    """Return whether a run read a dataset's real files."""
    return dataset not in run.stand_ins and run.datasets.get(dataset) == dataset  # others are labelled synthetic


def is_rehearsal(run: Run) -> bool:
    """Return whether all of the paper's models run, on synthetic files alone."""
    tables = pd.concat(published().values())
    of_paper = [dataset for dataset in run.datasets if dataset in set(tables["dataset"])]
    return set(tables["model"]) <= set(run.models) and bool(of_paper) and not any(is_real(run, one) for one in of_paper)


def ours(run: Run, read: Reader, dataset: str, model: str, metric: str) -> Ours:
    """Return a figure of the run, or why it has none."""
    if dataset not in run.datasets or model not in run.models:
        return Ours(why=NOT_RUN)
    if is_real(run, dataset):
        return read(dataset, model, metric)
    if not is_rehearsal(run):
        return Ours(why=STAND_IN)
    own = read(dataset, model, metric)
    return own if own.why else replace(own, why=SYNTHETIC)


def lay_out(number: int, rows: pd.DataFrame) -> ReadingTable:
    """Lay out one table: our figure, the paper's, and the difference, one below the other."""
    table = TABLES[number]
    cells = {(table.row(row), table.column(row)): cell(row) for row in records(rows)}
    names, columns = (list(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
    unit = "In percent, test split; ours with the 95 % interval over samples. " if table.read is score_on_test else ""
    where = f"Ours ran on: {devices(rows)}. " if table.read is cost else ""
    rehearsal = REHEARSAL if (rows["why"] == SYNTHETIC).any() else ""
    return ReadingTable(
        f"Table {number} of the paper: {table.title}",
        f"{rehearsal}{unit}{table.note}{where}The paper gives no interval over samples: that of a difference is ours "
        "alone.",
        ["", *columns],
        [[[name], *(cells.get((name, column), ["–"]) for column in columns)] for name in names],
    )


def devices(rows: pd.DataFrame) -> str:
    """Name where the models of Table 6 were timed."""
    measured = [one for key in set(zip(rows["dataset"], rows["model"], strict=True)) for one in of_model(*key)]
    return ", ".join(sorted({name for one in measured for name in (one.trained_on, one.predicted_on)})) or "not known"


def cell(row: dict[str, Any]) -> list[str]:
    """Write our figure with its interval, the paper's, and ours less the paper's.

    Examples:
        >>> nothing = float("nan")
        >>> row = {"metric": "accuracy", "ours": 66.0, "low": 60.0, "high": 72.0, "why": ""}
        >>> row |= {"paper": 65.08, "paper_std": 1.52, "difference": 0.92, "difference_low": -5.08}
        >>> row |= {"difference_high": 6.92}
        >>> cell(row)
        ['ours 66.0 [60.0, 72.0]', 'paper 65.08 ± 1.52', 'difference +0.9 [-5.1, +6.9]']
        >>> cell(row | {"ours": nothing, "why": "stand-in", "paper_std": nothing})
        ['ours: stand-in', 'paper 65.08']
        >>> cell(row | {"why": SYNTHETIC})
        ['synthetic 66.0 [60.0, 72.0]', 'paper 65.08 ± 1.52']
    """
    decimals = DECIMALS.get(row["metric"], 1)
    spread = "" if pd.isna(row["paper_std"]) else f" ± {row['paper_std']:.2f}"
    printed = f"paper {row['paper']:,.2f}".removesuffix(".00") + spread
    own = with_interval(row, ("ours", "low", "high"), f",.{decimals}f")
    if row["why"]:
        return [f"{SYNTHETIC} {own}" if row["why"] == SYNTHETIC else f"ours: {row['why']}", printed]
    less = with_interval(row, ("difference", "difference_low", "difference_high"), f"+,.{decimals}f")
    return [f"ours {own}", printed, f"difference {less}"]


def with_interval(row: dict[str, Any], names: tuple[str, str, str], form: str) -> str:
    """Write a value, and its interval where it has one."""
    value, low, high = (format(row[name], form) for name in names)
    return value if pd.isna(row[names[1]]) else f"{value} [{low}, {high}]"
