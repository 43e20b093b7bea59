"""New movies of MM-IMDb: plots and posters prepared with what was fitted on the train split."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import read_fitted
from stages.datasets.imdb import poster
from stages.datasets.imdb.movies import read_plots
from stages.datasets.imdb.plot import means_of, steps_of
from stages.datasets.imdb.settings import Settings
from stages.datasets.imdb.source import DATASET, Movies, find_hdf5, open_hdf5, read_folder, read_hdf5
from stages.datasets.imdb.table import Plots
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.features import write_present, write_vectors
from stages.shared.images.image_features import write_as_train, write_new_images
from stages.shared.images.images import Item
from stages.shared.new import NewSamples
from stages.shared.steps import write_new_steps
from stages.shared.words import scaled


def prepare(dataset: str, raw: Path, folder: Path) -> NewSamples:
    """Write the arrays of new movies, with or without genres: a folder like the archive's, or an HDF5.

    Word vectors are those of the dataset's own `raw`, unless the new folder has a file of that name.

    Raises:
        InputError: for files of the other form than the dataset's own, without movies, or that cannot be read.
    """
    settings = load_block(f"data.{dataset}", Settings)
    hdf5 = _hdf5(raw, settings)
    movies = read_hdf5(hdf5, official=False, labelled=False) if hdf5 else read_folder(str(raw), official=False)
    has = {"poster": movies.table["has_poster"].to_numpy(bool)} if "poster" in settings.modalities else {}
    plots = _plots(movies, settings, raw, hdf5) if "plot" in settings.modalities else None
    if plots is not None:
        has["plot"] = plots.known > 0 if _needs_known(settings) else plots.words > 0
    presence = np.stack(list(has.values()), axis=1)
    is_kept = settings.incomplete == "keep"
    kept = presence.any(axis=1) if is_kept else presence.all(axis=1)
    if not kept.any():
        raise InputError(f"{raw}: no movie has all that a prediction needs")
    ids = movies.table["movie_id"].to_numpy(str)
    rows = np.flatnonzero(kept)
    rows = rows[ids[rows].argsort()]
    if plots is not None:
        _write_plots(dataset, plots, rows, settings, folder)
        write_present(folder, "plot", has["plot"][rows])
    if "poster" in has and hdf5:
        with open_hdf5(hdf5, "vgg_features") as file:
            images = poster.ready_made(file, hdf5)
            write_as_train(dataset, "poster", images, rows, folder, poster.describe_ready_made(images))
    elif "poster" in has:
        own = has["poster"][rows]
        items = [Item(raw / DATASET / f"{movie}.jpeg", movie) for movie in ids[rows][own].tolist()]
        extractor = poster.build_extractor(settings.poster)
        kind = "vector" if len(extractor.shape) == 1 else "image"
        write_new_images(dataset, "poster", items, own, extractor, folder, {"kind": kind})
    why = "without plot and poster" if is_kept else "without a plot of known words, or a poster"
    return NewSamples(ids[rows].tolist(), {why: int((~kept).sum())})


def _hdf5(raw: Path, settings: Settings) -> Path | None:
    """Return the new HDF5; None for a folder like the archive's.

    Raises:
        InputError: for the other form than the dataset's own, whose features are from other vectors and networks.
    """
    new, own = find_hdf5(str(raw)), find_hdf5(settings.raw)
    if (new is None) != (own is None):
        forms = {True: f"a folder {DATASET}/", False: "an HDF5"}
        raise InputError(
            f"{raw} holds {forms[new is None]}, and data.imdb.raw, {settings.raw}, {forms[own is None]}: new movies "
            "must come in the same form"
        )
    return new


def _needs_known(settings: Settings) -> bool:
    """Return whether a plot of which no word is known counts as none; an encoder knows all."""
    return settings.incomplete == "keep" or settings.plot.unknown == "drop"


def _plots(movies: Movies, settings: Settings, raw: Path, hdf5: Path | None) -> Plots:
    """Return what the plots are made from."""
    own = raw / settings.plot.vectors
    vectors = own if own.exists() else Path(settings.raw) / settings.plot.vectors
    return read_plots(movies, settings, hdf5, vectors)


def _write_plots(dataset: str, plots: Plots, rows: NDArray[np.int64], settings: Settings, folder: Path) -> None:
    """Write plots of some rows, as sequences or as means."""
    if settings.plot.tokens:
        steps, _, about = steps_of(plots, rows, settings)
        write_new_steps(dataset, "plot", steps, folder, about)
        return
    means, is_known, about = means_of(plots, rows, settings)
    fitted = read_fitted(paths.fitted(dataset, "plot"))
    if means.shape[1] != len(fitted["mean"]):
        raise InputError(
            f"new plots have vectors of {means.shape[1]} numbers, those of train had {len(fitted['mean'])}: bring the "
            "same vectors"
        )
    write_vectors(folder, "plot", scaled(means, is_known, fitted), about)
