"""Discharge notes of MIMIC-IV by visit, as TF-IDF and SVD fitted on train, or as a model's embeddings."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import Fitted
from stages.datasets.mimic.note.notes import load_notes, stream
from stages.datasets.mimic.sequences import Visits, fitted_on_visits, read_samples, samples_with, write_sequence
from stages.datasets.mimic.settings import NoteSettings, Settings
from stages.datasets.mimic.source import Source, open_source
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import save_fitted
from stages.shared.pretrained.text import TextEncoder
from stages.shared.terms import fit_terms, term_embedding
from stages.shared.words import scaled

BLANK = re.compile(r"_{2,}")  # what de-identification leaves of a name, a date or a number

Embed = Callable[[list[str]], NDArray[np.floating]]  # notes to features [N, D]


def note() -> None:
    """Write data/features/mimic/note.npy [N, T, dim], .lengths.npy and .json; zeros where a visit has no note."""
    settings = load_block("data.mimic", Settings)
    visits = read_samples(settings.cohort.max_visits)
    with open_source(settings.raw, settings.memory_limit) as source:
        load_notes(source, visits)
        array, has_note, about, fitted = embed_notes(source, visits, settings.note)
    description = {
        "source": settings.raw,
        "visits_with_note": int(has_note.sum()),
        **about,
    }
    save_fitted("mimic", "note", fitted)
    write_sequence(
        paths.features("mimic"),
        "note",
        array,
        samples_with(visits, has_note),
        visits,
        settings.cohort.max_visits,
        description,
    )


def embed_notes(
    source: Source, visits: Visits, settings: NoteSettings
) -> tuple[NDArray[np.float32], NDArray[np.bool_], dict[str, Any], Fitted]:
    """Embed and standardise: features [V, D], zeros without a note; which visits have one [V]; a description; the fit.

    Raises:
        InputError: when there are too few notes or terms, or the model cannot be loaded.
    """
    from sklearn.preprocessing import StandardScaler

    if settings.model is None:
        terms, about = fit_notes(source, settings)
        what = "terms, document frequencies, SVD, means, scales"
    else:
        terms, about = {}, {"model": settings.model}
        what = "means, scales"
    array, has_note = read_notes(source, visits, embedding(settings, terms))
    scaler = StandardScaler().fit(array[has_note & visits.is_train])
    fitted = terms | {"mean": scaler.mean_, "scale": scaler.scale_}
    array = scaled(array, has_note, fitted)
    return array, has_note, about | {"fitted": fitted_on_visits(visits, what)}, fitted


def embedding(settings: NoteSettings, terms: Fitted) -> Embed:
    """Return what turns notes into vectors: the terms that were fitted, or a model."""
    return term_embedding(terms, clean) if settings.model is None else load_model(settings.model)


def read_notes(source: Source, visits: Visits, embed: Embed) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the vectors of the visits' notes [V, D], zeros without one, and which visits have one [V].

    Raises:
        InputError: when no visit has one.
    """
    blocks = [(visit, embed(texts).astype(np.float32)) for visit, texts in stream(source, "true")]
    if not blocks:
        raise InputError(f"{source.path('discharge')}: no visit has a note")
    array = np.zeros((len(visits.hadm_id), blocks[0][1].shape[1]), dtype=np.float32)
    has_note = np.zeros(len(array), dtype=bool)
    for visit, block in blocks:
        array[visit], has_note[visit] = block, True
    return array, has_note


def fit_notes(source: Source, settings: NoteSettings) -> tuple[Fitted, dict[str, Any]]:
    """Fit TF-IDF and truncated SVD on the train visits' notes."""
    return fit_terms(
        (text for _, texts in stream(source, "is_train") for text in texts),
        min_texts=settings.min_notes,
        max_terms=settings.max_terms,
        dim=settings.dim,
        seed=settings.seed,
        clean=clean,
        place=f"{source.path('discharge')} (data.mimic.note)",
    )


def load_model(name: str) -> Embed:
    """Load a Hugging Face encoder; a note's embedding is the mean of its tokens' last states.

    A note longer than the model's window is cut into windows, all of which count. The model stays as it is.
    """
    encoder = TextEncoder(name, "data.mimic.note.model")
    return lambda texts: encoder.means([clean(text) for text in texts])


def clean(text: str) -> str:
    """Return a note in lower case without the blanks of de-identification."""
    return BLANK.sub(" ", text).lower()


if __name__ == "__main__":
    run(note)
