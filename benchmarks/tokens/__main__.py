"""Print what readings of tokens find on games whose values are known exactly: `python -m benchmarks.tokens`.

The first table is of games of 16 players, the others of the best possible model of planted-tokens (synthetic).
"""

import numpy as np
import pandas as pd
import typer

from benchmarks.planted.documents import markdown
from benchmarks.planted.estimators import ALL_PAIRS, PLAYERS, planted_games, sampled_indices, sampled_precision
from benchmarks.tokens.best import SCALES, Scale
from benchmarks.tokens.measures import SAMPLES, Case, found, masking, read
from i2moe.explain.tokens.exact import exact_interaction_index
from i2moe.explain.tokens.intervals import Mean

SEEDS = range(10)


def main() -> None:
    """Measure, and print three tables."""
    print(f"{PLAYERS} players, two pairs needed together, two stand in for each other; by sampled contexts:\n")
    print(markdown(games_table()))
    print(f"planted-tokens, {SAMPLES} samples a seed, log-probabilities:\n")
    cases = {scale: [read(seed, scale) for seed in SEEDS] for scale in SCALES}
    print(markdown(pd.DataFrame([{"seed": seed} | words(case) for seed, case in enumerate(cases[SCALES[0]])])))
    print("by the scale of the values, means over the seeds:\n")
    print(markdown(pd.DataFrame([scale_row(scale, own) for scale, own in cases.items()])))


def games_table() -> pd.DataFrame:
    """Return a row per planted game: evaluations, precision, and the distance from the exact index."""
    games = planted_games()
    found_index = sampled_indices(games)
    num_games = len(found_index.value)
    pairs, real = np.tile(ALL_PAIRS, (num_games, 1, 1)), np.ones((num_games, PLAYERS), bool)
    error = np.abs(found_index.value - exact_interaction_index(games, pairs, real)).max(axis=1)
    return pd.DataFrame(
        {
            "seed": range(num_games),
            "evaluations": 4 * len(ALL_PAIRS) * found_index.draws,
            "planted pairs that lead": [f"{share:.2f}" for share in sampled_precision()],
            "largest error": [f"{own:.3f}" for own in error],
        }
    )


def words(case: Case) -> dict[str, str]:
    """Return the cells of one case."""
    cells = {name: f"{value:.2f}" if isinstance(value, float) else str(value) for name, value in found(case).items()}
    more = {f"more than {name}": interval(mean) for name, mean in masking(case).items()}
    return cells | more | {"synergy alone, more than re-paired": interval(masking(case, 1)["re-paired"])}


def interval(mean: Mean) -> str:
    """Write a mean with its interval."""
    return f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]"


def scale_row(scale: Scale, cases: list[Case]) -> dict[str, str]:
    """Return the cells of one scale: in how many seeds the planted pairs lead, and how far others come."""
    table = pd.DataFrame([found(case) for case in cases]).astype(float)
    counted = {name: f"{table[name].sum():.0f} of {len(table)}" for name in ("synergy first", "copies first")}
    means = {name: f"{table[name].mean():.3f}" for name in table if "index" in name or "gap" in name or "max" in name}
    return {"scale": scale} | counted | means | {"draws": f"{table['draws'].mean():.1f}"}


if __name__ == "__main__":
    typer.run(main)
