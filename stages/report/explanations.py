"""How each explanation method is shown: the columns of its table, its rows in the report's tables, its figures.

A new method is an entry here, and a function in `stages.explain.methods` under the same name.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from i2moe.contract.reading import Columns
from i2moe.metrics import arrow
from stages.report import charts, expert_charts, tokens
from stages.shared.predictions import SplitPredictions

if TYPE_CHECKING:
    from markupsafe import Markup

NO_NAMES = ("lattice mean", "partial information", "parts")  # readings that need no names of experts


@dataclass(frozen=True)
class Shown:
    """The model that is shown, next to the tables of its explanations."""

    where: str  # dataset and model, in words
    metric: str  # the lead metric of the task
    mixture: float  # the whole model's score in it
    predictions: SplitPredictions
    planted: list[str] | None  # the terms that are planted; None of real data


@dataclass(frozen=True)
class Drawing:
    """A chart of a table, and its caption."""

    chart: Callable[[pd.DataFrame, Shown], "Markup | None"]  # None where there is nothing to draw
    caption: Callable[[pd.DataFrame, Shown], str]


@dataclass(frozen=True)
class Explanation:
    """How the table of one method is shown."""

    columns: Columns  # the columns it must have, and the type of their values
    tab: str = "experts"  # of the page: experts | modalities | features | samples
    drawings: dict[str, Drawing] = field(default_factory=dict)  # by name, which is part of the file name
    tabulate: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table  # to the rows of reports/tables


def mean_by_metric(coalitions: pd.DataFrame) -> pd.DataFrame:
    """Return a row per replacement and subset of modalities, and the mean of each metric over seeds."""
    return (
        coalitions.pivot_table("score", ["replacement", "intact"], "metric", sort=False, dropna=False)
        .dropna(how="all")
        .rename_axis(columns=None)
        .reset_index()
    )


def mean_by_expert(samples: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over samples of each expert's share, a row per seed and expert."""
    return samples.groupby(["seed", "expert"], as_index=False, sort=False)["share"].mean()


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


