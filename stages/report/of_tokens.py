"""How what was found of tokens is shown, by method."""

from stages.report import tokens
from stages.report.shown import Drawing, Explanation

OF_TOKENS: dict[str, Explanation] = {
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
