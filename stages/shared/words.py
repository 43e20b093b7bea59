"""Texts as means of word vectors, as Arevalo et al. 2017 make them of MM-IMDb's plots."""

import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.unpacking import BLOCK, MOST_UNPACKED, allowed, open_gzip
from i2moe.preparation.fitted import Fitted
from stages.shared.features import fitted_on_train

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

LEADING_URL = re.compile(r"^https?://.*$", re.MULTILINE)
MARKS = re.compile(r"[~*+^_#\[\]|`]")
DIGITS = re.compile(r"[0-9]+")
PUNCTUATION = re.compile(r"""([-/'".,:;?!()])""")
TEXT_SUFFIX = ".txt"
BYTES_PER_WORD = 200  # of gensim's index, besides the vector
MOST_DIMENSIONS = 100_000  # of a vector: published ones have a few hundred
HEAD = 100  # bytes of the first line


@dataclass(frozen=True)
class TextVectors:
    """Mean vectors of N texts [N, D], 0 where no word has a vector; how many words each has, and how many with one."""

    means: NDArray[np.float32]
    words: NDArray[np.int64]
    known: NDArray[np.int64]


def tokenise(text: str) -> list[str]:
    """Cut a text into words as MM-IMDb's authors do.

    Lower case; `<br />` and marks are spaces; a line that starts with a URL is L, digits are N; punctuation is split
    off.
    """
    cut = LEADING_URL.sub(" L ", text.lower().replace("<br />", " ").strip())
    cut = DIGITS.sub(" N ", MARKS.sub(" ", cut))
    return PUNCTUATION.sub(r" \1 ", cut).split()


def mean_vectors(texts: list[str], path: Path, key: str) -> TextVectors:
    """Average the vectors of each text's words, every occurrence counted; words without a vector are left out.

    Args:
        texts: N of them, empty where there is none.
        path: of word vectors in word2vec's format.
        key: of params.yaml that names that file, for errors.

    Raises:
        InputError: for vectors that cannot be read, are not finite, or have none of the words.
    """
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer=tokenise, dtype=np.int64)
    try:
        counts = csr_array(counter.fit_transform(texts))
    except ValueError as error:  # no word at all
        raise InputError("no text has a word: are these the right files?") from error
    names = counter.get_feature_names_out()
    is_known, own = vectors_of_words(names.tolist(), path, key)
    in_vectors = counts[:, is_known]
    known = in_vectors.sum(axis=1)
    means = (in_vectors @ own) / np.maximum(known, 1)[:, None]
    return TextVectors(means.astype(np.float32), counts.sum(axis=1), known)


def vectors_of_words(words: list[str], path: Path, key: str) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return which of some words have a vector, and the vectors of those, in the words' order.

    Other arguments and errors as in `mean_vectors`; no error names a word, since texts may be restricted.
    """
    vectors = load_vectors(path, key)
    found = np.array([vectors.key_to_index.get(word, -1) for word in words])
    is_known = found >= 0
    if not is_known.any():
        raise InputError(f"{path} has a vector for none of the texts' words: is it in their language?")
    own = vectors.vectors[found[is_known]].astype(np.float32)
    bad = int((~np.isfinite(own).all(axis=1)).sum())
    if bad:
        raise InputError(f"{path}: vectors of {bad} of the texts' words are not finite: download it again")
    return is_known, own


def load_vectors(path: Path, key: str) -> "KeyedVectors":
    """Load word vectors in word2vec's binary format, or in its text format where the name ends in .txt; .gz too.

    Arguments as in `mean_vectors`.

    Raises:
        InputError: for a missing or broken file, or one that unpacks to far more than it has.
    """
    from gensim.models import KeyedVectors

    if not path.is_file():
        raise InputError(
            f"{path} is missing: put word vectors there, such as GoogleNews-vectors-negative300.bin.gz, and set "
            f"{key} to the file's name"
        )
    print(f"{path}: reading; 3 million words of 300 numbers take a minute")
    is_text = TEXT_SUFFIX in path.suffixes
    try:
        _check(path, b"\n" if is_text else b" ")
        return KeyedVectors.load_word2vec_format(str(path), binary=not is_text, unicode_errors="replace")
    except InputError:
        raise
    except (ValueError, EOFError, OSError, zlib.error, MemoryError, OverflowError) as error:
        kind = "text" if is_text else "binary"
        raise InputError(
            f"{path} is not a complete file in word2vec's {kind} format (a .txt file is read as text, any other as "
            "binary): download it again"
        ) from error


def _check(path: Path, sign: bytes) -> None:
    """Read through a file, for what gensim would hold in memory: vectors, and a word or line up to its end.

    Raises:
        InputError: for one that unpacks to far more than it has.
        ValueError: for one that does not begin with the number of words and their dimension, or that is too large; one
            without the sign that ends a word or line in a whole block.
    """
    with open_gzip(path, MOST_UNPACKED) if path.suffix == ".gz" else path.open("rb") as stream:
        words, size = (int(number) for number in stream.readline(HEAD).split())
        if size > MOST_DIMENSIONS or words * (BYTES_PER_WORD + 4 * size) > allowed(path.stat().st_size):
            raise ValueError("more vectors than the file can hold")
        while block := stream.read(BLOCK):
            if len(block) == BLOCK and sign not in block:
                raise ValueError("a word or line without an end")


def standardise(
    means: NDArray[np.float32], is_known: NDArray[np.bool_], is_train: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Scale the mean vectors of texts with those of the train split; a text without a known word becomes 0.

    Args:
        means: [N, D].
        is_known: [N], whether any word of a text has a vector; those of some train texts have.
        is_train: [N].

    Returns:
        Vectors [N, D], and what was fitted, for the JSON.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(means[is_train & is_known])
    vectors = scaled(means, is_known, {"mean": scaler.mean_, "scale": scaler.scale_})
    about = fitted_on_train(is_train & is_known, "means, scales")
    return vectors, about | {"mean": scaler.mean_.tolist(), "scale": scaler.scale_.tolist()}


def scaled(means: NDArray[np.float32], is_known: NDArray[np.bool_], fitted: Fitted) -> NDArray[np.float32]:
    """Scale mean vectors [N, D] of any texts by what was fitted; a text without a known word becomes 0.

    In two steps of float32, as scikit-learn's scaler does it, so that the same text always gives the same vector.
    """
    vectors = np.zeros_like(means)
    own = means[is_known].copy()
    own -= fitted["mean"].astype(np.float32)
    own /= fitted["scale"].astype(np.float32)
    vectors[is_known] = own
    return vectors


def fitted_words(about: dict[str, Any]) -> Fitted:
    """Return what `standardise` says was fitted, for new texts."""
    return {"mean": np.array(about["mean"]), "scale": np.array(about["scale"])}
