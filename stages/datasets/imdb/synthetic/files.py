"""Plots, posters and word vectors of the synthetic MM-IMDb."""

import io
import itertools
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from stages.datasets.imdb.synthetic.movies import SyntheticMovies

# What shows each term (`planted.json`).
SHOWN_BY = {
    "poster": "posters: red ground against blue",
    "shared": "plots: words of night against words of day; posters: how dark the upper half is",
    "plot_bit": "plots: words of the sea, or of the desert",
    "poster_bit": "posters: one large bright disc, or a row of dark bars",
}
# Pairs of lists: where a term is +1 most of its words are of the first, where it is -1 of the second.
WORDS = {
    "shared": (("night", "shadow", "cellar"), ("morning", "garden", "picnic")),
    "plot_bit": (("ship", "harbor", "island"), ("dune", "caravan", "oasis")),
}
PEOPLE = ("detective", "sister", "teacher", "soldier", "singer", "stranger")
VERBS = ("remembers", "finds", "fears", "follows", "leaves", "dreams of")
UNKNOWN = ("zorblat", "quixnar", "vempluk")  # no vector
WIDTH, HEIGHT, QUALITY = 182, 268, 90  # pixels; JPEG quality
POSTER_TERMS = ("poster", "shared", "poster_bit")
DESIGNS = 4  # posters that show the same; a file that many movies have goes through the network once
DIM = 300  # as GoogleNews-vectors-negative300 has
NUM_WORDS = {"shared": 8, "plot_bit": 24}  # a bit must be plain to see: an exclusive or is hard to learn
SHARE_OWN = 0.95  # of the words of a term, those of the list that it asks for


def write_plot(movies: SyntheticMovies, row: int, generator: np.random.Generator) -> list[str]:
    """Return the plots of a movie: a short one, and a longer one that shows its terms."""
    if not movies.has_plot[row]:
        return []
    if not movies.has_known_words[row]:
        return [" ".join(generator.choice(UNKNOWN, 12))]
    words: list[str] = []
    for term, (above, below) in WORDS.items():
        own, other = (above, below) if movies.terms[term][row] > 0 else (below, above)
        is_own = generator.random(NUM_WORDS[term]) < SHARE_OWN
        words += [str(generator.choice(own if as_asked else other)) for as_asked in is_own]
    sentences = [
        f"The {generator.choice(PEOPLE)} {generator.choice(VERBS)} the {word}" for word in generator.permutation(words)
    ]
    year = generator.integers(1920, 2015)
    return [f"A {generator.choice(PEOPLE)} in {year}.", f"{year}: <br />{'. '.join(sentences)}. {UNKNOWN[0].title()}!"]


def draw_poster(shown: dict[str, bool], generator: np.random.Generator) -> Image.Image:
    """Draw a poster: ground, upper half, and a disc or bars, over noise.

    Args:
        shown: by POSTER_TERMS, whether the term is +1.
        generator: of noise and places that mean nothing.
    """
    pixels = np.empty((HEIGHT, WIDTH, 3))
    pixels[:] = (160, 70, 90) if shown["poster"] else (90, 70, 160)
    pixels[: HEIGHT // 2] = 100 if shown["shared"] else 160
    pixels += generator.normal(scale=12, size=pixels.shape)
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    drawing = ImageDraw.Draw(image)
    if shown["poster_bit"]:
        left, top = int(generator.integers(10, 20)), int(generator.integers(55, 65))
        drawing.ellipse((left, top, left + 150, top + 150), fill=(255, 255, 200))
    else:
        first = int(generator.integers(10, 20))
        for left in range(first, WIDTH - 12, 26):
            drawing.rectangle((left, 50, left + 13, 220), fill=(10, 10, 10))
    return image


def write_posters(folder: Path, movies: SyntheticMovies, generator: np.random.Generator) -> None:
    """Write <id>.jpeg of every movie that has one: one of the DESIGNS that show its terms."""
    files: dict[tuple[bool, ...], list[bytes]] = {}
    for shown in itertools.product((False, True), repeat=len(POSTER_TERMS)):
        drawn = dict(zip(POSTER_TERMS, shown, strict=True))
        files[shown] = [_jpeg(draw_poster(drawn, generator)) for _ in range(DESIGNS)]
    for row, movie in enumerate(movies.ids):
        shown = tuple(bool(movies.terms[term][row] > 0) for term in POSTER_TERMS)
        design = int(generator.integers(DESIGNS))
        if movies.has_poster[row]:
            (folder / f"{movie}.jpeg").write_bytes(files[shown][design])


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def write_vectors(path: Path, generator: np.random.Generator) -> None:
    """Write random word vectors in word2vec's binary format, for all words but UNKNOWN."""
    words = ["the", "a", "in", ".", ":", "N", "of", "dreams", *PEOPLE]
    words += [verb for verb in VERBS if " " not in verb]
    words += [word for pair in WORDS.values() for words_of in pair for word in words_of]
    vectors = generator.normal(scale=0.2, size=(len(words), DIM)).astype("<f4")
    with path.open("wb") as stream:
        stream.write(f"{len(words)} {DIM}\n".encode())
        for word, vector in zip(words, vectors, strict=True):
            stream.write(word.encode() + b" " + vector.tobytes() + b"\n")
