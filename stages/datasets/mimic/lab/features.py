"""Labs and vitals of MIMIC-IV by visit: mean and last value of each, imputed and scaled with the train split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.reading import read_json
from i2moe.preparation.fitted import Fitted
from stages.datasets.mimic.lab.items import read_items
from stages.datasets.mimic.sequences import Visits, fitted_on_visits, read_samples, samples_with, write_sequence
from stages.datasets.mimic.settings import LabSettings, Settings
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import save_fitted

REMEDY = "run the measurements stage again"


def lab() -> None:
    """Write data/features/mimic/lab.npy [N, T, F], .lengths.npy and .json."""
    settings = load_block("data.mimic", Settings)
    visits = read_samples(settings.cohort.max_visits)
    features = features_of(settings.lab)
    values = read_values(visits, features, settings.lab.summaries, paths.interim("mimic"))
    present = samples_with(visits, np.asarray(np.isfinite(values).any(axis=(1, 2))))
    array, names, fitted = impute_and_scale(values, features, visits.is_train & present[visits.row], settings.lab)
    counts = read_counts(paths.interim("mimic"))
    missing = dict(zip(features, np.isnan(values[:, :, 0]).mean(axis=0).round(4).tolist(), strict=True))
    description = {
        "source": settings.raw,
        "features": names,
        "without_value_in_train": [name for name in features if f"{name}_{settings.lab.summaries[0]}" not in names],
        "share_of_visits_missing": missing,
        "values_in_raw_data": {name: counts[name] for name in features if name in counts},
        "fitted": fitted_on_visits(visits, "imputed values, means, scales") | fitted,
    }
    write_sequence(paths.features("mimic"), "lab", array, present, visits, settings.cohort.max_visits, description)
    kept = [name in names or f"{name}_{settings.lab.summaries[0]}" in names for name in features]
    save_fitted("mimic", "lab", {"kept": np.array(kept), **{name: np.array(own) for name, own in fitted.items()}})
    rarest = sorted(features, key=lambda name: -missing[name])[:5]
    print(f"  most often missing in a visit: {', '.join(f'{name} {missing[name]:.0%}' for name in rarest)}")


def features_of(settings: LabSettings) -> list[str]:
    """Return the names of what is measured."""
    items = read_items()
    return [str(name) for name in items[(items["kind"] == "lab") | settings.vitals]["feature"].unique()]


def read_values(visits: Visits, features: list[str], summaries: Sequence[str], interim: Path) -> NDArray[np.float64]:
    """Return the measurements of the visits [V, features, summaries], NaN where there is none.

    Raises:
        InputError: for a file that is broken, or holds numbers that no measurement is.
    """
    path = interim / "measurements.parquet"
    numbers = ", ".join(f"CAST({name} AS DOUBLE) AS {name}" for name in summaries)
    with duckdb.connect() as connection:
        connection.register("visits", visits.table())
        try:
            found = connection.execute(
                f"SELECT visit, feature::VARCHAR AS feature, {numbers} "  # noqa: S608
                f"FROM read_parquet('{path}') JOIN visits USING (hadm_id)"
            ).df()
        except duckdb.Error:  # its message may quote a row
            raise InputError(f"{path} cannot be read as Parquet: {REMEDY}") from None
    values = np.full((len(visits.hadm_id), len(features), len(summaries)), np.nan)
    if (found[list(summaries)].abs() > np.finfo(np.float32).max).any(axis=None):
        raise InputError(f"{path} holds infinity, or numbers beyond float32: {REMEDY}")
    found = found[found["feature"].isin(features)]
    position = found["feature"].map({name: index for index, name in enumerate(features)}).to_numpy(int)
    values[found["visit"].to_numpy(), position] = found[list(summaries)].to_numpy()
    return values


def read_counts(interim: Path) -> dict[str, Any]:
    """Return how many values the raw data have, by feature.

    Raises:
        InputError: for a file that is missing or broken.
    """
    path = interim / "measurements.json"
    counts = read_json(path, REMEDY)
    if not isinstance(counts, dict):
        raise InputError(f"{path} does not hold counts by feature: {REMEDY}")
    return counts


def impute_and_scale(
    values: NDArray[np.float64], features: list[str], is_train: NDArray[np.bool_], settings: LabSettings
) -> tuple[NDArray[np.float32], list[str], dict[str, list[float]]]:
    """Fill with the train visits' medians or means, standardise with their means and scales, mark what was filled.

    Args:
        values: [V, features, summaries], NaN where missing.
        features: names.
        is_train: [V].
        settings: summaries, imputation, and whether there are indicators.

    Returns:
        The array [V, F] with its F names, and the imputed values, means and scales of its numbers. Features that no
        train visit has are left out.

    Raises:
        InputError: when no feature is left.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    present = np.asarray(np.isfinite(values[is_train, :, 0]).any(axis=0))
    kept = [name for name, is_present in zip(features, present, strict=True) if is_present]
    if not kept:
        raise InputError(f"{paths.interim('mimic')}: no train visit has any measurement: is this the right raw data?")
    table = values[:, present].reshape(len(values), -1)
    imputer, scaler = SimpleImputer(strategy=settings.impute), StandardScaler()
    make_pipeline(imputer, scaler).fit(table[is_train])
    names = [f"{name}_{summary}" for name in kept for summary in settings.summaries]
    if settings.missing_indicators:
        names += [f"{name}_missing" for name in kept]
    fitted = {"imputed": imputer.statistics_, "means": scaler.mean_, "scales": scaler.scale_}
    array = scaled(values, fitted | {"kept": present}, settings)
    return array, names, {name: values.tolist() for name, values in fitted.items()}


def scaled(values: NDArray[np.float64], fitted: Fitted, settings: LabSettings) -> NDArray[np.float32]:
    """Fill, scale and mark the values [V, features, summaries] of any visits by what was fitted; [V, F]."""
    own = values[:, fitted["kept"]]
    table = own.reshape(len(values), -1)
    filled = np.where(np.isnan(table), fitted["imputed"], table)
    parts = [(filled - fitted["means"]) / fitted["scales"]]
    if settings.missing_indicators:
        parts.append(np.isnan(own[:, :, 0]).astype(np.float64))
    return np.concatenate(parts, axis=1).astype(np.float32)


if __name__ == "__main__":
    run(lab)
