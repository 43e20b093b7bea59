"""Whether a prediction rests on the tokens that an attribution puts first: they are masked, or they alone are kept.

The protocol of the FL-I2MoE line: K % of each modality's tokens, at least one, are set to their modality's mean; the
value is the probability of the predicted class (of a multilabel task the mean over the predicted labels).

- comprehensiveness: what is lost without the top tokens; high where they are needed;
- sufficiency: what is lost with nothing but the top tokens; low where they are enough;
- AOPC: the plain mean of either over samples and K.

Both depend on how sure a model is: a surer one has more to lose. So each is read against a control, as many tokens of
each modality at random, and next to the mean confidence.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from i2moe.explain.tokens.game import CHUNK, Game, Players, evaluate
from i2moe.explain.tokens.intervals import Mean, mean_of
from i2moe.explain.tokens.ranks import ranks_within, sizes
from i2moe.resampling import Units
from i2moe.selection import Bools, Floats

PERCENTAGES = (5, 10, 15, 20, 25)
REPEATS = 10  # of the random control


class Losses(NamedTuple):
    """What S samples' predictions lose, for each percentage K of tokens."""

    confidence: Floats  # [S], value with all tokens
    without: Floats  # [S, K], without the top tokens
    alone: Floats  # [S, K], with nothing but the top tokens


@dataclass(frozen=True)
class Faithfulness:
    """What S samples' predictions lose, for each percentage K of tokens."""

    confidence: Floats  # [S], value with all tokens
    comprehensiveness: Floats  # [S, K]
    sufficiency: Floats  # [S, K]
    random_comprehensiveness: Floats  # [S, K], mean over the repeats
    random_sufficiency: Floats  # [S, K]


def top_tokens(players: Players, scores: Floats, percentages: tuple[int, ...] = PERCENTAGES) -> Bools:
    """Return the top K % of each modality's tokens, rounded up, [S, K, n]; at least one of a modality that has any.

    Examples:
        >>> players = Players(np.array([0] * 20 + [1]), np.ones((1, 21), bool))
        >>> top_tokens(players, np.arange(21.0)[None], (5, 10, 12)).sum(axis=-1).tolist()
        [[2, 3, 4]]
    """
    ranks, size = ranks_within(scores, players), sizes(players)
    counts = np.stack([-(-size * share // 100) for share in percentages], axis=1)  # whole numbers: 20 of 100 is exact
    return np.asarray((ranks[:, None] < counts) & players.real[:, None])


def lost_at_random(
    game: Game,
    players: Players,
    percentages: tuple[int, ...] = PERCENTAGES,
    repeats: int = REPEATS,
    seed: int = 0,
    chunk: int = CHUNK,
) -> Losses:
    """Mask as many tokens of each modality at random: the control, which is the same for every attribution.

    Args:
        game: the value of coalitions.
        players: the tokens.
        percentages: K, of each modality's tokens.
        repeats: of the drawing, whose mean is taken.
        seed: of the drawing.
        chunk: coalitions that the game is asked for at once.
    """
    generator = np.random.default_rng(seed)
    drawn = (generator.random(players.real.shape) for _ in range(repeats))
    parts = [_losses(game, players, order, percentages, chunk) for order in drawn]
    return Losses(*(np.mean(each, axis=0) for each in zip(*parts, strict=True)))


def faithfulness(
    game: Game,
    players: Players,
    scores: Floats,
    control: Losses,
    percentages: tuple[int, ...] = PERCENTAGES,
    chunk: int = CHUNK,
) -> Faithfulness:
    """Mask the top tokens of an attribution.

    Args:
        game: the value of coalitions.
        players: the tokens.
        scores: [S, n], larger for tokens that matter more.
        control: what the same game loses at random, `lost_at_random`.
        percentages: K, of each modality's tokens.
        chunk: coalitions that the game is asked for at once.
    """
    own = _losses(game, players, scores, percentages, chunk)
    return Faithfulness(own.confidence, own.without, own.alone, control.without, control.alone)


def _losses(game: Game, players: Players, scores: Floats, percentages: tuple[int, ...], chunk: int) -> Losses:
    rows, real = np.arange(len(scores)), players.real[:, None]
    top = top_tokens(players, scores, percentages)
    values = evaluate(game, np.concatenate([real, real & ~top, top], axis=1), rows, chunk)
    whole, lost = values[:, :1], values[:, :1] - values[:, 1:]
    return Losses(whole[:, 0], lost[:, : len(percentages)], lost[:, len(percentages) :])


def aopc(found: Faithfulness, units: Units) -> dict[str, Mean]:
    """Return the AOPC of an attribution and of the control, their gaps, and the mean confidence, with intervals.

    Gaps are above 0 where the attribution is better than chance: comprehensiveness less that of the control, and
    sufficiency of the control less the attribution's.

    Args:
        found: of S samples.
        units: of the same samples.
    """
    of_sample = {
        "comprehensiveness": found.comprehensiveness,
        "sufficiency": found.sufficiency,
        "random_comprehensiveness": found.random_comprehensiveness,
        "random_sufficiency": found.random_sufficiency,
        "comprehensiveness_gap": found.comprehensiveness - found.random_comprehensiveness,
        "sufficiency_gap": found.random_sufficiency - found.sufficiency,
    }
    means = {name: mean_of(losses.mean(axis=1), units) for name, losses in of_sample.items()}
    return means | {"confidence": mean_of(found.confidence, units)}
