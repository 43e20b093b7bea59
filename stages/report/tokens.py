"""What is said of the tokens of a model that sees sequences of them, and whether planted pairs are found."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from i2moe.contract.planted import Planted
from stages.report.charts import heat_map, ranking_chart
from stages.report.layout import ReadingTable, interval_cell, records
from stages.shared.explanations import MIXTURE

if TYPE_CHECKING:
    from markupsafe import Markup

PAIR = ["one_modality", "one_token", "other_modality", "other_token"]  # what names a pair
SHOWN_TOKENS = 10  # of a modality, in the figure of one sample
SHOWN_PAIRS = 5  # of an expert, in the table of pairs
APART = 2  # standard errors from 0 of a pair that is told apart
GAPS = {"comprehensiveness_gap": "needed: top tokens less random", "sufficiency_gap": "enough: random less top tokens"}
ROLES = {"synergy": "index", "redundancy": "gap"}  # by which column of the table of pairs a planted pair is looked for


def faithfulness_table(faithful: pd.DataFrame) -> ReadingTable:
    """Lay out whether predictions rest on the tokens that an attribution puts first."""
    rows = []
    for (expert, method, weights), own in faithful.groupby(["expert", "method", "weights"], sort=False):
        cells = [
            [interval_cell(row, "value", "undefined") for row in records(own[own["measure"] == gap])] for gap in GAPS
        ]
        sure = [f"{row['value']:.2f}" for row in records(own[own["measure"] == "confidence"])]
        rows.append([[str(expert)], [f"{method}, {weights} weights"], *cells, sure])
    return ReadingTable(
        "Tokens: does the prediction rest on those that an attribution puts first?",
        "Probability of what is predicted that is lost when the top 5 to 25 % of each modality's tokens are set to the "
        "mean token (needed), or all others are (enough), next to as many tokens at random; above 0 the attribution "
        "knows more than chance. Untrained weights: attributions of the same network before training, which should "
        "know nothing. A surer expert has more to lose, so its mean probability stands beside. A line for each seed.",
        ["expert", "attribution", *GAPS.values(), "mean probability"],
        rows,
    )


def masking_table(masking: pd.DataFrame) -> ReadingTable:
    """Lay out whether the pairs that a reading puts first matter more than others."""
    rows = []
    for (expert, ranking), own in masking.groupby(["expert", "ranking"], sort=False):
        by_control = own.groupby("control", sort=False)
        cells = [[interval_cell(row, "excess", "undefined") for row in records(part)] for _, part in by_control]
        lost = [f"{row['loss']:.2f}" for row in records(own[own["control"] == own["control"].iloc[0]])]
        rows.append([[str(expert)], [str(ranking)], lost, *cells])
    return ReadingTable(
        "Pairs of tokens: do those that a reading puts first matter?",
        "Log-probability that is lost without the tokens of the top pairs, and by how much more that is than without "
        "as many pairs at random, as many single tokens of each modality, and as many other pairs of the same top "
        "tokens. Only the last shows that pairs matter and not their tokens.",
        ["expert", "pairs by", "lost", *(f"more than {name}" for name in dict.fromkeys(masking["control"]))],
        rows,
    )


def pair_table(means: pd.DataFrame) -> ReadingTable:
    """Lay out the pairs with the largest index of each expert, and with the largest gap."""
    rows = []
    for expert, own in means.groupby("expert", sort=False):
        for column, words in (("index", "worth more together"), ("gap", "one stands in for the other")):
            over_seeds = own.groupby(PAIR, sort=False)[column].mean().nlargest(SHOWN_PAIRS)
            shown = [f"{_pair(*names)}: {value:+.2f}" for names, value in over_seeds.items()]
            rows.append([[str(expert)], [words], shown])
    return ReadingTable(
        "Pairs of tokens, on average",
        "Shapley interaction index of the log-probability of what is predicted (worth more together), and the "
        "redundancy gap, our definition: what is lost without both less what is lost without each. Means over the "
        f"samples that a pair was probed in and over seeds; the {SHOWN_PAIRS} largest. Only pairs of each expert's top "
        "tokens of two modalities were probed.",
        ["expert", "pairs", "largest"],
        rows,
    )


def sample_pair_table(pairs: pd.DataFrame) -> ReadingTable:
    """Lay out the pairs with the largest index of the sample that is drawn, by expert."""
    own = one_sample(pairs)
    rows = []
    for expert, part in own.groupby("expert", sort=False):
        largest = part.loc[part["index"].abs().nlargest(SHOWN_PAIRS).index]
        rows.append([[str(expert)], [pair_cell(row) for row in records(largest)]])
    return ReadingTable(
        f"Pairs of tokens of one sample ({own['sample_id'].iloc[0]}, seed {own['seed'].iloc[0]})",
        "Shapley interaction index of the log-probability of what is predicted, with its standard error over "
        f"{own['draws'].max()} draws at most (none: all subsets were evaluated); in parentheses where it is within two "
        "standard errors of 0. All samples are in results/explanations.",
        ["expert", "largest by size"],
        rows,
    )


def pair_cell(row: dict[str, Any]) -> str:
    """Write a pair and its index, in parentheses where it cannot be told from 0.

    Examples:
        >>> row = {"one_modality": "plot", "one_token": "war", "other_modality": "poster", "other_token": "2, 3"}
        >>> pair_cell(row | {"index": 0.25, "index_error": 0.05}), pair_cell(row | {"index": 0.25, "index_error": 0.2})
        ('plot war + poster 2, 3: +0.25 ± 0.05', '(plot war + poster 2, 3: +0.25 ± 0.20)')
    """
    words = f"{_pair(*(row[name] for name in PAIR))}: {row['index']:+.2f} ± {row['index_error']:.2f}"
    return words if abs(row["index"]) > APART * row["index_error"] else f"({words})"


def _pair(one_modality: str, one_token: str, other_modality: str, other_token: str) -> str:
    """Name a pair: of more than two modalities a token's own name, such as a number, does not say which it is of."""
    return f"{one_modality} {one_token} + {other_modality} {other_token}"


