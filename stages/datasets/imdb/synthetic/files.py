"""Plots, posters and word vectors of the synthetic MM-IMDb."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from stages.datasets.imdb.synthetic.movies import SyntheticMovies

# What shows each term (`planted.json`).
SHOWN_BY = {
    "plot": "plots: grim words against cheerful ones",
    "poster": "posters: red ground against blue",
    "shared": "plots: words of night against words of day; posters: how dark the upper half is",
    "plot_bit": "plots: words of the sea, or of the desert",
    "poster_bit": "posters: one large disc, or a row of bars",
}
# Pairs of lists: a term above 0 makes words of the first more frequent, one below 0 those of the second.
WORDS = {
    "plot": (("murder", "grief", "war", "betrayal"), ("wedding", "joke", "party", "holiday")),
    "shared": (("night", "shadow", "cellar"), ("morning", "garden", "picnic")),
    "plot_bit": (("ship", "harbor", "island"), ("dune", "caravan", "oasis")),
}
PEOPLE = ("detective", "sister", "teacher", "soldier", "singer", "stranger")
VERBS = ("remembers", "finds", "fears", "follows", "leaves", "dreams of")
UNKNOWN = ("zorblat", "quixnar", "vempluk")  # no vector
WIDTH, HEIGHT, QUALITY = 182, 268, 90  # pixels; JPEG quality
DIM = 300  # as GoogleNews-vectors-negative300 has
WORDS_A_TERM = 10


def write_plot(movies: SyntheticMovies, row: int, generator: np.random.Generator) -> list[str]:
    """Return the plots of a movie: a short one, and a longer one that shows its terms."""
    if not movies.has_plot[row]:
        return []
    if not movies.has_known_words[row]:
        return [" ".join(generator.choice(UNKNOWN, 12))]
    words: list[str] = []
    for term, (above, below) in WORDS.items():
        value = movies.terms[term][row] if term != "plot_bit" else 3 * (2 * movies.terms[term][row] - 1)
        is_above = generator.random(WORDS_A_TERM) < 1 / (1 + np.exp(-1.5 * value))
        words += [str(generator.choice(above if own else below)) for own in is_above]
    sentences = [
        f"The {generator.choice(PEOPLE)} {generator.choice(VERBS)} the {word}" for word in generator.permutation(words)
    ]
    year = generator.integers(1920, 2015)
    return [f"A {generator.choice(PEOPLE)} in {year}.", f"{year}: <br />{'. '.join(sentences)}. {UNKNOWN[0].title()}!"]


def draw_poster(movies: SyntheticMovies, row: int, generator: np.random.Generator) -> Image.Image:
    """Draw a poster: ground, upper half, and a disc or bars, over noise."""
    red = 1 / (1 + np.exp(-1.5 * movies.terms["poster"][row]))
    dark = 1 / (1 + np.exp(-1.5 * movies.terms["shared"][row]))
    pixels = np.empty((HEIGHT, WIDTH, 3))
    pixels[:] = np.array([40 + 180 * red, 60, 220 - 180 * red])
    pixels[: HEIGHT // 2] = 230 * (1 - dark) + 20
    pixels += generator.normal(scale=12, size=pixels.shape)
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    drawing = ImageDraw.Draw(image)
    ink = (250, 220, 40)
    if movies.terms["poster_bit"][row]:
        left, top = int(generator.integers(25, 45)), int(generator.integers(70, 100))
        drawing.ellipse((left, top, left + 110, top + 110), fill=ink)
    else:
        first = int(generator.integers(10, 20))
        for left in range(first, WIDTH - 12, 26):
            drawing.rectangle((left, 70, left + 9, 210), fill=ink)
    return image


def write_posters(folder: Path, movies: SyntheticMovies, generator: np.random.Generator) -> None:
    """Write <id>.jpeg of every movie that has one."""
    for row, movie in enumerate(movies.ids):
        poster = draw_poster(movies, row, generator)
        if movies.has_poster[row]:
            poster.save(folder / f"{movie}.jpeg", quality=QUALITY)


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
