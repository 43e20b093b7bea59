"""Features of a dataset that comes as tables, all fitted on the train split."""

from typing import Annotated

import typer

from i2moe.base.errors import InputError
from i2moe.contract.cohort import read_cohort
from stages.datasets.tables.columns import say_unselected, unselected
from stages.datasets.tables.kinds import kinds_of
from stages.datasets.tables.rows import raw_rows
from stages.datasets.tables.settings import load_table_params
from stages.datasets.tables.source import read_source
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.features import fitted_on_train, save_fitted


def features(dataset: Annotated[str, typer.Argument(help="a name under data.tables in params.yaml")]) -> None:
    """Write data/features/DATASET/<modality>.npy, .json, .present.npy and .fitted.npz of every modality."""
    params = load_table_params(dataset)
    source = read_source(params)
    cohort = read_cohort(paths.cohort(dataset))
    if not cohort["sample_id"].isin(source.table.index).all():
        raise InputError(f"{paths.cohort(dataset)} has samples that {params.raw} lacks: rerun the cohort stage")
    raw = raw_rows(source.of(cohort["sample_id"]), params)
    say_unselected(dataset, unselected(source, params, raw.columns))
    is_train = (cohort["split"] == "train").to_numpy()
    kinds = kinds_of(raw)
    fitted = {name: kind.fit(is_train) for name, kind in kinds.items()}  # all of it, before anything is written
    for name, kind in kinds.items():
        about = {"source": params.raw, "fitted": fitted_on_train(is_train & kind.present, ", ".join(fitted[name]))}
        kind.write(paths.features(dataset), fitted[name], about)
        save_fitted(dataset, name, fitted[name])


if __name__ == "__main__":
    run(features)
