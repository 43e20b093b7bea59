"""The library's parsers: the files of the data contract, and what a trained model is kept in."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.fuzz.parsers import Parser
from i2moe.contract.masks import pack_mask
from i2moe.contract.planted import read_planted
from i2moe.preparation.fitted import read_fitted, write_fitted
from i2moe.prepared import Prepared

FEATURES, COHORT, MODEL = Path("features"), Path("cohorts/own.csv"), Path("model")
SPLITS = ("train",) * 6 + ("validation",) * 2 + ("test",) * 2
SHAPES = {"vector": (3,), "sequence": (4, 2), "image": (2, 2, 2)}
CONFIG = {
    "encoder": "mlp",
    "encoder_dim": 4,
    "num_patches": 1,
    "hidden_dim": 4,
    "dropout": 0.1,
    "fusion": {"method": "mult", "num_layers": 1, "num_heads": 1},
    "learning_rate": 1e-3,
    "batch_size": 4,
    "epochs": 1,
    "selection": "accuracy",
}


def write_prepared() -> None:
    """Write ten samples with a modality of each kind, by the data contract."""
    generator, rows = np.random.default_rng(0), range(len(SPLITS))
    FEATURES.mkdir()
    COHORT.parent.mkdir()
    ids = [f"s{row}" for row in rows]
    label = ["yes" if row % 2 else "no" for row in rows]
    table = pd.DataFrame({"sample_id": ids, "group_id": ids, "split": SPLITS, "label": label})
    table.to_csv(COHORT, index=False)
    for name, shape in SHAPES.items():
        np.save(FEATURES / f"{name}.npy", generator.normal(size=(len(ids), *shape)).astype(np.float32))
        write_json(FEATURES / f"{name}.json", {"kind": name, "shape": list(shape)})
    mask = np.zeros((2, 3, 2), bool)
    mask[:, 1] = True
    about = {"kind": "volume", "shape": [2, 3, 2], "mask": pack_mask(mask), "note": "a note"}
    about["fitted"] = {"split": "train", "samples": 6, "what": "means", "mean": [0.5, 1.0]}  # type: ignore[assignment]
    write_json(FEATURES / "volume.json", about)
    np.save(FEATURES / "volume.npy", generator.normal(size=(len(ids), 4)).astype(np.float16))
    np.save(FEATURES / "sequence.lengths.npy", np.array([4, 3, 2, 1, 4, 4, 4, 4, 4, 4]))
    np.save(FEATURES / "vector.present.npy", np.ones(len(ids), bool))
    write_json(FEATURES / "image.json", {"kind": "image", "shape": list(SHAPES["image"]), "copies": 2})
    np.save(FEATURES / "image.copies.npy", np.zeros((6, 2, *SHAPES["image"]), np.float16))
    write_json(COHORT.with_suffix(".json"), cohort_about())


def cohort_about() -> dict[str, object]:
    """Return the description of the ten samples."""
    splits = {name: {"samples": SPLITS.count(name), "classes": {"no": 1, "yes": 1}} for name in dict.fromkeys(SPLITS)}
    counts = {"samples_in_raw_data": 12, "removed": {"without label": 2}, "samples": 10, "groups": 10}
    term = {"role": "uniqueness", "modalities": ["vector"], "share": 0.5, "words": "a bit"}
    planted = {"synthetic": True, "rule": "a rule", "terms": [term], "weights": {"bit": 1.0}}
    about = {"dataset": "own", "task": "binary", "classes": ["no", "yes"], "modalities": [*SHAPES, "volume"]}
    flow = [{"filter": "without label", "removed": 2, "left": 10}]
    more = {"licence": "open", "flow": flow, "split": "by shares", "splits": splits, "planted": planted}
    return about | counts | more | {"presence": {"vector + image": 10}}


def write_json(path: Path, content: object) -> None:
    """Write anything as JSON."""
    path.write_text(json.dumps(content))


def read_prepared() -> None:
    """Open the dataset, and read all of a split."""
    from i2moe.data import FeatureSet

    features = FeatureSet(FEATURES, COHORT)
    features.augmented(features.rows("train"), np.array([0, 1, 2, 0, 1, 2]))


def write_labels() -> None:
    """Write a cohort with numbers, and with two labels that a sample may have both."""
    rows = [f"s{row},g{row},{split},{row / 4},{row % 2},1" for row, split in enumerate(SPLITS)]
    COHORT.parent.mkdir()
    COHORT.write_text("\n".join(["sample_id,group_id,split,label,label_a,label_b", *rows, ""]))


def read_labels() -> None:
    """Read the labels of either task."""
    from i2moe.contract.cohort import labels_of, read_cohort

    table = read_cohort(COHORT)
    labels_of(table, "regression", [], COHORT)
    labels_of(table, "multilabel", ["a", "b"], COHORT)


def read_card() -> None:
    """Read what describes a dataset for the report."""
    from stages.shared.cards import Card

    Card.read(Path("card.json"))
    read_planted(Path())


def write_card() -> None:
    """Write a dataset's card, and what is planted in it."""
    write_json(Path("card.json"), {"cohort": cohort_about(), "notes": {"vector": "a note"}})
    write_json(Path("planted.json"), cohort_about()["planted"])


