"""Tokens in the order of an attribution, each modality for itself."""

import numpy as np

from i2moe.explain.tokens.game import Ints, Players
from i2moe.selection import Floats


def ranks_within(scores: Floats, players: Players) -> Ints:
    """Rank the tokens of each modality by their score, [S, n]: 0 for the highest, ties in the order of the tokens.

    Args:
        scores: [S, n], larger for tokens that matter more.
        players: padding comes last.

    Examples:
        >>> players = Players(np.array([0, 0, 0, 1, 1]), np.array([[True, True, True, True, False]]))
        >>> ranks_within(np.array([[0.1, 0.7, 0.3, 0.2, 0.9]]), players).tolist()
        [[2, 0, 1, 0, 1]]
    """
    ranks = np.zeros(scores.shape, np.int64)
    for one in np.unique(players.modality):
        own = np.flatnonzero(players.modality == one)
        order = np.where(players.real[:, own], -scores[:, own], np.inf).argsort(axis=1, kind="stable")
        ranks[:, own] = order.argsort(axis=1)
    return ranks


def sizes(players: Players) -> Ints:
    """Return for each token how many tokens its modality has in the sample, [S, n].

    Examples:
        >>> sizes(Players(np.array([0, 0, 1]), np.array([[True, False, True], [True, True, True]]))).tolist()
        [[1, 1, 1], [2, 2, 1]]
    """
    return np.stack([players.real[:, players.modality == one].sum(axis=1) for one in players.modality], axis=1)
