"""The best possible model of planted-tokens, as a game: its values are the true probabilities of a class."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from i2moe.explain.tokens.game import Ints, Players
from i2moe.selection import Bools, Floats
from stages.datasets.planted.generators import MODALITIES, Drawn
from stages.datasets.planted.tokens import COLUMNS

Scale = Literal["log-probability", "probability", "logit"]
SCALES: tuple[Scale, ...] = ("log-probability", "probability", "logit")


@dataclass(frozen=True)
class BestModel:
    """What can be known of S samples' classes from some of their columns; players are the columns of both modalities.

    A column that is out is set to its mean, 0, which says as much as a column that was never seen: nothing.
    """

    evidence: Floats  # [S, n], log-odds that a column's bit is 1: 2x / variance
    pairs: Ints  # [3, 2], players of the planted pairs: synergy, redundancy, synergy inside the first modality
    scale: Scale = "log-probability"

    def log_odds(self, keep: Bools, rows: Ints) -> Floats:
        """Return the log-odds [S, R, 3] that each bit of the label is 1, from coalitions keep [S, R, n]."""
        evidence = self.evidence[rows][:, None] * keep
        of_pairs = evidence[..., self.pairs]
        half_sum, half_difference = of_pairs.sum(axis=-1) / 2, (of_pairs[..., 0] - of_pairs[..., 1]) / 2
        exclusive = np.logaddexp(half_difference, -half_difference) - np.logaddexp(half_sum, -half_sum)
        return np.stack([exclusive[..., 0], 2 * half_sum[..., 1], exclusive[..., 2]], axis=-1)

    def predicted(self) -> Bools:
        """Return the bits [S, 3] of the class that is likeliest from all columns."""
        rows = np.arange(len(self.evidence))
        return np.asarray(self.log_odds(np.ones((len(rows), 1, self.evidence.shape[1]), bool), rows)[:, 0] > 0)

    def __call__(self, keep: Bools, rows: Ints) -> Floats:
        """Return the values [S, R] of the predicted class.

        A logit is that of a model whose logits have mean 0 over the classes: half the log-odds of each bit.
        """
        for_it = np.where(self.predicted()[rows][:, None], 1, -1) * self.log_odds(keep, rows)
        if self.scale == "logit":
            return np.asarray(for_it.sum(axis=-1) / 2)
        log_probability = -np.logaddexp(0, -for_it).sum(axis=-1)
        return np.asarray(np.exp(log_probability) if self.scale == "probability" else log_probability)


def best_model(drawn: Drawn, noise: float, scale: Scale = "log-probability") -> BestModel:
    """Return the best possible model of samples that `stages.datasets.planted.tokens` drew with this noise."""
    columns = np.concatenate([drawn.inputs[name] for name in MODALITIES[:2]], axis=1).astype(np.float64)
    return BestModel(2 * columns / noise**2, planted_players(drawn), scale)


def planted_players(drawn: Drawn) -> Ints:
    """Return the players of the planted pairs, [3, 2]."""
    return np.array(
        [[MODALITIES.index(name) * COLUMNS + place for name, place in pair.columns] for pair in drawn.pairs]
    )


def players_of(drawn: Drawn) -> Players:
    """Return the columns of both modalities, of which every sample has all."""
    return Players(np.repeat([0, 1], COLUMNS), np.ones((len(drawn.labels), 2 * COLUMNS), bool))
