"""Cohort of MM-IMDb: movies with genres, a plot and a poster, and the 23 genres as labels."""

from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.imdb.settings import WORDS, Settings
from stages.datasets.imdb.source import GENRES
from stages.datasets.imdb.table import read_movies
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.cohort.cohorts import Cohort, Step, count_removed, finish_cohort


def cohort() -> None:
    """Write data/cohorts/imdb.csv and .json with the flow table."""
    settings = load_block("data.imdb", Settings)
    table = read_movies()
    movies, flow = select(table, settings)
    movies = movies.sort_values("movie_id")
    classes = [genre for genre in GENRES if movies["genres"].map(lambda own, genre=genre: genre in own).any()]
    others = Counter(genre for own in movies["genres"] for genre in own if genre not in GENRES)
    finish_cohort(
        Cohort(
            dataset="imdb",
            task=Settings.task,
            classes=classes,
            modalities=list(settings.modalities),
            licence=settings.licence,
            sample_ids=movies["movie_id"].to_numpy(str),
            labels=multi_hot(movies["genres"], classes),
            num_raw=len(table),
            raw=settings.raw,
            splits=movies["fold"].to_numpy(str) if settings.split == "official" else None,
            filters=count_removed(flow, "movies"),
            flow=flow,
            presence=presence_of(movies, settings) if settings.incomplete == "keep" else None,
        )
    )
    if others:
        print(f"  {len(others)} genres, named {others.total()} times, are none of the {len(GENRES)}: not labels")


def select(table: pd.DataFrame, settings: Settings) -> tuple[pd.DataFrame, list[Step]]:
    """Apply the filters in order; return who is left, and by filter how many it removed and left.

    Raises:
        InputError: when a filter leaves no movie.
    """
    is_dropped = settings.incomplete == "drop"
    has_plot = is_dropped and "plot" in settings.modalities
    filters = {"without a JSON file": table["has_json"]}
    if is_dropped and "poster" in settings.modalities:
        filters["without a poster"] = table["has_poster"]
    filters |= {
        "without genres": table["genres"].map(len) > 0,
        f"of none of the {len(GENRES)} genres": table["genres"].map(lambda own: bool(set(own) & set(GENRES))),
    }
    if has_plot:
        filters["without a plot"] = table["words"] > 0
    if has_plot and settings.plot.encoder == WORDS and settings.plot.unknown == "drop":
        filters["without a plot word that has a vector"] = table["known_words"] > 0
    if not is_dropped:
        filters["without any modality"] = pd.Series(presence_of(table, settings).any(axis=1), table.index)
    if settings.split == "official":
        filters["in no official split"] = table["fold"] != ""
    flow: list[Step] = []
    left = table
    for name, keep in filters.items():
        kept = left[keep.loc[left.index].to_numpy(bool)]
        flow.append({"filter": name, "movies_removed": len(left) - len(kept), "movies_left": len(kept)})
        if kept.empty:
            raise InputError(f"{settings.raw}: no movie is left after {name!r}: is the archive complete?")
        left = kept
    return left, flow


def presence_of(table: pd.DataFrame, settings: Settings) -> NDArray[np.bool_]:
    """Return which movies have which modality [N, M]: a poster; a plot, of which the encoder knows a word."""
    column = "known_words" if settings.plot.encoder == WORDS else "words"
    has = {"plot": table[column].to_numpy() > 0, "poster": table["has_poster"].to_numpy(bool)}
    return np.stack([has[name] for name in settings.modalities], axis=1)


def multi_hot(genres: "pd.Series[list[str]]", classes: list[str]) -> NDArray[np.int64]:
    """Return 1 where a movie has a genre [N, C]."""
    return np.array([[genre in own for genre in classes] for own in genres], dtype=np.int64)


if __name__ == "__main__":
    run(cohort)
