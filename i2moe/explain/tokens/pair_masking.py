"""Whether the pairs that a reading puts first matter: their tokens are masked together, and three kinds of others are.

What is lost without the tokens of the top pairs is compared with what is lost without

- `random pairs`: as many pairs of tokens of two modalities, from all that the sample has;
- `equal tokens`: as many distinct tokens of each modality, since top pairs share tokens and random ones rarely do;
- `re-paired`: as many pairs of the same candidates, without which the comparison shows that the tokens matter, not that
  the pairs do.

What masking can show is limited. Of two tokens that need each other the first that is masked takes all with it; so a
re-paired control that hits two such pairs at once costs more than one pair masked whole, and a single top pair of this
kind (`top` 1) need not beat it. Two copies, in contrast, cost nothing until both are masked. Whether both matter
together is told by the redundancy gap, which is above 0 for copies and below 0 for tokens that need each other.
"""

from dataclasses import dataclass

import numpy as np

from i2moe.explain.tokens.game import CHUNK, Game, Ints, Players, are_pairs, evaluate
from i2moe.explain.tokens.intervals import Mean, mean_of
from i2moe.explain.tokens.ranks import ranks_within
from i2moe.resampling import Units
from i2moe.selection import Bools, Floats

REPEATS = 10  # of each control
CONTROLS = ("random pairs", "equal tokens", "re-paired")


@dataclass(frozen=True)
class PairMasking:
    """What S samples lose without the tokens of their top pairs, and of each control; NaN for samples without pairs."""

    found: Floats  # [S]
    controls: dict[str, Floats]  # by name of CONTROLS, [S], mean over the repeats


def pair_masking(
    game: Game,
    players: Players,
    pairs: Ints,
    scores: Floats,
    top: int,
    repeats: int = REPEATS,
    seed: int = 0,
    chunk: int = CHUNK,
) -> PairMasking:
    """Mask the tokens of the top pairs, and those of the controls.

    Args:
        game: the value of coalitions.
        players: the tokens.
        pairs: [S, P, 2], the candidates; -1 where a sample has fewer.
        scores: [S, P], larger for pairs to be masked: the interaction index for pairs that need each other, the
            redundancy gap for copies, the size of either for both.
        top: P, pairs that are masked; all of a sample with fewer.
        repeats: of each control.
        seed: of the controls.
        chunk: coalitions that the game is asked for at once.
    """
    is_pair, real = are_pairs(pairs), players.real
    rows = np.flatnonzero(is_pair.any(axis=1))
    masked = np.zeros((len(rows), 1 + len(CONTROLS) * repeats, real.shape[1]), bool)
    for place, row in enumerate(rows):
        own, order = pairs[row, is_pair[row]], -scores[row, is_pair[row]]
        chosen = order.argsort(kind="stable")[:top]
        generator = np.random.default_rng([seed, int(row)])
        masked[place, 0] = _tokens_of(own[chosen][None], real.shape[1])
        sample = Players(players.modality, real[[row]])
        masked[place, 1:] = _controls(sample, own, chosen, repeats, generator)
    keep = np.concatenate([real[rows][:, None], real[rows][:, None] & ~masked], axis=1)
    values = evaluate(game, keep, rows, chunk)
    losses = np.full((len(pairs), 1 + len(CONTROLS)), np.nan)
    losses[rows, 0] = values[:, 0] - values[:, 1]
    losses[rows, 1:] = values[:, :1] - values[:, 2:].reshape(len(rows), len(CONTROLS), repeats).mean(axis=-1)
    return PairMasking(losses[:, 0], {name: losses[:, 1 + place] for place, name in enumerate(CONTROLS)})


def excess(masking: PairMasking, units: Units) -> dict[str, Mean]:
    """Return by how much more is lost without the top pairs than with each control, with paired intervals.

    Args:
        masking: of S samples.
        units: of the same samples.
    """
    return {name: mean_of(masking.found - control, units) for name, control in masking.controls.items()}


def _controls(sample: Players, candidates: Ints, chosen: Ints, repeats: int, generator: np.random.Generator) -> Bools:
    """Return which tokens of one sample each control masks, [controls · repeats, n]."""
    modality, real = sample.modality, sample.real[0]
    first, second = np.nonzero(np.triu(modality[:, None] != modality) & real[:, None] & real)
    every = np.stack([first, second], axis=-1)
    top = _tokens_of(candidates[chosen][None], len(real))[0]
    counts = np.array([top[modality == one].sum() for one in modality])
    at_random = Players(modality, np.tile(real, (repeats, 1)))
    ranks = ranks_within(generator.random((repeats, len(real))), at_random)
    return np.concatenate(
        [
            _tokens_of(_drawn(every, len(chosen), repeats, generator), len(real)),
            (ranks < counts) & real,
            _tokens_of(_drawn(candidates, len(chosen), repeats, generator), len(real)),
        ]
    )


def _drawn(pairs: Ints, count: int, repeats: int, generator: np.random.Generator) -> Ints:
    """Draw sets of pairs without replacement, [repeats, count, 2]."""
    return pairs[np.stack([generator.choice(len(pairs), count, replace=False) for _ in range(repeats)])]


def _tokens_of(pairs: Ints, num_tokens: int) -> Bools:
    """Return the tokens of sets of pairs [sets, pairs, 2], [sets, n]."""
    masked = np.zeros((len(pairs), num_tokens), bool)
    np.put_along_axis(masked, pairs.reshape(len(pairs), -1), values=True, axis=1)
    return masked
