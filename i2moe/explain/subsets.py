"""Games over the subsets of a few players, exactly: modalities that are left intact, experts that are mixed.

A game gives every subset a value; all subsets are in one order, by size and then by name of player, so that a reading
is a product of a game with a matrix that depends on the number of players alone.

Shapes: n players, K = 2^n subsets, … any axes.
"""

from itertools import combinations
from math import factorial

import numpy as np
from numpy.typing import NDArray

from i2moe.selection import Array, Floats


def subsets(num_players: int) -> NDArray[np.bool_]:
    """Return which player is in which subset, [K, n]: first none, then each alone, last all.

    Examples:
        >>> subsets(2).astype(int).tolist()
        [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    members = [chosen for size in range(num_players + 1) for chosen in combinations(range(num_players), size)]
    found = np.zeros((len(members), num_players), bool)
    for row, chosen in enumerate(members):
        found[row, list(chosen)] = True
    return found


def pairs(num_players: int) -> list[tuple[int, int]]:
    """Return all pairs of players, in the order of the interaction indices."""
    return list(combinations(range(num_players), 2))


def shapley_values(values: Array) -> Floats:
    """Return each player's Shapley value, [..., n]: its mean gain over all orders in which players may come.

    Args:
        values: of all subsets, [..., K].

    Examples:
        >>> shapley_values(np.array([0.5, 1.0, 0.5, 1.0])).tolist()  # the first player does it all
        [0.5, 0.0]
    """
    members = subsets(_players(values))
    num_players = members.shape[1]
    coefficients = np.zeros((num_players, len(members)))
    for player in range(num_players):
        for row, inside in enumerate(members):
            others = int(inside.sum()) - int(inside[player])
            weight = factorial(others) * factorial(num_players - others - 1) / factorial(num_players)
            coefficients[player, row] = weight if inside[player] else -weight
    return np.asarray(values @ coefficients.T)


def interaction_indices(values: Array) -> Floats:
    """Return the Shapley interaction index of each pair of players, [..., pairs].

    Grabisch and Roubens (1999): the mean over sizes and subsets S of the others of v(S+ij) - v(S+i) - v(S+j) + v(S);
    above 0 the two are worth more together (synergy), below 0 one stands in for the other (redundancy), 0 where their
    worths add up. InterSHAP prints half of it.

    Args:
        values: of all subsets, [..., K].

    Examples:
        >>> xor, copies = np.array([[0.5, 0.5, 0.5, 1.0], [0.5, 1.0, 1.0, 1.0]])
        >>> interaction_indices(xor).tolist(), interaction_indices(copies).tolist()
        ([0.5], [-0.5])
    """
    members = subsets(_players(values))
    num_players = members.shape[1]
    orders = factorial(num_players - 1)
    weights = np.array(
        [factorial(size) * factorial(num_players - size - 2) / orders for size in range(num_players - 1)]
    )
    coefficients = np.empty((len(pairs(num_players)), len(members)))
    for index, pair in enumerate(pairs(num_players)):
        both = members[:, pair].sum(axis=1)
        coefficients[index] = np.where(both == 1, -1, 1) * weights[members.sum(axis=1) - both]
    return np.asarray(values @ coefficients.T)


def _players(values: Array) -> int:
    """Return how many players a game [..., K] has."""
    return int(values.shape[-1]).bit_length() - 1
