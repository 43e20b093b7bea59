"""Write a synthetic MM-IMDb: the archive's files and quirks, word vectors, and a planted cause of the genres.

Each genre follows from one term (`planted.json`): what only the poster shows (uniqueness), what both show (redundancy),
or an exclusive or of one bit in each (synergy).
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from i2moe.contract.planted import PlantedTerm
from stages.datasets.imdb.settings import SyntheticSettings
from stages.datasets.imdb.source import DATASET, FOLDS, SPLIT
from stages.datasets.imdb.synthetic.files import SHOWN_BY, write_plot, write_posters, write_vectors
from stages.datasets.imdb.synthetic.movies import INTERCEPT, RULE, RULES, SCALE, SyntheticMovies, draw_movies
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.synthetic import new_files, write_planted

VECTORS = "vectors.bin"
OFFICIAL_SHARES = {"train": 0.6, "dev": 0.1, "test": 0.3}
TERMS = [
    PlantedTerm(
        role="uniqueness",
        modalities=["poster"],
        outputs=["Drama", "Action", "Romance"],
        words="a red ground of the poster or a blue one",
    ),
    PlantedTerm(
        role="redundancy",
        modalities=["plot", "poster"],
        outputs=["Horror", "Family"],
        words="night or day, in the words of the plot and in the light of the poster",
    ),
    PlantedTerm(
        role="synergy",
        modalities=["plot", "poster"],
        outputs=["Crime", "Musical"],
        words="a plot at sea with bars on the poster, or one in the desert with a disc, but not both",
    ),
]


def synthesize() -> None:
    """Write data/synthetic/imdb: dataset/, split.json, vectors.bin, planted.json and planted.csv."""
    settings = load_block("synthetic.imdb", SyntheticSettings)
    with new_files("imdb") as folder:
        write_files(folder, settings.movies, settings.seed)
    print(f"{paths.synthetic('imdb')}: synthetic MM-IMDb of {settings.movies} movies")


def write_files(folder: Path, num_movies: int, seed: int) -> None:
    """Write all files; each kind draws from a stream of its own."""
    streams = [np.random.default_rng([seed, number]) for number in range(5)]
    movies = draw_movies(num_movies, streams[0])
    (folder / DATASET).mkdir(parents=True)
    for row, movie in enumerate(movies.ids):
        content = {"title": f"Synthetic movie {movie}", "genres": movies.genres_of(row)}
        content["plot"] = write_plot(movies, row, streams[1])
        (folder / DATASET / f"{movie}.json").write_text(json.dumps(content), encoding="utf-8")
    write_posters(folder / DATASET, movies, streams[2])
    write_vectors(folder / VECTORS, streams[3])
    order = streams[4].permutation(num_movies)
    edges = np.cumsum([round(share * num_movies) for share in list(OFFICIAL_SHARES.values())[:-1]])
    folds = dict(zip(FOLDS, np.split(order, edges), strict=True))
    split = {name: sorted(movies.ids[row] for row in rows) for name, rows in folds.items()}
    (folder / SPLIT).write_text(json.dumps(split), encoding="utf-8")
    _write_planted(folder, movies, seed)


def _write_planted(folder: Path, movies: SyntheticMovies, seed: int) -> None:
    """Write the rule, and each movie's terms and genres."""
    genres = {name: has.astype(int) for name, has in movies.genres.items()}
    table = pd.DataFrame({"movie_id": movies.ids, **movies.terms, **genres})
    table.to_csv(folder / "planted.csv", index=False, lineterminator="\n")
    write_planted(
        folder,
        RULE,
        TERMS,
        genres={name: {"term": term, "sign": sign} for name, (term, sign) in RULES.items()},
        scale=SCALE,
        intercept=INTERCEPT,
        shown_by=SHOWN_BY,
        movies=len(movies.ids),
        seed=seed,
    )


if __name__ == "__main__":
    run(synthesize)
