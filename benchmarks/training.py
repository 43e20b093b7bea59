"""Train models whole, on each device, in each precision, and compiled: `python -m benchmarks.training`.

It goes through the project's own training loop, data loader, validation and checkpoints included, as `dvc repro` does.
The data are synthetic: the label's two bits follow from an exclusive or of both modalities and from what both show, so
that a precision too coarse to learn an interaction would show. With `--prepared` they are the dataset's own, which
`dvc repro` prepared.
"""

import itertools
import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks.planted.cases import Sizes
from benchmarks.planted.training import prepare
from benchmarks.speed import forget_peak, process_megabytes
from i2moe.checkpoints import save
from i2moe.data import FeatureSet
from i2moe.inference import choose_device, load, predict
from i2moe.metrics import lead_metric
from i2moe.model.config import ModelConfig
from i2moe.selection import compute_metrics
from i2moe.training import Hardware, fit
from stages.datasets.planted.generators import composite, terms
from stages.settings.params import load_params
from stages.shared.base import paths

PARTS = [term for term in terms() if term.role in ("synergy", "redundancy")]
SHARES = (0.7, 0.15, 0.15)  # of samples, by split
HEADER = "model | batch | device | precision | seconds, first seed | median | seconds an epoch | peak MB | test score"


def train(features: FeatureSet, config: ModelConfig, hardware: Hardware, seed: int) -> tuple[float, float, float]:
    """Train one model; return the seconds in all, those of an epoch after the first two, and the test score."""
    device, ends = choose_device(hardware.accelerator), []
    torch._dynamo.reset()  # noqa: SLF001 (each training compiles anew, as it does in a process of its own)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        best = fit(
            features,
            config,
            seed,
            folder=Path(folder),
            hardware=hardware,
            on_epoch=lambda _: ends.append(time.perf_counter()),
        )
        seconds = time.perf_counter() - start
        save(best, Path(folder) / "weights.ckpt")
        trained = load(features, config, Path(folder) / "weights.ckpt", device)
    logits = predict(trained, features, "test").logits
    scores: dict[str, Any] = compute_metrics(features.task, features.labels[features.rows("test")], logits)
    epochs = [later - earlier for earlier, later in itertools.pairwise(ends[1:])]
    return seconds, statistics.median(epochs) if epochs else seconds / config.epochs, scores[lead_metric(features.task)]


def row(features: FeatureSet, config: ModelConfig, hardware: Hardware, seeds: int) -> list[str]:
    """Train one model with some seeds; return a table row.

    The first seed may compile what the later ones find compiled on disk. An epoch's seconds are medians, the scores are
    mean and standard deviation.
    """
    on_gpu = choose_device(hardware.accelerator).type == "cuda"
    torch.cuda.reset_peak_memory_stats() if on_gpu else forget_peak()
    seconds, epoch, scores = zip(*(train(features, config, hardware, seed) for seed in range(seeds)), strict=True)
    memory = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else process_megabytes("VmHWM")
    deviation = f" ± {statistics.stdev(scores):.3f}" if seeds > 1 else ""
    return [
        torch.cuda.get_device_name() if on_gpu else f"CPU, {torch.get_num_threads()} thread(s)",
        hardware.precision + (", compiled" if hardware.compile else ""),
        f"{seconds[0]:.1f}",
        f"{statistics.median(seconds):.1f}",
        f"{statistics.median(epoch):.2f}",
        f"{memory:.0f}",
        f"{statistics.mean(scores):.3f}{deviation}",
    ]


def main(  # noqa: PLR0917 (its options)
    model: Annotated[list[str] | None, typer.Argument(help="DATASET/MODEL of params.yaml")] = None,
    accelerator: Annotated[list[str] | None, typer.Option(help="Lightning's; several times for several")] = None,
    precision: Annotated[list[str] | None, typer.Option(help="Lightning's; several times for several")] = None,
    samples: Annotated[int, typer.Option(help="of all splits")] = 6000,
    epochs: Annotated[int, typer.Option(help="of each training")] = 10,
    batch_size: Annotated[int | None, typer.Option(help="samples; default: the model's own")] = None,
    seeds: Annotated[int, typer.Option(help="trainings of each kind")] = 1,
    compiled: Annotated[bool, typer.Option("--compile", help="as train.compile does")] = False,  # noqa: FBT002
    prepared: Annotated[bool, typer.Option(help="on the dataset's own data")] = False,  # noqa: FBT002
) -> None:
    """Print a Markdown table of trainings; on a CPU the peak is the process's, so run what is compared by itself."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    params = load_params()
    print(f"| {HEADER} |\n|{'---|' * HEADER.count('|')}---|", flush=True)
    changes = {"epochs": epochs, "selection": "accuracy"}
    changes |= {} if batch_size is None else {"batch_size": batch_size}
    with tempfile.TemporaryDirectory() as folder:
        train_size, validation_size, test_size = (round(share * samples) for share in SHARES)
        sizes = Sizes(train_size, validation_size, test_size)
        planted = prepare(composite(PARTS, sizes.total, 0), sizes, Path(folder))
        for name in model or ["enrico/mult", "enrico/i2moe-mult"]:
            dataset, _, own = name.partition("/")
            features = FeatureSet(paths.features(dataset), paths.cohort(dataset)) if prepared else planted
            config = params.models[dataset][own].model_copy(update=changes)
            for where in accelerator or ["auto"]:
                for how in precision or ["32-true"]:
                    cells = row(features, config, Hardware(where, precision=how, compile=compiled), seeds)
                    print(f"| {' | '.join([name, str(config.batch_size), *cells])} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
