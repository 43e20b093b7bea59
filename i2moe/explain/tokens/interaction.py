"""How much two tokens are worth together beyond what each is worth alone, from sampled contexts.

For a pair ij and a context S of other tokens, four evaluations give

    gain_ij(S) = v(S + ij) - v(S + i) - v(S + j) + v(S),

whose mean over contexts is an interaction index: above 0 the two need each other (synergy), below 0 one stands in for
the other (redundancy), 0 where their worths add up. Contexts follow one of three laws:

- `shapley`: the Shapley interaction index (Grabisch and Roubens 1999): a size from 0 to n - 2, each as likely, then any
  subset of that size. This is drawn as: a probability from 0 to 1, then each other token with this probability (Owen
  1972), since the integral of p^s (1 - p)^(n - 2 - s) is s! (n - 2 - s)! / (n - 1)!, the index's weight.
- `uniform`: each other token with probability 1/2 (the Banzhaf interaction index).
- `full`: all other tokens. Nothing is drawn, and there is no error.

InterSHAP prints half of the index. The pairs are to be few (`candidates`): each draw of a pair takes four evaluations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from i2moe.explain.subsets import interaction_indices
from i2moe.explain.tokens.game import CHUNK, Game, Ints, are_pairs, evaluate
from i2moe.selection import Bools, Floats

Context = Literal["shapley", "uniform", "full"]
Form = Literal["sum", "max"]
Reading = Callable[[Floats], Floats]  # of four values [..., 4], in the order of `i2moe.explain.subsets`

INSIDE = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], bool)  # which of a pair's tokens are in, in each evaluation


@dataclass(frozen=True)
class Sampling:
    """How many contexts are drawn: in rounds, until every pair of a sample is known well enough.

    Whether it is known is judged by the draws themselves. So a rare gain may be missed: where the first round meets
    none of the contexts that have one, all its draws agree and the sample is done.
    """

    tolerance: float = 0.01  # standard error, in units of the value
    round: int = 16  # draws of a pair between two looks at the errors
    most: int = 256  # draws of a pair
    seed: int = 0
    chunk: int = CHUNK


DEFAULT = Sampling()


@dataclass(frozen=True)
class Estimate:
    """A reading of S samples' pairs; NaN where a sample has no such pair."""

    value: Floats  # [S, P]
    error: Floats  # [S, P], standard error of the mean over draws; 0 if nothing is drawn, inf of a single draw
    draws: Ints  # [S], of each pair of a sample


def interaction_index(
    game: Game, pairs: Ints, real: Bools, context: Context = "shapley", sampling: Sampling = DEFAULT
) -> Estimate:
    """Estimate the interaction index of given pairs of tokens.

    Args:
        game: the value of coalitions.
        pairs: [S, P, 2], two tokens each; -1 where a sample has fewer pairs.
        real: [S, n], which tokens a sample has.
        context: law of the contexts.
        sampling: how many are drawn. Draws depend on the seed and the sample's place, not on the chunk nor on how long
            other samples take.
    """
    return _estimate(game, pairs, real, gain, context, sampling)


def redundancy_gap(
    game: Game,
    pairs: Ints,
    real: Bools,
    form: Form = "sum",
    context: Context = "full",
    sampling: Sampling = DEFAULT,
) -> Estimate:
    """Estimate by how much more is lost with both tokens of a pair than with each alone: one is the other's backup.

    Our definition; of the paper's own only the words of its abstract are known. Other arguments as in
    `interaction_index`; `backup` has the forms.
    """
    return _estimate(game, pairs, real, lambda values: backup(values, form), context, sampling)


def gain(values: Floats) -> Floats:
    """Return the gain [...] from four values [..., 4]: of neither token, each, both.

    Examples:
        >>> gain(np.array([[0.5, 0.5, 0.5, 1.0], [0.5, 1.0, 1.0, 1.0]])).tolist()
        [0.5, -0.5]
    """
    return interaction_indices(values)[..., 0]


