"""The readings of one model as tables of the page: every seed with its interval, as in the explanations' own files."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from i2moe.metrics import arrow
from stages.report.layout import ReadingTable, interval_cell, records
from stages.report.tokens import faithfulness_table, masking_table, pair_table, sample_pair_table

if TYPE_CHECKING:
    from collections.abc import Callable

STAND_INS = {"token": "a learned token", "mean": "its train mean"}  # for a modality that is missing

Explanations = dict[str, pd.DataFrame | None]  # of one model, by method


def reading_tables(explained: Explanations, metric: str) -> dict[str, ReadingTable]:
    """Lay out the readings that a model has, by method.

    Args:
        explained: the tables of its explanations, by method.
        metric: the lead metric of the task.
    """
    direction = f"{metric} {arrow(metric)}"
    makers: dict[str, Callable[[pd.DataFrame], ReadingTable]] = {
        "shares": share_table,
        "behaviour": behaviour_table,
        "weights_replaced": lambda table: replaced_table(table, direction),
        "role_loss": role_loss_table,
        "interactions": interaction_table,
        "additive": lambda table: additive_table(table, direction),
        "robustness": lambda table: robustness_table(table, direction),
        "patterns": lambda table: pattern_table(table, direction),
        "local": local_table,
        "token_faithfulness": faithfulness_table,
        "token_pairs": sample_pair_table,
        "token_pair_means": pair_table,
        "token_masking": masking_table,
    }
    tables = {name: explained.get(name) for name in makers}
    return {name: makers[name](table) for name, table in tables.items() if table is not None and len(table)}


def robustness_table(robustness: pd.DataFrame, direction: str) -> ReadingTable:
    """Lay out the score with each modality missing in a share of the samples."""
    shares = sorted(set(robustness["share"]))
    rows = []
    for (modality, by), own in robustness.groupby(["modality", "replaced_by"], sort=False):
        cells = [
            [f"{row['score']:.3f} ± {row['spread']:.3f}" for row in records(own[own["share"] == share])]
            for share in shares
        ]
        rows.append([[f"{modality}, {STAND_INS.get(str(by), by)} in its place"], *cells])
    return ReadingTable(
        f"{direction} where a modality is missing at random",
        "A line for each seed: mean and standard deviation over draws of who loses the modality. A model that was "
        "trained on complete samples has no token for a missing modality, and never saw its mean in training.",
        ["modality", *(f"in {share:.0%}" for share in shares)],
        rows,
    )


def pattern_table(patterns: pd.DataFrame, direction: str) -> ReadingTable:
    """Lay out the score by pattern of presence."""
    rows = [
        [
            [str(pattern)],
            [str(own["samples"].iloc[0])],
            [interval_cell(row, "score", "too few") for row in records(own)],
        ]
        for pattern, own in patterns.groupby("pattern", sort=False)
    ]
    return ReadingTable(
        f"{direction} by the modalities that samples have",
        "A line for each seed, with the 95 % interval over samples. Who lacks a modality may differ in other ways too.",
        ["modalities", "test samples", direction],
        rows,
    )


def share_table(shares: pd.DataFrame) -> ReadingTable:
    """Lay out what each reading gives to each term."""
    terms = list(dict.fromkeys(shares["term"]))
    rows = []
    for reading, own in shares.groupby("reading", sort=False):
        by_term = {term: own[own["term"] == term] for term in terms}
        cells = [[interval_cell(row, "share", "no gain shown") for row in records(table)] for table in by_term.values()]
        rows.append([[str(reading)], *cells])
    return ReadingTable(
        "Shares of what the model gains",
        "A line for each seed, with the 95 % interval over samples. Weight, leave-one-out and shapley are of the "
        "experts by their names; lattice of the whole model on subsets of modalities, the others replaced by the "
        "mean tokens, another sample's or zeros; partial information of what the encoders hand on; parts of sealed "
        "experts.",
        ["reading", *terms],
        rows,
    )


def behaviour_table(behaviour: pd.DataFrame) -> ReadingTable:
    """Lay out the role that each expert plays, next to its name."""
    terms = list(dict.fromkeys(behaviour["term"]))
    rows = []
    for expert, own in behaviour.groupby("expert", sort=False):
        of_seed = own.drop_duplicates("seed")
        cells = [[interval_cell(row, "share", "–") for row in records(own[own["term"] == term])] for term in terms]
        rows.append([[str(expert)], of_seed["role"].tolist(), [f"{gain:+.3f}" for gain in of_seed["gain"]], *cells])
    return ReadingTable(
        "Role that each expert plays alone",
        "From the expert's own value on subsets of modalities, whatever its name. Idle: it gains nothing alone; "
        "unclear: no term is shown to lead.",
        ["expert", "role by seed", "gain alone", *terms],
        rows,
    )


def replaced_table(replaced: pd.DataFrame, direction: str) -> ReadingTable:
    """Lay out the scores with other weights."""
    rows = []
    for weights, own in replaced.groupby("weights", sort=False):
        scores = [f"{row['score']:.3f}{_of_expert(row)}" for row in records(own)]
        first = own.iloc[0]
        interval = f"[{first['loss_low']:+.3f}, {first['loss_high']:+.3f}]"
        loss = [] if weights == "learned" else [f"{first['loss']:+.3f} {interval}"]
        rows.append([[str(weights)], scores, loss])
    return ReadingTable(
        "Other weights in place of the learned ones",
        "Shuffled: each sample gets another sample's weights. Best single: all weight on the expert that is best on "
        "validation. The difference is that of the learned weights' score, over samples and seeds.",
        ["weights", f"{direction} by seed", "learned less this"],
        rows,
    )


def role_loss_table(role_loss: pd.DataFrame) -> ReadingTable:
    """Lay out the role losses and how much logits vary."""
    rows = [
        [
            [str(expert)],
            [f"{row['loss']:.3f}" for row in records(own)],
            [f"{row['spread']:.3f}" for row in records(own)],
            ["yes" if row["is_label_free"] else "no" for row in records(own)],
        ]
        for expert, own in role_loss.groupby("expert", sort=False)
    ]
    return ReadingTable(
        "Role losses",
        "A role loss next to its least value, by logits that hardly vary over samples, is met without the labels.",
        ["expert", "role loss by seed", "sd of its logits", "met without labels"],
        rows,
    )


def interaction_table(interactions: pd.DataFrame) -> ReadingTable:
    """Lay out the interaction index of each pair of modalities."""
    rows = [
        [[str(pair)], [interval_cell(row, "index", "undefined") for row in records(own)]]
        for pair, own in interactions.groupby("modalities", sort=False)
    ]
    return ReadingTable(
        "Interaction of pairs of modalities",
        "Shapley interaction index of the whole model's value, absent modalities at their mean: above 0 two modalities "
        "are worth more together, below 0 one stands in for the other.",
        ["modalities", "index by seed"],
        rows,
    )


def additive_table(additive: pd.DataFrame, direction: str) -> ReadingTable:
    """Lay out how much of the score needs modalities together."""
    rows = [
        [
            [str(row["seed"])],
            [f"{row['score']:.3f}"],
            [f"{row['additive_score']:.3f}"],
            [interval_cell(row, "gap", "undefined")],
        ]
        for row in records(additive)
    ]
    return ReadingTable(
        "What needs modalities together (EMAP)",
        f"The model's projection onto sums of functions of one modality each, on {additive['num_samples'].iloc[0]} "
        "test samples; the gap is the model's score less the projection's.",
        ["seed", direction, f"{direction} of the projection", "gap"],
        rows,
    )


def local_table(local: pd.DataFrame) -> ReadingTable:
    """Lay out the means over samples of the shares and of the predictions without each modality."""
    words = {"share": "share of", "without": "value without"}
    means = local.groupby(["kind", "name", "seed"], sort=False)["value"].mean().reset_index()
    rows = [
        [[f"{words[str(kind)]} {name}"], [f"{value:.3f}" for value in own["value"]]]
        for (kind, name), own in means.groupby(["kind", "name"], sort=False)
    ]
    return ReadingTable(
        "Single samples, on average",
        f"Of each test sample: what the predicted class's probability is without each modality{_trust(local)}. Single "
        "samples are in results/explanations.",
        ["of the samples", "mean by seed"],
        rows,
    )


def _trust(local: pd.DataFrame) -> str:
    if "share" in set(local["kind"]):
        return ", and how it is shared out. This model saw missing modalities in training"
    return ". This model never saw a missing modality in training, so it may say anything without one"


def _of_expert(row: dict[str, Any]) -> str:
    return f" ({row['expert']})" if row["expert"] else ""
