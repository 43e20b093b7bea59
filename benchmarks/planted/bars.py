# ruff: noqa: PLR2004 (bars are numbers)
"""From the rows of all cases to the bars that must hold, and to the table of which reading finds the truth."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.planted import estimators
from benchmarks.planted.cases import PLAIN, ROLES, SEALED
from i2moe.selection import Floats

READINGS = (
    "weight",
    "leave-one-out",
    "shapley",
    "lattice mean",
    "lattice sample",
    "lattice zero",
    "partial information",
    "parts",
)
SLACK = 0.03  # of accuracy, below the best possible
DISTANCE = "composites: distance"


@dataclass(frozen=True)
class Bar:
    """A check, what is asked of it, and what was measured."""

    name: str
    check: str
    wanted: str
    measured: str
    passed: bool | None  # None: reported, nothing is asked

    @property
    def verdict(self) -> str:
        """Say in a word how it ended."""
        return {True: "pass", False: "**fail**", None: "reported"}[self.passed]


def shares(table: pd.DataFrame, reading: str) -> Floats:
    """Return the shares of all terms [cases, T] by a reading, or those of `planted`.

    NaN where the reading claims none, and where the planted ones are not known.
    """
    terms = [name.removeprefix("planted: ") for name in table if name.startswith("planted: ")]
    return np.asarray(table.reindex(columns=[f"{reading}: {term}" for term in terms]).to_numpy(float))


def found(table: pd.DataFrame, reading: str) -> Floats:
    """Tell of each case of one planted term whether its share is the largest; where there are no shares it is not."""
    own = shares(table, reading)
    largest = np.where(np.isnan(own), -1.0, own).argmax(axis=1)
    return np.where(np.isnan(own).any(axis=1), 0.0, largest == shares(table, "planted").argmax(axis=1))


def distance(table: pd.DataFrame, reading: str) -> Floats:
    """Return the total variation between each case's shares and the truth, 0 to 1; 1 where there are no shares."""
    difference = np.abs(shares(table, reading) - shares(table, "planted")).sum(axis=1) / 2
    return np.asarray(np.nan_to_num(difference, nan=1.0))


def mean(values: Floats) -> float:
    """Return the mean, NaN of nothing."""
    return float(np.mean(values)) if len(values) else float("nan")


def of(table: pd.DataFrame, data: str, *models: str) -> pd.DataFrame:
    """Return the cases of a kind of data and of models whose names begin so, changes such as `+mlp` included."""
    is_model = table["model"].str.split("+").str[0].isin(models)
    return table[(table["data"] == data) & is_model]


def bars(table: pd.DataFrame) -> list[Bar]:
    """Return all bars: A of the estimators, B of readings of whole models, C of weights."""
    return [*estimator_bars(), *reading_bars(table), *weight_bars(table)]


def estimator_bars() -> list[Bar]:
    """Check the estimators on what is known in closed form."""
    information, index = estimators.worst_information_error(), estimators.worst_index_error()
    precision = estimators.sampled_precision()
    exact = sum(value == 1 for value in precision)
    players = "sampled interaction index, 16 players, 960 evaluations: all planted pairs lead"
    return [
        Bar("A1", "partial information, 10 laws", "error ≤ .01 bit", f"{information:.0e}", information <= 1e-2),
        Bar("A2", "interaction index against all orders, 2 to 4 players", "≤ 1e-6", f"{index:.0e}", index <= 1e-6),
        Bar("A3", players, "≥ 9 of 10 seeds", f"{exact} of {len(precision)}", exact >= 9),
    ]


