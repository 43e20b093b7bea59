"""Texts as TF-IDF of their terms, then truncated SVD."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import Fitted

Clean = Callable[[str], str]


def lower(text: str) -> str:
    """Return a text in lower case."""
    return text.lower()


def fit_terms(
    texts: Iterable[str], *, min_texts: int, max_terms: int, dim: int, seed: int, clean: Clean, place: str
) -> tuple[Fitted, dict[str, Any]]:
    """Fit terms, their document frequencies and the SVD to the train texts.

    Args:
        texts: of the train split.
        min_texts: that have a term, at least.
        max_terms: the most frequent ones are kept.
        dim: of the SVD.
        seed: of the SVD.
        clean: what is done to a text first.
        place: where texts and settings are, for errors.

    Returns:
        What was fitted, and a description for people.

    Raises:
        InputError: when no term is in as many texts, or there are too few texts or terms for the SVD.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(preprocessor=clean, min_df=min_texts, max_features=max_terms)
    try:
        terms = vectorizer.fit_transform(texts)
    except ValueError as error:
        raise InputError(f"{place}: no term is in {min_texts} train texts: lower the number of texts") from error
    if dim >= min(terms.shape):
        raise InputError(
            f"{place}: {terms.shape[0]} train texts with {terms.shape[1]} terms are too few for dim {dim}; allowed: "
            f"less than {min(terms.shape)}"
        )
    svd = TruncatedSVD(dim, random_state=seed).fit(terms)
    fitted = {
        "terms": vectorizer.get_feature_names_out().astype(np.str_),
        "inverse_frequencies": vectorizer.idf_,
        "components": svd.components_,
    }
    explained = round(float(svd.explained_variance_ratio_.sum()), 4)
    return fitted, {"terms": terms.shape[1], "explained_variance": explained}


def term_embedding(fitted: Fitted, clean: Clean) -> Callable[[list[str]], NDArray[np.floating]]:
    """Return what turns texts into vectors [n, dim], from what was fitted."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(preprocessor=clean, vocabulary=fitted["terms"].tolist())
    vectorizer.idf_ = fitted["inverse_frequencies"]
    components = fitted["components"].T

    def embed(texts: list[str]) -> NDArray[np.floating]:
        if not texts:  # new samples none of which has a text; scikit-learn refuses none
            return np.zeros((0, components.shape[1]))
        return np.asarray(vectorizer.transform(texts) @ components)

    return embed
