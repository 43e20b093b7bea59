"""Single samples of open data for the page: numbers as int16, gzip, base64, which the page's script decodes when asked.

Nothing is packed of a restricted dataset.
"""

import base64
import gzip
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.descriptions import CohortDescription
from stages.report.drawing import expert_colours
from stages.report.layout import records
from stages.report.tokens import SHOWN_PAIRS, pair_cell
from stages.shared.explanations import MIXTURE, path_of, read
from stages.shared.inputs import Inputs
from stages.shared.predictions import SplitPredictions

LARGEST = 32767  # of int16
SCORES = {"sample_id": str, "seed": int, "expert": str, "method": str, "modality": str, "token": str, "score": float}
PAIRS = {"sample_id": str, "seed": int, "expert": str, "one_token": str, "other_token": str}
PAIRS |= {"index": float, "index_error": float}


@dataclass(frozen=True)
class Samples:
    """What the page's script needs of a dataset's samples."""

    how: str  # which samples are shown
    numbers: str  # int16, gzip, base64
    about: str  # JSON, gzip, base64: ids, labels, inputs, and where each array of the numbers is


class Packer:
    """Arrays as one run of int16 numbers, each with a scale of its own."""

    def __init__(self) -> None:
        """Start without any array."""
        self.parts: list[NDArray[np.int16]] = []
        self.length = 0

    def add(self, values: NDArray[Any]) -> dict[str, Any]:
        """Append an array; return where it is, its shape, and what one step is worth. NaN is kept apart.

        Examples:
            >>> packer = Packer()
            >>> packer.add(np.array([[1.0, -0.5]]))["shape"], packer.parts[0].tolist()
            ([1, 2], [32767, -16384])
        """
        finite = np.where(np.isfinite(values), values, 0)
        step = float(np.abs(finite).max(initial=0)) / LARGEST or 1.0
        whole = np.where(np.isfinite(values), np.rint(finite / step), -LARGEST - 1).astype("<i2")
        entry = {"start": self.length, "shape": list(values.shape), "step": step}
        self.parts.append(whole.ravel())
        self.length += whole.size
        return entry

    def packed(self) -> str:
        """Return all arrays."""
        return _packed(np.concatenate([np.empty(0, "<i2"), *self.parts]).tobytes())


def pack_samples(
    cohort: CohortDescription,
    labels: pd.DataFrame,
    inputs: Inputs,
    predictions: dict[str, SplitPredictions],
    without: dict[str, pd.DataFrame],
    tokens: dict[str, dict[str, Any]],
) -> Samples | None:
    """Pack a dataset's samples with what each model says of them; None of restricted data.

    Args:
        cohort: of the dataset.
        labels: of the test samples, the columns sample_id and label, or label_<name> of several.
        inputs: what the inputs stage wrote: which samples are shown, and what each looks like.
        predictions: by model, of the test split.
        without: by model, sample_id, seed, name (a modality) and value without it.
        tokens: by model that sees sequences of tokens, what `token_findings` returns.
    """
    if not cohort.shows_samples or not inputs.samples:
        return None
    shown = inputs.samples
    packer = Packer()
    models = {
        model: _of_model(packer, own, shown, without.get(model), cohort.modalities) | tokens.get(model, {})
        for model, own in predictions.items()
    }
    about = {
        "task": cohort.task,
        "classes": cohort.classes,
        "modalities": cohort.modalities,
        "labels": _labels(cohort, labels.set_index("sample_id").loc[shown]),
        "models": models,
        "samples": shown,
        "inputs": {name: own.model_dump(exclude_none=True) for name, own in inputs.modalities.items()},
    }
    return Samples(inputs.how, packer.packed(), _packed(json.dumps(about, separators=(",", ":")).encode()))


def _of_model(
    packer: Packer, own: SplitPredictions, shown: list[str], without: pd.DataFrame | None, modalities: list[str]
) -> dict[str, Any]:
    place = {name: index for index, name in enumerate(own.sample_ids)}
    rows = [place[name] for name in shown]
    entry: dict[str, Any] = {
        "seeds": own.seeds,
        "experts": own.experts,
        "colours": list(expert_colours(own.experts).values()),
        "logits": packer.add(own.logits[:, rows]),
    }
    if own.is_weighted:
        entry |= {"expert_logits": packer.add(own.expert_logits[:, rows]), "weights": packer.add(own.weights[:, rows])}
    if without is not None:
        wide = without.set_index(["sample_id", "seed", "name"])["value"].unstack(["seed", "name"]).loc[shown]  # noqa: PD010
        order = [(seed, name) for seed in own.seeds for name in modalities]
        values = wide[order].to_numpy().reshape(len(shown), len(own.seeds), len(modalities))
        entry["without"] = packer.add(values.transpose(1, 0, 2))
    return entry


def _labels(cohort: CohortDescription, labels: pd.DataFrame) -> list[Any]:
    if cohort.task == "multilabel":
        return labels[[f"label_{name}" for name in cohort.classes]].astype(int).to_numpy().tolist()  # type: ignore[no-any-return]
    if cohort.task == "regression":
        return [float(f"{float(value):.6g}") for value in labels["label"]]
    return [cohort.classes.index(str(value)) for value in labels["label"]]


def without_each(folder: Path, predicted: SplitPredictions, modalities: list[str]) -> pd.DataFrame | None:
    """Return what a model predicts of each sample without each modality, where its explanations have it.

    Args:
        folder: of the model's explanations.
        predicted: its predictions.
        modalities: of the dataset.

    Raises:
        InputError: for a table that lacks a sample, seed or modality, or has one twice.
    """
    table = read(folder, "local", {"sample_id": str, "name": str, "value": float, "kind": str, "seed": int})
    if table is None:
        return None
    found = table[table["kind"] == "without"]
    keys = ["sample_id", "seed", "name"]
    wanted: list[list[Any]] = [predicted.sample_ids, predicted.seeds, modalities]
    is_whole = all(found[key].isin(values).all() for key, values in zip(keys, wanted, strict=True))
    if found.duplicated(keys).any() or len(found) != math.prod(len(values) for values in wanted) or not is_whole:
        raise InputError(f"{path_of(folder, 'local')} lacks a sample, or has one twice: rerun the explain stage")
    return found


def token_findings(folder: Path) -> dict[str, Any]:
    """Return what was found of the tokens of single samples, where a model's explanations have it.

    Returns:
        `tokens`: by sample, seed and modality the size of each token's score for the whole model (integrated
        gradients); `pairs`: by sample and seed the pairs with the largest index, with its error.
    """
    scores = read(folder, "token_scores", SCORES)
    pairs = read(folder, "token_pairs", PAIRS)
    if scores is None or pairs is None:
        return {}
    own = scores[(scores["method"] == "integrated gradients") & (scores["expert"] == MIXTURE)]
    tokens: dict[str, Any] = {}
    for (sample, seed, modality), part in own.groupby(["sample_id", "seed", "modality"], sort=False):
        sizes = [[token, float(f"{abs(score):.3g}")] for token, score in zip(part["token"], part["score"], strict=True)]
        tokens.setdefault(sample, {}).setdefault(str(seed), {})[modality] = sizes
    largest: dict[str, Any] = {}
    of_whole = pairs[pairs["expert"] == MIXTURE]
    for (sample, seed), part in of_whole.groupby(["sample_id", "seed"], sort=False):
        top = part.loc[part["index"].abs().nlargest(SHOWN_PAIRS).index]
        largest.setdefault(sample, {})[str(seed)] = [pair_cell(row) for row in records(top)]
    return {"tokens": tokens, "pairs": largest}


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
