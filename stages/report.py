"""One self-contained page with its tables and figures, from what the other stages wrote."""

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from i2moe.metrics import LABEL_PREFIX, lead_metric
from stages import figures, paths
from stages.command import run
from stages.params import Params, load_params
from stages.predictions import read
from stages.reference import REFERENCE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SPLIT = "test"

MODALITIES_CAPTION = (
    "What the whole model reaches when it sees only some modalities (the others at the train split's mean token), mean "
    "over seeds. This reading needs no weights and no names of experts."
)
WEIGHTS_CAPTION = (
    "Weight of each expert over the test split, all seeds together; dots are single seeds' means, the dotted line "
    "equal weights. A grey, hatched expert is at chance alone in some seed: its weight there explains nothing."
)
ALONE_CAPTION = "Test {metric} of each expert alone, mean over seeds with 95 % bootstrap interval."
EXAMPLE_CAPTION = (
    "One test sample ({sample_id}, seed {seed}; true class {label!r}, predicted {predicted!r}): of those predicted "
    "right, the one whose experts differ most."
)


@dataclass(frozen=True)
class Picture:
    """A figure for the page: embedded, so that the page is one file."""

    data: str
    caption: str


@dataclass(frozen=True)
class ModelSection:
    """What the page says of one model on one dataset."""

    name: str
    settings: str
    findings: list[str]
    experts: list[dict[str, Any]]
    pictures: list[Picture]


@dataclass(frozen=True)
class DatasetSection:
    """What the page says of one dataset."""

    name: str
    label: str
    cohort: dict[str, Any]
    metrics: list[str]
    performance: list[dict[str, Any]]  # a row a model: its name and a cell a metric
    labels: list[dict[str, Any]]  # of a multilabel task a row a label: its name and the AUROC by model
    models: list[ModelSection]


def report() -> None:
    """Write reports/index.html, tables/*.csv and *.md, and figures/*.svg for what params.yaml's `run` names."""
    params = load_params()
    names = ("performance", "labels", "experts", "agreement", "coalitions")
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in names}
    sections = [dataset_section(params, dataset, tables) for dataset in params.run.datasets]
    write_tables(tables, {dataset: params.label(dataset) for dataset in params.run.datasets})
    (paths.REPORTS / "index.html").write_text(render(params, sections))
    print(f"{paths.REPORTS / 'index.html'}: {', '.join(params.run.datasets)} x {', '.join(params.run.models)}")


def dataset_section(params: Params, dataset: str, tables: dict[str, list[pd.DataFrame]]) -> DatasetSection:
    """Collect a dataset's numbers, add them to the tables, and draw its figures."""
    cohort = json.loads((paths.explanations(dataset, params.run.models[0]) / "cohort.json").read_text())
    scores = [score_rows(dataset, model) for model in [*params.run.models, REFERENCE]]
    is_label = scores[0]["metric"].str.startswith(LABEL_PREFIX)
    performance, labels = [table[~is_label] for table in scores], [table[is_label] for table in scores]
    tables["performance"] += performance
    tables["labels"] += labels if is_label.any() else []
    return DatasetSection(
        name=dataset,
        label=params.label(dataset),
        cohort=cohort,
        metrics=performance[0]["metric"].tolist(),
        performance=[
            {"model": table["model"].iloc[0], "cells": [score_cell(row) for row in table.to_dict("records")]}
            for table in performance
        ],
        labels=label_rows(labels),
        models=[model_section(params, dataset, model, cohort, tables) for model in params.run.models],
    )


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
    table = table[table["split"] == SPLIT].drop(columns="split")
    table.insert(0, "dataset", dataset)
    table.insert(1, "model", model)
    return table


def score_cell(row: dict[str, Any]) -> str:
    """Write one score: mean ± standard deviation over seeds [95 % bootstrap interval]."""
    if pd.isna(row["mean"]):
        return "undefined"
    std = "" if pd.isna(row["std"]) else f" ± {row['std']:.3f}"
    return f"{row['mean']:.3f}{std} [{row['low']:.3f}, {row['high']:.3f}]"


def model_section(
    params: Params, dataset: str, model: str, cohort: dict[str, Any], tables: dict[str, list[pd.DataFrame]]
) -> ModelSection:
    """Collect one model's explanations, add them to the tables, and draw its figures."""
    folder = paths.explanations(dataset, model)
    metric = lead_metric(cohort["task"])
    curves = [pd.read_csv(paths.curves(dataset, model, seed)) for seed in params.run.seeds]
    coalitions = pd.read_csv(folder / "coalitions.csv")
    add_table(tables, "coalitions", dataset, model, intact_first(coalitions, cohort["modalities"]))
    has_experts = (folder / "experts.csv").exists()
    experts = pd.read_csv(folder / "experts.csv") if has_experts else pd.DataFrame(columns=["expert"])
    curves_figure = figures.curves_figure(curves, experts["expert"].tolist())
    drawn = {"curves": (curves_figure, "Losses by epoch; thin lines are single seeds.")}
    if has_experts:
        add_table(tables, "experts", dataset, model, experts)
        drawn |= expert_figures(dataset, model, cohort, experts, metric)
    if (folder / "agreement.csv").exists():
        add_table(tables, "agreement", dataset, model, pd.read_csv(folder / "agreement.csv"))
    drawn["modalities"] = (figures.coalitions_figure(coalitions, cohort["modalities"], metric), MODALITIES_CAPTION)
    return ModelSection(
        name=model,
        settings=json.dumps(params.model(dataset, model).model_dump(exclude_none=True)),
        findings=find(experts, metric) if has_experts else [],
        experts=experts.to_dict("records"),
        pictures=[picture(f"{dataset}-{model}-{name}", *both) for name, both in drawn.items()],
    )


