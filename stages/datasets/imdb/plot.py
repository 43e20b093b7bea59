"""Plots of MM-IMDb, scaled with the train split: means of word vectors, or sequences of words or of tokens' states."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.imdb.settings import WORDS as WORD_ENCODER
from stages.datasets.imdb.settings import Settings
from stages.datasets.imdb.source import find_hdf5
from stages.datasets.imdb.table import (
    PLOTS,
    REMEDY,
    TEXTS,
    WORD_IDS,
    WORD_VECTORS,
    WORDS,
    Plots,
    read_array,
    read_movies,
    read_rows,
    read_texts,
)
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import save_fitted, write_present, write_vectors
from stages.shared.pretrained.text import TextEncoder
from stages.shared.pretrained.token_store import embed
from stages.shared.steps import Steps, write_steps, write_without_steps
from stages.shared.words import fitted_words, standardise

if TYPE_CHECKING:
    from collections.abc import Sequence


def plot() -> None:
    """Write data/features/imdb/plot.npy and .json, [N, D] or with .lengths.npy and .words.json [N, T, D].

    A plot without a known word is 0, the mean train plot; as a sequence, it is one step of 0.
    """
    settings = load_block("data.imdb", Settings)
    _, rows, is_train = read_rows()
    plots = stored_plots(settings)
    if settings.plot.tokens:
        steps, words, about = steps_of(plots, rows, settings)
        without = {"plots_without_known_word": int((steps.lengths == 0).sum())}
        write_steps("imdb", "plot", steps, words, is_train, {"source": settings.raw, **about, **without})
        write_present(paths.features("imdb"), "plot", _present(steps.lengths, settings))
    else:
        vectors, is_known, about = means_of(plots, rows, settings)
        write_means(vectors, is_known, is_train, settings, about)


def stored_plots(settings: Settings) -> Plots:
    """Return what the movies stage wrote of all plots.

    Raises:
        InputError: when it has not run, or with other settings.
    """
    table = read_movies()
    words, known = table["words"].to_numpy(), table["known_words"].to_numpy()
    if settings.plot.encoder != WORD_ENCODER:
        texts = read_texts(TEXTS)
        if len(texts) != len(table):
            raise InputError(f"{paths.interim('imdb') / TEXTS} has {len(texts)} plots of {len(table)}: {REMEDY}")
        return Plots(words, known, {}, {TEXTS: texts})
    if not settings.plot.tokens:
        return Plots(words, known, {PLOTS: read_array(PLOTS, 2, "f", len(table))}, {})
    names = read_texts(WORDS)
    ids = read_array(WORD_IDS, 1, "i", int(known.sum()))
    if ids.min(initial=0) < 0 or ids.max(initial=-1) >= len(names):
        raise InputError(f"{paths.interim('imdb') / WORD_IDS} has other words than {WORDS}: {REMEDY}")
    vectors = read_array(WORD_VECTORS, 2, "f", len(names))
    return Plots(words, known, {WORD_IDS: ids, WORD_VECTORS: vectors}, {WORDS: names})


def steps_of(
    plots: Plots, rows: NDArray[np.int64], settings: Settings
) -> tuple[Steps, "Sequence[Sequence[str]]", dict[str, Any]]:
    """Return plots as sequences of words that have a vector or of tokens' states, these words, and a description.

    Args:
        plots: of all movies.
        rows: of the samples among them [N].
        settings: of the dataset.
    """
    if settings.plot.encoder != WORD_ENCODER:
        return read_tokens(plots, rows, settings)
    steps, words, about = read_words(plots, rows, settings.plot.max_tokens)
    known = _known_share(plots, rows, settings)
    return steps, words, about | known | {"note": f"{known['note']}; {about['note']}"}


def means_of(
    plots: Plots, rows: NDArray[np.int64], settings: Settings
) -> tuple[NDArray[np.float32], NDArray[np.bool_], dict[str, Any]]:
    """Return plots as mean vectors [N, D], whether anything of each is known [N], and a description.

    Arguments as in `steps_of`.
    """
    if settings.plot.encoder != WORD_ENCODER:
        steps, _, about = read_tokens(plots, rows, settings)
        return steps.means(), steps.lengths > 0, about
    return plots.arrays[PLOTS][rows], plots.known[rows] > 0, _known_share(plots, rows, settings)


def read_words(plots: Plots, rows: NDArray[np.int64], max_tokens: int) -> tuple[Steps, list[list[str]], dict[str, Any]]:
    """Return plots as sequences of their first words that have a vector, at most `max_tokens`.

    Other arguments, and what is returned, as in `steps_of`.
    """
    ids, names, known = plots.arrays[WORD_IDS], plots.texts[WORDS], plots.known
    first = (known.cumsum() - known)[rows]
    lengths = np.minimum(known[rows], max_tokens)
    words = [
        [names[place] for place in ids[start : start + length]] for start, length in zip(first, lengths, strict=True)
    ]
    places = np.arange(lengths.sum()) + np.repeat(first - (lengths.cumsum() - lengths), lengths)
    steps = Steps(plots.arrays[WORD_VECTORS], ids[places].astype(np.int64), lengths)
    return steps, words, _cut_off(int((known[rows] > max_tokens).sum()), max_tokens)


def read_tokens(
    plots: Plots, rows: NDArray[np.int64], settings: Settings
) -> tuple[Steps, list[list[str]], dict[str, Any]]:
    """Return plots as sequences of a Hugging Face encoder's last hidden states.

    Arguments, and what is returned, as in `steps_of`.
    """
    texts = plots.texts[TEXTS]
    encoder = TextEncoder(settings.plot.encoder, "data.imdb.plot.encoder")
    cuts = list(encoder.cut([texts[row] for row in rows], settings.plot.max_tokens))
    about = {"encoder": settings.plot.encoder, **_cut_off(sum(cut.is_cut for cut in cuts), settings.plot.max_tokens)}
    return embed(cuts, encoder), [cut.tokens for cut in cuts], about


def write_means(
    vectors: NDArray[np.float32],
    is_known: NDArray[np.bool_],
    is_train: NDArray[np.bool_],
    settings: Settings,
    about: dict[str, Any],
) -> None:
    """Standardise mean vectors [N, D] with the train split and write them; 0 where no word is known [N].

    Raises:
        InputError: when no train plot has a known word.
    """
    if not (is_train & is_known).any():
        raise InputError(f"{settings.raw}: no train plot has a word with a vector: is this the right file of vectors?")
    array, fitted = standardise(vectors, is_known, is_train)
    description = {
        "source": settings.raw,
        **about,
        "plots_without_known_word": int((~is_known).sum()),
        "fitted": fitted,
    }
    write_without_steps("imdb", "plot")
    write_vectors(paths.features("imdb"), "plot", array, description)
    write_present(paths.features("imdb"), "plot", _present(is_known, settings))
    save_fitted("imdb", "plot", fitted_words(fitted))
    print(f"  {int((~is_known).sum())} plots without a known word are 0")


def _present(found: NDArray[Any], settings: Settings) -> NDArray[np.bool_]:
    """Return which movies have a plot [N]: where incomplete ones are kept, those in which something was found."""
    return np.asarray(found > 0) if settings.incomplete == "keep" else np.ones(len(found), bool)


def _cut_off(number: int, max_tokens: int) -> dict[str, Any]:
    """Say how many plots are cut off."""
    note = f"{number} plots have more than {max_tokens} tokens and are cut off there"
    print(f"imdb plot: {note}")
    return {"max_tokens": max_tokens, "plots_cut_off": number, "note": note}


def _known_share(plots: Plots, rows: NDArray[np.int64], settings: Settings) -> dict[str, Any]:
    """Say how many of the plots' words have no vector; an HDF5 does not tell."""
    if find_hdf5(settings.raw):
        return {}
    share = round(1 - float(plots.known[rows].sum() / max(1, plots.words[rows].sum())), 4)
    print(f"imdb plot: {share:.1%} of the plots' words have no vector")
    return {
        "vectors": settings.plot.vectors,
        "share_of_words_without_vector": share,
        "note": f"{share:.1%} of the plots' words have no vector",
    }


if __name__ == "__main__":
    run(plot)
