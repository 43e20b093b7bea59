"""Planted data as a dataset of the library, and a model trained on it as a run of the workflow trains one."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.planted.cases import Sizes
from i2moe.checkpoints import save
from i2moe.data import FeatureSet
from i2moe.inference import load, predict
from i2moe.model.config import ModelConfig
from i2moe.model.multimodal import MultimodalModel
from i2moe.training import Hardware, fit
from stages.datasets.planted.generators import Drawn
from stages.explain.explained import Explained
from stages.shared.predictions import SplitPredictions


def prepare(drawn: Drawn, sizes: Sizes, folder: Path) -> FeatureSet:
    """Write what was drawn by the data contract, standardised by train, and open it."""
    for name, values in drawn.inputs.items():
        train = values[: sizes.train]
        write_vectors(folder, name, (values - train.mean(axis=0)) / train.std(axis=0))
    classes = [str(label) for label in range(drawn.num_classes)]
    splits = np.repeat(["train", "validation", "test"], [sizes.train, sizes.validation, sizes.test])
    path = folder / "cohort.csv"
    write_cohort(path, "multiclass", classes, list(drawn.inputs), np.array(classes)[drawn.labels], splits)
    return FeatureSet(folder, path)


def write_vectors(folder: Path, modality: str, values: NDArray[Any]) -> None:
    """Write a modality's vectors [N, F]."""
    np.save(folder / f"{modality}.npy", values.astype(np.float32))
    (folder / f"{modality}.json").write_text(json.dumps({"kind": "vector", "shape": [values.shape[1]]}))


def write_cohort(
    path: Path, task: str, classes: list[str], modalities: list[str], labels: NDArray[Any], splits: NDArray[np.str_]
) -> None:
    """Write a cohort's CSV and JSON: the names of the samples' classes [N] and their splits [N]."""
    ids = [f"synthetic-{row:06d}" for row in range(len(labels))]
    pd.DataFrame({"sample_id": ids, "group_id": ids, "split": splits, "label": labels}).to_csv(path, index=False)
    about: dict[str, Any] = {"dataset": "planted", "task": task, "classes": classes, "modalities": modalities}
    about |= {"licence": "open", "removed": {}, "flow": [], "split": "by shares"}
    about |= dict.fromkeys(("samples_in_raw_data", "samples", "groups"), len(labels))
    about["splits"] = {str(name): {"samples": int((splits == name).sum())} for name in np.unique(splits)}
    path.with_suffix(".json").write_text(json.dumps(about))


def train(features: FeatureSet, config: ModelConfig, seed: int, folder: Path) -> MultimodalModel:
    """Train a model, without a progress bar, and return it at the epoch that is best on validation."""
    with contextlib.redirect_stderr(io.StringIO()):
        best = fit(features, config, seed, folder=folder / "checkpoints", hardware=Hardware(accelerator="cpu"))
    weights = folder / "weights.ckpt"
    save(best, weights)
    for path in (folder / "checkpoints").iterdir():
        path.unlink()  # or the next model would go on from there
    return load(features, config, weights, torch.device("cpu"))


def explained(features: FeatureSet, models: list[MultimodalModel], seeds: list[int]) -> Explained:
    """Return trained models, one per seed, as what explanation methods take."""
    predicted = [predict(model, features, "test") for model in models]
    names, num = models[0].expert_names, len(features.rows("test"))
    empty = np.empty((len(models), num, 0))
    logits = [own.expert_logits for own in predicted if own.expert_logits is not None]
    weights = [own.weights for own in predicted if own.weights is not None]
    predictions = SplitPredictions(
        seeds=seeds,
        sample_ids=[features.sample_ids[row] for row in features.rows("test")],
        logits=np.stack([own.logits for own in predicted]).astype(np.float64),
        experts=names,
        expert_logits=np.stack(logits).astype(np.float64) if logits else empty[..., None],
        weights=np.stack(weights).astype(np.float64) if weights else empty,
    )
    return Explained(features, predictions, models)
