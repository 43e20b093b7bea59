"""The table of all movies, and what their plots are made from: the movies stage writes them, and later stages read."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.cohort import read_cohort
from i2moe.contract.reading import check_columns, open_npy, read_json
from stages.shared.base import paths

TABLE, PLOTS = "movies.json", "plots.npy"  # one row per movie
TEXTS = "texts.json"  # the plots, for a Hugging Face encoder
WORDS, WORD_VECTORS, WORD_IDS = "words.json", "word_vectors.npy", "word_ids.npy"  # plots as sequences of known words


REMEDY = "run the movies stage"
COLUMNS = {"movie_id": str, "has_json": bool, "has_poster": bool, "fold": str, "words": int, "known_words": int}


class Plots(NamedTuple):
    """How many words each plot has, how many of them are known, and by file name what plots are made from."""

    words: NDArray[np.int64]
    known: NDArray[np.int64]
    arrays: dict[str, NDArray[Any]]
    texts: dict[str, list[str]]


def read_movies() -> pd.DataFrame:
    """Read the table of all movies, in the order of plots.npy and of an HDF5's rows.

    Raises:
        InputError: when the movies stage has not run, or the file is broken.
    """
    path = paths.interim("imdb") / TABLE
    records = read_json(path, REMEDY)
    if not (isinstance(records, list) and records and all(isinstance(own, dict) for own in records)):
        raise InputError(f"{path} does not hold a row for each movie: {REMEDY}")
    table = pd.DataFrame(records)
    check_columns(path, table, COLUMNS, REMEDY)
    genres, counts = table.get("genres", pd.Series([None])), table[["words", "known_words"]].to_numpy()
    if not genres.map(_is_texts).all() or counts.min() < 0:
        raise InputError(f"{path} has a genre that is no text, or a number of words below 0: {REMEDY}")
    return table


def read_texts(name: str) -> list[str]:
    """Read what the movies stage wrote of plots as texts.

    Raises:
        InputError: when it has not run, or the file is broken.
    """
    path = paths.interim("imdb") / name
    texts = read_json(path, REMEDY)
    if not _is_texts(texts):
        raise InputError(f"{path} is not a list of texts: {REMEDY}")
    return list(texts)


def read_array(name: str, rank: int, kinds: str, rows: int | None = None) -> NDArray[Any]:
    """Memory-map what the movies stage wrote of plots as numbers.

    Args:
        name: of the file.
        rank: number of axes.
        kinds: of NumPy's dtypes, one of which it must have.
        rows: length of the first axis; None: any.

    Raises:
        InputError: when the stage has not run, or the file is broken.
    """
    path = paths.interim("imdb") / name
    array = open_npy(path, REMEDY)
    if array.ndim != rank or array.dtype.kind not in kinds or (rows is not None and len(array) != rows):
        raise InputError(f"{path} holds {array.dtype} of shape {array.shape}, which the table does not fit: {REMEDY}")
    return array


def _is_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


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
