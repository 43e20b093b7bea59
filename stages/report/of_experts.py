"""How what the experts of a mixture do is shown, by method."""

import pandas as pd

from stages.report import expert_charts
from stages.report.shown import Drawing, Explanation


def mean_by_expert(samples: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over samples of each expert's share, a row per seed and expert."""
    return samples.groupby(["seed", "expert"], as_index=False, sort=False)["share"].mean()


OF_EXPERTS: dict[str, Explanation] = {
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
}
