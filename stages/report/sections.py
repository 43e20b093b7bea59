"""What the page says, dataset by dataset and model by model, collected from what the other stages wrote."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from i2moe.base.errors import InputError
from i2moe.contract.descriptions import CohortDescription
from i2moe.metrics import LABEL_PREFIX, arrow, lead_metric
from stages.report import charts
from stages.report.consistency import check_explained
from stages.report.experts import ExpertRow, expert_rows
from stages.report.explanations import EXPLANATIONS
from stages.report.findings import find, less_forward_findings, no_signal_findings, no_vanilla_findings
from stages.report.layout import ReadingTable, difference_cell, records, score_cell
from stages.report.overview import Overview, overview
from stages.report.planted import expected_terms, planted_table, term_words
from stages.report.readings import Explanations, reading_tables
from stages.report.samples import Samples, pack_samples, token_findings, without_each
from stages.report.shown import Shown
from stages.report.tables import Tables, add_table
from stages.report.tokens import planted_pairs
from stages.report.training import changed_settings, confusion
from stages.report.written import REMEDY, read_all_curves, read_differences, read_scores
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.cards import CONSTANT, REFERENCE, Card
from stages.shared.explanations import EXPLAINED_SPLIT, read
from stages.shared.files import write_whole
from stages.shared.inputs import Inputs
from stages.shared.predictions import SplitPredictions, read_labels
from stages.shared.predictions import read as read_predictions
from stages.shared.runs import Run, read_model

SVG = "http://www.w3.org/2000/svg"  # what a drawing is, where it is a file of its own


@dataclass(frozen=True)
class Picture:
    """A chart of the page, and its caption."""

    chart: Markup
    caption: str


@dataclass(frozen=True)
class Part:
    """What a tab says of one model."""

    pictures: list[Picture]
    readings: list[ReadingTable]


@dataclass(frozen=True)
class ModelSection:
    """What the page says about one model on one dataset."""

    name: str
    settings: list[tuple[str, str, str]]  # that differ from the defaults: key, default, value
    findings: list[str]
    experts: list[ExpertRow]
    parts: dict[str, Part]  # by tab


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
    overview: Overview
    metrics: list[str]
    performance: list[dict[str, Any]]  # a row per model: its name and a cell per metric
    differences: list[dict[str, Any]]  # a row per pair of models that is compared
    labels: list[dict[str, Any]]  # of a multilabel task one row per label: its name and the AUROC by model
    planted: PlantedSection | None
    models: list[ModelSection]
    samples: Samples | None

    @property
    def first_model(self) -> str:
        """The model that is shown first: the first with experts, if any."""
        return next((model.name for model in self.models if model.experts), self.models[0].name)

    @property
    def tabs(self) -> list[str]:
        """The tabs that have something to show."""
        filled = {tab for model in self.models for tab in model.parts}
        always = {"experts", "modalities", "samples", "training", "cohort"}
        return [
            tab
            for tab in ("experts", "modalities", "features", "samples", "training", "cohort")
            if tab in filled | always
        ]


def dataset_section(run: Run, dataset: str, tables: Tables) -> DatasetSection:
    """Collect a dataset's numbers, add them to the tables, and draw its figures."""
    card = Card.read(paths.card(dataset))
    scores = pd.concat([score_rows(dataset, model) for model in [*run.models, REFERENCE, CONSTANT]], ignore_index=True)
    differences = read_differences(dataset, run.models)
    is_label = scores["metric"].str.startswith(LABEL_PREFIX)
    tables["performance"].append(scores[~is_label])
    tables["labels"] += [scores[is_label]] if is_label.any() else []
    tables["differences"].append(difference_rows(dataset, differences))
    explained = {model: read_explained(run, dataset, model, card.cohort) for model in run.models}
    planted = planted_section(dataset, card.cohort, explained, tables)
    lead = scores[scores["metric"] == lead_metric(card.cohort.task)]
    lacking = set(scores["model"]) - set(lead["model"])
    if lacking:
        wrong = " and ".join(str(paths.scores(dataset, model)) for model in sorted(lacking))
        raise InputError(f"{wrong} lacks {lead_metric(card.cohort.task)}, which the task is scored by: {REMEDY}")
    return DatasetSection(
        name=dataset,
        label=run.datasets[dataset],
        cohort=card.cohort,
        notes=card.notes,
        overview=overview(
            run.datasets[dataset],
            lead,
            differences,
            None if planted is None else planted.rows,
            tables_of(explained, "behaviour"),
        ),
        metrics=[f"{name} {arrow(name)}" for name in dict.fromkeys(scores["metric"][~is_label])],
        performance=[
            {"model": model, "cells": [score_cell(row) for row in records(own)]}
            for model, own in scores[~is_label].groupby("model", sort=False)
        ],
        differences=[
            row | {"cell": difference_cell(row), "metric": f"{row['metric']} {arrow(row['metric'])}"}
            for row in records(differences)
        ],
        labels=[
            {"label": metric.removeprefix(LABEL_PREFIX), "cells": [score_cell(row) for row in records(own)]}
            for metric, own in scores[is_label].groupby("metric", sort=False)
        ],
        planted=planted,
        models=[
            model_section(run, dataset, model, card.cohort, own, tables, against_constant(differences, model))
            for model, own in explained.items()
        ],
        samples=samples_of(run, dataset, card.cohort),
    )


