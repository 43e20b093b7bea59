"""Train one model on one dataset with one seed; a killed run goes on where it was."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.shared.base import paths
from stages.shared.base.command import Dataset, Model, run
from stages.shared.base.params import load_block
from stages.shared.files import hash_files
from stages.shared.runs import HardwareParams, read_model

if TYPE_CHECKING:
    import pandas as pd


def train(
    dataset: Dataset,
    model: Model,
    seed: Annotated[int, typer.Argument(help="of weights, order of samples, dropout and replacement noise")],
) -> None:
    """Write the best epoch's weights and the learning curves of a run."""
    from dvclive.lightning import DVCLiveLogger

    from i2moe.data import FeatureSet
    from i2moe.training import Hardware, fit, save

    hardware = load_block("train", HardwareParams)
    folder = paths.resume(dataset, model, seed, run_key(hardware, dataset, model, seed))
    curves = folder / "curves"
    logger = DVCLiveLogger(
        dir=str(curves), resume=(folder / "last.ckpt").exists(), save_dvc_exp=False, dvcyaml=None, report=None
    )
    best = fit(
        FeatureSet(paths.features(dataset), paths.cohort(dataset)),
        read_model(dataset, model),
        seed,
        folder=folder,
        hardware=Hardware(**hardware.model_dump()),
        logger=logger,
    )
    target = paths.curves(dataset, model, seed)
    target.parent.mkdir(parents=True, exist_ok=True)
    read_curves(curves).to_csv(target)
    save(best, paths.weights(dataset, model, seed))
    shutil.rmtree(folder.parent)  # with what a killed run of other settings left


def run_key(hardware: HardwareParams, dataset: str, model: str, seed: int) -> str:
    """Name the resume folder of a run by a hash of all that the run depends on: data, settings, seed, code, torch."""
    import torch

    import i2moe

    code = sorted(Path(i2moe.__file__).parent.rglob("*.py"))
    data = [paths.cohort(dataset), *sorted(paths.features(dataset).iterdir()), paths.model_settings(dataset, model)]
    rest = {"run": [dataset, model, seed], "hardware": hardware.model_dump(), "torch": torch.__version__}
    return hash_files([*code, *data], json.dumps(rest, sort_keys=True))


def read_curves(folder: Path) -> "pd.DataFrame":
    """Join DVCLive's files into one table: a row per epoch, columns such as train_task_loss and validation_accuracy.

    An epoch that was logged twice, before and after a kill, counts once.
    """
    import pandas as pd

    columns = {}
    for path in sorted((folder / "plots" / "metrics").rglob("*.tsv")):
        name = "_".join(path.relative_to(folder / "plots" / "metrics").with_suffix("").parts)
        table = pd.read_csv(path, sep="\t").drop_duplicates("step", keep="last").set_index("step")
        columns[name] = table.iloc[:, -1]
    return pd.DataFrame(columns).rename_axis("epoch")


if __name__ == "__main__":
    run(train)
