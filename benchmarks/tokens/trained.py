"""Whether readings of tokens find what is planted in models that were trained: `python -m benchmarks.tokens.trained`.

Each seed draws planted-tokens (synthetic) anew and trains a model on it, as the workflow does. A planted pair is found
where it is first of all pairs that were probed, by the mean over samples.
"""

import functools
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import typer
from tqdm import tqdm

from benchmarks.planted.cases import Sizes
from benchmarks.planted.documents import markdown
from benchmarks.planted.training import prepare, train
from i2moe.data import FeatureSet
from i2moe.explain.tokens.attribution import attribute
from i2moe.explain.tokens.candidates import candidate_pairs, mean_by_pair
from i2moe.explain.tokens.interaction import Sampling, interaction_index, redundancy_gap
from i2moe.explain.tokens.pair_masking import excess, pair_masking
from i2moe.explain.tokens.probe import CHOOSER
from i2moe.explain.tokens.reading import FIXED, MIXTURE, Reading, ReadingGame
from i2moe.inference import mean_tokens, predict
from i2moe.model.multimodal import MultimodalModel
from i2moe.resampling import units_of
from i2moe.selection import compute_metrics
from stages.datasets.planted.tokens import COLUMNS, tokens
from stages.settings.params import load_params

SIZES = Sizes(2800, 600, 600)
SAMPLES, TOP, PAIRS = 100, 5, 2  # read of a seed; tokens of a modality that are probed; pairs that are masked
SAMPLING = Sampling(tolerance=0.02, most=16)
SCALES = ("log-probability", "probability")


def read(seed: int, model: str, changes: dict[str, Any]) -> list[dict[str, Any]]:
    """Train one model and read its mixture on each scale; a row for each."""
    torch.set_num_threads(1)
    drawn = tokens(SIZES.total, seed)
    config = load_params().model("planted-tokens", model).model_copy(update=changes)
    with tempfile.TemporaryDirectory() as folder:
        features = prepare(drawn, SIZES, Path(folder))
        trained = train(features, config, seed, Path(folder))
        accuracy = compute_metrics(
            features.task, features.labels[features.rows("test")], predict(trained, features, "test").logits
        )["accuracy"]
        reading = read_tokens(trained, features)
        truth = [(place(*pair.columns[0]), place(*pair.columns[1])) for pair in drawn.pairs]
        return [
            {"seed": seed, "accuracy": float(accuracy), "scale": scale} | found(reading, scale, truth)
            for scale in SCALES
        ]


def place(modality: str, column: int) -> int:
    """Return which token a column is, in the row of both modalities."""
    return COLUMNS * (modality == "second") + column


def read_tokens(trained: MultimodalModel, features: FeatureSet) -> Reading:
    """Read the first test samples."""
    rows = features.rows("test")[:SAMPLES].tolist()
    with torch.no_grad():
        own = trained.tokens(features.__getitems__(rows))
    return Reading(trained, own, mean_tokens(trained, features), features.task)


def found(reading: Reading, scale: Any, truth: list[tuple[int, int]]) -> dict[str, Any]:  # noqa: ANN401 (a scale)
    """Return whether each reading puts its planted pair first, and what masking the two pairs costs."""
    synergy, copies, _ = truth
    players = reading.players
    scores = attribute(reading, CHOOSER)
    pairs = candidate_pairs(players, scores.get(FIXED, scores.get(MIXTURE)), TOP).pairs  # type: ignore[arg-type]
    game = ReadingGame(reading, MIXTURE, scale)
    index = interaction_index(game, pairs, players.real, sampling=SAMPLING).value
    gap = redundancy_gap(game, pairs, players.real).value
    by_index, by_gap = mean_by_pair(pairs, index), mean_by_pair(pairs, gap)
    units = units_of("regression", np.zeros(len(pairs)))
    masked = excess(pair_masking(game, players, pairs, np.abs(index), PAIRS), units)
    return {
        "synergy first": max(by_index, key=by_index.__getitem__) == synergy,
        "copies first": max(by_gap, key=by_gap.__getitem__) == copies,
        "index of synergy": by_index.get(synergy, np.nan),
        "largest other": max(own for pair, own in by_index.items() if pair != synergy),
        "gap of copies": by_gap.get(copies, np.nan),
        "largest other gap": max(own for pair, own in by_gap.items() if pair != copies),
    } | {f"costs more than {name}": mean.low > 0 for name, mean in masked.items()}


def rows(model: str, changes: dict[str, Any], seeds: int, processes: int) -> Iterator[dict[str, Any]]:
    """Read every seed, some at once."""
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        parts = pool.map(functools.partial(read, model=model, changes=changes), range(seeds))
        for part in tqdm(parts, total=seeds, unit="model"):
            yield from part


def main(
    model: Annotated[str, typer.Argument(help="of params.yaml, over sequences of tokens")] = "fl-i2moe",
    seeds: Annotated[int, typer.Option(help="of data and training")] = 10,
    processes: Annotated[int, typer.Option(help="at once")] = 2,
    modality_dropout: Annotated[float, typer.Option(help="weight of the loss on views without a modality")] = 0.0,
) -> None:
    """Print a row per seed and scale, and how often each holds."""
    table = pd.DataFrame(rows(model, {"modality_dropout": modality_dropout}, seeds, processes))
    print(markdown(table.round(3)))
    counted = [name for name in table if table[name].dtype == bool]
    print(markdown(table.groupby("scale", sort=False)[counted].sum().reset_index()))


if __name__ == "__main__":
    typer.run(main)
