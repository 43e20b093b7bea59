"""The per-sample predictions file: one row per sample, split and seed, columns by class and expert name."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.reading import check_columns
from stages.shared.parquet import read_parquet

if TYPE_CHECKING:
    from i2moe.prepared import Prepared

REMEDY = "delete it and run `dvc repro`"
LARGEST = float(np.finfo(np.float32).max)  # a network computes in float32: what is beyond, was infinity


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


def read_table(path: Path, split: str) -> pd.DataFrame:
    """Read the rows of one split.

    Raises:
        InputError: for a file that is missing or broken, or without a row of this split.
    """
    table = read_parquet(path, REMEDY)
    check_columns(path, table, {"seed": int, "sample_id": str, "split": str}, REMEDY)
    table = table[table["split"] == split]
    if not len(table):
        raise InputError(f"{path} has no row of the split {split!r}: {REMEDY}")
    return table


def read(path: Path, classes: list[str], split: str) -> SplitPredictions:
    """Read back the predictions of one split; every seed has the same samples in the same order.

    Raises:
        InputError: for a file that is missing or broken, or whose seeds have different samples.
    """
    table = read_table(path, split)
    outputs = output_names(classes)
    of_first = f".logit_{outputs[0]}"
    experts = [name.removesuffix(of_first) for name in table if name.endswith(of_first)]
    weights = [f"{name}.weight" for name in experts if f"{name}.weight" in table]
    logits = [f"logit_{name}" for name in outputs]
    expert_logits = [[f"{expert}.{name}" for name in logits] for expert in experts]
    _check_numbers(path, table, [*logits, *weights, *(name for names in expert_logits for name in names)])
    if len(weights) not in (0, len(experts)):
        raise InputError(f"{path} has weights of {len(weights)} of {len(experts)} experts: {REMEDY}")
    seeds = [part for _, part in table.groupby("seed", sort=True)]
    ids = seeds[0]["sample_id"].tolist()
    if len(set(ids)) < len(ids) or any(part["sample_id"].tolist() != ids for part in seeds):
        raise InputError(f"{path} has a sample twice, or seeds with different samples: {REMEDY}")

    def columns(names: list[str]) -> NDArray[Any]:
        return np.stack([part[names].to_numpy(float) for part in seeds])

    return SplitPredictions(
        seeds=[int(part["seed"].iloc[0]) for part in seeds],
        sample_ids=ids,
        logits=columns(logits),
        experts=experts,
        expert_logits=np.stack([columns(names) for names in expert_logits], axis=2)
        if experts
        else np.empty((len(seeds), 0, 0, 0)),
        weights=columns(weights),
    )


def read_of(features: "Prepared", path: Path, split: str) -> SplitPredictions:
    """Read back the predictions of a split of a dataset, in the order of its labels.

    Raises:
        InputError: for a file that is missing or broken, or is of other samples: of another split, say.
    """
    found = read(path, features.classes, split)
    if found.sample_ids != features.table["sample_id"].iloc[features.rows(split)].tolist():
        raise InputError(f"{path} is not of the cohort's {split} samples: run the stage that writes it again")
    return found


def _check_numbers(path: Path, table: pd.DataFrame, names: list[str]) -> None:
    """Refuse a file that lacks a column of numbers, or has one that is not finite, as a network's are."""
    check_columns(path, table, dict.fromkeys(names, float), REMEDY)
    for name in names:
        if not (np.abs(table[name].to_numpy(float)) <= LARGEST).all():
            raise InputError(f"{path} column {name!r} holds NaN or infinity: {REMEDY}")


def read_labels(path: Path, task: str, classes: list[str], split: str) -> pd.DataFrame:
    """Read the labels of a split's samples, in the order of `read`: sample_id and label, or label_<class> of several.

    Raises:
        InputError: for a file that is missing or broken, or has a label that the task does not.
    """
    table = read_table(path, split)
    names = [f"label_{name}" for name in classes] if task == "multilabel" else ["label"]
    check_columns(path, table, dict.fromkeys(names, str), REMEDY)
    allowed = {"multilabel": {"0", "1"}, "regression": None}.get(task, set(classes))
    for name in names:
        values = table[name]
        is_known = values.isin(allowed) if allowed else np.isfinite(pd.to_numeric(values, errors="coerce"))
        if not is_known.all():
            raise InputError(f"{path} column {name!r} holds a label that is none of the dataset's: {REMEDY}")
    return table.loc[table["seed"] == table["seed"].min(), ["sample_id", *names]]
