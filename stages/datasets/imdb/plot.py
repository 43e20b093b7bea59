"""Plots of MM-IMDb: mean word vectors, standardised with the train split."""

from typing import Any

import numpy as np
import pandas as pd

from i2moe.base.errors import InputError
from stages.datasets.imdb.settings import Settings
from stages.datasets.imdb.source import find_hdf5
from stages.datasets.imdb.table import PLOTS, read_movies, read_rows
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import fitted_on_train, write_vectors


def plot() -> None:
    """Write data/features/imdb/plot.npy [N, D] and .json; a plot without a known word is 0, the mean train plot."""
    from sklearn.preprocessing import StandardScaler

    settings = load_block("data.imdb", Settings)
    _, rows, is_train = read_rows()
    path = paths.interim("imdb") / PLOTS
    if not path.exists():
        raise InputError(f"{path} is missing: run the movies stage first")
    movies = read_movies().iloc[rows]
    is_known = movies["known_words"].to_numpy() > 0
    if not (is_train & is_known).any():
        raise InputError(f"{settings.raw}: no train plot has a word with a vector: is this the right file of vectors?")
    vectors = np.load(path, mmap_mode="r")[rows]
    scaler = StandardScaler().fit(vectors[is_train & is_known])
    array = np.zeros_like(vectors)
    array[is_known] = scaler.transform(vectors[is_known])
    description = {
        "source": settings.raw,
        **_words(movies, settings),
        "plots_without_known_word": int((~is_known).sum()),
        "fitted": fitted_on_train(is_train & is_known, "means, scales")
        | {"mean": scaler.mean_.tolist(), "scale": scaler.scale_.tolist()},
    }
    write_vectors("imdb", "plot", array, description)
    print(f"  {int((~is_known).sum())} plots without a known word are 0")


def _words(movies: pd.DataFrame, settings: Settings) -> dict[str, Any]:
    """Say how many of the plots' words have no vector; an HDF5 does not tell."""
    if find_hdf5(settings.raw):
        return {}
    share = round(1 - float(movies["known_words"].sum() / movies["words"].sum()), 4)
    print(f"imdb plot: {share:.1%} of the plots' words have no vector")
    return {
        "vectors": settings.plot.vectors,
        "share_of_words_without_vector": share,
        "note": f"{share:.1%} of the plots' words have no vector",
    }


if __name__ == "__main__":
    run(plot)
