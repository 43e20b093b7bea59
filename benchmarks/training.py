"""Train models whole on synthetic planted data, on each device and in each precision: `python -m benchmarks.training`.

It goes through the project's own training loop, data loader, validation and checkpoints included, as `dvc repro` does.
The label's two bits follow from an exclusive or of both modalities and from what both show, so that a precision too
coarse to learn an interaction would show.
"""

import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks.planted.cases import Sizes
from benchmarks.planted.training import prepare
from i2moe.data import FeatureSet
from i2moe.inference import choose_device, load, predict
from i2moe.metrics import lead_metric
from i2moe.model.config import ModelConfig
from i2moe.selection import compute_metrics
from i2moe.training import Hardware, fit, save
from stages.datasets.planted.generators import composite, terms
from stages.settings.params import load_params

PARTS = [term for term in terms() if term.role in ("synergy", "redundancy")]
SHARES = (0.7, 0.15, 0.15)  # of samples, by split


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
        train_size, validation_size, test_size = (round(share * samples) for share in SHARES)
        sizes = Sizes(train_size, validation_size, test_size)
        features = prepare(composite(PARTS, sizes.total, 0), sizes, Path(folder))
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
