"""New movies of MM-IMDb: plots and posters prepared with what was fitted on the train split."""

from pathlib import Path

import numpy as np

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import read_fitted
from stages.datasets.imdb import poster
from stages.datasets.imdb.settings import WORDS, Settings
from stages.datasets.imdb.source import DATASET, Movies, read_folder
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.features import write_present, write_vectors
from stages.shared.images.image_features import write_new_images
from stages.shared.images.images import Item
from stages.shared.new import NewSamples
from stages.shared.words import TextVectors, mean_vectors, scaled


def prepare(dataset: str, raw: Path, folder: Path) -> NewSamples:
    """Write the arrays of new movies, with or without genres, in a folder like the archive's.

    Word vectors are those of the dataset's own `raw`, unless the new folder has a file of that name.

    Raises:
        InputError: for a dataset whose plots are sequences or another encoder's, a folder without movies, or files that
            cannot be read.
    """
    settings = load_block(f"data.{dataset}", Settings)
    if "plot" in settings.modalities and (settings.plot.tokens or settings.plot.encoder != WORDS):
        raise InputError(f"data.{dataset}.plot: new plots are prepared as means of word vectors alone")
    movies = read_folder(str(raw), official=False)
    has = {"poster": movies.table["has_poster"].to_numpy(bool)} if "poster" in settings.modalities else {}
    plots = None
    if "plot" in settings.modalities:
        plots = _plots(dataset, movies, settings, raw)
        has["plot"] = plots.known > 0 if _needs_known(settings) else plots.words > 0
    presence = np.stack(list(has.values()), axis=1)
    is_kept = settings.incomplete == "keep"
    kept = presence.any(axis=1) if is_kept else presence.all(axis=1)
    if not kept.any():
        raise InputError(f"{raw}: no movie has all that a prediction needs")
    ids = movies.table["movie_id"][kept].tolist()
    if plots is not None:
        array = scaled(plots.means[kept], plots.known[kept] > 0, read_fitted(paths.fitted(dataset, "plot")))
        write_vectors(folder, "plot", array, {})
        write_present(folder, "plot", has["plot"][kept])
    if "poster" in settings.modalities:
        own = has["poster"][kept]
        items = [Item(raw / DATASET / f"{movie}.jpeg", movie) for movie in np.array(ids)[own].tolist()]
        extractor = poster.build_extractor(settings.poster)
        kind = "vector" if len(extractor.shape) == 1 else "image"
        write_new_images(dataset, "poster", items, own, extractor, folder, {"kind": kind})
    why = "without plot and poster" if is_kept else "without a plot of known words, or a poster"
    return NewSamples(ids, {why: int((~kept).sum())})


def _needs_known(settings: Settings) -> bool:
    """Return whether a plot of which no word is known counts as none."""
    return settings.incomplete == "keep" or settings.plot.unknown == "drop"


def _plots(dataset: str, movies: Movies, settings: Settings, raw: Path) -> TextVectors:
    """Return the mean word vectors of the plots."""
    own = raw / settings.plot.vectors
    path = own if own.exists() else Path(settings.raw) / settings.plot.vectors
    return mean_vectors(movies.plots, path, f"data.{dataset}.plot.vectors")
