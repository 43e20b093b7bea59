"""What the page says of each expert: its weight, what it does alone, how it behaves, and what to make of it."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from i2moe.explain.behaviour import IDLE, UNCLEAR_ROLE
from stages.report.drawing import expert_colours
from stages.report.layout import records

ROLES = {IDLE: "idle", UNCLEAR_ROLE: "no clear role"}


@dataclass(frozen=True)
class ExpertRow:
    """An expert of the table."""

    values: dict[str, Any]  # its row of the table of experts
    colour: str
    weights: list[float]  # by seed
    roles: list[str]  # as it behaves alone, with the number of seeds
    kind: str  # good | bad | open
    verdict: str


def expert_rows(experts: pd.DataFrame, seeds: pd.DataFrame, behaviour: pd.DataFrame) -> list[ExpertRow]:
    """Return a row per expert.

    Args:
        experts: the table of experts.
        seeds: the same by seed.
        behaviour: the table of the roles that they play alone.
    """
    colours = expert_colours(experts["expert"].tolist())
    roles = behaviour.drop_duplicates(["expert", "seed"])
    rows = []
    for row in records(experts):
        name = row["expert"]
        counts = roles["role"][roles["expert"] == name].value_counts(sort=False)
        kind, verdict = judge(row, counts, 1 / len(experts))
        rows.append(
            ExpertRow(
                values=row,
                colour=colours[name],
                weights=seeds["mean_weight"][seeds["expert"] == name].tolist(),
                roles=[f"{'as named' if role == name else ROLES.get(role, role)} in {n}" for role, n in counts.items()],
                kind=kind,
                verdict=verdict,
            )
        )
    return rows


def judge(row: dict[str, Any], roles: "pd.Series[int]", equal: float) -> tuple[str, str]:
    """Say in a sentence whether an expert can be believed: good | bad | open, and the sentence.

    Args:
        row: of the table of experts.
        roles: in how many seeds it plays which role alone.
        equal: the weight of equal experts.

    Examples:
        >>> row = {"expert": "synergy", "mean_weight": 0.6, "chance_seeds": 3, "knows_seeds": 0, "num_seeds": 3}
        >>> judge(row, pd.Series({"idle": 3}), 0.25)
        ('bad', 'Knows nothing alone, though it has more than an equal share of the weight: do not read its weight.')
        >>> judge(row | {"chance_seeds": 0, "knows_seeds": 3}, pd.Series({"synergy": 3}), 0.25)
        ('good', 'Knows something alone and behaves as named, in every seed.')
    """
    name, seeds = row["expert"], row["num_seeds"]
    if row["chance_seeds"] == seeds:
        heavy = ", though it has more than an equal share of the weight" if row["mean_weight"] > equal else ""
        return "bad", f"Knows nothing alone{heavy}: do not read its weight."
    as_named = int(roles.get(name, 0))
    if row["knows_seeds"] == seeds and as_named == seeds:
        return "good", "Knows something alone and behaves as named, in every seed."
    knows = f"Knows something alone in {row['knows_seeds']} of {seeds} seed{'' if seeds == 1 else 's'}"
    others = [role for role in roles.index if role not in (name, *ROLES)]
    if not as_named and others:
        return "bad", f"{knows}, but never behaves as named: its name misleads."
    return "open", f"{knows}, behaves as named in {as_named}."
