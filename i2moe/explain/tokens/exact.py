"""The interaction index of pairs among few tokens, exactly: from the values of all their subsets."""

import numpy as np

from i2moe.explain.subsets import interaction_indices, pairs, subsets
from i2moe.explain.tokens.game import CHUNK, Game, Ints, are_pairs, evaluate
from i2moe.selection import Bools, Floats

MOST_TOKENS = 16  # 65,536 subsets


def exact_interaction_index(game: Game, wanted: Ints, real: Bools, chunk: int = CHUNK) -> Floats:
    """Return the Shapley interaction index of given pairs of tokens, [S, P]; NaN where a sample has no such pair.

    Args:
        game: the value of coalitions.
        wanted: [S, P, 2], two tokens each; -1 where a sample has fewer pairs.
        real: [S, n], which tokens a sample has.
        chunk: coalitions that the game is asked for at once.

    Raises:
        ValueError: for a sample with more than MOST_TOKENS tokens.
    """
    counts = real.sum(axis=1)
    if counts.max() > MOST_TOKENS:
        raise ValueError(f"a sample has {counts.max()} tokens, more than {MOST_TOKENS}: sample contexts instead")
    found = np.full(wanted.shape[:2], np.nan)
    has_pairs = are_pairs(wanted).any(axis=1)
    for count in np.unique(counts[has_pairs]):
        rows = np.flatnonzero(has_pairs & (counts == count))
        indices = interaction_indices(np.concatenate([_all_values(game, real, row, chunk) for row in rows.tolist()]))
        place = {pair: at for at, pair in enumerate(pairs(int(count)))}
        for row, own in zip(rows, indices, strict=True):
            number = real[row].cumsum() - 1  # of a token among the sample's own
            for at in np.flatnonzero(are_pairs(wanted)[row]):
                first, second = sorted(number[wanted[row, at]].tolist())
                found[row, at] = own[place[first, second]]
    return found


def _all_values(game: Game, real: Bools, row: int, chunk: int) -> Floats:
    """Return the values of all subsets of one sample's tokens, [1, 2^tokens]."""
    tokens = np.flatnonzero(real[row])
    members = subsets(len(tokens))
    keep = np.zeros((1, len(members), real.shape[1]), bool)
    keep[0][:, tokens] = members
    return evaluate(game, keep, np.array([row]), chunk)
