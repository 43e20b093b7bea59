"""Which trainings a run consists of, and which of them were done before."""

from typing import NamedTuple

from i2moe.base.errors import InputError
from i2moe.model.config import ModelConfig
from stages.settings.__main__ import describe
from stages.settings.params import Params
from stages.shared.base import paths
from stages.shared.runs import Numerics, text_of
from stages.train import run_key


class Job(NamedTuple):
    """The trainings of one model on one dataset."""

    dataset: str
    model: str
    config: ModelConfig
    seeds: list[int]  # that are to be trained
    done: list[int]


def jobs(params: Params) -> list[Job]:
    """Return the trainings of each dataset and model of `run`."""
    found = []
    for dataset in params.run.datasets:
        for model in params.run.models:
            done = done_seeds(params, dataset, model)
            seeds = [seed for seed in params.run.seeds if seed not in done]
            found.append(Job(dataset, model, params.model(dataset, model), seeds, done))
    return found


def done_seeds(params: Params, dataset: str, model: str) -> list[int]:
    """Return the seeds that the train stage would not train again: same data, settings, code and PyTorch."""
    settings = paths.model_settings(dataset, model)
    if not (settings.exists() and settings.read_bytes() == text_of(describe(params.model(dataset, model))).encode()):
        return []
    folder, numerics = paths.trainings(dataset, model), Numerics(**params.train.model_dump(exclude={"num_workers"}))
    trained = [seed for seed in params.run.seeds if any(folder.glob(f"{seed}/*/weights.ckpt"))]
    if not trained or missing_features(dataset):
        return []
    keys = {seed: run_key(numerics, dataset, model, seed) for seed in trained}
    return [seed for seed, key in keys.items() if (paths.training(dataset, model, seed, key) / "weights.ckpt").exists()]


def missing_features(dataset: str) -> str:
    """Return what is missing of a dataset's cohort and features; nothing where they can be read."""
    from i2moe.prepared import Prepared

    try:
        Prepared(paths.features(dataset), paths.cohort(dataset))
    except InputError as error:
        return str(error)
    return ""


def stages_of(params: Params) -> dict[str, int]:
    """Return how many stages of each kind follow the features."""
    datasets, models = len(params.run.datasets), len(params.run.datasets) * len(params.run.models)
    by_dataset = dict.fromkeys(("reference", "inputs", "compare"), datasets)
    return dict.fromkeys(("train", "evaluate", "explain"), models) | by_dataset | {"settings": 1, "report": 1}
