"""Whether the tables of one model's explanations belong together, and to its predictions: drawings rely on it."""

from pathlib import Path

import numpy as np
import pandas as pd

from i2moe.base.errors import InputError
from i2moe.explain.ability import AT_CHANCE
from stages.report.tokens import one_sample
from stages.shared.explanations import MIXTURE, path_of

REMEDY = "rerun the explain stage"
OF_EXPERTS = ("expert_seeds", "gate", "agreement", "behaviour")  # tables that a model with a table of experts has too
# The columns that name a row, of tables in which no row may be there twice.
KEYS = {
    "experts": ["expert"],
    "expert_seeds": ["expert", "seed"],
    "agreement": ["by"],
    "example": ["expert", "class"],
    "shares": ["reading", "seed", "term"],
    "similarity": ["expert", "other", "seed"],
}
OF_EVERY_EXPERT = ("experts", "expert_seeds", "behaviour")  # tables that name every expert, and no other
KNOWN = {"agreement": ("by", {"sample", "label", "tolerance"}), "local": ("kind", {"share", "without"})}


def check_explained(folder: Path, explained: dict[str, pd.DataFrame | None], experts: list[str]) -> None:
    """Refuse tables that do not belong together.

    Args:
        folder: of the model's explanations.
        explained: its tables, by method; None where there is none.
        experts: of its predictions, in their order.

    Raises:
        InputError: naming the first table that is wrong.
    """
    tables = {name: table for name, table in explained.items() if table is not None}
    for name, table in tables.items():
        path = path_of(folder, name)
        if table.empty:
            raise InputError(f"{path} has no row: {REMEDY}")
        if name in KEYS and table.duplicated(KEYS[name]).any():
            raise InputError(f"{path} has two rows of the same {', '.join(KEYS[name])}: {REMEDY}")
        if name in OF_EVERY_EXPERT and set(table["expert"]) != set(experts):
            raise InputError(f"{path} does not name the experts that predicted, and no other: {REMEDY}")
        if name == "similarity" and set(table["expert"]) != set(table["other"]):
            raise InputError(f"{path} does not compare every expert with every other: {REMEDY}")
        if name == "shares" and not _is_full(table):
            raise InputError(f"{path} lacks a term in some seed: {REMEDY}")
        column, known = KNOWN.get(name, ("", set()))
        if known and not set(table[column]) <= known:
            raise InputError(f"{path} column {column!r} holds other than {', '.join(sorted(known))}: {REMEDY}")
    if "token_scores" in tables:
        _check_tokens(path_of(folder, "token_scores"), tables["token_scores"])
    if "experts" in tables:
        _check_experts(folder, tables, experts)


def _is_full(shares: pd.DataFrame) -> bool:
    """Return whether each reading has every of its terms in every of its seeds."""
    own = shares.groupby("reading")
    return bool((own.size() == own["seed"].nunique() * own["term"].nunique()).all())


def _check_tokens(path: Path, scores: pd.DataFrame) -> None:
    """Refuse scores of tokens without those that are drawn: of the whole model in one sample, of each expert in all."""
    own = one_sample(scores)
    is_drawn = (own["method"] == "integrated gradients") & (own["expert"] == MIXTURE)
    if not is_drawn.any() or "gradient rollout" not in set(scores["method"]):
        raise InputError(f"{path} has no scores by integrated gradients or gradient rollout: {REMEDY}")
    if not np.isfinite(scores["score"]).all():
        raise InputError(f"{path} column 'score' holds NaN or infinity: {REMEDY}")


def _check_experts(folder: Path, tables: dict[str, pd.DataFrame], experts: list[str]) -> None:
    """Refuse the tables of a model with experts that are not all there, or contradict each other."""
    for name in OF_EXPERTS:
        if name not in tables:
            raise InputError(f"{path_of(folder, name)} is missing: {REMEDY}")
    if tables["experts"]["expert"].tolist() != experts:
        raise InputError(f"{path_of(folder, 'experts')} has the experts in another order than predictions: {REMEDY}")
    if "example" in tables:
        example = tables["example"]
        of_predicted = example["expert"][example["class"] == example["predicted"].iloc[0]]
        if not set(experts) <= set(of_predicted):
            raise InputError(f"{path_of(folder, 'example')} lacks an expert's logit of what is predicted: {REMEDY}")
    if "sample" not in set(tables["agreement"]["by"]):
        raise InputError(f"{path_of(folder, 'agreement')} has no row of samples: {REMEDY}")
    seeds = tables["expert_seeds"]
    at_chance = (seeds["outcome"] == AT_CHANCE).groupby(seeds["expert"]).sum()
    counted = tables["experts"].set_index("expert")["chance_seeds"]
    if (counted != at_chance[counted.index]).any():
        both = f"{path_of(folder, 'experts')} and {path_of(folder, 'expert_seeds').name}"
        raise InputError(f"{both} differ in how many seeds an expert is at chance: {REMEDY}")
