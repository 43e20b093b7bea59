"""Clinical and biospecimen features of ADNI: one row per subject, imputed, one-hot and scaled with the train split.

With `tables_needed: any` a subject may have rows that hold no value at all. Everything about such a subject is imputed:
the column `missing` says so, where train has such subjects to learn from, and the description's note counts them.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.adni.codebook import (
    Entry,
    ages,
    entries,
    present_columns,
    rows_in_time,
    unknown_columns,
    values_of,
)
from stages.datasets.adni.settings import Settings, TablesSettings
from stages.datasets.adni.source import load_table
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.features import fitted_on_train, write_vectors
from stages.shared.visits import read_visits

MISSING = "missing"  # name of the column that marks a subject of whom everything is imputed


def write_modality(modality: str) -> None:
    """Write data/features/adni/<modality>.npy [N, F] and .json.

    Raises:
        InputError: for a missing or contradictory table, or a column that may not be used.
    """
    settings = load_block("data.adni", Settings)
    own = settings.clinical if modality == "clinical" else settings.biospecimen
    visits = read_visits("adni", dates=("date",))
    is_train = visits["is_train"].to_numpy()
    values, read, report = read_values(visits, modality, own, settings)
    array, names, fitted = encode(values, read, is_train, own.impute)
    is_imputed = wholly_imputed(values, is_train)
    if is_imputed[is_train].any():
        array = np.column_stack([array, np.where(is_imputed, 1, -1).astype(array.dtype)])
        names.append(MISSING)
    description = {
        "source": settings.raw,
        "features": names,
        **report,
        "share_of_subjects_missing": values.isna().mean().round(4).to_dict(),
        "without_value_in_train": [name for name in values if values.loc[is_train, name].isna().all()],
        "fitted": fitted_on_train(is_train, "imputed values, categories, ranges") | fitted,
    }
    if is_imputed.any():
        description["note"] = imputed_note(is_imputed, is_marked=MISSING in names)
        print(f"  {description['note']}")
    write_vectors(paths.features("adni"), modality, array, description)
    for table, columns in report["ignored_columns"].items():
        print(f"  {table}: {len(columns)} columns that columns.csv does not know are ignored: {', '.join(columns)}")
    for name, count in report["values_outside_the_codebook"].items():
        print(f"  {name}: {count} values outside codes or range count as missing")


def wholly_imputed(values: pd.DataFrame, is_train: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which samples have a value in none of the columns that are used, those with a value in train [N]."""
    used = values.columns[values[is_train].notna().any()]
    return np.asarray(values[used].isna().all(axis=1))


def imputed_note(is_imputed: NDArray[np.bool_], *, is_marked: bool) -> str:
    """Say how many subjects are wholly imputed, and whether a model can see it."""
    seen = (
        f"the column {MISSING!r} marks them" if is_marked else "none of them is in train, so that no column marks them"
    )
    return f"{is_imputed.sum()} of {len(is_imputed)} subjects have no value at all, everything is imputed; {seen}"


def read_values(
    visits: pd.DataFrame, modality: str, own: TablesSettings, settings: Settings
) -> tuple[pd.DataFrame, list[Entry], dict[str, Any]]:
    """Return the values of each sample by column [N, C], the columns' entries, and what was left out."""
    wanted = entries(settings.tables(modality), own.columns, f"data.adni.{modality}.columns")
    dates = visits.set_index("rid")["date"]
    limits = dates + pd.Timedelta(days=settings.cohort.max_days_after_scan)
    columns: dict[str, pd.Series[Any]] = {}
    read: list[Entry] = []
    report: dict[str, Any] = {"absent_tables": [], "ignored_columns": {}, "values_outside_the_codebook": {}}
    for name in settings.tables(modality):
        table = load_table(settings.raw, name)
        if table is None:
            report["absent_tables"].append(name)
            continue
        present = present_columns(table, [entry for entry in wanted if entry.table == name])
        rows = rows_in_time(table, limits)
        for entry in present:
            values, outside = values_of(table, entry, rows, settings.cohort.same_day)
            if outside:
                report["values_outside_the_codebook"][entry.name] = outside
            values = ages(values, dates) if entry.kind == "birth_year" else values.reindex(dates.index)
            columns[entry.name] = values.set_axis(visits.index)
            read.append(entry)
        ignored = unknown_columns(table)
        if ignored:
            report["ignored_columns"][name] = ignored
    if not read:
        raise InputError(f"{settings.raw}: there is no {modality} table: download the tables, or drop the modality")
    return pd.DataFrame(columns), read, report


def encode(
    values: pd.DataFrame, columns: list[Entry], is_train: NDArray[np.bool_], impute: str
) -> tuple[NDArray[np.float32], list[str], dict[str, Any]]:
    """Fill, one-hot encode and scale to [-1, 1] with what the train split says.

    Numbers: missing → median or mean, then min–max; a value beyond train's range lies beyond [-1, 1]. Categories:
    missing → mode, then one column per code that train has, 1 or -1. Columns without a value in train are left out.

    Returns:
        The array [N, F], its F names, and what was fitted.

    Raises:
        InputError: when no column is left.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

    known = [entry for entry in columns if values.loc[is_train, entry.name].notna().any()]
    if not known:
        raise InputError("no train subject has any value in these tables: are they of the same subjects as the scans?")
    categories = [entry.name for entry in known if entry.kind == "category"]
    numbers = [entry.name for entry in known if entry.kind != "category"]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    fill_numbers, scale = SimpleImputer(strategy=impute), MinMaxScaler((-1, 1))
    fill_categories = SimpleImputer(strategy="most_frequent")
    steps = ColumnTransformer(
        [
            ("number", make_pipeline(fill_numbers, scale), numbers),
            ("category", make_pipeline(fill_categories, one_hot), categories),
        ],
        verbose_feature_names_out=False,
    )
    table = values.astype(dict.fromkeys(numbers, float) | dict.fromkeys(categories, object))
    table[categories] = table[categories].where(table[categories].notna(), np.nan)
    steps.fit(table[is_train])
    array = np.asarray(steps.transform(table), dtype=np.float32)
    array[:, len(numbers) :] = 2 * array[:, len(numbers) :] - 1
    return np.ascontiguousarray(array), [str(name) for name in steps.get_feature_names_out()], _fitted(steps)


def _fitted(steps: Any) -> dict[str, Any]:  # noqa: ANN401 (scikit-learn is untyped)
    """Return what the numbers and categories were filled and scaled with, in their order."""
    fitted: dict[str, Any] = {}
    if "number" in steps.named_transformers_ and len(steps.transformers_[0][2]):
        fill, scale = (step for _, step in steps.named_transformers_["number"].steps)
        fitted |= {"imputed": fill.statistics_.tolist(), "low": scale.data_min_.tolist()}
        fitted |= {"high": scale.data_max_.tolist()}
    if len(steps.transformers_[1][2]):
        fill = steps.named_transformers_["category"].steps[0][1]
        fitted["modes"] = fill.statistics_.tolist()
    return fitted
