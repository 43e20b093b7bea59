"""Texts as sequences of words that have a vector."""

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.shared.words import tokenise, vectors_of_words


@dataclass(frozen=True)
class KnownWords:
    """The V words of N texts that have a vector, and each text as the sequence of them."""

    names: list[str]  # V, in the order in which the texts have them
    vectors: NDArray[np.float32]  # [V, D]
    words: NDArray[np.int64]  # [N], of each text, with a vector or without
    known: NDArray[np.int64]  # [N], of each text that have a vector, every occurrence counted
    ids: NDArray[np.int32]  # [sum of known], each one's place among the names, one text after the other


def find_known_words(texts: list[str], path: Path, key: str) -> KnownWords:
    """Cut texts into words, and keep those that have a vector.

    Args:
        texts: N of them, empty where there is none.
        path: of word vectors in word2vec's format.
        key: of params.yaml that names that file, for errors.

    Raises:
        InputError: for vectors that cannot be read, are not finite, or have none of the words.
    """
    index: dict[str, int] = {}
    ids, words = array("i"), np.empty(len(texts), dtype=np.int64)
    for row, text in enumerate(texts):
        before = len(ids)
        ids.extend(index.setdefault(word, len(index)) for word in tokenise(text))
        words[row] = len(ids) - before
    if not index:
        raise InputError("no text has a word: are these the right files?")
    all_ids = np.frombuffer(ids, dtype=np.int32)
    is_known, own = vectors_of_words(list(index), path, key)
    names = [word for word, known in zip(index, is_known, strict=True) if known]
    place = np.cumsum(is_known, dtype=np.int32) - 1
    kept = is_known[all_ids]
    known = np.bincount(np.repeat(np.arange(len(texts)), words)[kept], minlength=len(texts))
    return KnownWords(names, own, words, known, place[all_ids[kept]])