def backup(values: Floats, form: Form) -> Floats:
    """Return the redundancy gap [...] from four values [..., 4]: of neither token, each, both.

    With D(A) what is lost without the tokens A, out of the context and both tokens:

    - `sum`: D(ij) - (D(i) + D(j)). It is minus the gain exactly: the terms are the same four values. So it differs from
      minus the interaction index only by the law of the contexts (and by whose values are asked for).
    - `max`: D(ij) - max(D(i), D(j)). It is min(D(i), D(j)) where the losses add up, so that two tokens that matter for
      different reasons have a gap like that of two copies. It finds copies only among tokens of which at most one
      matters alone.

    Examples:
        >>> copies, added = [0.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 2.0]
        >>> backup(np.array([copies, added]), "sum").tolist(), backup(np.array([copies, added]), "max").tolist()
        ([1.0, 0.0], [1.0, 1.0])
    """
    if form == "sum":
        return 0.0 - gain(values)
    neither, first, second, both = np.moveaxis(values, -1, 0)
    return np.asarray((both - neither) - np.maximum(both - second, both - first))


def _estimate(game: Game, pairs: Ints, real: Bools, reading: Reading, context: Context, sampling: Sampling) -> Estimate:
    """Draw in rounds, and collect the mean and the squared deviations of each pair's draws."""
    is_pair = are_pairs(pairs)
    value, squares = np.zeros(is_pair.shape), np.zeros(is_pair.shape)
    error = np.full(is_pair.shape, np.inf)
    draws = np.zeros(len(pairs), np.int64)
    active, done = np.flatnonzero(is_pair.any(axis=1)), 0
    most = 1 if context == "full" else sampling.most
    while len(active) and done < most:
        count = min(sampling.round, most - done)
        for rows in _blocks(active, count * is_pair.shape[1] * len(INSIDE), sampling.chunk):
            found = reading(_four_values(game, pairs, real, rows, context, (count, done), sampling))
            shift = found.mean(axis=-1) - value[rows]
            squares[rows] += found.var(axis=-1) * count + shift**2 * done * count / (done + count)
            value[rows] += shift * count / (done + count)
        done += count
        draws[active] = done
        if done > 1:
            error[active] = np.sqrt(squares[active] / (done - 1) / done)
        active = active[((error[active] > sampling.tolerance) & is_pair[active]).any(axis=1)]
    if context == "full":
        error[:] = 0
    return Estimate(np.where(is_pair, value, np.nan), np.where(is_pair, error, np.nan), draws)


def _blocks(rows: Ints, num_coalitions: int, chunk: int) -> list[Ints]:
    """Divide samples so that a block has at most `chunk` coalitions, or is a single sample."""
    at_once = max(1, chunk // num_coalitions)
    return [rows[first : first + at_once] for first in range(0, len(rows), at_once)]


def _four_values(
    game: Game, pairs: Ints, real: Bools, rows: Ints, context: Context, draws: tuple[int, int], sampling: Sampling
) -> Floats:
    """Return the four values [rows, P, draws, 4] of some samples' next draws: how many, and how many were before."""
    count, done = draws
    keep = np.stack(
        [
            _coalitions(pairs[row], real[row], context, count, np.random.default_rng([sampling.seed, row, done]))
            for row in rows
        ]
    )
    values = evaluate(game, keep.reshape(len(rows), -1, keep.shape[-1]), rows, sampling.chunk)
    return values.reshape(keep.shape[:-1])


def _coalitions(pairs: Ints, real: Bools, context: Context, count: int, generator: np.random.Generator) -> Bools:
    """Return the coalitions [P, count, 4, n] of one sample's pairs [P, 2]: a context without and with each and both."""
    shape = (len(pairs), count, 1)
    probability = generator.random(shape) if context == "shapley" else {"uniform": 0.5, "full": 1.0}[context]
    inside = (generator.random((len(pairs), count, len(real))) < probability) & real
    keep = np.repeat(inside[:, :, None], len(INSIDE), axis=2)
    keep[np.arange(len(pairs))[:, None], :, :, pairs] = INSIDE.T[:, None]
    return keep & real
