"""What the page says in sentences: each function returns those that the numbers bear out, else none."""

import pandas as pd

from i2moe.explain.ability import AT_CHANCE


def find(experts: pd.DataFrame, seeds: pd.DataFrame) -> list[str]:
    """Say in sentences what the expert tables show, each with its caveat.

    Args:
        experts: a row per expert.
        seeds: a row per expert and seed.
    """
    rows = experts.to_dict("records")
    heaviest, lightest = (pick(rows, key=lambda row: row["mean_weight"]) for pick in (max, min))
    found = [
        (
            f"{heaviest['expert']} has the largest mean weight ({heaviest['mean_weight']:.2f}), {lightest['expert']} "
            f"the smallest ({lightest['mean_weight']:.2f}); equal weights would be {1 / len(rows):.2f}."
        )
    ]
    by_expert = seeds.groupby("expert")["mean_weight"]
    spread = float((by_expert.max() - by_expert.min()).max())
    if spread > 1 / len(rows):
        found.append(
            f"A mean weight differs by up to {spread:.2f} between seeds, more than an equal share: do not read the "
            "weights of one seed."
        )
    return found + at_chance_findings(experts, seeds) + unclear_findings(experts)


def at_chance_findings(experts: pd.DataFrame, seeds: pd.DataFrame) -> list[str]:
    """Name the experts that are at chance alone, with the weight they get where they are."""
    weights = seeds[seeds["outcome"] == AT_CHANCE].groupby("expert")["mean_weight"].mean()
    return [
        f"{row['expert']} alone is at chance in {row['chance_seeds']} of {row['num_seeds']} seeds ({row['ranking']} "
        f"{row['rank_score']:.3f} over all seeds): its weight there, {weights[row['expert']]:.2f}, explains nothing."
        for row in experts.to_dict("records")
        if row["chance_seeds"]
    ]


def unclear_findings(experts: pd.DataFrame) -> list[str]:
    """Name the experts of which the samples are too few to say whether they know something."""
    return [
        f"Whether {row['expert']} alone knows something cannot be told in {row['unclear_seeds']} of {row['num_seeds']} "
        f"seeds (n = {row['num_samples']}; {row['ranking']} {row['rank_score']:.3f} over all seeds)."
        for row in experts.to_dict("records")
        if row["unclear_seeds"]
    ]
