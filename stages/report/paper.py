"""Our scores beside those that the paper prints in its Tables 1 to 6, where a model ran on the real files.

The paper's figures are in `published/`, a file for each table; each file's first line names its source. A run of all
of the paper's models on stand-ins alone is a rehearsal: its figures are in the tables too, called synthetic and not
compared.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from i2moe.contract.reading import read_csv
from i2moe.metrics import arrow
from stages.report.layout import ReadingTable, records
from stages.report.own_figures import Ours, agreement_share, cost, devices, gains_on_test, score_on_test
from stages.shared.base import paths
from stages.shared.files import write_whole
from stages.shared.runs import Run

Reader = Callable[[str, str, str], Ours]  # of a dataset, a model and a metric

PUBLISHED = Path(__file__).parent / "published"
STAND_IN, NOT_RUN = "stand-in", "not run"
SYNTHETIC = "synthetic"  # in place of a reason, for a figure of a rehearsal
REHEARSAL = "A rehearsal on synthetic data, whose figures say nothing about the paper's and are not compared. "
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
I2MOE = "i2moe-mult"
LESS = (
    "Less the model that it starts from: ours with the 95 % interval over test samples, which both share, and seeds; "
    "not corrected for how many there are. "
)
DECIMALS = {"seconds_per_epoch": 2, "seconds_of_inference": 2, "parameters": 0}  # of others: 1


@dataclass(frozen=True)
class PaperTable:
    """How a table of the paper is laid out, and where its figures are in a run."""

    title: str
    note: str
    read: Reader
    row: Callable[[dict[str, str]], str]
    column: Callable[[dict[str, str]], str]
    against: Callable[[str], str] = lambda model: model  # of a model, the one in Table 1 that it is to be better than


def _model(row: dict[str, str]) -> str:
    return row["model"]


def _dataset(row: dict[str, str]) -> str:
    return row["dataset"]


def _score(row: dict[str, str]) -> str:
    return f"{row['dataset']} {row['metric']} {arrow(row['metric'])}"


TABLES = {
    1: PaperTable("Fusion methods alone, and I2MoE-MulT", "", score_on_test, _model, _score),
    2: PaperTable(
        "I2MoE over other fusion methods",
        LESS,
        score_on_test,
        _model,
        _score,
        against=lambda model: model.removeprefix("i2moe-"),
    ),
    3: PaperTable(
        "Agreement of the experts of I2MoE-MulT",
        "In percent of the test samples. How experts of a regression agree is our choice: on the side of the train "
        "labels' mean. ",
        agreement_share,
        lambda row: CASES[row["metric"]],
        _dataset,
    ),
    4: PaperTable("Ablations of I2MoE-MulT", LESS, score_on_test, _model, _score, against=lambda _: I2MOE),
    5: PaperTable(
        f"What replaces a masked modality ({I2MOE}: a random vector)",
        LESS,
        score_on_test,
        _model,
        _score,
        against=lambda _: I2MOE,
    ),
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
    return {number: read_csv(PUBLISHED / f"table{number}.csv", "`git restore` it", comment="#") for number in TABLES}


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
        difference_high, why, against, delta, paper_delta, delta_low, delta_high; no row where no dataset of the paper
        runs on real files, but for a rehearsal.
    """
    if not (any(is_real(run, dataset) for dataset in published()[1]["dataset"]) or is_rehearsal(run)):
        return pd.DataFrame()
    names = "table dataset model metric paper paper_std ours low high difference difference_low difference_high why"
    rows = []
    for number, table in published().items():
        for one in records(table):
            key = (one["dataset"], one["model"], one["metric"])
            own = ours(run, TABLES[number].read, *key)
            paper = float("nan") if own.why else one["value"]
            differences = [value - paper for value in (own.value, own.low, own.high)]
            rows.append([number, *key, one["value"], one["std"], own.value, own.low, own.high, *differences, own.why])
    return with_deltas(pd.DataFrame(rows, columns=names.split()))


def with_deltas(rows: pd.DataFrame) -> pd.DataFrame:
    """Add what each model is better than, and by how much: against, delta with its interval, and paper_delta."""
    against = [base_of(TABLES[row["table"]], row["model"]) for row in records(rows)]
    rows = rows.assign(against=against)
    first = rows.loc[rows["table"] == 1, ["dataset", "model", "metric", "ours", "paper"]]
    bases = rows.merge(first, "left", left_on=["dataset", "against", "metric"], right_on=["dataset", "model", "metric"])
    deltas = {"delta": "ours", "paper_delta": "paper"}
    rows = rows.assign(**{name: rows[own] - bases[f"{own}_y"].to_numpy() for name, own in deltas.items()})
    intervals = gains_on_test(rows.loc[rows["delta"].notna(), "dataset"].unique())
    return rows.merge(intervals, "left", on=["dataset", "model", "against", "metric"])


def base_of(table: PaperTable, model: str) -> str:
    """Return the model in Table 1 that one of a table starts from; nothing where it is none other."""
    base = table.against(model)
    return "" if base == model else base


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
    cells = {(table.row(row), table.column(row)): cell(row) + deltas(row) for row in records(rows)}
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


def deltas(row: dict[str, Any]) -> list[str]:
    """Write what a model gains over the one that it starts from, ours and the paper's.

    Examples:
        >>> row = {"against": "i2moe-mult", "paper_delta": -0.5, "why": ""}
        >>> deltas(row | {"delta": 1.25, "delta_low": -2.0, "delta_high": 4.5})
        ['less i2moe-mult: ours +1.2 [-2.0, +4.5], paper -0.50']
        >>> nothing = float("nan")
        >>> deltas(row | {"delta": nothing, "delta_low": nothing, "delta_high": nothing, "why": "not run"})
        ['less i2moe-mult: paper -0.50']
        >>> deltas({"against": ""})
        []
    """
    if not row["against"]:
        return []
    name = SYNTHETIC if row["why"] == SYNTHETIC else "ours"
    gain = with_interval(row, ("delta", "delta_low", "delta_high"), "+.1f")
    own = "" if pd.isna(row["delta"]) else f"{name} {gain}, "
    return [f"less {row['against']}: {own}paper {row['paper_delta']:+.2f}"]


def with_interval(row: dict[str, Any], names: tuple[str, str, str], form: str) -> str:
    """Write a value, and its interval where it has one."""
    value, low, high = (format(row[name], form) for name in names)
    return value if pd.isna(row[names[1]]) else f"{value} [{low}, {high}]"
