"""Cohort of MMHS150K: tweets with image and text, or either, on which most annotators agree, and what they agree on."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.mmhs.settings import Settings
from stages.datasets.mmhs.source import LABELS
from stages.datasets.mmhs.table import presence_of, read_table
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.cohort.cohorts import Cohort, Step, count_removed, finish_cohort


def cohort() -> None:
    """Write data/cohorts/mmhs.csv, and .json with the flow table."""
    settings = load_block("data.mmhs", Settings)
    raw = read_table(settings)
    table, flow = select(raw.assign(label=decide(raw[list(LABELS)].to_numpy(), settings.labels)), settings)
    finish_cohort(
        Cohort(
            dataset="mmhs",
            task=settings.task,
            classes=["NotHate", "Hate"] if settings.labels == "hate" else list(LABELS),
            modalities=list(settings.modalities),
            licence=settings.licence,
            sample_ids=table["tweet_id"].to_numpy(str),
            labels=table["label"].to_numpy(),
            num_raw=len(raw),
            raw=settings.raw,
            splits=table["fold"].to_numpy(str) if settings.split == "official" else None,
            filters=count_removed(flow, "tweets"),
            flow=flow,
            presence=presence_of(table, list(settings.modalities)) if settings.incomplete == "keep" else None,
        )
    )


def decide(votes: NDArray[np.int64], labels: str) -> NDArray[np.int64]:
    """Return the class that more than half of a tweet's annotators chose [N], -1 where there is none.

    Args:
        votes: the annotators who chose each of LABELS [N, 6].
        labels: hate, for which all kinds of hate are one class; or classes.

    Examples:
        >>> votes = np.array([[2, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 3]])
        >>> decide(votes, "hate").tolist(), decide(votes, "classes").tolist()
        ([0, 1, 1], [0, -1, 5])
    """
    if labels == "hate":
        votes = np.stack([votes[:, 0], votes[:, 1:].sum(axis=1)], axis=1)
    return np.where(2 * votes.max(axis=1) > votes.sum(axis=1), votes.argmax(axis=1), -1)


def select(table: pd.DataFrame, settings: Settings) -> tuple[pd.DataFrame, list[Step]]:
    """Apply the filters in order; return who is left, and by filter how many it removed and left.

    Raises:
        InputError: when a filter leaves no tweet.
    """
    filters = {}
    is_dropped = settings.incomplete == "drop"
    if is_dropped and "image" in settings.modalities:
        filters["without an image file"] = table["has_image"]
    if is_dropped and "tweet" in settings.modalities:
        filters["without a word beside links and mentions"] = table["tweet_words"] > 0
    if not is_dropped:
        has_any = presence_of(table, list(settings.modalities)).any(axis=1)
        filters["without any modality"] = pd.Series(has_any, table.index)
    filters["without a majority of annotators"] = table["label"] >= 0
    if settings.split == "official":
        filters["in no official split"] = table["fold"] != ""
    flow: list[Step] = []
    for name, keep in filters.items():
        left = table[keep.loc[table.index]]
        flow.append({"filter": name, "tweets_removed": len(table) - len(left), "tweets_left": len(left)})
        if left.empty:
            raise InputError(f"{settings.raw}: no tweet is left after {name!r}: is the archive complete?")
        table = left
    return table, flow


if __name__ == "__main__":
    run(cohort)
