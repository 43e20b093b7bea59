"""What readings of tokens find on the best possible model of planted-tokens, whose pairs are known."""

from dataclasses import dataclass

import numpy as np

from benchmarks.tokens.best import BestModel, Scale, best_model, players_of
from i2moe.explain.tokens.candidates import candidate_pairs, mean_by_pair
from i2moe.explain.tokens.game import Game, Ints, Players, evaluate
from i2moe.explain.tokens.interaction import Estimate, Form, Sampling, interaction_index, redundancy_gap
from i2moe.explain.tokens.intervals import Mean
from i2moe.explain.tokens.pair_masking import excess, pair_masking
from i2moe.resampling import units_of
from i2moe.selection import Floats
from stages.datasets.planted.generators import NOISE, Drawn
from stages.datasets.planted.tokens import tokens

SAMPLES, TOP, PAIRS = 200, 4, 2  # of a seed; tokens of a modality that are probed; pairs that are masked
SAMPLING = Sampling(tolerance=0.02, round=4, most=32)


def attribution(game: Game, players: Players) -> Floats:
    """Return what each token is worth, [S, n]: the mean of what it adds to nothing and to all others."""
    real = players.real
    rows, each = np.arange(len(real)), np.eye(real.shape[1], dtype=bool)
    alone, without = each & real[:, None], ~each & real[:, None]
    nothing, everything = np.zeros_like(real), real
    keep = np.concatenate([nothing[:, None], everything[:, None], alone, without], axis=1)
    values = evaluate(game, keep, rows)
    gains, losses = values[:, 2 : 2 + len(each)] - values[:, :1], values[:, 1:2] - values[:, 2 + len(each) :]
    return np.asarray((gains + losses) / 2)


@dataclass(frozen=True)
class Case:
    """The best possible model of one draw of planted-tokens, and what readings say of the pairs that are probed."""

    drawn: Drawn
    game: BestModel
    pairs: Ints  # [S, P, 2]
    index: Estimate
    gaps: dict[Form, Floats]  # [S, P] each


def read(seed: int, scale: Scale = "log-probability", noise: float = NOISE) -> Case:
    """Draw planted-tokens and read the best possible model of it."""
    drawn = tokens(SAMPLES, seed, noise=noise)
    game, players = best_model(drawn, noise, scale), players_of(drawn)
    pairs = candidate_pairs(players, attribution(game, players), TOP).pairs
    index = interaction_index(game, pairs, players.real, "shapley", SAMPLING)
    gaps: dict[Form, Floats] = {form: redundancy_gap(game, pairs, players.real, form).value for form in ("sum", "max")}
    return Case(drawn, game, pairs, index, gaps)


def found(case: Case) -> dict[str, float]:
    """Return whether each reading puts its planted pair first, by the mean over samples, and how far others come."""
    synergy, copies, inside = ((int(i), int(j)) for i, j in case.game.pairs)
    index = mean_by_pair(case.pairs, case.index.value)
    gap, by_max = (mean_by_pair(case.pairs, case.gaps[form]) for form in ("sum", "max"))
    return {
        "synergy first": max(index, key=index.__getitem__) == synergy,
        "copies first": max(gap, key=gap.__getitem__) == copies,
        "inside probed": inside in index,
        "index of synergy": index.get(synergy, np.nan),
        "gap of copies": gap.get(copies, np.nan),
        "largest other index": max(abs(own) for pair, own in index.items() if pair not in (synergy, copies)),
        "gap of copies, max": by_max.get(copies, np.nan),
        "largest other, max": max(own for pair, own in by_max.items() if pair != copies),
        "draws": float(case.index.draws.mean()),
    }


def masking(case: Case, top: int = PAIRS) -> dict[str, Mean]:
    """Return by how much more the value falls without the top pairs than without each control.

    Args:
        case: what was read.
        top: 2 pairs by the size of the index, which are the two that are planted where all is well; or 1 by the index.
    """
    scores = case.index.value if top == 1 else np.abs(case.index.value)
    units = units_of("multiclass", case.drawn.labels)
    return excess(pair_masking(case.game, players_of(case.drawn), case.pairs, scores, top), units)
