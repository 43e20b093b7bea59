"""The table of all movies, and what their plots are made from: the movies stage writes them, and later stages read."""

import json
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.cohort import read_cohort
from stages.shared.base import paths

TABLE, PLOTS = "movies.json", "plots.npy"  # one row per movie
TEXTS = "texts.json"  # the plots, for a Hugging Face encoder
WORDS, WORD_VECTORS, WORD_IDS = "words.json", "word_vectors.npy", "word_ids.npy"  # plots as sequences of known words


class Plots(NamedTuple):
    """How many words each plot has, how many of them are known, and by file name what plots are made from."""

    words: NDArray[np.int64]
    known: NDArray[np.int64]
    arrays: dict[str, NDArray[Any]]
    texts: dict[str, list[str]]


def read_movies() -> pd.DataFrame:
    """Read the table of all movies, in the order of plots.npy and of an HDF5's rows.

    Raises:
        InputError: when the movies stage has not run.
    """
    path = paths.interim("imdb") / TABLE
    if not path.exists():
        raise InputError(f"{path} is missing: run the movies stage first")
    return pd.DataFrame(json.loads(path.read_text()))


def read_rows() -> tuple[pd.DataFrame, NDArray[np.int64], NDArray[np.bool_]]:
    """Return the cohort, each sample's row among all movies [N], and whether it is in train [N].

    Raises:
        InputError: when cohort and movies are not from the same run.
    """
    table = read_cohort(paths.cohort("imdb"))
    position = {movie: row for row, movie in enumerate(read_movies()["movie_id"])}
    rows = table["sample_id"].map(position)
    if rows.isna().any():
        raise InputError(
            f"{paths.cohort('imdb')} has other movies than {paths.interim('imdb')}: rerun the cohort stage"
        )
    return table, rows.to_numpy(np.int64), (table["split"] == "train").to_numpy()