EXPLANATIONS: dict[str, Explanation] = {
    "experts": Explanation(
        columns={
            "expert": str,
            "mean_weight": float,
            "std_weight": float,
            "top_share": float,
            "mean_contribution": float,
            "alone": float,
            "alone_low": float,
            "alone_high": float,
            "alone_usable": float,
            "chance": float,
            "ranking": str,
            "rank_score": float,
            "knows_seeds": int,
            "chance_seeds": int,
            "unclear_seeds": int,
            "num_seeds": int,
            "num_samples": int,
            "num_units": int,
        },
        drawings={
            "weights": Drawing(
                lambda table, shown: expert_charts.weights_chart(table, shown.predictions.weights, shown.where),
                lambda table, shown: (  # noqa: ARG005 (every caption is called alike)
                    "Weight of each expert over the test split, a violin for each seed; dots are the seeds' means, the "
                    "dotted line equal weights. A grey expert is at chance alone in every seed: its weight explains "
                    "nothing. The paper's Figure 4."
                ),
            ),
            "alone": Drawing(
                lambda table, shown: expert_charts.alone_chart(table, shown.mixture, shown.metric, shown.where),
                lambda table, shown: (  # noqa: ARG005
                    f"Test {shown.metric} of each expert alone, mean over seeds with 95 % bootstrap interval; "
                    "grey where the expert is at chance in every seed. The paper's Figure 5."
                ),
            ),
        },
    ),
    "expert_seeds": Explanation(
        columns={
            "expert": str,
            "seed": int,
            "mean_weight": float,
            "alone": float,
            "rank_score": float,
            "p_value": float,
            "rank_low": float,
            "rank_high": float,
            "rank_usable": float,
            "outcome": str,
        }
    ),
    "gate": Explanation(
        columns={
            "winner": str,
            "heaviest": str,
            "runner_up": str,
            "lead": float,
            "lead_low": float,
            "lead_high": float,
            "seeds_won": int,
            "num_seeds": int,
            "most_std": float,
            "ignores_samples": bool,
            "score": float,
            "uniform_score": float,
            "uniform_difference": float,
            "uniform_low": float,
            "uniform_high": float,
        }
    ),
    "agreement": Explanation(
        columns={
            "by": str,
            "disagree_correct": float,
            "disagree_wrong": float,
            "agree_correct": float,
            "agree_wrong": float,
            "tolerance": float,
        }
    ),
    "example": Explanation(
        tab="samples",
        columns={
            "sample_id": str,
            "seed": int,
            "label": str,
            "predicted": str,
            "expert": str,
            "weight": float,
            "at_chance": bool,
            "class": str,
            "logit": float,
        },
        drawings={
            "example": Drawing(
                lambda table, shown: expert_charts.example_chart(table, shown.where),
                lambda table, shown: (  # noqa: ARG005
                    "One test sample ({sample_id}, seed {seed}; true class {label!r}, predicted {predicted!r}): of "
                    "those predicted right, the one whose experts differ most. The paper's Figure 3."
                ).format(**table.iloc[0]),
            )
        },
    ),
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
    "parts": Explanation(columns={"seed": int, "expert": str, "is_kept": bool, "gain": float}),
    "sample_parts": Explanation(
        columns={"sample_id": str, "expert": str, "share": float, "seed": int}, tabulate=mean_by_expert
    ),
    "weights_replaced": Explanation(
        columns={
            "weights": str,
            "seed": int,
            "expert": str,
            "score": float,
            "loss": float,
            "loss_low": float,
            "loss_high": float,
        }
    ),
    "behaviour": Explanation(
        columns={
            "expert": str,
            "seed": int,
            "role": str,
            "gain": float,
            "term": str,
            "share": float,
            "low": float,
            "high": float,
        }
    ),
    "role_loss": Explanation(
        columns={"seed": int, "expert": str, "loss": float, "spread": float, "is_label_free": bool}
    ),
    "similarity": Explanation(
        columns={"seed": int, "expert": str, "other": str, "cka": float},
        drawings={
            "similarity": Drawing(
                lambda table, shown: expert_charts.similarity_chart(table, shown.where),
                lambda table, shown: (  # noqa: ARG005
                    "How alike the latents of each two experts are on the test split, mean over seeds: debiased linear "
                    "centred kernel alignment; 1 where one is a rotation of the other, 0 where nothing is shared."
                ),
            )
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
    "token_scores": Explanation(
        tab="features",
        columns={
            "sample_id": str,
            "seed": int,
            "expert": str,
            "method": str,
            "modality": str,
            "place": int,
            "token": str,
            "score": float,
        },
        tabulate=tokens.mean_scores,
        drawings={
            "token-example": Drawing(
                lambda table, shown: tokens.sample_chart(table, shown.where),
                lambda table, shown: (  # noqa: ARG005
                    "One test sample ({sample_id}, seed {seed}): how much each token matters to what the whole model "
                    "predicts, by integrated gradients; of a modality without positions the ten that matter most."
                ).format(**table.iloc[0]),
            ),
            "tokens": Drawing(
                lambda table, shown: tokens.scores_chart(table, shown.where),
                lambda table, shown: (  # noqa: ARG005
                    "Score of each token by gradient rollout, of each expert and of their mixture: mean over samples "
                    "and seeds. The tokens of a text or image have other contents in each sample."
                ),
            ),
        },
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
    "token_faithfulness": Explanation(
        tab="features",
        columns={
            "seed": int,
            "expert": str,
            "method": str,
            "weights": str,
            "measure": str,
            "value": float,
            "low": float,
            "high": float,
        },
    ),
    "token_pairs": Explanation(
        tab="features",
        columns={
            "sample_id": str,
            "seed": int,
            "expert": str,
            "one_modality": str,
            "one_token": str,
            "other_modality": str,
            "other_token": str,
            "index": float,
            "index_error": float,
            "gap": float,
            "draws": int,
            "of": int,
        },
        tabulate=tokens.told_apart,
    ),
    "token_pair_means": Explanation(
        tab="features",
        columns={
            "seed": int,
            "expert": str,
            "one_modality": str,
            "one_token": str,
            "other_modality": str,
            "other_token": str,
            "index": float,
            "gap": float,
            "samples": int,
        },
    ),
    "token_masking": Explanation(
        tab="features",
        columns={
            "seed": int,
            "expert": str,
            "ranking": str,
            "control": str,
            "loss": float,
            "excess": float,
            "low": float,
            "high": float,
        },
    ),
}
