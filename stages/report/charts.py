"""The page's charts, each one drawing of tables or arrays; the same drawings are the files in reports/figures."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from i2moe.metrics import arrow
from stages.report.drawing import (
    CHARACTER,
    PALETTE,
    PLAIN,
    Scale,
    bar,
    dot,
    expert_colours,
    horizontal_axis,
    interval,
    left_of,
    line,
    path,
    svg,
    text,
    vertical_axis,
)

ROW = 20  # height of a row
THIN = 16  # likewise, at the top of the page
WIDTH = 640  # of most charts
AXIS = 20  # height of the numbers under a chart
CLEAR = 0.6  # of a heat map's cell, from which on its number is white
DASHED, DOTTED = 'stroke-dasharray="5 4"', 'stroke-dasharray="1.5 3" stroke-width="2"'


def scores_chart(scores: pd.DataFrame, chance: float, linear: float, label: str) -> Markup:
    """Draw models as dots with their 95 % intervals on one axis, with the best constant and the linear reference.

    Args:
        scores: a row per model: model, mean, low, high.
        chance: the score of the best constant prediction.
        linear: of the linear reference.
        label: what the drawing shows, in words.
    """
    left, width = left_of(scores["model"]), 300
    bottom = THIN * len(scores)
    values = [*scores[["mean", "low", "high"]].to_numpy(float).ravel(), chance, linear]
    scale = Scale.around(values, left, width - 8)
    marks = [horizontal_axis(scale, bottom, 4)]
    marks += [
        line(scale(chance), 0, scale(chance), bottom, DASHED),
        line(scale(linear), 0, scale(linear), bottom, DOTTED),
    ]
    for index, row in enumerate(scores.to_dict("records")):
        y, colour = THIN * (index + 0.5), PALETTE[0] if "i2moe" in row["model"] else PLAIN
        marks += [text(left - 8, y, row["model"], "end"), interval(scale, row["low"], row["high"], y, colour)]
        marks += [dot(scale(row["mean"]), y, colour, 4)]
    return svg(width, bottom + AXIS, label, marks)


def coalitions_chart(coalitions: pd.DataFrame, metric: str, where: str) -> Markup:
    """Draw the model's score with every subset of its modalities: dots for seeds, a mark for their mean.

    Args:
        coalitions: of one replacement and metric, a row per seed and subset: seed, intact, score.
        metric: the lead metric.
        where: the dataset and model, in words.
    """
    means = coalitions.groupby("intact", sort=False)["score"].mean()
    left, right, bottom = left_of(means.index), WIDTH - 52, ROW * len(means)
    scale = Scale.around(coalitions["score"], left, right)
    marks = [horizontal_axis(scale, bottom)]
    for index, (name, mean) in enumerate(means.items()):
        y = ROW * (index + 0.5)
        own = coalitions["score"][coalitions["intact"] == name]
        marks += [text(left - 8, y, str(name), "end"), *(dot(scale(one), y, PALETTE[0], 3.5) for one in own)]
        marks += [line(scale(mean), y - 7, scale(mean), y + 7, 'stroke-width="2"')]
        marks += [text(right + 10, y, f"{mean:.3f}")]
    words = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
    return svg(WIDTH, bottom + AXIS, f"{where}: test {metric} {arrow(metric)} by the modalities left: {words}", marks)


def shares_chart(shares: pd.DataFrame, planted: Sequence[str] | None, where: str) -> Markup:
    """Draw one reading's share of each term by seed with its interval; planted terms are marked.

    Args:
        shares: the rows of one reading: seed, term, share, low, high.
        planted: the terms that are planted, by the names of readings; None of real data.
        where: the dataset, model and reading, in words.
    """
    terms = list(dict.fromkeys(shares["term"]))
    seeds = sorted(set(shares["seed"]))
    labels = {name: f"{name} (planted)" if name in (planted or []) else name for name in terms}
    row, left = 8 * len(seeds) + 8, 1.12 * left_of(labels.values())  # some are bold
    bottom = row * len(terms)
    scale = Scale.around([0, 1, *shares[["low", "high"]].to_numpy(float).ravel()], left, WIDTH - 10, 0.02)
    marks = [horizontal_axis(scale, bottom), line(scale(0), 0, scale(0), bottom, 'stroke-opacity=".5"')]
    colours = expert_colours(terms)
    for place, term in enumerate(terms):
        bold = 'font-weight="700"' if term in (planted or []) else ""
        marks += [text(left - 8, row * (place + 0.5), labels[term], "end", bold)]
        own = shares[shares["term"] == term].set_index("seed")
        for index, seed in enumerate(seeds):
            y = row * place + 8 * (index + 1)
            if not pd.isna(own.loc[seed, "share"]):
                marks += [interval(scale, own.loc[seed, "low"], own.loc[seed, "high"], y, colours[term])]
                marks += [dot(scale(own.loc[seed, "share"]), y, colours[term], 3.5)]
    words = "no seed shows a gain to be shared out"
    if shares["share"].isna().all():
        marks += [text(scale(0.5), bottom / 2, words, "middle")]
    else:
        means = shares.groupby("term")["share"].mean()
        words = "means " + ", ".join(f"{labels[term]} {means[term]:.2f}" for term in terms)
    return svg(WIDTH, bottom + AXIS, f"{where}: share of each term by seed; {words}", marks)


def curves_chart(curves: list[pd.DataFrame], experts: list[str], where: str) -> list[Markup]:
    """Draw losses by epoch, one drawing each, of those that the model has; thick means over seeds, thin seeds.

    Args:
        curves: by seed: epoch and losses.
        experts: their names.
        where: the dataset and model, in words.
    """
    colours = expert_colours(experts)
    interaction = {f"train_{name}_loss": (name, colours[name]) for name in experts}
    panels = {
        "task loss": {"train_task_loss": ("train", PALETTE[0]), "validation_loss": ("validation", PALETTE[1])},
        "interaction loss (train)": interaction,
        "decorrelation loss (train)": {"train_decorrelation_loss": ("mean over pairs of experts", PALETTE[0])},
        "balance loss (train)": {"train_balance_loss": ("mean over layers", PALETTE[0])},
    }
    return [
        _lines(curves, lines, f"{where}: {label} by epoch", label)
        for label, lines in panels.items()
        if lines and set(lines) <= set(curves[0].columns)
    ]


def _lines(curves: list[pd.DataFrame], lines: dict[str, tuple[str, str]], label: str, title: str) -> Markup:
    left, width, height, top = 44, 420, 210, 24
    together = pd.concat(curves)
    first, last = float(together["epoch"].min()), float(together["epoch"].max())
    room = 0.5 if first == last else 0.0  # of a single epoch, on both sides, so that no second one seems to be there
    across = Scale(first - room, last + room, left, width - 10)
    up = Scale.around(together[list(lines)].to_numpy(float).ravel(), height - AXIS - 4, top)
    marks = [text(left, 8, title, "start", 'font-weight="700"'), vertical_axis(up, left)]
    marks += [horizontal_axis(across, height - AXIS, max(1, min(6, int(last - first))))]
    for index, (column, (name, colour)) in enumerate(lines.items()):
        for one in curves:
            points = _points(one["epoch"], one[column], across, up)
            marks += [path(points, colour, 'stroke-opacity=".4"')]
            marks += [dot(*points[0], colour, 2.5)] if len(points) == 1 else []  # of which a line would show nothing
        mean = together.groupby("epoch")[column].mean()
        marks += [path(_points(mean.index, mean, across, up), colour, 'stroke-width="2.2"')]
        end = width - 12
        marks += [text(end, top + 14 * index, name, "end"), dot(end + 6, top + 14 * index, colour, 3.5)]
    return svg(width, height, label, marks)


def _points(x: Iterable[float], y: Iterable[float], across: Scale, up: Scale) -> list[tuple[float, float]]:
    return [(across(float(one)), up(float(two))) for one, two in zip(x, y, strict=True) if np.isfinite(two)]


def heat_map(values: pd.DataFrame, label: str, digits: int = 2, most: float | None = None) -> Markup:
    """Draw a table of numbers from 0 as shades, with the numbers where there is room; a 0 is left empty.

    Args:
        values: named rows and columns.
        label: what the drawing shows, in words.
        digits: of the numbers.
        most: the darkest shade; the largest number where it is not given.
    """
    rows, columns = values.index.astype(str), values.columns.astype(str)
    widest = max(len(f"{value:.{digits}f}") for value in values.to_numpy().ravel()) * CHARACTER + 8
    side = min(max(widest, 26), 60) if len(columns) * widest < 2 * WIDTH else 8
    is_tilted = left_of(columns) > side
    left, top = left_of(rows), 0.72 * left_of(columns) + 10 if is_tilted else ROW
    beyond = 0.72 * left_of(columns) if is_tilted else 0  # of the last column's name
    darkest = most or float(np.nanmax(values.to_numpy())) or 1.0
    marks = []
    for place, name in enumerate(columns):
        x = left + side * (place + 0.5)
        turn = f'transform="rotate(-45 {x:.1f} {top - 8:.1f})"'
        marks += [text(x, top - 8, name, "start", turn) if is_tilted else text(x, top - 8, name, "middle")]
    for line_number, name in enumerate(rows):
        y = top + ROW * line_number
        marks += [text(left - 8, y + ROW / 2, name, "end")]
        for place, value in enumerate(values.iloc[line_number]):
            if value == 0:
                continue
            share = min(max(float(value) / darkest, 0), 1) if np.isfinite(value) else 0.0
            marks += [bar(left + side * place, y, side, ROW, PALETTE[0], f'fill-opacity="{share:.2f}"')]
            if side >= widest and np.isfinite(value):
                ink = 'fill="#fff"' if share > CLEAR else ""
                marks += [text(left + side * (place + 0.5), y + ROW / 2, f"{value:.{digits}f}", "middle", ink)]
    return svg(left + side * len(columns) + beyond, top + ROW * len(rows) + 4, label, marks)


def ranking_chart(values: pd.Series, label: str) -> Markup:
    """Draw numbers by name as bars, in the order given.

    Args:
        values: indexed by name.
        label: what the drawing shows, in words.
    """
    left, bottom = left_of(values.index.astype(str)), ROW * len(values)
    scale = Scale.around([0, *values], left, 420)
    marks = [horizontal_axis(scale, bottom, 4)]
    for index, (name, value) in enumerate(values.items()):
        y = ROW * index
        marks += [text(left - 8, y + ROW / 2, str(name), "end")]
        marks += [bar(scale(0), y + 3, scale(float(value)) - scale(0), ROW - 6, PALETTE[0])]
    return svg(430, bottom + AXIS, label, marks)
