"""What is measured on one case: how well the model predicts, what each reading says, and what is planted."""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.planted.cases import SIZES, Case
from benchmarks.planted.training import explained, prepare, train
from i2moe.explain.ability import AT_CHANCE
from i2moe.explain.lattice import lattice_parts
from i2moe.selection import Floats, accuracy, ranked_auroc
from stages.datasets.planted.generators import Drawn
from stages.explain.explained import Explained

Row = dict[str, Any]


def run(case: Case) -> Row:
    """Draw, train and measure a case on one thread; return a row of the results."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    drawn = case.draw()
    with tempfile.TemporaryDirectory() as folder:
        features = prepare(drawn, SIZES[case.kind], Path(folder))
        model = train(features, case.config(), case.seed, Path(folder))
        own = explained(features, [model], [case.seed])
        row = case.key | planted_shares(drawn, own.terms) | measure(own, drawn)
    return row | {"seconds": time.perf_counter() - start}


def planted_shares(drawn: Drawn, names: list[str]) -> Row:
    """Return the share of the label's information that each expert's role has; NaN where it is not known."""
    shares = dict.fromkeys(names, 0.0)
    for term, share in drawn.shares.items():
        shares[term.expert] += share
    return {f"planted: {name}": share for name, share in shares.items()}


def measure(own: Explained, drawn: Drawn) -> Row:
    """Return the model's accuracy, what each reading gives to each term, and what the experts know alone."""
    row: Row = {"accuracy": float(accuracy(own.labels, own.predictions.logits[0])), "bayes": drawn.bayes}
    row["gain"] = float(own.gains["mean"].gain[0])
    for reading, shares in own.readings.items():
        row |= {f"{reading}: {term}": share for term, share in zip(shares.terms, shares.share[0], strict=True)}
    if own.predictions.experts:
        outcomes = [of_seeds[0].outcome for of_seeds in own.abilities]
        row |= {
            f"dead: {name}": float(one == AT_CHANCE)
            for name, one in zip(own.predictions.experts, outcomes, strict=True)
        }
    if drawn.of_sample is not None:
        row |= local_scores(own, drawn.of_sample[own.features.rows("test")])
    return row


def local_scores(own: Explained, of_sample: np.ndarray) -> Row:
    """Score what readings say of single samples against the term that decides each: top-1, and mean AUROC of terms."""
    of_reading = {"lattice mean": lattice_parts(own.coalition_values["mean"][0].T)}
    if own.predictions.weights.size:
        of_reading["weight"] = own.predictions.weights[0]
    row = {}
    for reading, parts in of_reading.items():
        row[f"{reading}: top-1"] = top_1(parts, own.terms, of_sample)
        row[f"{reading}: auroc"] = mean_auroc(parts, own.terms, of_sample)
    return row


def top_1(parts: Floats, names: list[str], of_sample: np.ndarray) -> float:
    """Return the share of samples whose largest part [N, T] is the one of the sample's term [N]."""
    return float((np.array(names)[parts.argmax(axis=1)] == of_sample).mean())


def mean_auroc(parts: Floats, names: list[str], of_sample: np.ndarray) -> float:
    """Return how well each term's part [N, T] tells its samples from the others, averaged over terms."""
    return float(np.mean([ranked_auroc(of_sample == name, parts[:, index]) for index, name in enumerate(names)]))