def expert_figures(
    dataset: str, model: str, cohort: dict[str, Any], experts: pd.DataFrame, metric: str
) -> dict[str, tuple["Figure", str]]:
    """Draw the figures that only an I2MoE has."""
    predictions = read(paths.predictions(dataset, model), cohort["classes"], SPLIT)
    mixture = float(score_rows(dataset, model).set_index("metric").loc[metric, "mean"])
    drawn = {
        "weights": (figures.weights_figure(experts, predictions.weights), WEIGHTS_CAPTION),
        "alone": (figures.alone_figure(experts, mixture, metric), ALONE_CAPTION.format(metric=metric)),
    }
    example_path = paths.explanations(dataset, model) / "example.json"
    if example_path.exists():
        example = json.loads(example_path.read_text())
        drawn["example"] = (figures.example_figure(example), EXAMPLE_CAPTION.format(**example))
    return drawn


def find(experts: pd.DataFrame, metric: str) -> list[str]:
    """Say in sentences what the expert table shows, each with its caveat."""
    rows = experts.to_dict("records")
    heaviest, lightest = (pick(rows, key=lambda row: row["mean_weight"]) for pick in (max, min))
    found = [
        (
            f"{heaviest['expert']} has the largest mean weight ({heaviest['mean_weight']:.2f}), {lightest['expert']} "
            f"the smallest ({lightest['mean_weight']:.2f}); equal weights would be {1 / len(rows):.2f}."
        )
    ]
    spread = max(max(json.loads(row["seed_weights"])) - min(json.loads(row["seed_weights"])) for row in rows)
    if spread > 1 / len(rows):
        found.append(
            f"A mean weight differs by up to {spread:.2f} between seeds, more than an equal share: do not read the "
            "weights of one seed."
        )
    return found + [_dead_finding(row, metric) for row in rows if row["dead_seeds"]]


def _dead_finding(row: dict[str, Any], metric: str) -> str:
    return (
        f"{row['expert']} gets {row['mean_weight']:.2f} of the weight, but is at chance alone in {row['dead_seeds']} "
        f"of {row['num_seeds']} seeds ({metric} {row['alone']:.3f} over all seeds, chance {row['chance']:.3f}): "
        "a dead expert, whose weight is no evidence of that interaction."
    )


def intact_first(coalitions: pd.DataFrame, modalities: list[str]) -> pd.DataFrame:
    """Name each coalition in one column, so that tables of several datasets fit together."""
    names = [" + ".join(name for name in modalities if row[name]) or "none" for row in coalitions.to_dict("records")]
    table = coalitions.drop(columns=modalities)
    table.insert(0, "intact", names)
    return table


def add_table(tables: dict[str, list[pd.DataFrame]], name: str, dataset: str, model: str, table: pd.DataFrame) -> None:
    """Append rows to a table, with dataset and model in front."""
    labelled = table.copy()
    labelled.insert(0, "dataset", dataset)
    labelled.insert(1, "model", model)
    tables[name].append(labelled)


def write_tables(tables: dict[str, list[pd.DataFrame]], labels: dict[str, str]) -> None:
    """Write each table as CSV in full and as Markdown with three decimals, datasets by their labels."""
    folder = paths.REPORTS / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    for name, parts in tables.items():
        if parts:
            table = pd.concat(parts, ignore_index=True).replace({"dataset": labels})
            table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
            (folder / f"{name}.md").write_text(markdown(table))


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown, its columns aligned for readers of the plain text."""
    cells = [[_cell(value) for value in row] for row in table.to_numpy(object)]
    lines = [[str(name) for name in table.columns], *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(table.shape[1])]
    lines.insert(1, ["-" * width for width in widths])
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in padded)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3f}"
    return str(value)


def picture(name: str, figure: "Figure", caption: str) -> Picture:
    """Save a figure as SVG, and return it embedded for the page."""
    target = paths.REPORTS / "figures" / f"{name}.svg"
    target.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    target.write_bytes(buffer.getvalue())
    return Picture(f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}", caption)


def render(params: Params, sections: list[DatasetSection]) -> str:
    """Fill the page's template."""
    import jinja2

    folder = Path(__file__).parent / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.get_template("report.html").render(params=params, sections=sections, reference=REFERENCE)


if __name__ == "__main__":
    run(report)
