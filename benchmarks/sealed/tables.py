"""The tables of docs/sealed.md, made of the protocol's results, and written between their markers."""

from collections.abc import Callable

import pandas as pd

from benchmarks.sealed.cases import ALONE, PLAIN, SEALED

SHARES = [f"share: {name}" for name in ("uniqueness_first", "uniqueness_second", "synergy", "redundancy")]
SETTING = ["modalities", "classes", "experts"]


def pure(results: pd.DataFrame) -> str:
    """One planted term: is its share the largest, are experts what they are named, and how accurate is the model."""
    own = results[is_pure(results)]
    sealed, plain = own[own["model"] == SEALED], own[own["model"] == PLAIN]
    rows = []
    for setting, runs in sealed.groupby(SETTING):
        needed, idle = alive_as_planted(runs)
        both = paired(runs, plain)
        rows.append(
            dict(zip(SETTING, setting, strict=True))
            | {
                "runs": len(runs),
                "largest share is the planted role": fraction(runs["found"]),
                "smallest such share": f"{planted_share(runs).min():.2f}",
                "needed expert alive, behaves as named": fraction(needed),
                "idle experts idle": fraction(idle),
                "accuracy": f"{runs['accuracy'].mean():.3f}",
                "of the best possible": f"{runs['bayes'].mean():.3f}",
                "less i2moe-mult's, same data": f"{both.mean():+.3f} ({len(both)})" if len(both) else "-",
            }
        )
    return markdown(pd.DataFrame(rows))


def composite(results: pd.DataFrame) -> str:
    """Two planted terms of equal shares: total variation between planted and found shares."""
    own = results[results["data"].str.contains(" and ", regex=False)]
    sealed, plain = own[own["model"] == SEALED], own[own["model"] == PLAIN].set_index("data")["accuracy"]
    rows = [
        {
            "planted": row["data"],
            "experts": row["experts"],
            **shares_of(row),
            "total variation": f"{row['distance']:.3f}",
            "accuracy": f"{row['accuracy']:.3f}",
            "i2moe-mult's": f"{plain[row['data']]:.3f}" if row["experts"] == "mult" else "",
        }
        for row in sealed.to_dict("records")
    ]
    means = sealed.groupby("experts")["distance"].agg(["mean", "max"])
    words = "; ".join(
        f"{name} experts: mean {row['mean']:.3f}, largest {row['max']:.3f}" for name, row in means.iterrows()
    )
    return f"{markdown(pd.DataFrame(rows))}\n\nTotal variation, {words}."


def hard(results: pd.DataFrame) -> str:
    """Copies, logical rules, HD-XOR and switch data: mean shares over seeds."""
    kinds = ("copies", "logical", "HD-XOR", "switch")
    own = results[results["data"].str.startswith(kinds) & (results["model"] == SEALED)]
    rows = [
        {
            "data": name,
            "experts": experts,
            "runs": len(runs),
            **shares_of(runs[SHARES].mean()),
            "accuracy": f"{runs['accuracy'].mean():.3f}",
            "largest share of a sample is its own term's": _mean(runs.get("found by sample")),
        }
        for (name, experts), runs in own.groupby(["data", "experts"])
    ]
    return markdown(pd.DataFrame(rows))


def seal(results: pd.DataFrame) -> str:
    """What the synergy expert says of data without synergy when it is trained with no other expert."""
    own = results[results["model"] == ALONE]
    rows = [
        {"planted": name, "loss saved": f"{runs['saved'].mean():.3f}", "accuracy": f"{runs['accuracy'].mean():.3f}"}
        for name, runs in own.groupby("data")
    ]
    return markdown(pd.DataFrame(rows))


def null(results: pd.DataFrame) -> str:
    """Labels that follow from nothing: how often any part stays."""
    own = results[results["data"].str.startswith(("none", "wdbc shuffled"))]
    kept = own.filter(like="kept: ").fillna(0).max(axis=1)
    rows = [
        {"data": name, "runs": len(runs), "runs in which a part stays": int(kept[runs.index].sum())}
        for name, runs in own.groupby("data")
    ]
    return markdown(pd.DataFrame(rows))


