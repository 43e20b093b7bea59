"""What is read of the tokens of a model over sequences of tokens: a table per question, all seeds.

Samples are drawn from the explained split, the same for all seeds. Each seed and expert is kept in a file as soon as it
is done, since a run may take long: a killed one goes on where it was.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from i2moe.data import FeatureSet
from i2moe.explain.tokens.attribution import METHODS
from i2moe.explain.tokens.candidates import mean_by_pair
from i2moe.explain.tokens.faithfulness import aopc
from i2moe.explain.tokens.game import are_pairs
from i2moe.explain.tokens.interaction import Sampling
from i2moe.explain.tokens.pair_masking import excess
from i2moe.explain.tokens.probe import (
    RANKINGS,
    TRAINED,
    UNTRAINED,
    Found,
    Probe,
    keep,
    kept,
    read_faithfulness,
    read_masking,
)
from i2moe.explain.tokens.reading import Reading, can_be_read
from i2moe.inference import build_for, device_of, mean_tokens, to_device
from i2moe.model.config import ModelConfig
from i2moe.model.multimodal import MultimodalModel
from i2moe.resampling import Units, units_of
from stages.shared.explanations import EXPLAINED_SPLIT
from stages.shared.files import naming
from stages.shared.runs import TokenParams


@dataclass(frozen=True)
class TokenFindings:
    """What was found in every seed, by expert and for the mixture, of the same S samples."""

    features: FeatureSet
    rows: list[int]  # of the samples in the cohort
    by_seed: dict[int, dict[str, Found]]
    words: dict[str, list[list[str]]]  # of each sample, of modalities whose tokens are words

    @property
    def sample_ids(self) -> list[str]:
        """The samples' ids."""
        return [self.features.sample_ids[row] for row in self.rows]

    @property
    def units(self) -> Units:
        """Which samples are resampled together."""
        groups = self.features.groups(EXPLAINED_SPLIT)
        place = np.searchsorted(self.features.rows(EXPLAINED_SPLIT), self.rows)
        labels = self.features.labels[self.rows]
        return units_of(self.features.task, labels, None if groups is None else groups[place])

    @property
    def places(self) -> pd.DataFrame:
        """A row per token of the row of all modalities: its modality, its number there, and its name if it has one."""
        rows = []
        counts = np.bincount(next(own for _, own in self)["modality"])
        for modality, count in zip(self.features.modalities, counts, strict=True):
            rows += [(modality, place, name) for place, name in enumerate(self._names(modality, count))]
        return pd.DataFrame(rows, columns=["modality", "place", "token"])

    def _names(self, modality: str, count: int) -> list[str]:
        """Return features' names, an image's positions as row and column from 0, else numbers from 0."""
        about = self.features.descriptions[modality]
        names = getattr(about, "features", None)
        if isinstance(names, list) and len(names) == count:
            return names
        columns = about.shape[-1]
        if about.kind == "image" and about.shape[-2] * columns == count:
            return [f"{place // columns}, {place % columns}" for place in range(count)]
        return [str(place) for place in range(count)]

    def named(self, table: pd.DataFrame, prefix: str = "") -> pd.DataFrame:
        """Put words in the place of the numbers of tokens, in a table with `sample_id` and the columns of `places`.

        Args:
            table: a row per sample and token.
            prefix: of the columns' names.
        """
        at = {name: row for row, name in enumerate(self.sample_ids)}
        for modality, words in self.words.items():
            rows = table[f"{prefix}modality"] == modality
            own = zip(table.loc[rows, "sample_id"], table.loc[rows, f"{prefix}place"], strict=True)
            # A text of which no word is known has a step all the same, but no word.
            table.loc[rows, f"{prefix}token"] = ["".join(words[at[sample]][place : place + 1]) for sample, place in own]
        return table

    @property
    def with_pairs(self) -> list[tuple[dict[str, Any], Found]]:
        """What was found of those whose pairs were probed."""
        return [(labels, own) for labels, own in self if "pairs" in own]

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Found]]:
        """Yield what was found, under seed and expert."""
        for seed, by_name in self.by_seed.items():
            for name, found in by_name.items():
                yield {"seed": seed, "expert": name}, found


def find(
    features: FeatureSet,
    config: ModelConfig,
    models: dict[int, MultimodalModel],
    params: TokenParams,
    folders: Callable[[int], Path],
    words: dict[str, list[list[str]]],
) -> TokenFindings | None:
    """Read the tokens of a model's samples; None of a model that does not see sequences of tokens.

    Args:
        features: the dataset.
        config: the model.
        models: trained, by seed.
        params: how many samples, tokens and draws.
        folders: where what is found of a seed is kept, belonging to exactly these weights, data and settings.
        words: of every sample in the cohort, of modalities whose tokens are words.
    """
    if not can_be_read(next(iter(models.values()))):
        return None
    rows = _drawn(features, params.samples)
    sampling = Sampling(tolerance=params.tolerance, most=params.draws)
    found = TokenFindings(features, rows, {}, {name: [own[row] for row in rows] for name, own in words.items()})
    for seed, model in models.items():
        probe = Probe(
            _reading(model, features, rows), _untrained(model, features, config, seed, rows), sampling, params.top
        )
        found.by_seed[seed] = _find_all(probe, folders(seed), f"tokens, seed {seed}")
    return found


