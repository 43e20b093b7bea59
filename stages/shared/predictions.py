"""The per-sample predictions file: one row per sample, split and seed, columns by class and expert name."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from i2moe.prepared import Prepared


@dataclass(frozen=True)
class SplitPredictions:
    """All seeds' predictions of one split: logits [S, N, C], of experts [S, N, E, C], and their weights [S, N, E].

    Experts that add up have no weights, [S, N, 0]; a vanilla model has no experts.
    """

    seeds: list[int]  # rising
    sample_ids: list[str]
    logits: NDArray[np.float64]
    experts: list[str]
    expert_logits: NDArray[np.float64]
    weights: NDArray[np.float64]

    @property
    def is_weighted(self) -> bool:
        """Whether there are experts that are weighted."""
        return bool(self.weights.size)


@dataclass(frozen=True)
class Experts:
    """What experts say of N samples in one seed."""

    names: list[str]
    logits: NDArray[Any]  # [N, E, C]
    weights: NDArray[Any] | None  # [N, E]; none where experts add up


def output_names(classes: list[str]) -> list[str]:
    """Name a model's outputs: its classes, or the one value of a regression."""
    return classes or ["value"]


def frame(
    features: "Prepared",
    split: str,
    seed: int,
    logits: NDArray[Any],
    experts: Experts | None = None,
) -> pd.DataFrame:
    """Lay out one seed's predictions of a split: seed, sample_id, split, labels, logits, expert weights and logits."""
    rows = features.rows(split)
    labels = [name for name in features.table if name.startswith("label")]
    table = features.table.loc[rows, ["sample_id", "split", *labels]].reset_index(drop=True)
    table.insert(0, "seed", seed)
    outputs = output_names(features.classes)
    blocks = [pd.DataFrame(logits, columns=[f"logit_{name}" for name in outputs])]
    if experts is not None:
        if experts.weights is not None:
            blocks.append(pd.DataFrame(experts.weights, columns=[f"{name}.weight" for name in experts.names]))
        for index, name in enumerate(experts.names):
            columns = [f"{name}.logit_{output}" for output in outputs]
            blocks.append(pd.DataFrame(experts.logits[:, index], columns=columns))
    return pd.concat([table, *blocks], axis=1)


def read(path: Path, classes: list[str], split: str) -> SplitPredictions:
    """Read back the predictions of one split; every seed has the same samples in the same order."""
    table = pd.read_parquet(path)
    table = table[table["split"] == split]
    outputs = output_names(classes)
    of_first = f".logit_{outputs[0]}"
    experts = [name.removesuffix(of_first) for name in table if name.endswith(of_first)]
    weights = [f"{name}.weight" for name in experts if f"{name}.weight" in table]
    seeds = [part for _, part in table.groupby("seed", sort=True)]

    def columns(names: list[str]) -> NDArray[Any]:
        return np.stack([part[names].to_numpy(float) for part in seeds])

    expert_logits = [columns([f"{expert}.logit_{name}" for name in outputs]) for expert in experts]
    return SplitPredictions(
        seeds=[int(part["seed"].iloc[0]) for part in seeds],
        sample_ids=seeds[0]["sample_id"].tolist(),
        logits=columns([f"logit_{name}" for name in outputs]),
        experts=experts,
        expert_logits=np.stack(expert_logits, axis=2) if experts else np.empty((len(seeds), 0, 0, 0)),
        weights=columns(weights),
    )
