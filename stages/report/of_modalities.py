"""How what the modalities are to a model is shown, by method."""

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from i2moe.metrics import arrow
from stages.report import charts
from stages.report.shown import Drawing, Explanation, Shown

if TYPE_CHECKING:
    from markupsafe import Markup

NO_NAMES = ("lattice mean", "partial information", "parts")  # readings that need no names of experts


def mean_by_metric(coalitions: pd.DataFrame) -> pd.DataFrame:
    """Return a row per replacement and subset of modalities, and the mean of each metric over seeds."""
    return (
        coalitions.pivot_table("score", ["replacement", "intact"], "metric", sort=False, dropna=False)
        .dropna(how="all")
        .rename_axis(columns=None)
        .reset_index()
    )


def mean_by_name(samples: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over samples of each share, and of each prediction without a modality, a row per seed."""
    return samples.groupby(["seed", "kind", "name"], as_index=False, sort=False)["value"].mean()


def directed(scores: pd.DataFrame) -> pd.DataFrame:
    """Mark in the name of each metric's column in which direction it is better."""
    return scores.rename(
        columns={name: f"{name} {arrow(name)}" for name in scores.columns if name not in ("replacement", "intact")}
    )


def shares_chart(reading: str, table: pd.DataFrame, shown: Shown) -> "Markup | None":
    """Draw the shares that one reading gives; None where the model does not have it."""
    own = table[table["reading"] == reading]
    return charts.shares_chart(own, shown.planted, f"{shown.where}, {reading}") if len(own) else None


OF_MODALITIES: dict[str, Explanation] = {
    "coalitions": Explanation(
        tab="modalities",
        columns={"replacement": str, "seed": int, "intact": str, "metric": str, "score": float},
        tabulate=lambda table: directed(mean_by_metric(table)),
        drawings={
            "modalities": Drawing(
                lambda table, shown: charts.coalitions_chart(
                    table[(table["replacement"] == "mean") & (table["metric"] == shown.metric)],
                    shown.metric,
                    shown.where,
                ),
                lambda table, shown: (  # noqa: ARG005
                    "Score of the whole model when it sees only some modalities (the others replaced by the train "
                    "split's mean token): dots are seeds, lines their means. This needs no weights and "
                    "no names of experts."
                ),
            )
        },
    ),
    "gain": Explanation(
        tab="modalities",
        columns={
            "replacement": str,
            "seed": int,
            "none": float,
            "whole": float,
            "gain": float,
            "low": float,
            "high": float,
            "is_shown": bool,
        },
    ),
    "shares": Explanation(
        tab="modalities",
        columns={"reading": str, "seed": int, "term": str, "share": float, "low": float, "high": float},
        drawings={
            f"shares-{reading.replace(' ', '-')}": Drawing(
                partial(shares_chart, reading),
                lambda table, shown, reading=reading: (  # type: ignore[misc]  # noqa: ARG005
                    f"Share of each term in what the model gains, by {reading}: a line for each seed, with its 95 % "
                    "interval over samples."
                ),
            )
            for reading in NO_NAMES
        },
    ),
    "leaders": Explanation(
        tab="modalities",
        columns={
            "reading": str,
            "winner": str,
            "heaviest": str,
            "runner_up": str,
            "share": float,
            "lead": float,
            "lead_low": float,
            "lead_high": float,
            "seeds_won": int,
            "seeds_shown": int,
            "num_seeds": int,
        },
    ),
    "interactions": Explanation(
        tab="modalities", columns={"seed": int, "modalities": str, "index": float, "low": float, "high": float}
    ),
    "additive": Explanation(
        tab="modalities",
        columns={
            "seed": int,
            "num_samples": int,
            "score": float,
            "additive_score": float,
            "gap": float,
            "low": float,
            "high": float,
        },
    ),
    "local": Explanation(
        tab="modalities",
        columns={"sample_id": str, "name": str, "value": float, "kind": str, "seed": int},
        tabulate=mean_by_name,
    ),
    "robustness": Explanation(
        tab="modalities",
        columns={
            "seed": int,
            "modality": str,
            "share": float,
            "score": float,
            "spread": float,
            "replaced_by": str,
        },
    ),
    "patterns": Explanation(
        tab="modalities",
        columns={"seed": int, "pattern": str, "samples": int, "score": float, "low": float, "high": float},
    ),
}
