"""Pages about labels that follow from nothing: how often they name a winner, a difference or a living expert."""

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.planted.cases import Sizes
from benchmarks.planted.training import explained, prepare, train, write_cohort, write_vectors
from i2moe.data import FeatureSet
from i2moe.explain.ability import KNOWS
from i2moe.metrics import best_constant
from i2moe.selection import Array
from stages.compare import differences, pairs
from stages.datasets.planted.generators import none
from stages.explain.explained import Explained
from stages.explain.methods import METHODS
from stages.reference import fit_linear, vectors
from stages.report.findings import find, no_signal_findings
from stages.settings.params import Params, load_params
from stages.shared.cards import CONSTANT, REFERENCE
from stages.shared.verdicts import NOT_SHOWN

DATA = ("planted-none", "wdbc")  # of which the labels are shuffled
PAGES = 40  # of each
MODELS = ("mult", "i2moe-mult")
SEEDS = [0, 1, 2]
SIZES = Sizes(420, 90, 90)  # of planted-none

Row = dict[str, Any]


def page(data: str, seed: int) -> Row:
    """Train, compare and explain the models of one dataset as a run does; return what its page claims."""
    torch.set_num_threads(1)
    params = load_params()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        draw = draw_none if data == "planted-none" else shuffle_wdbc
        return {"data": data, "seed": seed} | claims(draw(seed, Path(folder)), data, params, Path(folder))


def draw_none(seed: int, folder: Path) -> FeatureSet:
    """Draw inputs and labels that have nothing to do with each other."""
    return prepare(none(SIZES.total, seed), SIZES, folder)


def shuffle_wdbc(seed: int, folder: Path) -> FeatureSet:
    """Write wdbc with its labels shuffled, standardised by train."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    generator = np.random.default_rng(seed)
    num = len(bunch.data)
    splits = np.full(num, "train", dtype="<U10")
    order = generator.permutation(num)
    splits[order[: num * 15 // 100]], splits[order[num * 15 // 100 : num * 30 // 100]] = "validation", "test"
    for number, name in enumerate(("mean", "error", "worst")):
        values = bunch.data.to_numpy()[:, 10 * number : 10 * number + 10]
        train_rows = values[splits == "train"]
        write_vectors(folder, name, (values - train_rows.mean(axis=0)) / train_rows.std(axis=0))
    labels = bunch.target_names[generator.permutation(bunch.target)]
    path = folder / "cohort.csv"
    write_cohort(path, "binary", list(bunch.target_names), ["mean", "error", "worst"], labels, splits)
    return FeatureSet(folder, path)


def claims(features: FeatureSet, data: str, params: Params, folder: Path) -> Row:
    """Return what the page of a dataset claims, in counts and in sentences."""
    own = {
        name: explained(features, [train(features, params.model(data, name), seed, folder) for seed in SEEDS], SEEDS)
        for name in MODELS
    }
    logits: dict[str, Any] = {name: one.predictions.logits for name, one in own.items()}
    logits[REFERENCE] = linear_logits(features)[None]
    constant = best_constant(features.task, features.labels[features.rows("train")])
    logits[CONSTANT] = np.broadcast_to(constant, logits[REFERENCE].shape)
    compared = differences(features, logits, pairs(list(MODELS), {"i2moe-mult": "mult"}, REFERENCE, CONSTANT))
    with_constant = compared[compared["against"] == CONSTANT].set_index("model", drop=False).to_dict("index")
    found = [page_of(one, no_signal_findings(with_constant[name])) for name, one in own.items()]
    winners, living = (sum(one[count] for one in found) for count in ("winners", "living_experts"))
    shown = compared[compared["verdict"] != NOT_SHOWN]
    return {
        "winners": winners,
        "differences": len(shown),
        "living_experts": living,
        "claims_something": bool(winners or len(shown) or living),
        "sentences": " ".join(one["sentences"] for one in found),
    }


def page_of(own: Explained, silent: list[str]) -> Row:
    """Return what the page claims of one model; of a model without signal it says only that."""
    tables = {method: compute(own) for method, compute in METHODS.items()}
    winners = living = 0
    for name, table in tables.items():
        if table is not None and "winner" in table and not silent:
            winners += int((table["winner"] != "").sum())
        if table is not None and name == "expert_seeds":
            living += int((table["outcome"] == KNOWS).sum())
    sentences = " ".join(silent or find(tables, own.features.task))
    return {"winners": winners, "living_experts": living, "sentences": sentences}


def linear_logits(features: FeatureSet) -> Array:
    """Return what the linear reference predicts for the test split, [N, C]."""
    inputs = {
        split: np.concatenate([vectors(features, name, features.rows(split)) for name in features.modalities], axis=1)
        for split in ("train", "test")
    }
    rows = features.rows("train")
    _, decide = fit_linear(features.task, inputs["train"], features.labels[rows], features.groups("train"))
    return decide(inputs["test"])
