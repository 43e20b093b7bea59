"""Shared fixtures: a small dataset on disk that meets the data contract, made here from random numbers (synthetic)."""

import json
import os
import sys
from functools import partial
from pathlib import Path

# tests/ is on sys.path, where its folder i2moe/ would be taken for the package.
sys.path.insert(0, str(Path(__file__).parents[1]))
# Before torch is imported: as many test processes as cores, each with one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["DVC_NO_ANALYTICS"] = "1"  # of projects that tests begin: tests need no network

import numpy as np
import pandas as pd
import pytest

SPLIT_OF = ["train"] * 7 + ["validation", "test", "test"]


def write_synthetic(folder, task="multiclass", samples=60):
    """Write a synthetic dataset into a folder; return its features folder and its cohort's CSV."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(samples, 2, 5)).astype(np.float32)
    score = vectors[:, 0, 0] + vectors[:, 1, 0]
    classes = {"multiclass": ["a", "b", "c"], "binary": ["no", "yes"], "multilabel": ["x", "y"], "regression": []}[task]
    labels = {
        "multiclass": lambda: {"label": np.array(classes)[np.digitize(score, [-0.6, 0.6])]},
        "binary": lambda: {"label": np.where(score > 0, "yes", "no")},
        "multilabel": lambda: {f"label_{name}": (vectors[:, i, 0] > 0).astype(int) for i, name in enumerate(classes)},
        "regression": lambda: {"label": 100 + 20 * score},
    }[task]()
    ids = [f"s{row:03d}" for row in range(samples)]
    splits = [SPLIT_OF[row % len(SPLIT_OF)] for row in range(samples)]
    cohort = folder / "cohorts" / "synthetic.csv"
    cohort.parent.mkdir()
    pd.DataFrame({"sample_id": ids, "group_id": ids, "split": splits} | labels).to_csv(cohort, index=False)
    about = {"task": task, "classes": classes, "modalities": ["first", "second"], "licence": "open"}
    counts = {"samples_in_raw_data": samples, "samples": samples, "groups": samples}
    rest = {"dataset": "synthetic", "removed": {}, "flow": [], "split": "by shares"}
    sizes = {name: {"samples": splits.count(name)} for name in ("train", "validation", "test")}
    cohort.with_suffix(".json").write_text(json.dumps(about | counts | rest | {"splits": sizes}))
    features = folder / "features"
    features.mkdir()
    for index, name in enumerate(about["modalities"]):
        np.save(features / f"{name}.npy", vectors[:, index])
        (features / f"{name}.json").write_text(json.dumps({"kind": "vector", "shape": [5]}))
    return features, cohort


@pytest.fixture
def synthetic_dataset(tmp_path):
    """Write a synthetic dataset; return a function of the task that returns (features folder, cohort CSV)."""
    return partial(write_synthetic, tmp_path)
