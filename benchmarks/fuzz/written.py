"""The parsers of what later stages read of results: predictions, figures, explanations, settings, checkpoints."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.fuzz.contract import COHORT, CONFIG, FEATURES, cohort_about, write_json, write_prepared
from benchmarks.fuzz.parsers import Parser
from benchmarks.fuzz.tables import PARAMS
from stages.shared.base import paths

DATASET, MODEL, CLASSES = "own", "mult", ["no", "yes"]
EXPERTS = ("a", "synergy", "redundancy")
IDS = [f"s{row}" for row in range(4)]


def write_predictions() -> None:
    """Write two seeds' predictions of two splits, with those of three experts."""
    generator, path = np.random.default_rng(0), paths.predictions(DATASET, MODEL)
    path.parent.mkdir(parents=True)
    rows = [(seed, name, split) for seed in (0, 1) for split in ("validation", "test") for name in IDS]
    table = pd.DataFrame(rows, columns=["seed", "sample_id", "split"])
    table["label"] = ["no", "yes"] * (len(table) // 2)
    for name in ("", *(f"{expert}." for expert in EXPERTS)):
        for own in CLASSES:
            table[f"{name}logit_{own}"] = generator.normal(size=len(table))
    for expert in EXPERTS:
        table[f"{expert}.weight"] = generator.random(len(table))
    table.to_parquet(path, index=False)


def read_predictions() -> None:
    """Read predictions and labels of test."""
    from stages.report.training import confusion
    from stages.shared.predictions import read, read_labels

    path = paths.predictions(DATASET, MODEL)
    labels = read_labels(path, "binary", CLASSES, "test")["label"]
    confusion(read(path, CLASSES, "test"), labels, CLASSES)


def write_explanations() -> None:
    """Write a table of three rows for some of the methods that the report shows; of the others there is none."""
    from stages.report.explanations import EXPLANATIONS
    from stages.shared.explanations import write

    values: dict[type, Any] = {str: EXPERTS, int: [0, 1, 2], float: [0.5, np.nan, -1.0], bool: [True, False, True]}
    tables = {
        name: pd.DataFrame({column: values[kind] for column, kind in EXPLANATIONS[name].columns.items()})
        for name in ("experts", "shares", "local", "token_pairs")
    }
    write(paths.explanations(DATASET, MODEL), tables)


def read_explanations() -> None:
    """Read all of them."""
    from stages.report.explanations import EXPLANATIONS
    from stages.shared.explanations import read

    for name, method in EXPLANATIONS.items():
        read(paths.explanations(DATASET, MODEL), name, method.columns)


def write_figures() -> None:
    """Write scores, learning curves and differences as the stages do."""
    from stages.report.written import DIFFERENCES, SCORES

    values: dict[type, Any] = {str: ["test", "test"], int: [1, 2], float: [0.5, 0.25]}
    scores = pd.DataFrame({column: values[kind] for column, kind in SCORES.items()} | {"metric": ["accuracy", "auroc"]})
    differences = pd.DataFrame({column: values[kind] for column, kind in DIFFERENCES.items()})
    same = {"against": "best-constant", "metric": "accuracy", "verdict": "better"}
    differences = differences.assign(model=[MODEL, "late"], low=[0.1, None], **same)
    curves = pd.DataFrame({"epoch": [1, 2], "train_task_loss": [0.7, 0.5], "validation_loss": [0.75, 0.5]})
    tables = {
        paths.scores(DATASET, MODEL): scores.assign(std=np.nan, seed_0=0.5),
        paths.curves(DATASET, MODEL, 0): curves.assign(train_synergy_loss=0.5, validation_accuracy=[0.5, 1.0]),
        paths.differences(DATASET): differences,
    }
    for path, table in tables.items():
        path.parent.mkdir(parents=True)
        table.to_csv(path, index=False, lineterminator="\n")


def read_figures() -> None:
    """Read them as the report does, and draw the curves."""
    from stages.report.charts import curves_chart
    from stages.report.own_figures import score_on_test
    from stages.report.written import read_curves, read_differences

    score_on_test(DATASET, MODEL, "accuracy")
    read_differences(DATASET, [MODEL, "late"])
    curves_chart([read_curves(DATASET, MODEL, 0)], list(EXPERTS), "own")


def write_settings() -> None:
    """Write what the settings stage writes, how long a training took, and what samples' inputs look like."""
    from stages.settings.__main__ import settings
    from stages.shared.inputs import Inputs

    paths.PARAMS.write_text(PARAMS)
    settings()
    Path("seconds.json").write_text(json.dumps({"epochs": [0.5, 1.5], "trained_on": "CPU", "inference": 0.25}))
    shown = {
        "a": {"kind": "image", "images": ["data:image/png;base64,AA", None]},
        "b": {"kind": "text", "texts": ["é", None]},
        "c": {"kind": "vector", "unit": "raw", "names": ["age"], "means": [1.5], "values": [[2], None]}
        | {"percentiles": [[50.0], None]},
        "d": {"kind": "sequence", "names": ["x"], "steps": [[[1, 2.5]], None], "words": [["a", "b"], []]},
    }
    inputs = Inputs.model_validate({"samples": ["p", "q"], "of": 2, "how": "all", "modalities": shown})
    paths.inputs(DATASET).parent.mkdir(parents=True)
    paths.inputs(DATASET).write_text(inputs.to_json())


def read_settings() -> None:
    """Read all of it."""
    from stages.shared import runs, seconds
    from stages.shared.inputs import Inputs

    runs.read_run()
    runs.read_training()
    runs.read_explaining()
    runs.read_model("tiny", MODEL)
    seconds.read(Path())
    Inputs.read(paths.inputs(DATASET))


def train(epochs: int) -> None:
    """Train on the prepared dataset; go on where a checkpoint is."""
    from i2moe.data import FeatureSet
    from i2moe.model.config import ModelConfig
    from i2moe.training import Hardware, fit

    config = ModelConfig.model_validate(CONFIG | {"encoder": "gru", "epochs": epochs})
    features = FeatureSet(FEATURES, COHORT)
    fit(features, config, 0, folder=Path("training"), hardware=Hardware(accelerator="cpu"), progress=False)


def write_checkpoints() -> None:
    """Train for an epoch, on two modalities."""
    write_prepared()
    write_json(COHORT.with_suffix(".json"), cohort_about() | {"modalities": ["vector", "sequence"]})
    train(1)


def go_on() -> None:
    """Train one epoch more, from what one left; the second leaves nothing, so that every case starts from the first."""
    kept = {path: path.read_bytes() for path in Path("training").iterdir()}
    try:
        train(2)
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def read_checkpoints() -> None:
    """Read curves and weights of a training, and build its model."""
    import torch

    from i2moe.checkpoints import curves_of, save
    from i2moe.data import FeatureSet
    from i2moe.inference import load
    from i2moe.model.config import ModelConfig
    from stages.train import write_curves

    write_curves(curves_of(Path("training/last.ckpt")), Path("curves.csv"))
    save(Path("training/best.ckpt"), Path("weights.ckpt"))
    config = ModelConfig.model_validate(CONFIG | {"encoder": "gru"})
    load(FeatureSet(FEATURES, COHORT), config, Path("weights.ckpt"), torch.device("cpu"))


def write_run() -> None:
    """Write the folder of another run: its settings, card, cohort and predictions."""
    write_predictions()
    for path in (paths.cohort(DATASET), paths.card(DATASET)):
        path.parent.mkdir(parents=True)
    table = pd.DataFrame({"sample_id": IDS, "group_id": IDS, "split": "test", "label": ["no", "yes"] * 2})
    table.to_csv(paths.cohort(DATASET), index=False)
    write_json(paths.card(DATASET), {"cohort": cohort_about(), "notes": {}})
    Path("params.yaml").write_text(json.dumps({"run": {"datasets": [DATASET], "models": [MODEL]}, "models": {"a": 1}}))


def read_run() -> None:
    """Read it as a run that is compared."""
    from stages.report.other_run import ComparedRun
    from stages.report.run_differences import read_tested, setting_differences

    run = ComparedRun.read("own", Path())
    setting_differences(run, run)
    read_tested(run, DATASET, MODEL)


PARSERS = [
    Parser("predictions Parquet", write_predictions, read_predictions, ("results/predictions/*/*",)),
    Parser("explanations Parquet", write_explanations, read_explanations, ("results/explanations/*/*/*",)),
    Parser("scores, curves, differences", write_figures, read_figures, ("results/**/*.csv",)),
    Parser("settings and inputs JSON", write_settings, read_settings, ("results/**/*.json", "seconds.json")),
    Parser("checkpoints", write_checkpoints, read_checkpoints, ("training/*",), ("weights.ckpt",)),
    Parser("checkpoints resumed", write_checkpoints, go_on, ("training/last.ckpt",)),
    Parser("another run", write_run, read_run, ("params.yaml", "data/cohorts/*", "results/*/*.json", "results/*/*/*")),
]