def planted_section(
    dataset: str, cohort: CohortDescription, explained: dict[str, Explanations], tables: Tables
) -> PlantedSection | None:
    """Collect what is planted in a synthetic dataset and what its models' readings find, and add it to the tables."""
    if cohort.planted is None:
        return None
    expected, gone = expected_terms(cohort.planted, cohort.modalities)
    table = planted_table(list(expected), tables_of(explained, "shares"))
    if len(table):
        tables["planted"].append(table[["model", "reading", "verdict"]].assign(dataset=dataset))
    return PlantedSection(
        rule=cohort.planted.rule,
        terms=[term_words(name, terms) for name, terms in expected.items()],
        gone=[term.words for term in gone],
        rows=records(table),
        pairs=planted_pairs(cohort.planted, tables_of(explained, "token_pair_means")),
    )


def read_explained(run: Run, dataset: str, model: str, cohort: CohortDescription) -> Explanations:
    """Read the tables of a model's explanations, which must belong together."""
    folder = paths.explanations(dataset, model)
    explained = {name: read(folder, name, method.columns) for name, method in EXPLANATIONS.items()}
    check_explained(folder, explained, predicted(run, dataset, model, cohort).experts)
    return explained


def tables_of(explained: dict[str, Explanations], method: str) -> dict[str, pd.DataFrame]:
    """Return the table of a method of each model that has one."""
    found = {model: own[method] for model, own in explained.items()}
    return {model: table for model, table in found.items() if table is not None}


def predicted(run: Run, dataset: str, model: str, cohort: CohortDescription) -> SplitPredictions:
    """Read a model's test predictions, which must be of the seeds that run."""
    path = paths.predictions(dataset, model)
    found = read_predictions(path, cohort.classes, EXPLAINED_SPLIT)
    if found.seeds != sorted(run.seeds):
        raise InputError(f"{path} has seeds {found.seeds}, and the run {sorted(run.seeds)}: {REMEDY}")
    return found


def samples_of(run: Run, dataset: str, cohort: CohortDescription) -> Samples | None:
    """Pack the single samples that the page may show; None of restricted data."""
    predictions = {model: predicted(run, dataset, model, cohort) for model in run.models}
    without = {
        model: without_each(paths.explanations(dataset, model), own, cohort.modalities)
        for model, own in predictions.items()
    }
    labels = read_labels(paths.predictions(dataset, REFERENCE), cohort.task, cohort.classes, EXPLAINED_SPLIT)
    inputs = Inputs.read(paths.inputs(dataset))
    for known in (labels["sample_id"], *(own.sample_ids for own in predictions.values())):
        if set(inputs.samples) - set(known):
            raise InputError(f"{paths.inputs(dataset)} shows samples that are not predicted: {REMEDY}")
    return pack_samples(
        cohort,
        labels,
        inputs,
        predictions,
        {model: table for model, table in without.items() if table is not None},
        {model: token_findings(paths.explanations(dataset, model)) for model in run.models},
    )


def score_rows(dataset: str, model: str) -> pd.DataFrame:
    """Return the test scores of a model."""
    table = read_scores(dataset, model)
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
    return records(differences[(differences["model"] == model) & (differences["against"] == CONSTANT)])[0]


