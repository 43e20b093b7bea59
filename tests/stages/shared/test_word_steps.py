"""Texts as sequences of words that have a vector, by hand and against their means."""

from pathlib import Path

import numpy as np
import pytest

from i2moe.base.errors import InputError
from stages.shared.steps import Steps
from stages.shared.word_steps import find_known_words
from stages.shared.words import mean_vectors
from tests.stages.datasets.imdb.conftest import VECTORS, write_vectors

TEXTS = ["War!", "War, war and love zzz.", "", "zzz yyy", "<br />1984 *war*", "sea"]


@pytest.fixture
def path(tmp_path):
    write_vectors(tmp_path / "vectors.bin", VECTORS)
    return tmp_path / "vectors.bin"


def test_known_words_stay_in_order_and_others_are_counted(path):
    found = find_known_words(TEXTS, path, "key")
    assert found.names == ["war", "love", "N", "sea"]
    assert found.vectors.tolist() == [[1, 0], [0, 1], [0, 4], [2, 2]]
    assert found.words.tolist() == [2, 7, 0, 2, 2, 1]
    assert found.known.tolist() == [1, 3, 0, 0, 2, 1]
    assert [found.names[place] for place in found.ids] == ["war", "war", "war", "love", "N", "war", "sea"]


def test_the_mean_of_the_steps_is_the_mean_of_the_vectors(path):
    generator = np.random.default_rng(0)
    vocabulary = [*VECTORS, "zzz", ".", "unknown"]
    texts = [" ".join(generator.choice(vocabulary, size)) for size in generator.integers(0, 30, 50)]
    found, means = find_known_words(texts, path, "key"), mean_vectors(texts, path, "key")
    assert found.known.tolist() == means.known.tolist()
    assert found.words.tolist() == means.words.tolist()
    own = Steps(found.vectors, found.ids.astype(np.int64), found.known).means()
    np.testing.assert_allclose(own, means.means, atol=1e-6)


@pytest.mark.parametrize(
    ("texts", "vectors", "message"),
    [
        (["", " "], VECTORS, r"no text has a word: are these the right files\?"),
        (["war"], {"Krieg": (1, 0)}, r"vectors.bin has a vector for none of the texts' words"),
        (
            ["sea war"],
            {"war": (np.nan, 0), "sea": (1, 1)},
            r"vectors of 1 of the texts' words are not finite",
        ),
    ],
)
def test_texts_or_vectors_that_cannot_be(tmp_path, texts, vectors, message):
    write_vectors(tmp_path / "vectors.bin", vectors)
    with pytest.raises(InputError, match=message):
        find_known_words(texts, tmp_path / "vectors.bin", "key")


def test_vectors_that_are_missing():
    with pytest.raises(InputError, match=r"nowhere.bin is missing: put word vectors there, such as .*, and set key"):
        find_known_words(["war"], Path("nowhere.bin"), "key")
