"""The report's figures, drawn from tables and arrays; each function returns one matplotlib figure."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from i2moe.metrics import arrow
from stages.shared.explanations import MIXTURE

mpl.use("Agg")
# Fixed ids and no date: the same results give the same bytes.
mpl.rcParams["svg.hashsalt"] = "i2moe"
mpl.rcParams["svg.fonttype"] = "none"
mpl.rcParams["font.family"] = "sans-serif"
mpl.rcParams["axes.spines.top"] = False
mpl.rcParams["axes.spines.right"] = False
mpl.rcParams["figure.constrained_layout.use"] = True

# Okabe & Ito's colours, which stay apart for colour-blind readers.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
SYNERGY, REDUNDANCY, AT_CHANCE, WHOLE = "#D55E00", "#7F3C8D", "#BBBBBB", "#C1121F"


def expert_colours(experts: list[str]) -> dict[str, str]:
    """Give every expert its colour, the same in all figures."""
    uniqueness = [name for name in experts if name.startswith("uniqueness_")]
    colours = {name: PALETTE[index % 5] for index, name in enumerate(uniqueness)}
    return colours | {"synergy": SYNERGY, "redundancy": REDUNDANCY}


def _label(name: str, chance_seeds: int = 0, num_seeds: int = 0) -> str:
    """Break an expert's name over two lines, and flag it where it is at chance alone."""
    text = name.replace("_", "\n", 1)
    return f"{text}\nat chance in {chance_seeds}/{num_seeds}" if chance_seeds else text


def _is_at_chance(row: dict[str, Any]) -> bool:
    """Tell whether an expert of the explain stage's table is at chance alone in every seed."""
    return bool(row["chance_seeds"] == row["num_seeds"])


def weights_figure(experts: pd.DataFrame, weights: NDArray[np.float64]) -> Figure:
    """Draw the weights over the test samples, one violin per expert and seed, dots for means (paper's Figure 4).

    Args:
        experts: the explain stage's table, one row per expert.
        weights: [S, N, E].
    """
    figure, axes = _figure(1.5 + 1.15 * len(experts))
    colours = expert_colours(experts["expert"].tolist())
    width = 0.85 / len(weights)
    beside = width * (np.arange(len(weights)) - (len(weights) - 1) / 2)
    for position, row in enumerate(experts.to_dict("records"), start=1):
        own = weights[:, :, position - 1]
        parts: Any = axes.violinplot(own.T, position + beside, showmeans=False, showextrema=False, widths=0.9 * width)
        for body in parts["bodies"]:
            body.set_facecolor(AT_CHANCE if _is_at_chance(row) else colours[row["expert"]])
            body.set_alpha(0.75)
            body.set_hatch("///" if _is_at_chance(row) else None)
        axes.scatter(position + beside, own.mean(axis=1), color="black", s=14, zorder=3)
    axes.axhline(1 / len(experts), color="grey", linewidth=0.8, linestyle=":")
    axes.set(ylabel="weight on the test split", ylim=(0, None))
    _expert_ticks(axes, experts, first=1)
    return figure


def alone_figure(experts: pd.DataFrame, mixture: float, metric: str) -> Figure:
    """Draw each expert's metric alone, with its interval, against the mixture and chance (paper's Figure 5)."""
    figure, axes = _figure(1.5 + 1.15 * len(experts))
    colours = expert_colours(experts["expert"].tolist())
    for position, row in enumerate(experts.to_dict("records")):
        error = [[row["alone"] - row["alone_low"]], [row["alone_high"] - row["alone"]]]
        colour, hatch = (AT_CHANCE, "///") if _is_at_chance(row) else (colours[row["expert"]], "")
        axes.bar(position, row["alone"], yerr=np.maximum(error, 0), color=colour, hatch=hatch, alpha=0.85, capsize=3)
    axes.axhline(mixture, color=WHOLE, label=f"mixture {mixture:.3f}")
    chance = float(experts["chance"].iloc[0])
    axes.axhline(chance, color="black", linestyle="--", linewidth=1, label=f"chance {chance:.3f}")
    axes.set(ylabel=f"test {metric} alone {arrow(metric)}")
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2)
    _expert_ticks(axes, experts, first=0)
    return figure