def write_columns() -> None:
    """Write what an encoder of columns fitted."""
    from i2moe.preparation.columns import ColumnEncoder

    table = pd.DataFrame({"a": [1.0, 2.0, None], "b": ["x", "y", "z"], "c": [1, 0, 1]})
    write_fitted(Path("columns.fitted.npz"), ColumnEncoder.fit(table, np.ones(3, bool), "own").fitted())


def read_columns() -> None:
    """Make the encoder of it again, and encode a row."""
    from i2moe.preparation.columns import ColumnEncoder

    encoder = ColumnEncoder.from_fitted(read_fitted(Path("columns.fitted.npz")))
    encoder.transform(pd.DataFrame({"a": [1.0], "b": ["x"], "c": [1]}), "columns.fitted.npz")


def write_model() -> None:
    """Write a model with one seed, untrained."""
    import torch

    from i2moe.inference import build_for
    from i2moe.model.config import ModelConfig
    from i2moe.signature import Signature
    from i2moe.trained import TrainedModel

    inputs = {"a": {"kind": "vector", "shape": [3]}, "b": {"kind": "sequence", "shape": [4, 2], "may_be_absent": True}}
    signature = Signature.model_validate({"task": "binary", "classes": ["no", "yes"], "inputs": inputs})
    config = ModelConfig.model_validate(CONFIG | {"encoder": "gru"} | MIXTURE)
    MODEL.mkdir()
    means = [torch.zeros(1, 1, 4), torch.zeros(1, 1, 4)]
    TrainedModel(signature, config, {0: build_for(signature, config)}, {0: means}).write(MODEL)


MIXTURE = {
    "interaction": {"loss_weight": 0.1},
    "reweighting": {"hidden_dim": 4, "num_layers": 2, "temperature": 1.0},
}


def read_model() -> None:
    """Open the model."""
    from i2moe.trained import TrainedModel

    TrainedModel.open(MODEL, "cpu")


def write_estimator() -> None:
    """Fit an estimator for one epoch, and save it."""
    from i2moe import I2MoEClassifier

    table = np.random.default_rng(0).normal(size=(20, 4))
    sizes = {"hidden_dim": 4, "encoder_dim": 4, "gate_dim": 4, "num_patches": 1}
    modalities = {"a": ["x0", "x1"], "b": ["x2", "x3"]}
    model = I2MoEClassifier(modalities=modalities, epochs=1, random_state=0, **sizes)
    frame = pd.DataFrame(table, columns=["x0", "x1", "x2", "x3"])
    model.fit(frame, np.where(table[:, 0] > 0, "no", "yes")).save("own.zip")


def read_estimator() -> None:
    """Load it."""
    from i2moe import I2MoEClassifier

    I2MoEClassifier.load("own.zip")


def read_arrays_alone() -> None:
    """Open the dataset without torch."""
    Prepared(FEATURES, COHORT)


PARSERS = [
    Parser("cohort CSV", write_prepared, read_prepared, ("cohorts/*.csv",), ("features",)),
    Parser(
        "cohort and modality JSON",
        write_prepared,
        read_prepared,
        ("cohorts/*.json", "features/*.json"),
        ("cohorts", "features"),
    ),
    Parser("cohort CSV of other tasks", write_labels, read_labels, ("cohorts/*.csv",)),
    Parser("contract NPY", write_prepared, read_prepared, ("features/*.npy",), ("features",)),
    Parser("card and planted JSON", write_card, read_card, ("*.json",)),
    Parser("fitted NPZ", write_columns, read_columns, ("*.npz",)),
    Parser("model JSON", write_model, read_model, ("model/model.json",), ("model/0",)),
    Parser("weights and means", write_model, read_model, ("model/0.*",)),
    Parser("saved estimator", write_estimator, read_estimator, ("own.zip",)),
]
