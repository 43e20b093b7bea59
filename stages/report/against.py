"""This run beside another one: a page and its tables, for a change whose effect one wants to see."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from i2moe.base.errors import InputError
from i2moe.metrics import arrow
from stages.report.layout import ReadingTable, open_template, records
from stages.report.other_run import THIS, ComparedRun, other_run
from stages.report.run_differences import (
    Pairing,
    read_tested,
    reading_differences,
    score_differences,
    setting_differences,
    weight_differences,
    with_verdicts,
)
from stages.shared.files import write_whole
from stages.shared.verdicts import BETTER, SIGNIFICANCE, WORSE


@dataclass(frozen=True)
class Comparison:
    """Two runs and how they differ, each table in full."""

    this: str
    other: str
    scores: pd.DataFrame  # a row per dataset, model and metric
    weights: pd.DataFrame  # a row per dataset, model and expert
    readings: pd.DataFrame  # a row per dataset, model and reading
    settings: pd.DataFrame  # a row per key of params.yaml that differs
    notes: dict[str, str]  # by dataset, which test samples are compared

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name."""
        return {name: getattr(self, name) for name in ("scores", "weights", "readings", "settings")}


def write_against(against: str, out: Path) -> None:
    """Write how this run differs from another one: a page, and beside it a folder of its name with the tables as CSV.

    Raises:
        InputError: where the other run is not found or lacks a file, or the page's name has no suffix.
    """
    if out.suffix != ".html":
        raise InputError(f"--out {out}: the page needs a name that ends in .html; its tables get a folder without it")
    this = ComparedRun.read(THIS, Path())
    with other_run(against, this) as other:
        found = compare_runs(this, other)
    page = render(found)
    for name, table in found.tables.items():
        write_table(table, out.with_suffix("") / f"{name}.csv")
    write_whole(out, lambda partial: partial.write_text(page, encoding="utf-8"))
    print(f"{out}: {summary(found)}")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV."""
    write_whole(path, lambda partial: table.to_csv(partial, index=False, lineterminator="\n"))


def compare_runs(this: ComparedRun, other: ComparedRun) -> Comparison:
    """Compare all models on all datasets that both runs have.

    Raises:
        InputError: where they have none in common, or a file is missing.
    """
    models = defaultdict(list)
    for dataset, model in this.common(other):
        models[dataset].append(model)
    notes, scores, weights, readings = {}, [], [], []
    for dataset, of_dataset in models.items():
        pairings = {
            model: Pairing.of(*(read_tested(run, dataset, model) for run in (this, other))) for model in of_dataset
        }
        notes[dataset] = pairing_note(next(iter(pairings.values())))
        scores.append(of_models(score_differences, pairings, dataset))
        weights.append(of_models(weight_differences, pairings, dataset))
        readings += [labelled(reading_differences(this, other, dataset, model), dataset, model) for model in of_dataset]
    parts = {"scores": scores, "weights": weights, "readings": readings}
    joined = {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}
    return Comparison(this.name, other.name, **joined, settings=setting_differences(this, other), notes=notes)


def of_models(
    differences: Callable[[Pairing], pd.DataFrame], pairings: dict[str, Pairing], dataset: str
) -> pd.DataFrame:
    """Return a dataset's differences of one kind, of all models that can be compared, with their verdicts."""
    comparable = {model: pairing for model, pairing in pairings.items() if pairing.is_comparable}
    tables = [labelled(differences(pairing), dataset, model) for model, pairing in comparable.items()]
    return with_verdicts(pd.concat(tables, ignore_index=True)) if tables else pd.DataFrame()


def labelled(table: pd.DataFrame, dataset: str, model: str) -> pd.DataFrame:
    """Return a table with dataset and model in front; one without rows as it is."""
    if table.empty:
        return table
    return pd.concat([pd.DataFrame({"dataset": dataset, "model": model}, index=table.index), table], axis=1)


def pairing_note(pairing: Pairing) -> str:
    """Say which test samples the differences of a dataset are from."""
    first, second = (len(own.predictions.sample_ids) for own in (pairing.this, pairing.other))
    if not pairing.is_comparable:
        tasks = " and ".join(own.cohort.task for own in (pairing.this, pairing.other))
        return f"Not compared: the two runs predict different things (tasks {tasks}, or other classes)."
    if pairing.is_paired:
        return f"Paired: both runs have the same {first} test samples, which are resampled together."
    sizes = f"{first} here, {second} there"
    return (
        f"Unpaired: the test samples, their labels or their groups differ ({sizes}). Each run's are resampled on their "
        "own, and a difference may come from the samples instead of the models."
    )