def model_section(
    run: Run,
    dataset: str,
    model: str,
    cohort: CohortDescription,
    explained: Explanations,
    tables: Tables,
    constant: dict[str, Any],
) -> ModelSection:
    """Lay out one model's explanations, add them to the tables, and draw its charts."""
    for name, table in explained.items():
        if table is not None:
            add_table(tables, name, dataset, model, EXPLANATIONS[name].tabulate(table))
    metric, where = lead_metric(cohort.task), f"{run.datasets[dataset]}, {model}"
    shown = Shown(
        where=where,
        metric=metric,
        mixture=float(score_rows(dataset, model).set_index("metric").loc[metric, "mean"]),
        predictions=predicted(run, dataset, model, cohort),
        planted=None if cohort.planted is None else list(expected_terms(cohort.planted, cohort.modalities)[0]),
    )
    parts: dict[str, Part] = defaultdict(lambda: Part([], []))
    readings = reading_tables(explained, metric)
    for name, table in explained.items():
        part = None if table is None else parts[EXPLANATIONS[name].tab]
        if part is not None and table is not None:
            part.pictures.extend(drawn(f"{dataset}-{model}", name, table, shown))
            part.readings.extend([readings[name]] if name in readings else [])
    parts["training"] = training_part(run, dataset, model, shown, cohort, tables)
    config, experts = read_model(dataset, model), explained["experts"]
    return ModelSection(
        name=model,
        settings=changed_settings(config, default_settings()),
        findings=[
            *(no_signal_findings(constant) or find(explained, cohort.task)),
            *less_forward_findings(config, len(cohort.modalities)),
            *no_vanilla_findings(model, config, run.vanilla.get(dataset, {})),
        ],
        experts=[] if experts is None else expert_rows(experts, explained["expert_seeds"], explained["behaviour"]),
        parts=dict(parts),
    )


def drawn(prefix: str, method: str, table: pd.DataFrame, shown: Shown) -> list[Picture]:
    """Draw a method's charts, and write each to a file."""
    found = []
    for name, drawing in EXPLANATIONS[method].drawings.items():
        chart = drawing.chart(table, shown)
        if chart is not None:
            found.append(picture(f"{prefix}-{name}", chart, drawing.caption(table, shown)))
    return found


def training_part(run: Run, dataset: str, model: str, shown: Shown, cohort: CohortDescription, tables: Tables) -> Part:
    """Draw a model's learning curves and what it confuses."""
    curves = read_all_curves(dataset, model, run.seeds)
    panels = charts.curves_chart(curves, shown.predictions.experts, shown.where)
    words = "Losses by epoch; thin lines are single seeds."
    prefix = f"{dataset}-{model}"
    pictures = [
        picture(f"{prefix}-curves{'' if index == 0 else f'-{index + 1}'}", panel, words)
        for index, panel in enumerate(panels)
    ]
    if cohort.task in ("binary", "multiclass"):
        labels = read_labels(paths.predictions(dataset, model), cohort.task, cohort.classes, EXPLAINED_SPLIT)
        table = confusion(shown.predictions, labels["label"], cohort.classes)
        add_table(tables, "confusion", dataset, model, table)
        shares = table.pivot_table("share", "actual", "predicted", sort=False).loc[cohort.classes, cohort.classes]
        chart = charts.heat_map(shares, f"{shown.where}: share of each class (rows) that is predicted as which", most=1)
        caption = "Rows: the true class; columns: which share of it is predicted as what, on the test split over seeds."
        pictures.append(picture(f"{prefix}-confusion", chart, caption))
    return Part(pictures, [])


def default_settings() -> dict[str, Any]:
    """Return the settings that all models share where they say nothing else: `models.defaults`."""
    return load_block("models.defaults", dict[str, Any])


def picture(name: str, chart: Markup, caption: str) -> Picture:
    """Write a chart to a file of its own, and return it for the page."""
    alone = str(chart).replace("<svg ", f'<svg xmlns="{SVG}" color="#1c1f24" font-family="sans-serif" ', 1)
    write_whole(paths.REPORTS / "figures" / f"{name}.svg", lambda partial: partial.write_text(alone, encoding="utf-8"))
    return Picture(chart, caption)
