"""Movies of MM-IMDb for people to look at: plots and posters as the archive has them."""

from collections.abc import Mapping
from pathlib import Path

from stages.datasets.imdb.settings import Settings
from stages.datasets.imdb.source import DATASET, LINE_BREAK, find_hdf5, read_folder
from stages.shared.base.params import load_block
from stages.shared.inputs import Images, Raw, texts_in_order


def raw_inputs(dataset: str, samples: Mapping[str, list[str]]) -> dict[str, Raw]:
    """Return plots and posters; see `stages.shared.inputs`.

    An HDF5 has neither. A plot that is a sequence is shown as its features, with the words that its steps stand for.
    """
    settings = load_block(f"data.{dataset}", Settings)
    if find_hdf5(settings.raw):
        return {}
    found: dict[str, Raw] = {}
    if "poster" in samples:
        folder = Path(settings.raw) / DATASET
        found["poster"] = Images([folder / f"{movie}.jpeg" for movie in samples["poster"]])
    if "plot" in samples and not settings.plot.tokens:
        movies = read_folder(settings.raw, official=False)
        plots = (plot.replace(LINE_BREAK, " ") for plot in movies.plots)
        by_movie = dict(zip(movies.table["movie_id"], plots, strict=True))
        found["plot"] = texts_in_order(by_movie, samples["plot"], settings.raw)
    return found
