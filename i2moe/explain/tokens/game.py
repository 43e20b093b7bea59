"""What a reading of tokens asks of a model: its value where only some tokens of a sample keep their value.

Players are the tokens of all modalities, one after another, padded to the same number n in all samples. A token that
is out is set to its modality's mean token.

Which values are read is the caller's choice; they are of one class, that predicted from all tokens.

- Log-probabilities: where independent causes each decide on a part of the label, the log-probability is a sum of
  theirs, so that only tokens of the same cause interact. This holds exactly for a model that is right about what it
  does not see. One that never saw a token at its mean may be sure and wrong there; since the logarithm has no lower
  bound, a few such contexts can outweigh all others. Train with tokens set to their mean, or read probabilities.
- Probabilities: bounded, and the published choice for masking (`faithfulness`). They are a product over causes, so that
  tokens of different causes interact a little.
- Logits: the evidence of two copies adds up, and the second seems to be worth as much as the first though the class was
  certain with one. A model whose logits are right has no interaction between copies.

`python -m benchmarks.tokens` measures all three on a model that is right about what it does not see.

Shapes of the whole package: S samples, R coalitions, n players (tokens), P pairs, M modalities, m draws.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from i2moe.selection import Bools, Floats

Ints = NDArray[np.int64]

CHUNK = 4096  # coalitions that a game is asked for at once


@dataclass(frozen=True)
class Players:
    """The tokens of S samples."""

    modality: Ints  # [n], which modality a token is of, the same in all samples
    real: Bools  # [S, n], which tokens a sample has; the others are padding


class Game(Protocol):
    """Give each coalition of tokens a value."""

    def __call__(self, keep: Bools, rows: Ints) -> Floats:
        """Return the values [S, R] of coalitions keep [S, R, n], true for tokens that keep their value.

        Args:
            keep: false for padding.
            rows: [S], which samples these are, so that some can be asked for alone.
        """


def evaluate(game: Game, keep: Bools, rows: Ints, chunk: int = CHUNK) -> Floats:
    """Ask a game for coalitions [S, R, n] of the samples `rows`, at most `chunk` at once; values [S, R].

    Examples:
        >>> sizes = lambda keep, rows: keep.sum(axis=-1) + 10.0 * rows[:, None]
        >>> keep = np.array([[[1, 0], [1, 1]], [[0, 0], [1, 1]]], bool)
        >>> evaluate(sizes, keep, np.array([0, 3]), chunk=1).tolist()
        [[1.0, 2.0], [30.0, 32.0]]
    """
    num_samples, num_coalitions = keep.shape[:2]
    at_once, width = max(1, chunk // max(1, num_coalitions)), max(1, min(num_coalitions, chunk))
    values = np.empty((num_samples, num_coalitions))
    for first in range(0, num_samples, at_once):
        some = slice(first, first + at_once)
        for start in range(0, num_coalitions, width):
            part = slice(start, start + width)
            values[some, part] = game(keep[some, part], rows[some])
    return values


def are_pairs(pairs: Ints) -> Bools:
    """Tell which pairs [S, P, 2] are there, [S, P]: where a sample has fewer than others, its last ones are -1."""
    return np.asarray((pairs >= 0).all(axis=-1), bool)
