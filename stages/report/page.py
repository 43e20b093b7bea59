"""One self-contained page with its tables and figures, from what the other stages wrote."""

import base64
import io
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from i2moe.contract.descriptions import CohortDescription
from i2moe.explain.ability import AUROC_MARGIN, RANKINGS
from i2moe.metrics import LABEL_PREFIX, arrow, lead_metric
from stages.report import figures
from stages.report.explanations import EXPLANATIONS, Shown
from stages.report.findings import find, less_forward_findings, no_signal_findings, no_vanilla_findings
from stages.report.layout import ReadingTable
from stages.report.planted import LEAST_SHARE, expected_terms, planted_table, term_words
from stages.report.readings import reading_tables
from stages.report.tables import Tables, add_table, write_tables
from stages.report.tokens import planted_pairs
from stages.shared.base import paths
from stages.shared.cards import CONSTANT, REFERENCE, Card
from stages.shared.explanations import EXPLAINED_SPLIT, read
from stages.shared.files import write_whole
from stages.shared.predictions import read as read_predictions
from stages.shared.runs import Run, read_model, read_run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A figure for the page: embedded, so that the page is one file."""

    data: str
    caption: str


@dataclass(frozen=True)
class ModelSection:
    """What the page says about one model on one dataset."""

    name: str
    settings: str
    findings: list[str]
    experts: list[dict[str, Any]]
    readings: list[ReadingTable]
    pictures: list[Picture]


@dataclass(frozen=True)
class PlantedSection:
    """What is planted in a synthetic dataset, and which reading of which model finds it."""

    rule: str
    terms: list[dict[str, Any]]  # name, words and outputs of each term that can be found
    gone: list[str]  # words of the terms that cannot, since their modalities are left out
    rows: list[dict[str, Any]]  # of `planted_table`
    pairs: list[dict[str, Any]]  # of `planted_pairs`


@dataclass(frozen=True)
class DatasetSection:
    """What the page says about one dataset."""

    name: str
    label: str
    cohort: CohortDescription
    notes: dict[str, str]
    metrics: list[str]
    performance: list[dict[str, Any]]  # a row per model: its name and a cell per metric
    differences: list[dict[str, Any]]  # a row per pair of models that is compared
    labels: list[dict[str, Any]]  # of a multilabel task one row per label: its name and the AUROC by model
    planted: PlantedSection | None
    models: list[ModelSection]


def report() -> None:
    """Write reports/index.html, tables/*.csv and *.md, and figures/*.svg for what runs."""
    run = read_run()
    tables: Tables = defaultdict(list)
    sections = [dataset_section(run, dataset, tables) for dataset in run.datasets]
    write_tables(tables, run.datasets)
    page = paths.REPORTS / "index.html"
    write_whole(page, lambda partial: partial.write_text(render(run, sections)))
    print(f"{page}: {', '.join(run.datasets)} x {', '.join(run.models)}")


def dataset_section(run: Run, dataset: str, tables: Tables) -> DatasetSection:
    """Collect a dataset's numbers, add them to the tables, and draw its figures."""
    card = Card.read(paths.card(dataset))
    scores = [score_rows(dataset, model) for model in [*run.models, REFERENCE, CONSTANT]]
    differences = pd.read_csv(paths.differences(dataset))
    is_label = scores[0]["metric"].str.startswith(LABEL_PREFIX)
    performance, labels = [table[~is_label] for table in scores], [table[is_label] for table in scores]
    tables["performance"] += performance
    tables["labels"] += labels if is_label.any() else []
    tables["differences"].append(difference_rows(dataset, differences))
    return DatasetSection(
        name=dataset,
        label=run.datasets[dataset],
        cohort=card.cohort,
        notes=card.notes,
        metrics=(performance[0]["metric"] + " " + performance[0]["better"]).tolist(),
        performance=[
            {"model": table["model"].iloc[0], "cells": [score_cell(row) for row in table.to_dict("records")]}
            for table in performance
        ],
        differences=[
            row | {"cell": difference_cell(row), "metric": f"{row['metric']} {arrow(row['metric'])}"}
            for row in differences.to_dict("records")
        ],
        labels=label_rows(labels),
        planted=planted_section(run, dataset, card.cohort, tables),
        models=[
            model_section(run, dataset, model, card.cohort, tables, against_constant(differences, model))
            for model in run.models
        ],
    )


def planted_section(run: Run, dataset: str, cohort: CohortDescription, tables: Tables) -> PlantedSection | None:
    """Collect what is planted in a synthetic dataset and what its models' readings find, and add it to the tables."""
    if cohort.planted is None:
        return None
    expected, gone = expected_terms(cohort.planted, cohort.modalities)
    table = planted_table(list(expected), read_tables(run, dataset, "shares"))
    if len(table):
        tables["planted"].append(table[["model", "reading", "verdict"]].assign(dataset=dataset))
    return PlantedSection(
        rule=cohort.planted.rule,
        terms=[term_words(name, terms) for name, terms in expected.items()],
        gone=[term.words for term in gone],
        rows=table.to_dict("records"),
        pairs=planted_pairs(cohort.planted, read_tables(run, dataset, "token_pair_means")),
    )


def read_tables(run: Run, dataset: str, method: str) -> dict[str, pd.DataFrame]:
    """Read the table of a method of each model that has one."""
    columns = EXPLANATIONS[method].columns
    found = {model: read(paths.explanations(dataset, model), method, columns) for model in run.models}
    return {model: table for model, table in found.items() if table is not None}


def label_rows(tables: list[pd.DataFrame]) -> list[dict[str, Any]]:
    """Lay the labels' AUROCs of all models side by side."""
    rows = zip(*(table.to_dict("records") for table in tables), strict=True)
    return [
        {"label": row[0]["metric"].removeprefix(LABEL_PREFIX), "cells": [score_cell(cell) for cell in row]}
        for row in rows
    ]


def score_rows(dataset: str, model: str) -> pd.DataFrame:
    """Return the test scores of a model."""
    table = pd.read_csv(paths.scores(dataset, model))
    table = table[table["split"] == EXPLAINED_SPLIT].drop(columns="split")
    table.insert(0, "dataset", dataset)
    table.insert(1, "model", model)
    table.insert(3, "better", table["metric"].map(arrow))
    return table


def difference_rows(dataset: str, differences: pd.DataFrame) -> pd.DataFrame:
    """Return a dataset's differences as rows of the report's table, with the direction of their metric."""
    table = differences.copy()
    table.insert(0, "dataset", dataset)
    table.insert(table.columns.get_loc("metric") + 1, "better", table["metric"].map(arrow))
    return table


def against_constant(differences: pd.DataFrame, model: str) -> dict[str, Any]:
    """Return the row that compares a model with the best constant prediction."""
    return differences[(differences["model"] == model) & (differences["against"] == CONSTANT)].to_dict("records")[0]  # type: ignore[no-any-return]


def score_cell(row: dict[str, Any]) -> str:
    """Write one score: mean ± standard deviation over seeds [95 % bootstrap interval].

    Where some resamples do not define the metric, also how many do: the interval is theirs alone.

    Examples:
        >>> score_cell({"mean": 0.75, "std": 0.05, "low": 0.7, "high": 0.8, "usable": 1.0})
        '0.750 ± 0.050 [0.700, 0.800]'
        >>> score_cell({"mean": 0.75, "std": float("nan"), "low": 0.7, "high": 0.8, "usable": 1.0})  # of one seed
        '0.750 [0.700, 0.800]'
    """
    if pd.isna(row["mean"]):
        return "undefined"
    std = "" if pd.isna(row["std"]) else f" ± {row['std']:.3f}"
    interval = "no interval" if pd.isna(row["low"]) else f"[{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['mean']:.3f}{std} {interval}{usable_share(row['usable'])}"


def difference_cell(row: dict[str, Any]) -> str:
    """Write a difference: its value [95 % interval], and how many resamples define it where not all do."""
    interval = "no interval" if pd.isna(row["low"]) else f"[{row['low']:+.3f}, {row['high']:+.3f}]"
    return f"{row['difference']:+.3f} {interval}{usable_share(row['usable'])}"


def usable_share(usable: float) -> str:
    """Say which share of resamples an interval comes from, where it is not all."""
    return "" if usable == 1 else f" from {100 * usable:.1f} % of resamples"


def model_section(
    run: Run, dataset: str, model: str, cohort: CohortDescription, tables: Tables, constant: dict[str, Any]
) -> ModelSection:
    """Collect one model's explanations, add them to the tables, and draw its figures."""
    folder = paths.explanations(dataset, model)
    explained = {name: read(folder, name, method.columns) for name, method in EXPLANATIONS.items()}
    metric = lead_metric(cohort.task)
    shown = Shown(
        metric=metric,
        mixture=float(score_rows(dataset, model).set_index("metric").loc[metric, "mean"]),
        predictions=read_predictions(paths.predictions(dataset, model), cohort.classes, EXPLAINED_SPLIT),
    )
    curves = [pd.read_csv(paths.curves(dataset, model, seed)) for seed in run.seeds]
    drawn = {
        "curves": (
            figures.curves_figure(curves, shown.predictions.experts),
            "Losses by epoch; thin lines are single seeds.",
        )
    }
    for name, table in explained.items():
        if table is not None:
            add_table(tables, name, dataset, model, EXPLANATIONS[name].tabulate(table))
            for figure, own in EXPLANATIONS[name].drawings.items():
                drawn[figure] = (own.figure(table, shown), own.caption(table, shown))
    config, experts = read_model(dataset, model), explained["experts"]
    return ModelSection(
        name=model,
        settings=config.model_dump_json(exclude_none=True),
        findings=[
            *(no_signal_findings(constant) or find(explained, cohort.task)),
            *less_forward_findings(config, len(cohort.modalities)),
            *no_vanilla_findings(model, config, run.vanilla[dataset]),
        ],
        experts=[] if experts is None else experts.to_dict("records"),
        readings=reading_tables(explained, metric),
        pictures=[picture(f"{dataset}-{model}-{name}", *both) for name, both in drawn.items()],
    )


def picture(name: str, figure: "Figure", caption: str) -> Picture:
    """Save a figure as SVG, and return it embedded for the page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    write_whole(paths.REPORTS / "figures" / f"{name}.svg", lambda partial: partial.write_bytes(buffer.getvalue()))
    return Picture(f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}", caption)


def render(run: Run, sections: list[DatasetSection]) -> str:
    """Fill the page's template."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("report.html").render(
        run=run,
        sections=sections,
        reference=REFERENCE,
        constant=CONSTANT,
        rankings=sorted({ranking.name for ranking in RANKINGS.values()}),
        auroc_margin=AUROC_MARGIN,
        least_share=LEAST_SHARE,
    )
