"""Clinical and biospecimen features of ADNI: one row per subject, imputed, one-hot and scaled with the train split.

With `tables_needed: any` a subject may have rows that hold no value at all. Where such subjects are not dropped as
lacking the modality, everything about them is imputed: the column `missing` says so, where train has such subjects to
learn from, and the description's note counts them.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.preparation.fitted import read_fitted
from stages.datasets.adni.encoding import MISSING, TableEncoder
from stages.datasets.adni.settings import Settings
from stages.datasets.adni.values import read_values
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.features import fitted_on_train, save_fitted, spread, write_present, write_vectors
from stages.shared.visits import read_visits


def write_modality(modality: str) -> None:
    """Write data/features/adni/<modality>.npy [N, F], .json, .present.npy and .fitted.npz.

    Raises:
        InputError: for a missing or contradictory table, or a column that may not be used.
    """
    settings = load_block("data.adni", Settings)
    impute = (settings.clinical if modality == "clinical" else settings.biospecimen).impute
    visits = read_visits("adni", {"rid": int, f"has_{modality}": bool}, dates=("date",))
    present = visits[f"has_{modality}"].to_numpy(bool)
    own = visits[present].reset_index(drop=True)
    is_train = own["is_train"].to_numpy()
    values, read, report = read_values(own, modality, settings)
    encoder = TableEncoder.fit(values[is_train], read, impute)
    is_imputed = encoder.is_imputed(values)
    description = {
        "source": settings.raw,
        "features": encoder.features,
        **report,
        "share_of_subjects_missing": values.isna().mean().round(4).to_dict(),
        "without_value_in_train": [name for name in values if values.loc[is_train, name].isna().all()],
        "fitted": fitted_on_train(is_train, "imputed values, categories, ranges") | encoder.described(),
    }
    if is_imputed.any():
        description["note"] = imputed_note(is_imputed, is_marked=encoder.marks)
        print(f"  {description['note']}")
    write_rows(paths.features("adni"), modality, encoder.transform(values), present, description)
    save_fitted("adni", modality, encoder.fitted())
    print_left_out(report)


def write_new(
    dataset: str, modality: str, settings: Settings, subjects: pd.DataFrame, folder: Path
) -> dict[str, float]:
    """Write the features of new subjects; return by `modality: column` the share of values that train never had.

    Args:
        dataset: whose fitted values count.
        modality: clinical or biospecimen.
        settings: of the dataset, with the new files as `raw`.
        subjects: rid, date and has_<modality>.
        folder: for the arrays.

    Raises:
        InputError: as `write_modality`; also where the tables lack a column of train.
    """
    encoder = TableEncoder.from_fitted(read_fitted(paths.fitted(dataset, modality)))
    present = subjects[f"has_{modality}"].to_numpy(bool)
    array, unseen = np.empty((0, len(encoder.features)), np.float32), {}
    if present.any():
        values, _, report = read_values(subjects[present].reset_index(drop=True), modality, settings)
        encoder.require(values, settings.raw)
        array, unseen = encoder.transform(values), encoder.unseen(values)
        print_left_out(report)
    write_rows(folder, modality, array, present, {"source": settings.raw, "features": encoder.features})
    return {f"{modality}: {column}": share for column, share in unseen.items()}


def write_rows(
    folder: Path, modality: str, array: NDArray[np.float32], present: NDArray[np.bool_], description: dict[str, Any]
) -> None:
    """Write the features of those who have the modality, and 0 for those who lack it, by `present` [N]."""
    write_vectors(folder, modality, np.concatenate(list(spread([array], present, array.shape[1]))), description)
    write_present(folder, modality, present)


def imputed_note(is_imputed: NDArray[np.bool_], *, is_marked: bool) -> str:
    """Say how many subjects are wholly imputed, and whether a model can see it."""
    seen = (
        f"the column {MISSING!r} marks them" if is_marked else "none of them is in train, so that no column marks them"
    )
    return f"{is_imputed.sum()} of {len(is_imputed)} subjects have no value at all, everything is imputed; {seen}"


def print_left_out(report: dict[str, Any]) -> None:
    """Print the columns and values that are not used."""
    for table, columns in report["ignored_columns"].items():
        print(f"  {table}: {len(columns)} columns that columns.csv does not know are ignored: {', '.join(columns)}")
    for name, count in report["values_outside_the_codebook"].items():
        print(f"  {name}: {count} values outside codes or range count as missing")
