"""Train one model on one dataset with every seed, and predict; a killed run goes on where it was."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from stages.shared.base import paths
from stages.shared.base.command import Dataset, Model, run
from stages.shared.base.params import load_block
from stages.shared.files import hash_files, write_whole
from stages.shared.processes import side_by_side
from stages.shared.ranks import check_start, ends_together, lost_process, rank_of
from stages.shared.runs import Numerics, read_model, read_training
from stages.shared.seconds import device_name, epoch_timer, now, write_inference

if TYPE_CHECKING:
    from collections.abc import Callable

    from i2moe.checkpoints import Curves
    from i2moe.data import FeatureSet
    from i2moe.model.multimodal import MultimodalModel
    from i2moe.training import Hardware

SEEDS_AT_ONCE = 3  # of a model on a CPU, each with a third of the threads

# The code that weights depend on, in `i2moe`, besides the fusion method's, of which the settings hold a hash.
CODE = (
    "base",
    "contract",
    "model",
    "checkpoints.py",
    "data.py",
    "inference.py",
    "prepared.py",
    "progress.py",
    "selection.py",
    "signature.py",
    "training.py",
)


def train(dataset: Dataset, model: Model) -> None:
    """Write the best epoch's weights, the learning curves and the predictions of each seed of `run.seeds`.

    A seed's results stay in a folder of its own, under a hash of all that they depend on: a seed that was trained is
    not trained again when others are added, and one that was killed resumes.
    """
    settings = read_training()
    numerics, seeds = settings.numerics, settings.seeds
    rank = own_rank()
    if not rank:
        forget_other_seeds(dataset, model, seeds)
    folders = {seed: paths.training(dataset, model, seed, run_key(numerics, dataset, model, seed)) for seed in seeds}
    trained = [seed for seed, folder in folders.items() if (folder / "weights.ckpt").exists()]
    for seed in trained if rank == 0 else []:
        print(f"{dataset} {model}: seed {seed} was trained before, with the same data, settings and code")
    train_seeds(dataset, model, numerics, {seed: folders[seed] for seed in seeds if seed not in trained})
    if rank:
        return
    for seed, folder in folders.items():
        link(folder / "curves.csv", paths.curves(dataset, model, seed))
        link(folder / "weights.ckpt", paths.weights(dataset, model, seed))
        for other in set(folder.parent.iterdir()) - {folder}:  # of other settings, finished or killed
            shutil.rmtree(other)
    write_predictions(dataset, model, folders, numerics.accelerator)


def own_rank() -> int:
    """Return the number of this process among those of the training; 0 is the first one, which alone writes results.

    Raises:
        InputError: when another number of processes was started than the training has.
    """
    numerics = read_training().numerics
    return rank_of(numerics.devices, numerics.num_nodes)


def forget_other_seeds(dataset: str, model: str, seeds: list[int]) -> None:
    """Remove weights and curves of seeds that no longer run, for later stages depend on the folders that hold them."""
    for path in (paths.weights, paths.curves):
        kept = {own(dataset, model, seed) for own in (path, paths.means) for seed in seeds}
        kept.add(paths.model_description(dataset, model))
        for other in set(path(dataset, model, 0).parent.glob("*")) - kept:
            other.unlink()


def train_seeds(dataset: str, model: str, numerics: Numerics, folders: dict[int, Path]) -> None:
    """Train each seed in its folder: on a CPU side by side, since a small model leaves cores idle."""
    import torch

    from i2moe.inference import choose_device
    from i2moe.training import Hardware  # imported here once for all processes

    hardware = Hardware(**numerics.model_dump(), num_workers=load_block("train.num_workers", int))
    is_shared = hardware.num_processes > 1
    # Of the machine alone: how many threads sum up decides on the last digits, which must not follow from the seeds.
    # Processes that share a training have as many as Lightning or torchrun gives each.
    threads = None if is_shared else max(1, torch.get_num_threads() // SEEDS_AT_ONCE)
    calls = [(dataset, model, seed, folder, hardware, threads) for seed, folder in folders.items()]
    if is_shared and calls:
        check_start(hardware.devices, hardware.num_nodes)
    if len(calls) > 1 and not is_shared and choose_device(hardware.accelerator).type == "cpu":
        side_by_side(train_seed, calls, SEEDS_AT_ONCE)
    else:
        for call in calls:
            train_seed(*call)


def train_seed(dataset: str, model: str, seed: int, folder: Path, hardware: "Hardware", threads: int | None) -> None:
    """Leave `weights.ckpt` and `curves.csv` in the folder, in which an unfinished training goes on.

    Args:
        dataset: its name.
        model: its name.
        seed: of weights, order of samples, dropout and replacement noise.
        folder: of exactly this run.
        hardware: where to train.
        threads: of PyTorch; None: as many as it has.
    """
    import torch

    from i2moe.checkpoints import curves_of, save
    from i2moe.data import FeatureSet
    from i2moe.inference import choose_device
    from i2moe.training import fit

    if threads:
        torch.set_num_threads(threads)
    live = paths.curves(dataset, model, seed)  # to be looked at meanwhile
    device = device_name(choose_device(hardware.accelerator).type)
    where = device if hardware.num_processes == 1 else f"{hardware.num_processes} × {device}"
    rank = rank_of(hardware.devices, hardware.num_nodes)
    try:
        best = fit(
            FeatureSet(paths.features(dataset), paths.cohort(dataset)),
            read_model(dataset, model),
            seed,
            folder=folder,
            hardware=hardware,
            on_epoch=lambda curves: write_curves(curves, live),
            callbacks=[epoch_timer(folder, where), ends_together()],
        )
    except RuntimeError as error:
        raise lost_process(error, rank) from error
    if rank:
        return
    write_curves(curves_of(best.with_name("last.ckpt")), folder / "curves.csv")
    save(best, folder / "weights.ckpt")
    for checkpoint in (best, best.with_name("last.ckpt")):
        checkpoint.unlink()


def run_key(numerics: Numerics, dataset: str, model: str, seed: int) -> str:
    """Hash all that a run depends on: data, settings, seed, code and torch."""
    import torch

    import i2moe

    library = Path(i2moe.__file__).parent
    code = [file for name in CODE for file in (sorted((library / name).rglob("*.py")) or [library / name])]
    data = [paths.cohort(dataset), *sorted(paths.features(dataset).iterdir()), paths.model_settings(dataset, model)]
    rest = {"run": [dataset, model, seed], "numerics": numerics.model_dump(), "torch": torch.__version__}
    return hash_files([Path(__file__), *code, *data], json.dumps(rest, sort_keys=True))


def write_predictions(dataset: str, model: str, folders: dict[int, Path], accelerator: str) -> None:
    """Predict every sample with each seed's weights, beside which goes what the model is.

    Args:
        dataset: its name.
        model: its name.
        folders: of the trainings by seed, where goes how long the test samples took.
        accelerator: where to predict.
    """
    import pandas as pd

    from i2moe.contract.cohort import SPLITS
    from i2moe.data import FeatureSet
    from i2moe.inference import choose_device, load, predict
    from i2moe.trained import ModelDescription
    from stages.shared.predictions import Experts, frame

    features = FeatureSet(paths.features(dataset), paths.cohort(dataset))
    config, device = read_model(dataset, model), choose_device(accelerator)
    about = ModelDescription(signature=features.signature, config=config).to_json()
    write_whole(paths.model_description(dataset, model), lambda partial: partial.write_text(about, encoding="utf-8"))
    tables = []
    for seed, folder in folders.items():
        trained = load(features, config, paths.weights(dataset, model, seed), device)
        write_whole(paths.means(dataset, model, seed), writer_of_means(trained, features))
        for split in SPLITS:
            started = now()
            predictions, experts = predict(trained, features, split), None
            if split == "test":  # the last one, when the device is warm
                write_inference(folder, now() - started, device_name(device.type))
            if predictions.expert_logits is not None:
                experts = Experts(trained.expert_names, predictions.expert_logits, predictions.weights)
            tables.append(frame(features, split, seed, predictions.logits, experts))
    table = pd.concat(tables, ignore_index=True)
    write_whole(paths.predictions(dataset, model), lambda partial: table.to_parquet(partial, index=False))


def writer_of_means(model: "MultimodalModel", features: "FeatureSet") -> "Callable[[Path], None]":
    """Return what writes each modality's mean tokens over the train samples."""
    from i2moe.inference import mean_tokens
    from i2moe.trained import write_means

    return lambda path: write_means(path, mean_tokens(model, features))


def write_curves(curves: "Curves", path: Path) -> None:
    """Write curves as a table: a row per epoch, columns such as train_task_loss and validation_accuracy."""
    import pandas as pd

    write_whole(path, lambda partial: pd.DataFrame(curves).to_csv(partial, index=False))


def link(source: Path, target: Path) -> None:
    """Let a path be a second name of a file, or a copy where the two cannot be on one disk."""

    def write(partial: Path) -> None:
        try:
            os.link(source, partial)
        except OSError:
            shutil.copyfile(source, partial)

    write_whole(target, write)


if __name__ == "__main__":
    run(train, own_rank)
