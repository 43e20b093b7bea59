"""Features of a dataset that comes as tables, all fitted on the train split."""

import re
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from i2moe.contract.cohort import read_cohort
from i2moe.preparation.columns import ColumnEncoder
from stages.datasets.tables.settings import Columns, TableParams, load_table_params
from stages.datasets.tables.source import read_source, require_columns
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.features import fitted_on_train, save_fitted, write_present, write_vectors


def features(dataset: Annotated[str, typer.Argument(help="a name under data.tables in params.yaml")]) -> None:
    """Write data/features/DATASET/<modality>.npy and .json, one pair per modality."""
    params = load_table_params(dataset)
    cohort = read_cohort(paths.cohort(dataset))
    table = read_source(params).table
    if not cohort["sample_id"].isin(table.index).all():
        raise InputError(f"{paths.cohort(dataset)} has samples that {params.raw} lacks: rerun the cohort stage")
    table = table.loc[cohort["sample_id"]]
    is_train = (cohort["split"] == "train").to_numpy()
    selected = select_columns(table, params)
    encoded = {name: encode(table[columns], is_train, params.raw) for name, columns in selected.items()}
    for name, (encoder, array, description) in encoded.items():
        write_vectors(paths.features(dataset), name, array, description)
        save_fitted(dataset, name, encoder.fitted())
        write_present(paths.features(dataset), name, np.ones(len(array), bool))
        print(f"  from {len(selected[name])} columns")


def select_columns(table: pd.DataFrame, params: TableParams) -> dict[str, list[str]]:
    """Return the columns of each modality, in the table's order; labels and groups are never features.

    Raises:
        InputError: for a named column that is absent, label or group; a modality without columns; a column in two.
    """
    reserved = set(params.label if isinstance(params.label, list) else [params.label]) | {params.group}
    candidates = [str(name) for name in table.columns if name not in reserved]
    selected = {name: _match(name, own, candidates, reserved, params) for name, own in params.modalities.items()}
    owner: dict[str, str] = {}
    for modality, columns in selected.items():
        for column in columns:
            if column in owner:
                both = f"modalities {owner[column]!r} and {modality!r}"
                raise InputError(f"{params.raw}: column {column!r} is in {both}; allowed: one modality per column")
            owner[column] = modality
    return selected


def _match(
    modality: str, wanted: Columns, candidates: list[str], reserved: set[str | None], params: TableParams
) -> list[str]:
    if wanted.columns is not None:
        for column in wanted.columns:
            if column in reserved:
                what = f"column {column!r} of modality {modality!r}"
                raise InputError(f"{params.raw}: {what} is the label or group, which is not a feature: take it out")
        require_columns(
            params.raw, pd.DataFrame(columns=candidates), wanted.columns, f"feature of modality {modality!r}"
        )
        return wanted.columns
    if wanted.prefix is not None:
        rule, found = f"prefix {wanted.prefix!r}", [name for name in candidates if name.startswith(wanted.prefix)]
    else:
        rule, found = f"regex {wanted.regex!r}", [name for name in candidates if re.fullmatch(wanted.regex or "", name)]
    if not found:
        hint = nearest(wanted.prefix or wanted.regex, candidates[:40])
        raise InputError(f"{params.raw}: modality {modality!r} has no column: none matches {rule}; {hint}")
    return found


def encode(
    table: pd.DataFrame, is_train: NDArray[np.bool_], source: str | Path
) -> tuple[ColumnEncoder, NDArray[np.float32], dict[str, Any]]:
    """Turn columns into a float32 array [N, F] by an encoder that is fitted on the train rows, and describe it.

    Raises:
        InputError: as `ColumnEncoder`.
    """
    encoder = ColumnEncoder.fit(table, is_train, source)
    description = {
        "source": str(source),
        "features": encoder.features,
        "numeric_columns": encoder.numbers.names,
        "categorical_columns": [own.name for own in encoder.categories],
        "missing_values": {str(name): int(count) for name, count in table.isna().sum().items() if count},
        "fitted": fitted_on_train(is_train, "medians, modes, categories, means, scales"),
    }
    return encoder, encoder.transform(table, source), description


if __name__ == "__main__":
    run(features)
