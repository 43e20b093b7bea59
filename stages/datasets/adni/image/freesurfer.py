"""FreeSurfer's regional measures of ADNI as a vector: missing → train median, then standardised with train."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import Fitted, read_fitted
from stages.datasets.adni.image.scans import FREESURFER
from stages.datasets.adni.settings import Settings
from stages.datasets.adni.source import Table, needed_table
from stages.shared.base import paths
from stages.shared.features import fitted_on_train, save_fitted, spread, write_present, write_vectors

# Cortical volumes (CV), thickness averages (TA) and subcortical volumes (SV) of a region.
MEASURE = re.compile(r"^ST\d+(CV|TA|SV)$")


def write_freesurfer(settings: Settings, visits: pd.DataFrame) -> None:
    """Write regional volumes and thicknesses [N, F].

    Raises:
        InputError: for a missing table, one without measures, or a measure that is not a number.
    """
    table = needed_table(settings.raw, FREESURFER)
    names = [str(name) for name in table.rows if MEASURE.match(str(name))]
    if not names:
        raise InputError(f"{table.path} has no column such as ST29SV, ST10CV or ST103TA: is this the right table?")
    present = visits["has_image"].to_numpy(bool)
    is_train = visits.loc[present, "is_train"].to_numpy()
    scans = visits.loc[present, "scan"]
    if not scans.isin(table.rows.index.astype(str)).all():
        raise InputError(f"{paths.visits('adni')} names a row that {table.path} lacks: rerun the cohort stage")
    values = read_measures(table, names, scans)
    kept = [name for name in names if values.loc[is_train, name].notna().any()]
    if not kept:
        raise InputError(f"{table.path}: no train subject has any measure: are these rows of scans?")
    fitted = fit(values.loc[is_train, kept])
    description = {
        "source": str(table.path),
        "features": kept,
        "without_value_in_train": [name for name in names if name not in kept],
        "share_of_subjects_missing": values[kept].isna().mean().round(4).to_dict(),
        "fitted": fitted_on_train(is_train, "imputed values, means, scales")
        | {name: fitted[name].tolist() for name in ("imputed", "means", "scales")},
    }
    _write(paths.features("adni"), scaled(values[kept], fitted), present, description)
    save_fitted("adni", "image", fitted)


def write_new_freesurfer(dataset: str, settings: Settings, subjects: pd.DataFrame, folder: Path) -> None:
    """Write the measures of new subjects' scans.

    Raises:
        InputError: for a table that lacks a measure of train, or holds something other than numbers.
    """
    fitted = read_fitted(paths.fitted(dataset, "image"))
    if "names" not in fitted:
        raise InputError(f"{paths.fitted(dataset, 'image')} is of maps: rerun the feature stage")
    names = fitted["names"].tolist()
    present = subjects["has_image"].to_numpy(bool)
    array = np.empty((0, len(names)), np.float32)
    if present.any():
        table = needed_table(settings.raw, FREESURFER)
        table.require(names)
        array = scaled(read_measures(table, names, subjects.loc[present, "scan"]), fitted)
    _write(folder, array, present, {"features": names})


def read_measures(table: Table, names: list[str], scans: "pd.Series[str]") -> pd.DataFrame:
    """Return the measures of scans, rows of the table, in their order."""
    return pd.DataFrame({name: table.numbers(name) for name in names}).loc[scans.astype(int)].reset_index(drop=True)


def rows_with_a_measure(settings: Settings) -> set[str]:
    """Return the rows of FreeSurfer's table that hold a measure, as scans are named."""
    table = needed_table(settings.raw, FREESURFER)
    names = [str(name) for name in table.rows if MEASURE.match(str(name))]
    has = table.rows[names].notna().any(axis=1)
    return set(table.rows.index[has].astype(str))


def fit(train: pd.DataFrame) -> Fitted:
    """Fit on the measures of the train subjects [T, F]."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    imputer, scaler = SimpleImputer(strategy="median"), StandardScaler()
    scaler.fit(imputer.fit_transform(train.to_numpy()))
    names = np.array(train.columns.tolist(), np.str_)
    return {"names": names, "imputed": imputer.statistics_, "means": scaler.mean_, "scales": scaler.scale_}


def scaled(values: pd.DataFrame, fitted: Fitted) -> NDArray[np.float32]:
    """Impute measures and standardise them, [N, F]."""
    numbers = values.to_numpy(float)
    filled = np.where(np.isnan(numbers), fitted["imputed"], numbers)
    return np.asarray((filled - fitted["means"]) / fitted["scales"], np.float32)


def _write(
    folder: Path, array: NDArray[np.float32], present: NDArray[np.bool_], description: dict[str, object]
) -> None:
    write_vectors(folder, "image", np.concatenate(list(spread([array], present, array.shape[1]))), description)
    write_present(folder, "image", present)
