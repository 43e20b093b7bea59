"""Features of a dataset that comes as tables: impute, one-hot encode and scale, all fitted on the train split."""

import re
import warnings
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from i2moe.contract.cohort import read_cohort
from stages.datasets.tables.settings import Columns, TableParams, load_table_params
from stages.datasets.tables.source import read_source, require_columns
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.features import fitted_on_train, write_vectors


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
    for name, (array, description) in encoded.items():
        write_vectors(dataset, name, array, description)
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
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Turn columns into a float32 array [N, F]: everything is fitted on the train rows.

    Numbers: missing → median, then standardised. Other columns: missing → mode, then one-hot (one column for
    two values; a value that train lacks is all zeros). A column with missing values in train also gets an indicator.

    Raises:
        InputError: for an infinite value, a column without any value in train, or one that holds dates.
    """
    _check_columns(table, is_train, source)
    numeric = [name for name in table.columns if _holds_numbers(table[name])]
    categorical = [name for name in table.columns if name not in numeric]
    table = table.astype(dict.fromkeys(numeric, float) | dict.fromkeys(categorical, object))
    texts = table[categorical]
    table[categorical] = texts.where(texts.isna(), texts.astype(str)).where(texts.notna(), np.nan)
    steps = _transformer(numeric, categorical).fit(table[is_train])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found unknown categories")
        array = steps.transform(table)
    names = [str(name) for name in steps.get_feature_names_out()]
    too_large = np.abs(array).max(axis=0) > np.finfo(np.float32).max
    if too_large.any():
        far = names[int(too_large.argmax())]
        raise InputError(f"{source} column {far!r} holds a value too far from those of the train split: correct it")
    description = {
        "source": str(source),
        "features": names,
        "numeric_columns": numeric,
        "categorical_columns": categorical,
        "missing_values": {str(name): int(count) for name, count in table.isna().sum().items() if count},
        "fitted": fitted_on_train(is_train, "medians, modes, categories, means, scales"),
    }
    return np.ascontiguousarray(array, dtype=np.float32), description


def _transformer(numeric: list[str], categorical: list[str]) -> Any:  # noqa: ANN401 (scikit-learn is untyped)
    """Return the unfitted steps that `encode` describes."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import MissingIndicator, SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    one_hot = OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("number", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
            ("category", make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot), categorical),
            ("missing", MissingIndicator(error_on_new=False), [*numeric, *categorical]),
        ],
        verbose_feature_names_out=False,
    )


def _holds_numbers(column: "pd.Series[Any]") -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column))


def _check_columns(table: pd.DataFrame, is_train: NDArray[np.bool_], source: str | Path) -> None:
    for name in table.columns:
        column = table[name]
        if _holds_dates(column):
            raise InputError(
                f"{source} column {name!r} holds dates: turn it into a number, such as days since an event"
            )
        if column[is_train].isna().all():
            raise InputError(f"{source} column {name!r} has no value in the train split: leave the column out")
        if pd.api.types.is_numeric_dtype(column) and np.isinf(column.to_numpy(float, na_value=np.nan)).any():
            row = int(np.flatnonzero(np.isinf(column.to_numpy(float, na_value=np.nan)))[0])
            raise InputError(
                f"{source} column {name!r}, sample {row + 1} by id: infinite value: correct it or leave it empty"
            )


def _holds_dates(column: "pd.Series[Any]") -> bool:
    if column.dtype == object:
        return bool(column.map(lambda value: isinstance(value, date)).any())
    return bool(pd.api.types.is_datetime64_any_dtype(column))


if __name__ == "__main__":
    run(features)
