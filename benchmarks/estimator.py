"""Whether the estimator has the scores of a run of the pipeline: `python -m benchmarks.estimator wdbc digits`.

The raw rows of each dataset's table go into `I2MoEClassifier` with the settings of the run's i2moe-mult, its split and
its seeds. Every metric of the test split must be the one in results/metrics, in all its digits; run `dvc repro` first.
On one thread, as each of the run's seeds on a machine with few cores.
"""

from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
import typer

from i2moe import I2MoEClassifier
from i2moe.base.errors import InputError
from i2moe.contract.cohort import read_cohort
from i2moe.model.config import ModelConfig, ReweightingConfig
from i2moe.selection import compute_metrics
from stages.datasets.tables.columns import select_columns
from stages.datasets.tables.settings import load_table_params
from stages.datasets.tables.source import read_source
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.runs import read_model
from stages.shared.scores import DECIMALS

MODEL = "i2moe-mult"


def parameters(config: ModelConfig) -> dict[str, Any]:
    """Return an estimator's parameters from a model's settings."""
    if config.interaction is None or not isinstance(config.reweighting, ReweightingConfig):
        raise InputError(f"{MODEL} is no I2MoE with a gate in this run")
    names = ("encoder", "encoder_dim", "num_patches", "hidden_dim", "dropout", "learning_rate", "batch_size", "epochs")
    return {name: getattr(config, name) for name in (*names, "selection")} | {
        "fusion": config.fusion.model_dump(),
        "interaction_loss_weight": config.interaction.loss_weight,
        "gate_dim": config.reweighting.hidden_dim,
        "temperature": config.reweighting.temperature,
    }


def compare(dataset: str) -> None:
    """Print the run's and the estimator's test metrics, by seed.

    Raises:
        InputError: where they differ.
    """
    params = load_table_params(dataset)
    table, source = read_cohort(paths.cohort(dataset)), read_source(params)
    own = source.of(table["sample_id"])
    given = {name: own.table[columns] for name, columns in select_columns(source, params).items()}
    splits, labels = table["split"].to_numpy(), table["label"].to_numpy()
    inside, test = splits != "test", splits == "test"
    stored = pd.read_csv(paths.scores(dataset, MODEL)).set_index(["split", "metric"]).loc["test"]
    for seed in sorted(int(name.removeprefix("seed_")) for name in stored if name.startswith("seed_")):
        model = I2MoEClassifier(**parameters(read_model(dataset, MODEL)), random_state=seed, accelerator="cpu")
        model.fit(_rows(given, inside), labels[inside], validation=splits[inside] == "validation")
        order = pd.Index(model.classes_).get_indexer(_classes(dataset))
        logits = np.log(model.predict_proba(_rows(given, test)))[:, order]
        codes = pd.Index(_classes(dataset)).get_indexer(labels[test])
        found = compute_metrics(params.task, codes, logits)
        for name, value in found.items():
            theirs = float(stored.loc[name, f"seed_{seed}"])
            print(f"| {dataset} | {seed} | {name} | {theirs:.6f} | {value:.6f} |")
            if round(value, DECIMALS) != theirs:
                raise InputError(f"{dataset}, seed {seed}: the {name} of the run is {theirs}, the estimator's {value}")


def _rows(given: dict[str, pd.DataFrame], chosen: "np.ndarray") -> dict[str, pd.DataFrame]:
    return {name: table[chosen] for name, table in given.items()}


def _classes(dataset: str) -> list[str]:
    from i2moe.contract.descriptions import CohortDescription

    return CohortDescription.read(paths.cohort(dataset).with_suffix(".json")).classes


def estimator(
    datasets: Annotated[list[str], typer.Argument(help="tables of a run with " + MODEL)],
) -> None:
    """Print a table of test metrics by seed, the run's and the estimator's."""
    torch.set_num_threads(1)
    print("| dataset | seed | metric | run | estimator |\n|---|---|---|---|---|")
    for dataset in datasets:
        compare(dataset)


if __name__ == "__main__":
    run(estimator)
