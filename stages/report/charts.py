"""The page's charts, each one drawing of tables or arrays; the same drawings are the files in reports/figures."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

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
from stages.shared.explanations import MIXTURE

ROW = 20  # height of a row
THIN = 16  # likewise, at the top of the page
WIDTH = 640  # of most charts
AXIS = 20  # height of the numbers under a chart
BINS = 16  # of a violin
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


def alone_chart(experts: pd.DataFrame, mixture: float, metric: str, where: str) -> Markup:
    """Draw each expert's score alone with its interval, against the mixture and the best constant (paper's Figure 5).

    Args:
        experts: the table of experts.
        mixture: the score of the whole model.
        metric: the lead metric.
        where: the dataset and model, in words.
    """
    names = experts["expert"].tolist()
    left, top, bottom = left_of(names), 18, 18 + ROW * len(names)
    chance = float(experts["chance"].iloc[0])
    values = [*experts[["alone", "alone_low", "alone_high"]].to_numpy(float).ravel(), mixture, chance]
    scale = Scale.around(values, left, WIDTH - 10)
    marks = [horizontal_axis(scale, bottom)]
    marks += [line(scale(mixture), top - 6, scale(mixture), bottom, 'stroke-width="1.5"')]
    marks += [line(scale(chance), top - 6, scale(chance), bottom, DASHED)]
    is_left = scale(chance) < scale(mixture)
    marks += [text(scale(mixture), 6, "mixture", "start" if is_left else "end")]
    marks += [text(scale(chance), 6, "best constant", "end" if is_left and scale(chance) > left + 80 else "start")]
    colours = _colours(experts)
    for index, row in enumerate(experts.to_dict("records")):
        y, colour = top + ROW * (index + 0.5), colours[row["expert"]]
        marks += [
            text(left - 8, y, row["expert"], "end"),
            interval(scale, row["alone_low"], row["alone_high"], y, colour),
        ]
        marks += [dot(scale(row["alone"]), y, colour, 4.5)]
    words = ", ".join(f"{row['expert']} {row['alone']:.3f}" for row in experts.to_dict("records"))
    return svg(WIDTH, bottom + AXIS, f"{where}: test {metric} {arrow(metric)} of each expert alone: {words}", marks)


def weights_chart(experts: pd.DataFrame, weights: NDArray[np.float64], where: str) -> Markup:
    """Draw the weights over the test samples, a violin per expert and seed, dots for means (paper's Figure 4).

    Args:
        experts: the table of experts.
        weights: [S, N, E].
        where: the dataset and model, in words.
    """
    names, slot, height, left = experts["expert"].tolist(), 112, 190, 40
    scale = Scale(0, float(np.nanmax(weights)) * 1.05 or 1.0, height, 6)
    width = left + slot * len(names)
    equal = scale(1 / len(names))
    marks = [vertical_axis(scale, left), line(left, equal, width, equal, DOTTED)]
    colours = _colours(experts)
    half = 0.42 * slot / len(weights)
    for place, name in enumerate(names):
        for seed, own in enumerate(weights[:, :, place]):
            x = left + slot * place + half * (2 * seed + 1) + 0.08 * slot
            marks += [_violin(own, scale, x, 0.9 * half, colours[name]), dot(x, scale(own.mean()), "currentColor", 3)]
        marks += [_two_lines(left + slot * (place + 0.5), height + 12, name)]
    words = ", ".join(f"{name} {weights[:, :, place].mean():.3f}" for place, name in enumerate(names))
    return svg(width, height + 34, f"{where}: weight of each expert over the test split, by seed; means {words}", marks)


def _violin(values: NDArray[np.float64], scale: Scale, x: float, half: float, colour: str) -> str:
    counts, edges = np.histogram(values, bins=BINS)
    smooth = np.convolve(counts, [0.25, 0.5, 0.25], mode="same")
    sizes = half * smooth / smooth.max()
    middles = (edges[:-1] + edges[1:]) / 2
    ends = [(x, edges[0], 0.0), *((x, middle, size) for middle, size in zip(middles, sizes, strict=True))]
    ends.append((x, edges[-1], 0.0))
    right = [f"{x + size:.1f} {scale(value):.1f}" for x, value, size in ends]
    left = [f"{x - size:.1f} {scale(value):.1f}" for x, value, size in reversed(ends)]
    return f'<path d="M{"L".join(right + left)}Z" fill="{colour}" fill-opacity=".7"/>'


def _two_lines(x: float, y: float, name: str) -> str:
    first, _, second = name.partition("_")
    return text(x, y, first, "middle") + text(x, y + 13, second, "middle")


def _colours(experts: pd.DataFrame) -> dict[str, str]:
    """Return the experts' colours; grey for those at chance alone in every seed."""
    colours = expert_colours(experts["expert"].tolist())
    at_chance = experts["expert"][experts["chance_seeds"] == experts["num_seeds"]]
    return colours | dict.fromkeys(at_chance, PLAIN)


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
    words = ", ".join(f"{labels[term]} {shares['share'][shares['term'] == term].mean():.2f}" for term in terms)
    return svg(WIDTH, bottom + AXIS, f"{where}: share of each term by seed; means {words}", marks)


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
    across = Scale(float(together["epoch"].min()), max(float(together["epoch"].max()), 1.0), left, width - 10)
    up = Scale.around(together[list(lines)].to_numpy(float).ravel(), height - AXIS - 4, top)
    marks = [text(left, 8, title, "start", 'font-weight="700"'), vertical_axis(up, left)]
    marks += [horizontal_axis(across, height - AXIS)]
    for index, (column, (name, colour)) in enumerate(lines.items()):
        for one in curves:
            marks += [path(_points(one["epoch"], one[column], across, up), colour, 'stroke-opacity=".4"')]
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


def similarity_chart(similarity: pd.DataFrame, where: str) -> Markup:
    """Draw how alike each two experts are, mean over seeds.

    Args:
        similarity: a row per seed and pair of experts, with their `cka`.
        where: the dataset and model, in words.
    """
    names = similarity["expert"].unique()
    values = similarity.pivot_table("cka", "expert", "other", dropna=False).loc[names, names]
    return heat_map(values, f"{where}: how alike the latents of each two experts are (debiased CKA)", most=1.0)


def example_chart(example: pd.DataFrame, where: str) -> Markup:
    """Draw how one sample's weighted expert logits add up to the logit of the class that is predicted (Figure 3).

    Args:
        example: a row per expert and class, and the mixture's: expert, weight, class, logit, predicted.
        where: the dataset and model, in words.
    """
    predicted = example["predicted"].iloc[0]
    own = example[(example["class"] == predicted) & (example["expert"] != MIXTURE)]
    names = own["expert"].tolist()
    steps = (own["weight"] * own["logit"]).to_numpy(float)
    ends = np.cumsum(steps)
    left, right, bottom = left_of([*names, "sum"]), WIDTH - 170, ROW * (len(names) + 1)
    scale = Scale.around([0, *ends], left, right)
    colours = expert_colours(names)
    marks = [horizontal_axis(scale, bottom), line(scale(0), 0, scale(0), bottom, 'stroke-opacity=".5"')]
    for index, (name, step, end, weight, logit) in enumerate(
        zip(names, steps, ends, own["weight"], own["logit"], strict=True)
    ):
        y = ROW * index
        marks += [text(left - 8, y + ROW / 2, name, "end")]
        marks += [bar(scale(end - step), y + 3, scale(end) - scale(end - step), ROW - 6, colours[name])]
        marks += [text(right + 12, y + ROW / 2, f"{weight:.2f} × {logit:+.2f} = {step:+.2f}")]
    y = bottom - ROW
    marks += [
        text(left - 8, y + ROW / 2, "sum", "end"),
        bar(scale(0), y + 3, scale(ends[-1]) - scale(0), ROW - 6, PLAIN),
    ]
    marks += [text(right + 12, y + ROW / 2, f"{ends[-1]:+.2f}")]
    label = f"{where}: weight × logit of each expert for the predicted class {predicted}, adding up to {ends[-1]:.2f}"
    return svg(WIDTH, bottom + AXIS, label, marks)


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
