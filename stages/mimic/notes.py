"""Discharge notes of MIMIC-IV by visit: TF-IDF, then truncated SVD, standardised; all fitted on the train split."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from i2moe.errors import InputError
from stages.command import run
from stages.mimic.sequences import Visits, fitted_on_train, read_visits, write_sequence
from stages.mimic.settings import NoteSettings
from stages.mimic.source import Source, open_source
from stages.params import load_params

BLANK = re.compile(r"_{2,}")  # what de-identification leaves of a name, a date or a number
NOTES_AT_ONCE = 500


def notes() -> None:
    """Write data/features/mimic/note.npy [N, T, dim], .lengths.npy and .json; zeros where a visit has no note."""
    settings = load_params().mimic()
    visits = read_visits("mimic")
    with open_source(settings.raw, settings.memory_limit) as source:
        load_notes(source, visits)
        array, has_note, about = embed(source, visits, settings.note)
    description = {
        "source": settings.raw,
        "features": [f"svd_{index}" for index in range(array.shape[1])],
        "visits_with_note": int(has_note.sum()),
        **about,
        "fitted": fitted_on_train(visits, "terms, document frequencies, SVD, means, scales"),
    }
    write_sequence("mimic", "note", array, visits, settings.cohort.max_visits, description)


def load_notes(source: Source, visits: Visits) -> None:
    """Put the note of each visit into DuckDB, the latest where a visit has several; one pass over the raw table."""
    source.connection.register("visits", visits.table().assign(is_train=visits.is_train))
    source.query(
        f"""
        CREATE TEMP TABLE notes AS SELECT visit, is_train, note_id, charttime, text
        FROM {source.scan("discharge")} JOIN visits USING (hadm_id) WHERE text IS NOT NULL
        """,  # noqa: S608
        "discharge",
    )


def embed(
    source: Source, visits: Visits, settings: NoteSettings
) -> tuple[NDArray[np.float32], NDArray[np.bool_], dict[str, Any]]:
    """Fit on the train visits' notes, and embed all: features [V, dim], which visits have a note [V], and counts.

    Raises:
        InputError: when there are too few notes or terms for so many dimensions.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import StandardScaler

    vectorizer = TfidfVectorizer(preprocessor=clean, min_df=settings.min_notes, max_features=settings.max_terms)
    try:
        terms = vectorizer.fit_transform(text for _, texts in stream(source, "is_train") for text in texts)
    except ValueError as error:
        raise InputError(
            f"{source.path('discharge')}: no term is in {settings.min_notes} train notes: lower "
            "data.mimic.note.min_notes"
        ) from error
    if settings.dim >= min(terms.shape):
        raise InputError(
            f"{source.path('discharge')}: {terms.shape[0]} train notes with {terms.shape[1]} terms are too few for "
            f"data.mimic.note.dim {settings.dim}; allowed: less than {min(terms.shape)}"
        )
    svd = TruncatedSVD(settings.dim, random_state=settings.seed)
    scaler = StandardScaler().fit(svd.fit_transform(terms))
    array = np.zeros((len(visits.hadm_id), settings.dim), dtype=np.float32)
    has_note = np.zeros(len(array), dtype=bool)
    for visit, texts in stream(source, "true"):
        array[visit] = scaler.transform(svd.transform(vectorizer.transform(texts)))
        has_note[visit] = True
    explained = float(svd.explained_variance_ratio_.sum())
    return array, has_note, {"terms": terms.shape[1], "explained_variance": round(explained, 4)}


def stream(source: Source, condition: str) -> Iterator[tuple[list[int], list[str]]]:
    """Yield the visits and texts of the notes that meet an SQL condition, some at a time, in order of visit."""
    chosen = f"SELECT arg_max(note_id, (charttime, note_id)) FROM notes WHERE {condition} GROUP BY visit"  # noqa: S608
    total = len(source.connection.execute(chosen).fetchall())
    rows = source.connection.execute(
        f"SELECT visit, text FROM notes WHERE note_id IN ({chosen}) ORDER BY visit"  # noqa: S608
    )
    with tqdm(total=total, desc="notes", unit="note", mininterval=1, delay=2, dynamic_ncols=True) as bar:
        while block := rows.fetchmany(NOTES_AT_ONCE):
            yield [visit for visit, _ in block], [text for _, text in block]
            bar.update(len(block))


def clean(text: str) -> str:
    """Return a note in lower case without the blanks of de-identification."""
    return BLANK.sub(" ", text).lower()


if __name__ == "__main__":
    run(notes)
