"""Which pairs of tokens are probed: those of the top tokens of each two modalities.

All pairs are too many: 320 words and 196 patches make 62,720, each draw of which takes four evaluations. What is left
out is reported; a pair of which no token matters much alone may be among it.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from i2moe.explain.tokens.game import Ints, Players, are_pairs
from i2moe.explain.tokens.ranks import ranks_within
from i2moe.selection import Floats


@dataclass(frozen=True)
class Candidates:
    """Pairs of tokens of two modalities each, and out of how many they were chosen."""

    pairs: Ints  # [S, P, 2], the token of the earlier modality first; -1 where a sample has fewer
    top: int  # k, tokens of each modality that were considered at most
    of: Ints  # [S], pairs of tokens of two modalities that a sample has


def candidate_pairs(players: Players, scores: Floats, top: int) -> Candidates:
    """Return all pairs of tokens of two modalities among the top tokens of each.

    Args:
        players: the tokens.
        scores: [S, n], an attribution: larger for tokens that matter more, whether for or against.
        top: k, tokens of each modality.

    Examples:
        >>> players = Players(np.array([0, 0, 0, 1, 1]), np.ones((1, 5), bool))
        >>> found = candidate_pairs(players, np.array([[0.1, 0.7, 0.3, 0.2, 0.9]]), top=2)
        >>> found.pairs.tolist(), found.of.tolist()
        ([[[1, 4], [1, 3], [2, 4], [2, 3]]], [6])
    """
    ranks = ranks_within(scores, players)
    names = np.unique(players.modality)
    own = {one: _top(ranks, players, one, top) for one in names}
    counts = {one: players.real[:, players.modality == one].sum(axis=1) for one in names}
    pairs, of = [np.empty((len(scores), 0, 2), np.int64)], np.zeros(len(scores), np.int64)
    for first, second in combinations(names, 2):
        left, right = np.broadcast_arrays(own[first][:, :, None], own[second][:, None, :])
        both = np.stack([left, right], axis=-1).reshape(len(scores), -1, 2)
        pairs.append(np.where(are_pairs(both)[..., None], both, -1))
        of += counts[first] * counts[second]
    return Candidates(np.concatenate(pairs, axis=1), top, of)


def _top(ranks: Ints, players: Players, modality: int, top: int) -> Ints:
    """Return the top tokens of one modality, [S, k], the highest first; -1 where a sample has fewer."""
    own = np.flatnonzero(players.modality == modality)
    order = own[ranks[:, own].argsort(axis=1)[:, :top]]
    return np.where(np.take_along_axis(players.real, order, axis=1), order, -1)


def mean_by_pair(pairs: Ints, values: Floats) -> dict[tuple[int, int], float]:
    """Return the mean value of each pair over the samples that have it, where a token's place means the same in all.

    Examples:
        >>> pairs, values = np.array([[[0, 2]], [[0, 2]], [[-1, -1]]]), np.array([[0.5], [0.25], [np.nan]])
        >>> mean_by_pair(pairs, values)
        {(0, 2): 0.375}
    """
    is_pair = are_pairs(pairs)
    found, of = np.unique(pairs[is_pair], axis=0, return_inverse=True)
    means = np.bincount(of.ravel(), values[is_pair]) / np.bincount(of.ravel())
    return {(int(first), int(second)): float(mean) for (first, second), mean in zip(found, means, strict=True)}
