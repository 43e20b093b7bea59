"""All movies of MM-IMDb in one pass over the raw files: genres, and plots as vectors."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from i2moe.base.errors import InputError
from stages.datasets.imdb.settings import Settings
from stages.datasets.imdb.source import Movies, find_hdf5, open_hdf5, read_folder, read_hdf5
from stages.datasets.imdb.table import PLOTS, TABLE
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import save
from stages.shared.words import TextVectors, mean_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 4096  # of the HDF5 read at a time


def movies() -> None:
    """Write data/interim/imdb: movies.json, one row per movie, and plots.npy [movies, D], untouched by any split."""
    settings = load_block("data.imdb", Settings)
    hdf5 = find_hdf5(settings.raw)
    official = settings.split == "official"
    found = read_hdf5(hdf5, official=official) if hdf5 else read_folder(settings.raw, official=official)
    vectors = plot_vectors(found, settings, hdf5) if "plot" in settings.modalities else None
    folder = paths.interim("imdb")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    table = found.table.assign(words=0, known_words=0)
    if vectors:
        table = table.assign(words=vectors.words, known_words=vectors.known)
        save(folder / PLOTS, vectors.means)
    (folder / TABLE).write_text(json.dumps(table.to_dict("records"), ensure_ascii=False) + "\n")
    print(f"{folder}: {len(table)} movies")


def plot_vectors(found: Movies, settings: Settings, hdf5: Path | None) -> TextVectors:
    """Return the plots' mean vectors: those of the HDF5, or made from the plots' words."""
    if hdf5:
        return read_means(hdf5)
    return mean_vectors(found.plots, Path(settings.raw) / settings.plot.vectors, "data.imdb.plot.vectors")


def read_means(path: Path) -> TextVectors:
    """Read the ready-made mean vectors, some rows at a time; they are NaN or 0 where no word had a vector.

    How many words there were is not known: 1 of 1 where there is a vector, else 0 of 1.

    Raises:
        InputError: for infinity, or a row that is NaN in part.
    """
    with open_hdf5(path) as file:
        source = file["features"]
        means = np.empty(source.shape, dtype=np.float32)
        for start in range(0, len(source), ROWS):
            means[start : start + ROWS] = source[start : start + ROWS]
    known: NDArray[np.bool_] = ~(np.isnan(means) | (means == 0)).all(axis=1)
    bad: NDArray[np.bool_] = known & ~np.isfinite(means).all(axis=1)
    if bad.any():
        raise InputError(f"{path}: row {int(np.flatnonzero(bad)[0])} of 'features' is not finite: download it again")
    means[~known] = 0
    return TextVectors(means, np.ones(len(known), np.int64), known.astype(np.int64))


if __name__ == "__main__":
    run(movies)
