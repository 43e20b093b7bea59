"""Charts of experts: weights, scores alone, how alike they are, one sample."""

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from i2moe.metrics import arrow
from stages.report.charts import AXIS, DASHED, DOTTED, ROW, WIDTH, heat_map
from stages.report.drawing import (
    PLAIN,
    Scale,
    bar,
    dot,
    expert_colours,
    horizontal_axis,
    interval,
    left_of,
    line,
    svg,
    text,
    vertical_axis,
)
from stages.shared.explanations import MIXTURE

BINS = 16  # of a violin


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
    legend = f"solid line: the mixture, {mixture:.3f}; dashed: the best constant, {chance:.3f}"
    marks += [text(left, 5, legend)]
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
