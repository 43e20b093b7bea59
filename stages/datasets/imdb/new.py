"""New movies of MM-IMDb: plots and posters prepared with what was fitted on the train split."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import read_fitted
from stages.datasets.imdb import poster
from stages.datasets.imdb.settings import WORDS, Settings
from stages.datasets.imdb.source import DATASET, Movies, read_folder
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.features import write_vectors
from stages.shared.images.image_features import write_new_images
from stages.shared.images.images import Item
from stages.shared.new import NewSamples
from stages.shared.words import mean_vectors, scaled


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
    has_poster = movies.table["has_poster"].to_numpy(bool)
    kept = movies.table["has_json"].to_numpy(bool) & (has_poster | ("poster" not in settings.modalities))
    removed = {"without a JSON file or a poster": int((~kept).sum())}
    if "plot" in settings.modalities:
        kept = _write_plots(dataset, movies, kept, settings, raw, folder, removed)
    ids = movies.table["movie_id"][kept].tolist()
    if "poster" in settings.modalities:
        items = [Item(raw / DATASET / f"{movie}.jpeg", movie) for movie in ids]
        extractor = poster.build_extractor(settings.poster)
        kind = "vector" if len(extractor.shape) == 1 else "image"
        write_new_images(dataset, "poster", items, extractor, folder, {"kind": kind})
    return NewSamples(ids, removed)


def _write_plots(
    dataset: str,
    movies: Movies,
    kept: NDArray[Any],
    settings: Settings,
    raw: Path,
    folder: Path,
    removed: dict[str, int],
) -> NDArray[Any]:
    """Write the plots of the movies that stay, and return which do; count those without a known word, if they go."""
    own = raw / settings.plot.vectors
    path = own if own.exists() else Path(settings.raw) / settings.plot.vectors
    found = mean_vectors(movies.plots, path, f"data.{dataset}.plot.vectors")
    has_words = found.known > 0 if settings.plot.unknown == "drop" else found.words > 0
    removed["without a plot word that has a vector"] = int((kept & ~has_words).sum())
    kept = kept & has_words
    if not kept.any():
        raise InputError(f"{raw}: no movie has all that a prediction needs")
    fitted = read_fitted(paths.fitted(dataset, "plot"))
    write_vectors(folder, "plot", scaled(found.means[kept], found.known[kept] > 0, fitted), {})
    return kept