def _find_all(probe: Probe, folder: Path, title: str) -> dict[str, Found]:
    """Return what is found of each expert and the mixture, from a file where an earlier run found it."""
    found: dict[str, Found] = {}
    for place, name in enumerate(tqdm(probe.trained.names, desc=title, unit="expert")):
        path = folder / f"{place}.npz"
        own = kept(path)
        if own is None:
            own = probe.of(name)
            with naming(path):
                keep(path, own)
        found[name] = own
    return found


def _drawn(features: FeatureSet, count: int) -> list[int]:
    """Draw samples of the explained split that have every modality, in cohort order."""
    rows = features.rows(EXPLAINED_SPLIT)
    rows = rows[features.presence[rows].all(axis=1)]
    chosen = np.random.default_rng(0).choice(len(rows), min(count, len(rows)), replace=False)
    return sorted(rows[chosen].tolist())


def _reading(model: MultimodalModel, features: FeatureSet, rows: list[int]) -> Reading:
    model.eval()
    with torch.no_grad():
        tokens = model.tokens(to_device(features.__getitems__(rows), device_of(model)))
    return Reading(model, tokens, mean_tokens(model, features), features.task)


def _untrained(
    model: MultimodalModel, features: FeatureSet, config: ModelConfig, seed: int, rows: list[int]
) -> Reading:
    """Read a model of the same kind with random weights, that no training has seen."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        untrained = build_for(features, config)
    return _reading(untrained.to(device_of(model)), features, rows)


def scores(found: TokenFindings) -> pd.DataFrame | None:
    """Return each attribution's score of each token of each sample; open data only."""
    if not found.features.shows_samples:
        return None
    tables = []
    for labels, own in found:
        for method in METHODS:
            if f"scores/{method}" in own:
                table = pd.DataFrame(own[f"scores/{method}"])
                table.insert(0, "sample_id", found.sample_ids)
                long = table.melt("sample_id", var_name="index", value_name="score").astype({"index": int})
                tables.append(long.assign(method=method, **labels))
    joined = pd.concat(tables, ignore_index=True).join(found.places, on="index").drop(columns="index")
    return found.named(joined[joined["score"] != 0].reset_index(drop=True))


def faithful(found: TokenFindings) -> pd.DataFrame:
    """Return what masking the top tokens costs, with intervals: a row per seed, expert, method, weights and measure."""
    rows = []
    for labels, own in found:
        for method in METHODS:
            for weights in (TRAINED, UNTRAINED):
                test = read_faithfulness(own, method, weights)
                measures = {} if test is None else aopc(test, found.units)
                for measure, mean in measures.items():
                    named = {"method": method, "weights": weights, "measure": measure}
                    rows.append(labels | named | {"value": mean.value, "low": mean.low, "high": mean.high})
    return pd.DataFrame(rows)


def pairs(found: TokenFindings) -> pd.DataFrame | None:
    """Return what each probed pair of tokens of each sample is worth together, with standard error; open data only."""
    if not found.features.shows_samples:
        return None
    tables = []
    for labels, own in found.with_pairs:
        sample, place = np.nonzero(are_pairs(own["pairs"]))  # type: ignore[arg-type]
        values = {name: own[name][sample, place] for name in ("index", "index_error", "gap")}
        both = own["pairs"][sample, place]
        tables.append(
            pd.DataFrame(
                labels
                | {"sample_id": np.array(found.sample_ids)[sample], "one": both[:, 0], "other": both[:, 1]}
                | values
                | {"draws": own["draws"][sample], "of": own["of"][sample]}
            )
        )
    named = _named(pd.concat(tables, ignore_index=True), found.places)
    for prefix in ("one_", "other_"):
        named = found.named(named, prefix)
    return named


def pair_means(found: TokenFindings) -> pd.DataFrame | None:
    """Return the mean over samples of each pair's worth, where a token's place means the same in every sample."""
    if any(found.features.kinds[name] != "vector" for name in found.features.modalities):
        return None
    rows = []
    for labels, own in found.with_pairs:
        means = {name: mean_by_pair(own["pairs"], own[name]) for name in ("index", "gap")}  # type: ignore[arg-type]
        for (one, other), index in means["index"].items():
            pair = {"one": one, "other": other, "index": index, "gap": means["gap"][one, other]}
            rows.append(labels | pair | {"samples": int((own["pairs"] == (one, other)).all(axis=-1).sum())})
    return _named(pd.DataFrame(rows), found.places)


def masking(found: TokenFindings) -> pd.DataFrame:
    """Return by how much more masking the top pairs costs than each control, a row per seed, expert and ranking."""
    rows = []
    for labels, own in found.with_pairs:
        for ranking in RANKINGS:
            masks = read_masking(own, ranking)
            for control, mean in excess(masks, found.units).items():
                named = {"ranking": ranking, "control": control, "loss": float(np.nanmean(masks.found))}
                rows.append(labels | named | {"excess": mean.value, "low": mean.low, "high": mean.high})
    return pd.DataFrame(rows)


def _named(table: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """Replace the two tokens' places in the row of all modalities by modality, place and name."""
    for name in ("one", "other"):
        own = places.add_prefix(f"{name}_")
        table = table.join(own, on=name).drop(columns=name)
    return table


TokenTable = Callable[[TokenFindings], "pd.DataFrame | None"]
TOKEN_METHODS: dict[str, TokenTable] = {
    "token_scores": scores,
    "token_faithfulness": faithful,
    "token_pairs": pairs,
    "token_pair_means": pair_means,
    "token_masking": masking,
}