def one_sample(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the first sample of the first seed."""
    first = table.iloc[0]
    return table[(table["sample_id"] == first["sample_id"]) & (table["seed"] == first["seed"])]


def planted_pairs(planted: Planted, means: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Return, for each model and expert, in how many seeds a planted pair of tokens comes first.

    Args:
        planted: what is planted.
        means: the table of pairs of each model that has one.

    Returns:
        Rows with model, expert, role, verdict; pairs inside one modality are no candidates.
    """
    rows = []
    for model, table in means.items():
        for expert, own in table.groupby("expert", sort=False):
            for role, column in ROLES.items():
                truth = _truth(planted, role)
                firsts = [part.loc[part[column].idxmax()] for _, part in own.groupby("seed")]
                hits = sum(_pair_of(row) in truth for row in firsts)
                if truth:
                    verdict = f"first in {hits} of {len(firsts)} seeds"
                    rows.append({"model": model, "expert": expert, "role": role, "verdict": verdict})
    return rows


def _truth(planted: Planted, role: str) -> set[frozenset[tuple[str, str]]]:
    return {
        frozenset(zip(pair.modalities, pair.features, strict=True))
        for pair in planted.pairs or []
        if pair.role == role and len(set(pair.modalities)) > 1
    }


def _pair_of(row: "pd.Series[Any]") -> frozenset[tuple[str, str]]:
    return frozenset([(row["one_modality"], row["one_token"]), (row["other_modality"], row["other_token"])])


def mean_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the mean size of each token's score over samples, a row per seed, expert, method and token."""
    sized = scores.assign(score=scores["score"].abs())
    keys = ["seed", "expert", "method", "modality", "place", "token"]
    return sized.groupby(keys, as_index=False, sort=False)["score"].mean()


def told_apart(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return how many of the probed pairs are told apart from 0: by more than two standard errors of the draws."""
    apart = pairs.assign(apart=pairs["index"].abs() > APART * pairs["index_error"])
    keys = ["seed", "expert", "one_modality", "other_modality"]
    found = apart.groupby(keys, as_index=False, sort=False).agg(
        probed=("index", "size"), told_apart=("apart", "sum"), draws=("draws", "mean")
    )
    return found.astype({"told_apart": int})


def scores_chart(scores: pd.DataFrame, where: str) -> "Markup":
    """Draw each expert's mean score of each token, by gradient rollout, over samples and seeds."""
    own = mean_scores(scores[scores["method"] == "gradient rollout"])
    own = own.assign(name=own["modality"] + " " + own["place"].astype(str))
    table = own.pivot_table("score", "expert", "name", sort=False)
    return heat_map(table, f"{where}: mean score of each token by gradient rollout, of each expert")


def sample_chart(scores: pd.DataFrame, where: str) -> "Markup":
    """Draw which tokens of one sample matter most to the whole model, by name or position."""
    own = one_sample(scores)
    own = own[(own["method"] == "integrated gradients") & (own["expert"] == MIXTURE)]
    top = own.groupby("modality", sort=False)[["modality", "token", "score"]].apply(
        lambda part: part.nlargest(SHOWN_TOKENS, "score")
    )
    named = pd.Series(top["score"].to_numpy(), index=top["modality"] + ": " + top["token"])
    return ranking_chart(named, f"{where}: the tokens of one sample that matter most, by integrated gradients")
