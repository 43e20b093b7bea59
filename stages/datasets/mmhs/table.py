"""The table of all tweets, which the tweets stage writes and later stages read."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.cohort import read_cohort
from i2moe.contract.reading import check_columns, open_npy
from stages.datasets.mmhs.settings import Settings
from stages.datasets.mmhs.source import LABELS
from stages.shared.base import paths
from stages.shared.parquet import read_parquet

TABLE = "tweets.parquet"
COLUMNS = {"tweet_id": str, "has_image": bool, "fold": str, "same_text": int, "same_image": int}
REMEDY = "run the tweets stage"


def means_path(modality: str) -> Path:
    """Return the file of the mean word vectors of all tweets' texts, or of all texts in images."""
    return paths.interim("mmhs") / f"{modality}.npy"


def read_table(settings: Settings) -> pd.DataFrame:
    """Read the table of all tweets, in the order of the mean vectors; its columns are those of the tweets stage.

    Raises:
        InputError: when the tweets stage has not run with these settings, or the file is broken.
    """
    path = paths.interim("mmhs") / TABLE
    table = read_parquet(path, REMEDY)
    texts = [name for name in settings.modalities if name != "image"]
    counts = dict.fromkeys((f"{name}_{column}" for name in texts for column in ("words", "known")), int)
    check_columns(path, table, COLUMNS | dict.fromkeys(LABELS, int) | counts, REMEDY)
    if table["tweet_id"].duplicated().any():
        raise InputError(f"{path} has a tweet twice: {REMEDY}")
    return table


def read_samples(settings: Settings) -> tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.bool_]]:
    """Return the cohort's rows of the table, their row numbers in it [N], and whether each is in train [N].

    Raises:
        InputError: when cohort and tweets are not from the same run.
    """
    cohort, table = read_cohort(paths.cohort("mmhs")), read_table(settings)
    rows = pd.Index(table["tweet_id"]).get_indexer(pd.Index(cohort["sample_id"]))
    if (rows < 0).any():
        raise InputError(
            f"{paths.cohort('mmhs')} has other tweets than {paths.interim('mmhs')}: rerun the cohort stage"
        )
    return table.iloc[rows], rows, (cohort["split"] == "train").to_numpy()


def read_means(modality: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Read the mean word vectors of some texts [N, D], by their rows of the table [N].

    Raises:
        InputError: when the tweets stage has not run with this modality, or the file is broken.
    """
    path = means_path(modality)
    means = open_npy(path, REMEDY)
    if means.ndim != 2 or means.dtype != np.float32 or len(means) <= rows.max(initial=-1):  # noqa: PLR2004
        raise InputError(f"{path} holds {means.dtype} of shape {means.shape}, which the table does not fit: {REMEDY}")
    found: NDArray[np.float32] = means[rows]
    if not np.isfinite(found).all():
        raise InputError(f"{path} holds NaN or infinity: {REMEDY}")
    return found


def presence_of(table: pd.DataFrame, modalities: list[str]) -> NDArray[np.bool_]:
    """Return which tweets have which modality [n, M]: an image file, or a text with a word that has a vector."""
    columns = [table["has_image"] if name == "image" else table[f"{name}_known"] > 0 for name in modalities]
    return np.stack([column.to_numpy(bool) for column in columns], axis=1)


def present_of(samples: pd.DataFrame, modality: str, settings: Settings) -> NDArray[np.bool_]:
    """Return which of the cohort's tweets have a modality [N]; where incomplete ones are dropped, all have it."""
    if settings.incomplete == "drop":
        return np.ones(len(samples), bool)
    return presence_of(samples, [modality])[:, 0]


def repeated(values: "pd.Series[int]", is_train: NDArray[np.bool_], what: str) -> str | None:
    """Say how many of the validation and test tweets have what a train tweet has; None where none has.

    Args:
        values: [N], equal where two tweets have the same.
        is_train: [N].
        what: they have.

    Examples:
        >>> repeated(pd.Series([7, 8, 7, 9]), np.array([True, True, False, False]), "text")
        '1 of 2 validation and test tweets have the text of a train tweet'
    """
    others = values[~is_train]
    number = int(others.isin(values[is_train]).sum())
    return f"{number} of {len(others)} validation and test tweets have the {what} of a train tweet" if number else None
