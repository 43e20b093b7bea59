"""All movies of MM-IMDb in one pass over the raw files: genres, and plots as vectors."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from i2moe.base.errors import InputError
from stages.datasets.imdb.settings import WORDS as WORD_ENCODER
from stages.datasets.imdb.settings import Settings
from stages.datasets.imdb.source import LINE_BREAK, ROWS, Movies, find_hdf5, open_hdf5, read_folder, read_hdf5, reading
from stages.datasets.imdb.table import PLOTS, TABLE, TEXTS, WORD_IDS, WORD_VECTORS, WORDS, Plots
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import save
from stages.shared.word_steps import find_known_words
from stages.shared.words import TextVectors, mean_vectors, tokenise

if TYPE_CHECKING:
    from numpy.typing import NDArray


def movies() -> None:
    """Write data/interim/imdb, untouched by any split: movies.json, one row per movie, and what plots are made from.

    That is plots.npy [movies, D] where a plot is the mean of word vectors; words.json, word_vectors.npy and
    word_ids.npy where it is a sequence of them; texts.json for a Hugging Face encoder.
    """
    settings = load_block("data.imdb", Settings)
    hdf5 = find_hdf5(settings.raw)
    official = settings.split == "official"
    found = read_hdf5(hdf5, official=official) if hdf5 else read_folder(settings.raw, official=official)
    vectors = Path(settings.raw) / settings.plot.vectors
    plots = read_plots(found, settings, hdf5, vectors) if "plot" in settings.modalities else None
    folder = paths.interim("imdb")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    table = found.table.assign(words=0, known_words=0)
    if plots:
        table = table.assign(words=plots.words, known_words=plots.known)
        for name, array in plots.arrays.items():
            save(folder / name, array)
        for name, texts in plots.texts.items():
            _write_json(folder / name, texts)
    _write_json(folder / TABLE, table.to_dict("records"))
    print(f"{folder}: {len(table)} movies")


def read_plots(found: Movies, settings: Settings, hdf5: Path | None, vectors: Path) -> Plots:
    """Return the plots' mean vectors, those of the HDF5 or made from their words; or their words; or their texts.

    Args:
        found: the movies.
        settings: of the dataset.
        hdf5: the file, where they are from one.
        vectors: word vectors, read where they are needed.

    Raises:
        InputError: for an HDF5, which has no texts, where more than its means is wanted.
    """
    own = settings.plot
    if hdf5 and (own.tokens or own.encoder != WORD_ENCODER):
        raise InputError(
            f"{hdf5} holds means of word vectors and no texts: set data.imdb.raw to the archive's folder, or "
            "data.imdb.plot.encoder to words and data.imdb.plot.tokens to false"
        )
    if own.encoder != WORD_ENCODER:
        words = np.array([len(tokenise(text)) for text in found.plots])
        return Plots(words, words, {}, {TEXTS: [text.replace(LINE_BREAK, " ") for text in found.plots]})
    key = "data.imdb.plot.vectors"
    if own.tokens:
        known = find_known_words(found.plots, vectors, key)
        arrays = {WORD_VECTORS: known.vectors, WORD_IDS: known.ids}
        return Plots(known.words, known.known, arrays, {WORDS: known.names})
    means = read_means(hdf5) if hdf5 else mean_vectors(found.plots, vectors, key)
    return Plots(means.words, means.known, {PLOTS: means.means}, {})


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")


def read_means(path: Path) -> TextVectors:
    """Read the ready-made mean vectors, some rows at a time; they are NaN or 0 where no word had a vector.

    How many words there were is not known: 1 of 1 where there is a vector, else 0 of 1.

    Raises:
        InputError: for infinity, or a row that is NaN in part.
    """
    with open_hdf5(path, "features") as file, reading(path):
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
