"""Whether the estimators themselves are right: on laws and games whose truth is known in closed form."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, permutations, product

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from i2moe.explain.partial_information import partial_information
from i2moe.explain.subsets import interaction_indices, pairs, subsets
from i2moe.explain.tokens.interaction import Estimate, Sampling, interaction_index
from i2moe.selection import Bools, Floats

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


PLAYERS, PAIRS_OF_A_KIND, GAMES = 16, 2, 10
ALL_PAIRS = np.array(list(combinations(range(PLAYERS), 2)))
# Two contexts of each of 120 pairs, with four evaluations each: 960 of a game.
FEW = Sampling(tolerance=0.0, round=2, most=2)


@dataclass(frozen=True)
class PlantedGames:
    """Games of 16 players, one for each seed: two pairs must come together, of two pairs one player is enough."""

    together: NDArray[np.int64]  # [S, 2, 2]
    either: NDArray[np.int64]  # [S, 2, 2]

    def __call__(self, keep: Bools, rows: NDArray[np.int64]) -> Floats:
        """Return the values [S, R] of coalitions [S, R, n]: the logistic function of the number of pairs, less 2."""
        together, either = (
            np.take_along_axis(keep[..., None, :], own[rows][:, None], axis=-1) for own in (self.together, self.either)
        )
        return np.asarray(expit(together.all(axis=-1).sum(axis=-1) + either.any(axis=-1).sum(axis=-1) - 2.0))


def planted_games(num_games: int = GAMES) -> PlantedGames:
    """Draw which players are paired."""
    chosen = [np.random.default_rng(seed).permutation(PLAYERS)[: 4 * PAIRS_OF_A_KIND] for seed in range(num_games)]
    pairs = np.sort(np.stack(chosen).reshape(num_games, -1, 2), axis=-1)
    return PlantedGames(pairs[:, :PAIRS_OF_A_KIND], pairs[:, PAIRS_OF_A_KIND:])


def sampled_indices(games: PlantedGames) -> Estimate:
    """Estimate the interaction index of every pair of every game from FEW contexts."""
    num_games = len(games.together)
    pairs, real = np.tile(ALL_PAIRS, (num_games, 1, 1)), np.ones((num_games, PLAYERS), bool)
    return interaction_index(games, pairs, real, "shapley", FEW)


def sampled_precision(num_games: int = GAMES) -> list[float]:
    """Return of each game how many of the planted pairs lead: AND pairs by the index, OR pairs by minus the index."""
    games = planted_games(num_games)
    found = sampled_indices(games).value.argsort(axis=1)
    kinds = ((found[:, -PAIRS_OF_A_KIND:], games.together), (found[:, :PAIRS_OF_A_KIND], games.either))
    hits = [
        (ALL_PAIRS[leading][:, :, None] == truth[:, None]).all(axis=-1).sum(axis=(1, 2)) for leading, truth in kinds
    ]
    return [float(count) / (2 * PAIRS_OF_A_KIND) for count in np.sum(hits, axis=0)]
