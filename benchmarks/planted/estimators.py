"""Whether the estimators themselves are right: on laws and games whose truth is known in closed form."""

from collections.abc import Callable
from itertools import combinations, permutations, product

import numpy as np
from numpy.typing import NDArray

from i2moe.explain.partial_information import partial_information
from i2moe.explain.subsets import interaction_indices, pairs, subsets
from i2moe.selection import Floats

# x0 shows bits a and r, x1 shows b and r; the label, and bits of uniqueness (two), synergy and redundancy (BROJA).
AND = 2 - 0.75 * np.log2(3)
LAWS: dict[str, tuple[Callable[[int, int, int], int], tuple[float, ...]]] = {
    "a": (lambda a, b, r: a, (1, 0, 0, 0)),  # noqa: ARG005
    "b": (lambda a, b, r: b, (0, 1, 0, 0)),  # noqa: ARG005
    "r": (lambda a, b, r: r, (0, 0, 0, 1)),  # noqa: ARG005
    "a xor b": (lambda a, b, r: a ^ b, (0, 0, 1, 0)),  # noqa: ARG005
    "a and b": (lambda a, b, r: a & b, (0, 0, 0.5, AND - 0.5)),  # noqa: ARG005
    "a, b": (lambda a, b, r: 2 * a + b, (1, 1, 0, 0)),  # noqa: ARG005
    "a, r": (lambda a, b, r: 2 * a + r, (1, 0, 0, 1)),  # noqa: ARG005
    "b, r": (lambda a, b, r: 2 * b + r, (0, 1, 0, 1)),  # noqa: ARG005
    "a xor b, r": (lambda a, b, r: 2 * (a ^ b) + r, (0, 0, 1, 1)),
    "a xor b, a": (lambda a, b, r: 2 * (a ^ b) + a, (1, 1, 0, 0)),  # noqa: ARG005
}


def worst_information_error() -> float:
    """Return the largest error of partial information over LAWS, in bits."""
    errors = []
    for rule, truth in LAWS.values():
        joint = np.zeros((4, 4, 4))
        for a, b, r in product((0, 1), repeat=3):
            joint[2 * a + r, 2 * b + r, rule(a, b, r)] += 1 / 8
        errors.append(np.abs(partial_information(joint) - np.array(truth)).max())
    return float(max(errors))


def worst_index_error(num_games: int = 20) -> float:
    """Return the largest error of the interaction index over random games of 2 to 4 players, against all orders."""
    generator = np.random.default_rng(0)
    errors = []
    for num_players in (2, 3, 4):
        values = generator.normal(size=(num_games, 2**num_players))
        found = interaction_indices(values)
        for place, pair in enumerate(pairs(num_players)):
            errors.append(np.abs(found[:, place] - index_over_orders(values, pair)).max())
    return float(max(errors))


def index_over_orders(values: Floats, pair: tuple[int, int]) -> Floats:
    """Return the interaction index of games [n, K] by its definition: over all orders with the pair as one player."""
    members = subsets(values.shape[-1].bit_length() - 1)
    place = {tuple(np.flatnonzero(inside).tolist()): index for index, inside in enumerate(members)}
    others = [player for player in range(members.shape[1]) if player not in pair]

    def value(*players: int) -> Floats:
        return np.asarray(values.T[place[tuple(sorted(players))]])

    gains = []
    for order in permutations([*others, -1]):
        before = order[: order.index(-1)]
        first, second = pair
        both, neither = value(*before, first, second), value(*before)
        gains.append(both - value(*before, first) - value(*before, second) + neither)
    return np.asarray(np.mean(gains, axis=0))


PLAYERS, PAIRS_OF_A_KIND, CONTEXTS = 16, 2, 2
Game = Callable[[NDArray[np.bool_]], Floats]  # of subsets [K, n]


def planted_game(generator: np.random.Generator) -> tuple[Game, set[tuple[int, int]], set[tuple[int, int]]]:
    """Return a game of 16 players with two pairs that must come together and two that stand in for each other."""
    chosen = generator.permutation(PLAYERS)[: 4 * PAIRS_OF_A_KIND].reshape(-1, 2)
    chosen.sort(axis=1)
    together, either = chosen[:PAIRS_OF_A_KIND], chosen[PAIRS_OF_A_KIND:]

    def game(inside: NDArray[np.bool_]) -> Floats:
        score = sum(inside[:, pair].all(axis=1) for pair in together) + sum(
            inside[:, pair].any(axis=1) for pair in either
        )
        return np.asarray(1 / (1 + np.exp(2.0 - np.asarray(score, float))))

    return game, {(int(i), int(j)) for i, j in together}, {(int(i), int(j)) for i, j in either}


def sampled_indices(game: Game, generator: np.random.Generator) -> dict[tuple[int, int], float]:
    """Estimate the interaction index of every pair from CONTEXTS random contexts each, four evaluations a context."""
    found = {}
    for pair in combinations(range(PLAYERS), 2):
        others = np.setdiff1d(np.arange(PLAYERS), pair)
        contexts = np.zeros((CONTEXTS, PLAYERS), bool)
        for context in contexts:
            context[generator.permutation(others)[: generator.integers(len(others) + 1)]] = True
        first, second, both = (contexts.copy() for _ in range(3))
        first[:, pair[0]] = second[:, pair[1]] = both[:, pair] = True
        found[pair] = float((game(both) - game(first) - game(second) + game(contexts)).mean())
    return found


def sampled_precision(num_seeds: int = 5) -> list[float]:
    """Return for each seed how many of the planted pairs lead: AND pairs by the index, OR pairs by minus the index."""
    precision = []
    for seed in range(num_seeds):
        generator = np.random.default_rng(seed)
        game, together, either = planted_game(generator)
        order = sorted((value, pair) for pair, value in sampled_indices(game, generator).items())
        lowest, highest = ({pair for _, pair in part} for part in (order[:PAIRS_OF_A_KIND], order[-PAIRS_OF_A_KIND:]))
        precision.append((len(highest & together) + len(lowest & either)) / (2 * PAIRS_OF_A_KIND))
    return precision
