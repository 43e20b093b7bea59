"""Train one model on one dataset with every seed; a killed run goes on where it was."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from stages.shared.base import paths
from stages.shared.base.command import Dataset, Model, run
from stages.shared.base.params import load_block
from stages.shared.files import hash_files, write_whole
from stages.shared.runs import HardwareParams, read_model

if TYPE_CHECKING:
    from i2moe.data import FeatureSet
    from i2moe.model.config import ModelConfig
    from i2moe.training import Curves

# The code that weights depend on, in `i2moe`, besides the fusion method's, of which the settings hold a hash.
CODE = ("base", "contract", "model", "data.py", "inference.py", "prepared.py", "selection.py", "training.py")


def train(dataset: Dataset, model: Model) -> None:
    """Write the best epoch's weights and the learning curves of each seed of `run.seeds`.

    A seed's results stay in a folder of its own, under a hash of all that they depend on: a seed that was trained is
    not trained again when others are added, and one that was killed resumes.
    """
    from i2moe.data import FeatureSet

    hardware = load_block("train", HardwareParams)
    features = FeatureSet(paths.features(dataset), paths.cohort(dataset))
    config = read_model(dataset, model)
    seeds = load_block("run.seeds", list[int])
    forget_other_seeds(dataset, model, seeds)
    for seed in seeds:
        folder = paths.training(dataset, model, seed, run_key(hardware, dataset, model, seed))
        weights, curves = folder / "weights.ckpt", folder / "curves.csv"
        if weights.exists():
            print(f"{dataset} {model}: seed {seed} was trained before, with the same data, settings and code")
        else:
            train_seed(features, config, seed, hardware, folder, paths.curves(dataset, model, seed))
        link(curves, paths.curves(dataset, model, seed))
        link(weights, paths.weights(dataset, model, seed))
        for other in set(folder.parent.iterdir()) - {folder}:  # of other settings, finished or killed
            shutil.rmtree(other)


def forget_other_seeds(dataset: str, model: str, seeds: list[int]) -> None:
    """Remove weights and curves of seeds that no longer run, for later stages depend on the folders that hold them."""
    for path in (paths.weights, paths.curves):
        kept = {path(dataset, model, seed) for seed in seeds}
        for other in set(path(dataset, model, 0).parent.glob("*")) - kept:
            other.unlink()


def train_seed(
    features: "FeatureSet", config: "ModelConfig", seed: int, hardware: HardwareParams, folder: Path, live: Path
) -> None:
    """Leave `weights.ckpt` and `curves.csv` in the folder, in which an unfinished training goes on.

    Args:
        features: the dataset.
        config: the model.
        seed: of weights, order of samples, dropout and replacement noise.
        hardware: where to train.
        folder: of exactly this run.
        live: where the curves are written after each epoch, to be looked at meanwhile.
    """
    from i2moe.training import Hardware, curves_of, fit, save

    best = fit(
        features,
        config,
        seed,
        folder=folder,
        hardware=Hardware(**hardware.model_dump()),
        on_epoch=lambda curves: write_curves(curves, live),
    )
    write_curves(curves_of(best.with_name("last.ckpt")), folder / "curves.csv")
    save(best, folder / "weights.ckpt")
    for checkpoint in (best, best.with_name("last.ckpt")):
        checkpoint.unlink()


def run_key(hardware: HardwareParams, dataset: str, model: str, seed: int) -> str:
    """Hash all that a run depends on: data, settings, seed, code and torch."""
    import torch

    import i2moe

    library = Path(i2moe.__file__).parent
    code = [file for name in CODE for file in (sorted((library / name).rglob("*.py")) or [library / name])]
    data = [paths.cohort(dataset), *sorted(paths.features(dataset).iterdir()), paths.model_settings(dataset, model)]
    here = {name: value for name, value in hardware.model_dump().items() if name != "num_workers"}
    rest = {"run": [dataset, model, seed], "hardware": here, "torch": torch.__version__}
    return hash_files([Path(__file__), *code, *data], json.dumps(rest, sort_keys=True))


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
    run(train)
