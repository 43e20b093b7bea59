"""All that is read of the tokens of some samples, for one expert or the mixture: attributions, their test, and pairs.

What is found is a dictionary of arrays, so that it can be kept in a file and a killed run goes on where it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.reading import read_npz
from i2moe.explain.tokens.attribution import METHODS, attribute
from i2moe.explain.tokens.candidates import candidate_pairs
from i2moe.explain.tokens.exact import exact_interaction_index
from i2moe.explain.tokens.faithfulness import Faithfulness, faithfulness, lost_at_random
from i2moe.explain.tokens.interaction import Estimate, Sampling, interaction_index, redundancy_gap
from i2moe.explain.tokens.pair_masking import CONTROLS, PairMasking, pair_masking
from i2moe.explain.tokens.reading import FIXED, MIXTURE, Reading, ReadingGame
from i2moe.selection import Floats

Found = Mapping[str, NDArray[np.generic]]  # see `Probe.of`

CHOOSER = "gradient rollout"  # the attribution whose top tokens make the candidate pairs, as in the FL-I2MoE line
TRAINED, UNTRAINED = "trained", "untrained"  # a model and one with random weights, whose attributions mean nothing
RANKINGS = ("interaction", "redundancy")  # of pairs: by the interaction index, by the redundancy gap
TOP_PAIRS = 3  # masked together
FEW = 8  # tokens of a sample, of which all 256 subsets take fewer evaluations than drawing


@dataclass(frozen=True)
class Probe:
    """A trained model's reading, and that of the same architecture with random weights, of the same samples."""

    trained: Reading
    untrained: Reading
    sampling: Sampling
    top: int  # tokens of each modality whose pairs are probed

    @cached_property
    def scores(self) -> dict[str, dict[str, dict[str, Floats]]]:
        """Every attribution [S, n], by trained or untrained, by method, by name of the reading."""
        readings = {TRAINED: self.trained, UNTRAINED: self.untrained}
        return {
            weights: {method: attribute(reading, method) for method in METHODS} for weights, reading in readings.items()
        }

    def of(self, name: str) -> Found:
        """Return what is found of an expert, or of the mixture.

        Keys: `modality` [n], of each token; `scores/METHOD` [S, n]; `METHOD/TRAINED or UNTRAINED/FIELD` of
        `Faithfulness`; and, of all but the mixture whose weights are fixed, `pairs` [S, P, 2], `of` [S], `index`,
        `index_error` and `gap` [S, P], `draws` [S], `masking/RANKING/found or CONTROL` [S].
        """
        found: dict[str, NDArray[np.generic]] = {"modality": self.trained.players.modality}
        game = ReadingGame(self.trained, name, "probability")
        control = lost_at_random(game, self.trained.players)
        for weights, by_method in self.scores.items():
            for method, by_name in by_method.items():
                if name not in by_name:  # what acts through the weights leaves no attention
                    continue
                tested = faithfulness(game, self.trained.players, by_name[name], control)
                own = {field.name: getattr(tested, field.name) for field in fields(Faithfulness)}
                found |= {f"{method}/{weights}/{field}": values for field, values in own.items()}
                if weights == TRAINED:
                    found[f"scores/{method}"] = by_name[name]
        return found if name == FIXED else found | self._pairs(name)

    def _pairs(self, name: str) -> dict[str, NDArray[np.generic]]:
        chooser = self.scores[TRAINED][CHOOSER]
        chosen = chooser.get(name, chooser.get(FIXED, chooser.get(MIXTURE)))
        assert chosen is not None  # noqa: S101 (every reading has one of them)
        players = self.trained.players
        candidates = candidate_pairs(players, chosen, self.top)
        game, real = ReadingGame(self.trained, name, "log-probability"), players.real
        if real.sum(axis=1).max() <= FEW:
            exact = exact_interaction_index(game, candidates.pairs, real)
            index = Estimate(exact, np.zeros_like(exact), np.zeros(len(exact), np.int64))
        else:
            index = interaction_index(game, candidates.pairs, real, sampling=self.sampling)
        gap = redundancy_gap(game, candidates.pairs, real, sampling=self.sampling)
        found: dict[str, NDArray[np.generic]] = {
            "pairs": candidates.pairs,
            "of": candidates.of,
            "index": index.value,
            "index_error": index.error,
            "draws": index.draws,
            "gap": gap.value,
        }
        for ranking, values in zip(RANKINGS, (index.value, gap.value), strict=True):
            masked = pair_masking(game, players, candidates.pairs, values, TOP_PAIRS, seed=self.sampling.seed)
            found[f"masking/{ranking}/found"] = masked.found
            found |= {f"masking/{ranking}/{control}": masked.controls[control] for control in CONTROLS}
        return found


def read_faithfulness(found: Found, method: str, weights: str) -> Faithfulness | None:
    """Return the test of an attribution; None where the method does not know the expert or mixture."""
    if f"{method}/{weights}/confidence" not in found:
        return None
    return Faithfulness(**{field.name: found[f"{method}/{weights}/{field.name}"] for field in fields(Faithfulness)})  # type: ignore[arg-type]


def read_masking(found: Found, ranking: str) -> PairMasking:
    """Return what masking the pairs costs that a ranking puts first."""
    own = {name: found[f"masking/{ranking}/{name}"] for name in ("found", *CONTROLS)}
    return PairMasking(own.pop("found"), own)  # type: ignore[arg-type]


def keep(path: Path, found: Found) -> None:
    """Write what was found, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **found)  # type: ignore[arg-type]
    partial.replace(path)


def kept(path: Path) -> Found | None:
    """Return what an earlier run found; None where it found nothing, or its file is broken."""
    try:
        return read_npz(path, "is broken")
    except InputError:
        return None