def curves_figure(curves: list[pd.DataFrame], experts: list[str]) -> Figure:
    """Draw losses by epoch, one panel each, of those that the model has.

    Task, interaction by expert, decorrelation, router balance.
    Thick lines are means over seeds, thin lines each seed.
    """
    colours = expert_colours(experts)
    interaction = {f"train_{name}_loss": (name, colours[name]) for name in experts}
    panels = {
        "task loss": {"train_task_loss": ("train", PALETTE[0]), "validation_loss": ("validation", PALETTE[1])},
        "interaction loss (train)": interaction,
        "decorrelation loss (train)": {"train_decorrelation_loss": ("mean over pairs of experts", PALETTE[0])},
        "balance loss (train)": {"train_balance_loss": ("mean over layers", PALETTE[0])},
    }
    panels = {label: lines for label, lines in panels.items() if lines and set(lines) <= set(curves[0].columns)}
    figure = Figure(figsize=(4.8 if len(panels) == 1 else 4.5 * len(panels), 3.2))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for one, (label, lines) in zip(axes, panels.items(), strict=True):
        _lines(one, curves, lines)
        one.set_ylabel(label)
    return figure


def _lines(axes: Axes, curves: list[pd.DataFrame], lines: dict[str, tuple[str, str]]) -> None:
    for column, (label, colour) in lines.items():
        for one in curves:
            axes.plot(one["epoch"], one[column], color=colour, marker=".", markersize=2, linewidth=0.6, alpha=0.4)
        together = pd.concat(curves).groupby("epoch")[column].mean()
        axes.plot(together.index, together, color=colour, marker=".", markersize=4, linewidth=1.8, label=label)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=8)


def example_figure(example: pd.DataFrame) -> Figure:
    """Draw one sample's logits, weights and weighted logits by expert, for the predicted class (paper's Figure 3)."""
    predicted = example["predicted"].iloc[0]
    shown = example[example["class"] == predicted]
    own = shown[shown["expert"] != MIXTURE]
    total = float(shown.loc[shown["expert"] == MIXTURE, "logit"].iloc[0])
    names, flags = own["expert"].tolist(), own["at_chance"].tolist()
    by_name = expert_colours(names)
    colours = [AT_CHANCE if flag else by_name[name] for name, flag in zip(names, flags, strict=True)]
    hatches = ["///" if flag else "" for flag in flags]
    labels = [f"{name} (at chance)" if flag else name for name, flag in zip(names, flags, strict=True)]
    logits, weights = own["logit"].to_numpy(), own["weight"].to_numpy()
    figure = Figure(figsize=(10, 1.3 + 0.33 * len(names)))
    panels = figure.subplots(1, 3, sharey=True)
    for axes, values, title in zip(
        panels, (logits, weights, logits * weights), ("expert logit", "weight", "weight x logit"), strict=True
    ):
        bars = axes.barh(labels, values, color=colours, hatch=hatches, alpha=0.85)
        axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.margins(x=0.22)
        axes.set_title(title, fontsize=10)
    panels[0].invert_yaxis()
    panels[2].set_xlabel(f"sum {total:.2f}: logit of {predicted!r}")
    return figure


def coalitions_figure(coalitions: pd.DataFrame, metric: str) -> Figure:
    """Draw the model's score with every subset of its modalities.

    Args:
        coalitions: a row per subset, with its name (`intact`) and the mean of each metric over seeds.
        metric: the one to draw.
    """
    figure = Figure(figsize=(6.5, 0.8 + 0.3 * len(coalitions)))
    axes = figure.subplots()
    bars = axes.barh(coalitions["intact"], coalitions[metric], color=PALETTE[0], alpha=0.85)
    axes.bar_label(bars, fmt="%.3f", padding=3, fontsize=8)
    axes.margins(x=0.12)
    axes.invert_yaxis()
    axes.set(xlabel=f"test {metric} {arrow(metric)}", ylabel="modalities left intact")
    return figure


def similarity_figure(similarity: pd.DataFrame) -> Figure:
    """Draw how alike each two experts are, mean over seeds, one cell per pair.

    Args:
        similarity: a row per seed and pair of experts, with their `cka`.
    """
    names = similarity["expert"].unique()
    values = similarity.pivot_table("cka", "expert", "other", dropna=False).loc[names, names].to_numpy()
    figure = Figure(figsize=(2.2 + 0.7 * len(names), 1.2 + 0.6 * len(names)))
    axes = figure.subplots()
    axes.imshow(values, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > 0.6 else "black"  # noqa: PLR2004 (where black can no longer be read)
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(names)), [_label(name) for name in names], fontsize=8)
    axes.set_yticks(range(len(names)), [_label(name) for name in names], fontsize=8)
    return figure


def _figure(width: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, 3.4))
    return figure, figure.subplots()


def _expert_ticks(axes: Axes, experts: pd.DataFrame, first: int) -> None:
    labels = [_label(row["expert"], row["chance_seeds"], row["num_seeds"]) for row in experts.to_dict("records")]
    axes.set_xticks(range(first, first + len(labels)), labels, fontsize=8)
