"""What decorrelating the experts does to explanations: `python -m benchmarks.tokens.decorrelation`.

fl-i2moe on synthetic data with one known interaction, without a penalty and with each of the follow-up's, three seeds:
accuracy; how often the planted role's expert has the largest mean weight (a guess: .25); how alike the experts are; and
how much more faithful an attribution of the mixture is than random tokens (AOPC gaps, in points of probability).
"""

import functools
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import typer
from tqdm import tqdm

from benchmarks.planted.cases import EPOCHS, SHARED, SIZES
from benchmarks.planted.documents import markdown
from benchmarks.planted.training import prepare, train
from i2moe.explain.latents import expert_latents
from i2moe.explain.similarity import cka_matrix
from i2moe.explain.tokens.attribution import attribute
from i2moe.explain.tokens.faithfulness import aopc, faithfulness, lost_at_random
from i2moe.explain.tokens.probe import CHOOSER
from i2moe.explain.tokens.reading import FIXED, MIXTURE, Reading, ReadingGame
from i2moe.inference import mean_tokens, predict
from i2moe.model.config import ModelConfig
from i2moe.resampling import units_of
from i2moe.selection import compute_metrics
from stages.datasets.planted.generators import Term, hdxor, pure, terms
from stages.settings.params import load_params

# Of cosine and Barlow those of the published code; of CKA, which is 0 there, 1.
PENALTIES: dict[str, dict[str, Any] | None] = {
    "none": None,
    "cosine .003": {"kind": "cosine", "weight": 3e-3},
    "cka 1": {"kind": "cka", "weight": 1.0},
    "barlow 10": {"kind": "barlow", "weight": 10.0},
}
DATA = {"pure": terms(), "hdxor": [term for term in terms() if term.modalities != ("second",)]}
TOKENS = 8  # of a modality, each of several columns
SAMPLES = 200  # whose tokens are read


def measure(case: tuple[str, Term, str, int]) -> dict[str, Any]:
    """Train and read one case; return a row."""
    data, term, penalty, seed = case
    torch.set_num_threads(1)
    draw = functools.partial(pure, num_classes=2) if data == "pure" else hdxor
    with tempfile.TemporaryDirectory() as folder:
        features = prepare(draw(term, SIZES[data].total, seed), SIZES[data], Path(folder))
        model = train(features, config(data, penalty), seed, Path(folder))
        predicted = predict(model, features, "test")
        rows = features.rows("test")[:SAMPLES].tolist()
        with torch.no_grad():
            own = model.tokens(features.__getitems__(rows))
        reading = Reading(model, own, mean_tokens(model, features), features.task)
        game = ReadingGame(reading, MIXTURE, "probability")
        control = lost_at_random(game, reading.players)
        found = faithfulness(game, reading.players, attribute(reading, CHOOSER)[FIXED], control)
        alike = cka_matrix(expert_latents(model, features, "test"))  # type: ignore[arg-type]
    means = {name: mean.value for name, mean in aopc(found, units_of("regression", np.zeros(len(rows)))).items()}
    weights = predicted.weights.mean(axis=0)  # type: ignore[union-attr]
    labels = features.labels[features.rows("test")]
    return {
        "data": data,
        "planted": " ".join([term.role, *term.modalities]),
        "penalty": penalty,
        "seed": seed,
        "accuracy": float(compute_metrics(features.task, labels, predicted.logits)["accuracy"]),
        "named": float(model.expert_names[int(weights.argmax())] == term.expert),
        "cka": float(alike[np.triu_indices(len(alike), 1)].mean()),
        "needed": 100 * means["comprehensiveness_gap"],
        "enough": 100 * means["sufficiency_gap"],
        "confidence": means["confidence"],
    }


def config(data: str, penalty: str) -> ModelConfig:
    """Return the model's settings."""
    own = load_params().models["planted-synergy"]["fl-i2moe"].model_dump()
    own["interaction"]["decorrelate"] = PENALTIES[penalty]
    return ModelConfig.model_validate(own | SHARED | {"epochs": EPOCHS[data], "vector_tokens": TOKENS})


def main(
    seeds: Annotated[int, typer.Option(help="of data and training")] = 3,
    processes: Annotated[int, typer.Option(help="at once")] = 2,
) -> None:
    """Print a row per data and penalty, means over roles and seeds; in parentheses the deviation over seeds."""
    cases = [
        (data, term, penalty, seed)
        for data, own in DATA.items()
        for term, penalty, seed in product(own, PENALTIES, range(seeds))
    ]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        table = pd.DataFrame(tqdm(pool.map(measure, cases), total=len(cases), unit="model"))
    print(markdown(summary(table)))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return the means over roles and seeds, and the deviation over seeds of the means over roles."""
    measures = ["accuracy", "named", "cka", "needed", "enough", "confidence"]
    by_seed = table.groupby(["data", "penalty", "seed"], sort=False)[measures].mean()
    mean, deviation = (getattr(by_seed.groupby(["data", "penalty"], sort=False), how)() for how in ("mean", "std"))
    digits = {"needed": 1, "enough": 1}
    cells = {
        name: [
            f"{value:.{digits.get(name, 2)}f} ({spread:.{digits.get(name, 2)}f})"
            for value, spread in zip(mean[name], deviation[name], strict=True)
        ]
        for name in measures
    }
    return pd.DataFrame(cells, index=mean.index).reset_index()


if __name__ == "__main__":
    typer.run(main)