def reading_bars(table: pd.DataFrame) -> list[Bar]:
    """Check that models learn the task, and that the readings of whole models find what is planted."""
    learned = of(table, "pure", PLAIN, ROLES)
    short = float((learned["bayes"] - learned["accuracy"]).max())
    pure = mean(found(learned, "lattice mean"))
    hard = found(of(table, "hdxor", PLAIN), "lattice mean")
    mixed = distance(of(table, "composite", PLAIN), "partial information")
    switch = table[table["data"] == "switch"].groupby("model")[["lattice mean: top-1", "lattice mean: auroc"]].mean()
    top, area = (float(switch[column].get(f"{PLAIN}+dropout", np.nan)) for column in switch)
    without = float(switch["lattice mean: top-1"].get(PLAIN, np.nan))
    accuracy = f"accuracy on pure tasks, {len(learned)} models: most below the best possible"
    composites, most = f"partial information, {len(mixed)} composites: distance", mixed.max(initial=0.0)
    local = "lattice of each sample, switch, modality dropout"
    of_local = f"{top:.2f}, {area:.2f} (top-1 without that dropout {without:.2f})"
    return [
        Bar("B1", accuracy, f"≤ {SLACK:.2f}", f"{short:.3f}", short <= SLACK),
        Bar("B2", f"lattice (mean), pure, {len(learned)} models", "≥ .95", f"{pure:.2f}", pure >= 0.95),
        Bar("B3", "lattice (mean), HD-XOR", "≥ 10 of 12", f"{hard.sum():.0f} of {len(hard)}", hard.sum() >= 10),
        Bar(
            "B4",
            composites,
            "mean ≤ .10, most ≤ .30",
            f"{mean(mixed):.2f}, {most:.2f}",
            mean(mixed) <= 0.10 and most <= 0.30,
        ),
        Bar("B5", local, "top-1 ≥ .80, AUROC ≥ .90", of_local, top >= 0.80 and area >= 0.90),
    ]


def weight_bars(table: pd.DataFrame) -> list[Bar]:
    """Report what the gate's weights say, and check that nothing is claimed where nothing is planted."""
    rows = []
    for name, model in (("C1", PLAIN), ("C2", ROLES)):
        for change, experts in (("", "MulT"), ("+mlp", "MLP")):
            own = of(table, "pure", model)
            own = own[own["model"] == model + change]
            check = f"weights find the role: {model}, {experts} experts, {len(own)} models"
            share, on_dead = dead_experts(own)
            right = f"{mean(found(own, 'weight')):.2f}; experts at chance {share:.2f}, weight on them {on_dead:.2f}"
            rows.append(Bar(name, check, "", right, None))
    null = table[table["data"] == "none"]
    worst = max(float(np.nan_to_num(shares(null, reading)).max(initial=0.0)) for reading in READINGS)
    check = f"largest share where labels follow from nothing, {len(null)} models"
    return [*rows, Bar("C3", check, "≤ .50", f"{worst:.2f}", worst <= 0.50)]


def dead_experts(table: pd.DataFrame) -> tuple[float, float]:
    """Return the share of experts that are at chance alone, and the weight they get in a model, on average."""
    dead = table.filter(like="dead: ").dropna(axis=1, how="all")
    weights = table.reindex(columns=[name.replace("dead: ", "weight: ") for name in dead]).to_numpy(float)
    if not dead.size:
        return float("nan"), float("nan")
    return mean(dead.to_numpy(float).ravel()), mean((weights * dead.to_numpy(float)).sum(axis=1))


def truth_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row per reading: how often it finds the planted role, by model, and its distance on composites."""
    columns = {
        PLAIN: PLAIN,
        f"{PLAIN}, MLP experts": f"{PLAIN}+mlp",
        ROLES: ROLES,
        f"{ROLES}, MLP experts": f"{ROLES}+mlp",
        SEALED: SEALED,
    }
    pure = table[table["data"] == "pure"]
    rows = []
    for reading in READINGS:
        composites = of(table, "composite", SEALED if reading == "parts" else PLAIN)
        rows.append(
            {"reading": reading}
            | {name: found_share(pure[pure["model"] == model], reading) for name, model in columns.items()}
            | {"HD-XOR": found_share(of(table, "hdxor", PLAIN), reading)}
            | {DISTANCE: f"{mean(distance(composites, reading)):.2f}" if is_made(composites, reading) else ""}
        )
    return pd.DataFrame(rows)


def tasks_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return how often each reading finds the planted role, by model and task."""
    pure = table[table["data"] == "pure"]
    rows = []
    for (model, planted), own in pure.groupby(["model", "planted"], sort=False):
        row = {"model": model, "planted": planted, "models": len(own), "accuracy": f"{own['accuracy'].mean():.3f}"}
        rows.append(row | {reading: found_share(own, reading) for reading in READINGS})
    return pd.DataFrame(rows)


def is_made(table: pd.DataFrame, reading: str) -> bool:
    """Tell whether a reading gives shares of any case."""
    return bool(table.filter(like=f"{reading}: ").notna().any(axis=None)) if len(table) else False


def found_share(table: pd.DataFrame, reading: str) -> str:
    """Return how often a reading's largest share is the planted role's; nothing where it was not made."""
    return f"{mean(found(table, reading)):.2f}" if is_made(table, reading) else ""
