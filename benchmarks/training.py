"""Train models whole on synthetic planted data, on each device and in each precision: `python -m benchmarks.training`.

It goes through the project's own training loop, data loader, validation and checkpoints included, as `dvc repro` does.
The label follows from an exclusive or of both modalities and a bit that both show, so that a precision too coarse to
learn an interaction would show.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import typer
from numpy.typing import NDArray

from i2moe.data import FeatureSet
from i2moe.inference import choose_device, load, predict
from i2moe.metrics import lead_metric
from i2moe.model.config import ModelConfig
from i2moe.selection import compute_metrics
from i2moe.training import Hardware, fit, save
from stages.settings.params import load_params

WIDTH, NOISE = 32, 0.5
SPLITS = {"train": 0.7, "validation": 0.15, "test": 0.15}
CLASSES = ["00", "01", "10", "11"]  # exclusive or, shared bit
MODALITIES = ["first", "second"]


def write_planted(folder: Path, num_samples: int, seed: int = 0) -> FeatureSet:
    """Write synthetic data by the data contract: two vectors a sample, and the label that follows from their bits."""
    generator = np.random.default_rng(seed)
    own, shared = generator.integers(0, 2, (2, num_samples)), generator.integers(0, 2, num_samples)
    labels = 2 * (own[0] ^ own[1]) + shared
    for name, bit in zip(MODALITIES, own, strict=True):
        shown = np.stack([2.0 * bit - 1, 2.0 * shared - 1], axis=1)
        directions = np.linalg.qr(generator.normal(size=(WIDTH, 2)))[0].T
        noise = NOISE * generator.normal(size=(num_samples, WIDTH))
        np.save(folder / f"{name}.npy", (shown @ directions + noise).astype(np.float32))
        (folder / f"{name}.json").write_text(json.dumps({"kind": "vector", "shape": [WIDTH]}))
    return FeatureSet(folder, _write_cohort(folder / "cohort.csv", labels))


def _write_cohort(path: Path, labels: NDArray[np.int64]) -> Path:
    num_samples = len(labels)
    ids = [f"synthetic_{row:06d}" for row in range(num_samples)]
    bounds = np.cumsum(list(SPLITS.values()))
    splits = np.array(list(SPLITS))[np.searchsorted(bounds, (np.arange(num_samples) + 0.5) / num_samples)]
    table = {"sample_id": ids, "group_id": ids, "split": splits, "label": np.array(CLASSES)[labels]}
    pd.DataFrame(table).to_csv(path, index=False)
    about = {"dataset": "synthetic", "task": "multiclass", "classes": CLASSES, "modalities": MODALITIES}
    counts = {"samples_in_raw_data": num_samples, "samples": num_samples, "groups": num_samples}
    sizes = {name: {"samples": int((splits == name).sum())} for name in SPLITS}
    rest = {"licence": "open", "removed": {}, "flow": [], "split": "by shares", "splits": sizes}
    path.with_suffix(".json").write_text(json.dumps(about | counts | rest))
    return path


def train(features: FeatureSet, config: ModelConfig, hardware: Hardware) -> list[str]:
    """Train one model; return a table row: seconds, samples a second, peak memory and test scores."""
    device = choose_device(hardware.accelerator)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        best = fit(features, config, 0, folder=Path(folder), hardware=hardware)
        seconds = time.perf_counter() - start
        save(best, Path(folder) / "weights.ckpt")
        trained = load(features, config, Path(folder) / "weights.ckpt", device)
    logits = predict(trained, features, "test").logits
    scores: dict[str, Any] = compute_metrics(features.task, features.labels[features.rows("test")], logits)
    lead = lead_metric(features.task)
    samples = config.epochs * len(features.rows("train"))
    memory = f"{torch.cuda.max_memory_allocated() / 2**20:.0f}" if device.type == "cuda" else "-"
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} thread(s)"
    return [name, hardware.precision, f"{seconds:.1f}", f"{samples / seconds:.0f}", memory, f"{scores[lead]:.3f}"]


def main(
    model: Annotated[list[str] | None, typer.Argument(help="DATASET/MODEL of params.yaml")] = None,
    accelerator: Annotated[list[str] | None, typer.Option(help="Lightning's; several times for several")] = None,
    precision: Annotated[list[str] | None, typer.Option(help="Lightning's; several times for several")] = None,
    samples: Annotated[int, typer.Option(help="of all splits")] = 6000,
    epochs: Annotated[int, typer.Option(help="of each training")] = 10,
    batch_size: Annotated[int | None, typer.Option(help="samples; default: the model's own")] = None,
) -> None:
    """Print a Markdown table of trainings."""
    import logging

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    params = load_params()
    print("| model | batch | device | precision | seconds | samples a second | peak MB | test accuracy |")
    print(f"|{'---|' * 8}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        features = write_planted(Path(folder), samples)
        for name in model or ["enrico/mult", "enrico/i2moe-mult"]:
            dataset, _, own = name.partition("/")
            config = params.models[dataset][own].model_copy(update={"epochs": epochs, "selection": "accuracy"})
            if batch_size is not None:
                config = config.model_copy(update={"batch_size": batch_size})
            for where in accelerator or ["auto"]:
                for how in precision or ["32-true"]:
                    row = train(features, config, Hardware(accelerator=where, precision=how))
                    print(f"| {' | '.join([name, str(config.batch_size), *row])} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