def summary(found: Comparison) -> str:
    """Say in a sentence how many scores of this run are better or worse."""
    counts = found.scores["verdict"].value_counts() if len(found.scores) else {}
    settings = f"{len(found.settings)} setting{'' if len(found.settings) == 1 else 's'}"
    better, worse = int(counts.get(BETTER, 0)), int(counts.get(WORSE, 0))
    return (
        f"of {len(found.scores)} test scores, {better} {'is' if better == 1 else 'are'} better and {worse} worse in "
        f"{found.this} than in {found.other}; {settings} {'differs' if len(found.settings) == 1 else 'differ'}"
    )


def against_tables(found: Comparison) -> dict[str, list[ReadingTable]]:
    """Return what the page shows of each dataset: scores, weights, and readings that name something else."""
    pages: dict[str, list[ReadingTable]] = {}
    for dataset in found.notes:
        scores, weights, readings = (
            table[table["dataset"] == dataset] if len(table) else table
            for table in (found.scores, found.weights, found.readings)
        )
        tables = [score_table(scores), weight_table(weights), reading_table(readings)]
        pages[dataset] = [table for table in tables if table.rows]
    return pages


def score_table(scores: pd.DataFrame) -> ReadingTable:
    """Lay out a dataset's test scores."""
    rows = [
        [row["model"], f"{row['metric']} {arrow(row['metric'])}", *difference_cells(row)] for row in records(scores)
    ]
    return ReadingTable(
        "Test scores",
        "Means over seeds. The interval of a difference is the 95 % t interval over samples and seeds; a verdict needs "
        f"p ≤ {SIGNIFICANCE} after Holm's correction for all scores of the dataset.",
        ["model", "metric", "this run", "other run", "difference", "verdict"],
        in_cells(rows),
    )


def weight_table(weights: pd.DataFrame) -> ReadingTable:
    """Lay out a dataset's mean weights of experts."""
    rows = [[row["model"], row["expert"], *difference_cells(row)] for row in records(weights)]
    return ReadingTable(
        "Mean weights of the experts",
        "Over test samples and seeds. An expert's name does not say what it does: its role in both runs is below, "
        "where it differs.",
        ["model", "expert", "this run", "other run", "difference", "verdict"],
        in_cells(rows),
    )


def reading_table(readings: pd.DataFrame) -> ReadingTable:
    """Lay out the readings of a dataset that do not name the same in both runs."""
    differing = readings[readings["this"] != readings["other"]] if len(readings) else readings
    return ReadingTable(
        "Readings that name something else",
        f"{len(readings) - len(differing)} of {len(readings)} readings name the same in both runs. These do not; no "
        "test says whether that is more than chance.",
        ["model", "reading", "this run", "other run"],
        in_cells([[row[name] for name in ("model", "reading", "this", "other")] for row in records(differing)]),
    )


def setting_table(settings: pd.DataFrame) -> ReadingTable:
    """Lay out the settings that differ."""
    return ReadingTable(
        "Settings that differ",
        "Keys of params.yaml. Code that differs is not listed: git diff shows it.",
        ["key", "this run", "other run"],
        in_cells([[row[name] for name in ("key", "this", "other")] for row in records(settings)]),
    )


def difference_cells(row: dict[str, Any]) -> list[str]:
    """Write two values, their difference [95 % interval], and the verdict.

    Examples:
        >>> row = {"this": 0.5, "other": 0.25, "difference": 0.25, "low": 0.125, "high": 0.375, "verdict": "better"}
        >>> difference_cells(row)
        ['0.500', '0.250', '+0.250 [+0.125, +0.375]', 'better']
        >>> difference_cells(row | {"other": float("nan"), "difference": float("nan")})[:3]
        ['0.500', 'undefined', 'undefined']
    """
    values = ["undefined" if pd.isna(row[name]) else f"{row[name]:.3f}" for name in ("this", "other")]
    if pd.isna(row["difference"]):
        return [*values, "undefined", row["verdict"]]
    interval = "no interval" if pd.isna(row["low"]) else f"[{row['low']:+.3f}, {row['high']:+.3f}]"
    return [*values, f"{row['difference']:+.3f} {interval}", row["verdict"]]


def in_cells(rows: list[list[str]]) -> list[list[list[str]]]:
    """Return rows of texts as rows of cells of one line."""
    return [[[text] for text in row] for row in rows]


def render(found: Comparison) -> str:
    """Fill the page's template."""
    return open_template(Path(__file__).parent / "against.html").render(
        found=found,
        summary=summary(found),
        datasets=against_tables(found),
        settings=setting_table(found.settings),
    )
