"""Synthetic movies: which genres each has, and why (`RULE`)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FIRST_ID = 10_000
# The term that decides on a genre, and its sign: three genres show what only the poster tells, two what either tells,
# and two what only both together tell.
RULES = {
    "Drama": ("poster", 1.0),
    "Action": ("poster", 1.0),
    "Romance": ("poster", -1.0),
    "Horror": ("shared", 1.0),
    "Family": ("shared", -1.0),
    "Crime": ("exclusive_or", 1.0),
    "Musical": ("exclusive_or", -1.0),
}
SCALE, INTERCEPT = 4.0, -1.0
RULE = "P(genre) = sigmoid(intercept + scale x sign x term), each genre by itself; a term is +1 or -1"
# What keeps a movie out of the cohort, in shares.
SHARE_WITHOUT_POSTER, SHARE_WITHOUT_GENRES, SHARE_OTHER_GENRES = 0.02, 0.02, 0.02
SHARE_WITHOUT_PLOT, SHARE_UNKNOWN_WORDS = 0.02, 0.02
OTHER_GENRE = "News"  # none of the 23


@dataclass(frozen=True)
class SyntheticMovies:
    """N movies, and which lacks what."""

    ids: list[str]
    terms: dict[str, Floats]  # of RULES, and plot_bit and poster_bit; +1 or -1
    genres: dict[str, Bools]
    has_poster: Bools
    has_genres: Bools
    has_other_genres: Bools
    has_plot: Bools
    has_known_words: Bools

    def genres_of(self, row: int) -> list[str]:
        """Return a movie's genres as its file lists them."""
        if not self.has_genres[row]:
            return []
        if self.has_other_genres[row]:
            return [OTHER_GENRE]
        return [name for name, has in self.genres.items() if has[row]]


def draw_movies(num: int, generator: np.random.Generator) -> SyntheticMovies:
    """Draw movies with their terms, and by the planted rule their genres."""
    drawn = ("poster", "shared", "plot_bit", "poster_bit")
    terms: dict[str, Floats] = {name: generator.choice([-1.0, 1.0], num) for name in drawn}
    terms["exclusive_or"] = -terms["plot_bit"] * terms["poster_bit"]
    genres = {}
    for name, (term, sign) in RULES.items():
        probability = 1 / (1 + np.exp(-(INTERCEPT + SCALE * sign * terms[term])))
        genres[name] = generator.random(num) < probability

    def share(size: float) -> Bools:
        return np.asarray(generator.random(num) < size)

    return SyntheticMovies(
        ids=[f"{FIRST_ID + row:07d}" for row in range(num)],
        terms=terms,
        genres=genres,
        has_poster=~share(SHARE_WITHOUT_POSTER),
        has_genres=~share(SHARE_WITHOUT_GENRES),
        has_other_genres=share(SHARE_OTHER_GENRES),
        has_plot=~share(SHARE_WITHOUT_PLOT),
        has_known_words=~share(SHARE_UNKNOWN_WORDS),
    )
