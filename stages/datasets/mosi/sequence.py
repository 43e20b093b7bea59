"""One modality of CMU-MOSI as sequences: real steps from the front, repaired and standardised with the train split."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.contract.cohort import read_cohort
from stages.datasets.mosi.settings import MODALITIES, Settings
from stages.datasets.mosi.utterances import Bools, Floats, Ints, Utterances, read_utterances
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import fitted_on_train, save_fitted, write_sequences


def sequence(modality: Annotated[str, typer.Argument(help=", ".join(MODALITIES))]) -> None:
    """Write data/features/mosi/MODALITY.npy [N, T, F], .lengths.npy and .json."""
    if modality not in MODALITIES:
        raise InputError(f"{modality!r} is not a modality of CMU-MOSI; allowed: {', '.join(MODALITIES)}")
    settings = load_block("data.mosi", Settings)
    table = read_cohort(paths.cohort("mosi"))
    utterances = read_utterances(settings.raw, needs_text=settings.incomplete == "drop")
    rows = find_rows(utterances, table["sample_id"].to_numpy(str))
    is_train = (table["split"] == "train").to_numpy()
    own = utterances.steps[modality]
    has_values = utterances.present[modality][rows]
    present = has_values if settings.incomplete == "keep" else np.ones(len(rows), bool)
    if not (is_train & present).any():
        raise InputError(f"{utterances.path}: no train utterance has {modality}: leave it out of data.mosi.modalities")
    real = real_steps(utterances, modality, rows[present])
    of_train = np.repeat(is_train[present], utterances.length[rows[present]])
    repaired, medians = repair(real, of_train, settings.non_finite)
    means, deviations = standardise(real, of_train)
    fitted = {"means": means.tolist(), "deviations": deviations.tolist()} | medians
    description = {
        "source": settings.raw,
        "num_features": own.shape[2],
        "non_finite_values": repaired | {"become": settings.non_finite},
        "utterances_without_values": int((~has_values).sum()),
        "fitted": fitted_on_train(is_train & present, ", ".join(fitted)) | {"steps": int(of_train.sum())} | fitted,
    }
    write(paths.features("mosi"), modality, real, utterances.length[rows], present, own.shape[1], description)
    replacements = np.array(medians.get("medians", np.zeros(own.shape[2])), np.float32)
    kept = {"means": means, "deviations": deviations, "steps": np.array(own.shape[1])}
    save_fitted("mosi", modality, {"medians": replacements, **kept})
    if not has_values.all():
        fate = "absent" if settings.incomplete == "keep" else "kept as data, as published"
        print(f"  {int((~has_values).sum())} utterances have no value but 0: {fate}")
    print(f"  {repaired['infinite']} infinite and {repaired['nan']} NaN values became {settings.non_finite}")


def write(
    folder: Path, modality: str, real: Floats, lengths: Ints, present: Bools, longest: int, description: dict[str, Any]
) -> None:
    """Write the scaled steps [S, F] of the samples that have the modality; of the others [N], one step of 0."""
    padded = pad(real, np.where(present, lengths, 0), longest)
    write_sequences(folder, modality, padded, lengths, present, description)


def real_steps(utterances: Utterances, modality: str, rows: Ints) -> Floats:
    """Return all real steps of some utterances, one after the other, [S, F]."""
    lengths = utterances.length[rows]
    sample = np.repeat(np.arange(len(rows)), lengths)
    step = np.arange(len(sample)) - np.repeat(lengths.cumsum() - lengths, lengths)
    return np.asarray(utterances.steps[modality][rows[sample], utterances.begin[rows][sample] + step])


def pad(real: Floats, lengths: Ints, longest: int) -> Floats:
    """Return steps [S, F] as sequences [N, T, F], 0 after each one's end."""
    padded = np.zeros((len(lengths), longest, real.shape[1]), np.float32)
    padded[np.arange(longest) < lengths[:, None]] = real
    return padded


def find_rows(utterances: Utterances, sample_ids: NDArray[np.str_]) -> Ints:
    """Return which of the utterances each sample [N] is.

    Raises:
        InputError: for a sample that is not one of them, or has no real step.
    """
    rows: Ints = pd.Index(utterances.sample_id).get_indexer(sample_ids)
    if (rows < 0).any() or (utterances.length[rows] == 0).any():
        raise InputError(
            f"{paths.cohort('mosi')} has a sample that {utterances.path} lacks, or has without any step: rerun "
            "the cohort stage"
        )
    return rows


def repair(real: Floats, is_train: Bools, rule: str) -> tuple[dict[str, int], dict[str, Any]]:
    """Replace infinity and NaN in place, before any scaling.

    Args:
        real: [S, F], all real steps.
        is_train: [S].
        rule: zero | median of the feature's finite values in train, 0 where it has none.

    Returns:
        How many values were infinite and how many NaN; the medians [F], for that rule.
    """
    is_bad = ~np.isfinite(real)
    num_nan = int(np.isnan(real).sum())
    counts = {"infinite": int(is_bad.sum()) - num_nan, "nan": num_nan}
    if rule == "zero":
        real[is_bad] = 0
        return counts, {}
    train = np.where(is_bad, np.nan, real)[is_train]
    medians = np.zeros(real.shape[1], np.float32)
    known = np.isfinite(train).any(axis=0)
    medians[known] = np.nanmedian(train[:, known], axis=0)
    real[is_bad] = np.broadcast_to(medians, real.shape)[is_bad]
    return counts, {"medians": medians.tolist()}


def standardise(real: Floats, is_train: Bools) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale in place to mean 0 and deviation 1 in train; a feature that is constant there is only shifted.

    Args:
        real: [S, F], all real steps.
        is_train: [S].

    Returns:
        Means [F] and deviations [F].
    """
    train = real[is_train]
    means = train.mean(axis=0, dtype=np.float64)
    deviations = train.std(axis=0, dtype=np.float64)
    is_constant = train.max(axis=0) == train.min(axis=0)
    means[is_constant], deviations[is_constant] = train[0, is_constant], 1  # not what rounding makes of them
    scale(real, means, deviations)
    return means, deviations


def scale(real: Floats, means: NDArray[np.float64], deviations: NDArray[np.float64]) -> None:
    """Scale steps [S, F] in place by what was fitted."""
    real[:] = (real - means) / deviations


if __name__ == "__main__":
    run(sequence)
