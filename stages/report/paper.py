"""Our scores beside those that the paper prints in its Tables 1 to 6, where a model ran on the real files.

The paper's figures are in `published/`, a file for each table; each file's first line names its source.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from i2moe.base.errors import InputError
from i2moe.metrics import arrow
from stages.report.layout import ReadingTable, records
from stages.shared.base import paths
from stages.shared.explanations import EXPLAINED_SPLIT
from stages.shared.explanations import read as read_explanation
from stages.shared.files import write_whole
from stages.shared.runs import Run

PUBLISHED = Path(__file__).parent / "published"
STAND_IN, NOT_RUN, NOT_READ = "stand-in", "not run", "not read"
NOT_TIMED = "needs a measurement of time"
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
    """Return a model's number of parameters; time is not measured."""
    return Ours(float(num_parameters(dataset, model))) if metric == "parameters" else Ours(why=NOT_TIMED)


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
    decimals: int = 1


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
        "The paper's times are from one NVIDIA A100; this project has no stage that measures time. ",
        cost,
        _dataset,
        lambda row: f"{row['model']}, {COSTS[row['metric']]}",
        decimals=0,
    ),
}


def paper_tables(run: Run) -> list[ReadingTable]:
    """Lay out the paper's Tables 1 to 6 with our figures; none where the run has none of its datasets' real files."""
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
        difference_high, why; no row where no dataset of the paper runs on real files.
    """
    published = {number: pd.read_csv(PUBLISHED / f"table{number}.csv", comment="#") for number in TABLES}
    if not any(is_real(run, dataset) for dataset in set(published[1]["dataset"])):
        return pd.DataFrame()
    rows = []
    for number, table in published.items():
        for one in records(table):
            key = (one["dataset"], one["model"], one["metric"])
            own = ours(run, TABLES[number].read, *key)
            differences = [value - one["value"] for value in (own.value, own.low, own.high)]
            rows.append([number, *key, one["value"], one["std"], own.value, own.low, own.high, *differences, own.why])
    names = "table dataset model metric paper paper_std ours low high difference difference_low difference_high why"
    return pd.DataFrame(rows, columns=names.split())


def is_real(run: Run, dataset: str) -> bool:
    """Return whether a run read a dataset's real files."""
    return dataset not in run.stand_ins and run.datasets.get(dataset) == dataset  # others are labelled synthetic


def ours(run: Run, read: Reader, dataset: str, model: str, metric: str) -> Ours:
    """Return a figure of the run, or why it has none."""
    if dataset not in run.datasets or model not in run.models:
        return Ours(why=NOT_RUN)
    if not is_real(run, dataset):
        return Ours(why=STAND_IN)
    return read(dataset, model, metric)


def lay_out(number: int, rows: pd.DataFrame) -> ReadingTable:
    """Lay out one table: our figure, the paper's, and the difference, one below the other."""
    table = TABLES[number]
    cells = {(table.row(row), table.column(row)): cell(row, table) for row in records(rows)}
    names, columns = (list(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
    unit = "In percent, test split; ours with the 95 % interval over samples. " if table.read is score_on_test else ""
    return ReadingTable(
        f"Table {number} of the paper: {table.title}",
        f"{unit}{table.note}The paper gives no interval over samples: that of a difference is ours alone.",
        ["", *columns],
        [[[name], *(cells.get((name, column), ["–"]) for column in columns)] for name in names],
    )


def cell(row: dict[str, float], table: PaperTable) -> list[str]:
    """Write our figure with its interval, the paper's, and ours less the paper's.

    Examples:
        >>> nothing = float("nan")
        >>> row = {"ours": 66.0, "low": 60.0, "high": 72.0, "paper": 65.08, "paper_std": 1.52, "why": ""}
        >>> row |= {"difference": 0.92, "difference_low": -5.08, "difference_high": 6.92}
        >>> cell(row, TABLES[5])
        ['ours 66.0 [60.0, 72.0]', 'paper 65.08 ± 1.52', 'difference +0.9 [-5.1, +6.9]']
        >>> cell(row | {"why": "stand-in", "paper_std": nothing}, TABLES[1])
        ['ours: stand-in', 'paper 65.08']
    """
    spread = "" if pd.isna(row["paper_std"]) else f" ± {row['paper_std']:.2f}"
    printed = f"paper {row['paper']:,.2f}".removesuffix(".00") + spread
    if row["why"]:
        return [f"ours: {row['why']}", printed]
    own = with_interval(row, ("ours", "low", "high"), f",.{table.decimals}f")
    less = with_interval(row, ("difference", "difference_low", "difference_high"), f"+,.{table.decimals}f")
    return [f"ours {own}", printed, f"difference {less}"]


def with_interval(row: dict[str, float], names: tuple[str, str, str], form: str) -> str:
    """Write a value, and its interval where it has one."""
    value, low, high = (format(row[name], form) for name in names)
    return value if pd.isna(row[names[1]]) else f"{value} [{low}, {high}]"