def accuracy(results: pd.DataFrame) -> str:
    """Open tables: accuracy over five splits of each, next to I2MoE's."""
    own = results[results["data"].isin(("digits", "wdbc"))]
    rows = []
    for name, runs in own.groupby("data"):
        by_model = runs.pivot_table("accuracy", "seed", "model", sort=False)
        difference = by_model[SEALED] - by_model[PLAIN]
        cells = {model: f"{by_model[model].mean():.3f} ± {by_model[model].std():.3f}" for model in (PLAIN, SEALED)}
        rows.append({"data": name, **cells, "difference": f"{difference.mean():+.3f} ± {difference.std():.3f}"})
    return markdown(pd.DataFrame(rows))


TABLES: dict[str, Callable[[pd.DataFrame], str]] = {
    "pure": pure,
    "composite": composite,
    "hard": hard,
    "seal": seal,
    "null": null,
    "accuracy": accuracy,
}


def is_pure(results: pd.DataFrame) -> "pd.Series[bool]":
    """Tell the runs with one planted term."""
    return results["data"].str.fullmatch(r"u\d|synergy of \d|redundancy of \d")


def planted_place(runs: pd.DataFrame) -> "pd.Series[int]":
    """Return the place of the expert that the planted term needs, in the order of the experts."""
    place = runs["data"].map({"u1": 0, "u2": 1, "u3": 2})
    return place.where(place.notna(), runs["modalities"] + runs["data"].str.startswith("redundancy")).astype(int)


def planted_share(runs: pd.DataFrame) -> "pd.Series[float]":
    """Return the share of the planted term."""
    places = planted_place(runs)
    names = {0: "uniqueness_first", 1: "uniqueness_second"}
    shares = []
    for index, place in places.items():
        last = {runs["modalities"][index]: "synergy", runs["modalities"][index] + 1: "redundancy"}
        name = last.get(place) or names.get(place, "uniqueness_third")
        shares.append(runs[f"share: {name}"][index])
    return pd.Series(shares, runs.index)


def alive_as_planted(runs: pd.DataFrame) -> "tuple[pd.Series[float], pd.Series[float]]":
    """Return for each run whether the needed expert is alive and behaves as named, and the share of others idle."""
    places = planted_place(runs)
    needed, idle = [], []
    for index, place in places.items():
        alive = [runs[f"alive: {other}"][index] for other in range(int(runs["modalities"][index]) + 2)]
        needed.append(float(alive[place] and runs[f"as named: {place}"][index] == 1))
        idle.append(1 - (sum(alive) - alive[place]) / (len(alive) - 1))
    return pd.Series(needed, runs.index), pd.Series(idle, runs.index)


def paired(sealed: pd.DataFrame, plain: pd.DataFrame) -> "pd.Series[float]":
    """Return the differences of accuracy between runs on the same data with the same seed."""
    keys = ["data", *SETTING, "seed"]
    both = sealed.merge(plain, on=keys, suffixes=("", " of i2moe"))
    return both["accuracy"] - both["accuracy of i2moe"]


def shares_of(row: "pd.Series[float] | dict[str, float]") -> dict[str, str]:
    """Return the cells of the four shares of two modalities."""
    return {name: f"{row[column]:.2f}" for name, column in zip(("U1", "U2", "S", "R"), SHARES, strict=True)}


def fraction(values: "pd.Series[float]") -> str:
    """Return a mean as a cell."""
    return f"{values.mean():.2f}"


def _mean(values: "pd.Series[float] | None") -> str:
    return "" if values is None or values.isna().all() else f"{values.mean():.2f}"


def markdown(table: pd.DataFrame) -> str:
    """Write a table in Markdown."""
    lines = [table.columns, ["---"] * len(table.columns), *table.astype(str).to_numpy()]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def fill(text: str, tables: dict[str, str]) -> str:
    r"""Replace what stands between the markers of each table.

    Examples:
        >>> fill("<!-- a -->\nold\n<!-- /a -->", {"a": "new"})
        '<!-- a -->\nnew\n<!-- /a -->'
    """
    for name, table in tables.items():
        first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, _, rest = text.partition(first)
        _, _, after = rest.partition(last)
        text = f"{before}{first}\n{table}\n{last}{after}"
    return text
