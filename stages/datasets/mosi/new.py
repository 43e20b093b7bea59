"""New utterances of CMU-MOSI: prepared with what was fitted on the train split."""

from pathlib import Path

import numpy as np

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import read_fitted
from stages.datasets.mosi.cohort import WITHOUT, rows_that_stay
from stages.datasets.mosi.sequence import real_steps, scale, write
from stages.datasets.mosi.settings import Settings
from stages.datasets.mosi.utterances import Bools, Ints, Utterances, read_utterances
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.new import NewSamples


def prepare(dataset: str, raw: Path, folder: Path) -> NewSamples:
    """Write the arrays of new utterances, of any fold, with or without labels.

    Those without text are left out, or those without any modality where incomplete ones are kept.

    Raises:
        InputError: for a file that cannot be read, or has other features or more steps than that of train.
    """
    settings = load_block(f"data.{dataset}", Settings)
    keeps = settings.incomplete == "keep"
    utterances = read_utterances(str(raw), labelled=False, needs_text=not keeps)
    rows = rows_that_stay(utterances, settings)
    why = WITHOUT[settings.incomplete]
    if not len(rows):
        raise InputError(f"{raw}: all {len(utterances.row)} utterances are {why}")
    for modality in settings.modalities:
        present = utterances.present[modality][rows] if keeps else np.ones(len(rows), bool)
        _write(dataset, modality, utterances, rows, present, folder)
    return NewSamples(utterances.sample_id[rows].tolist(), {why: len(utterances.row) - len(rows)})


def _write(dataset: str, modality: str, utterances: Utterances, rows: Ints, present: Bools, folder: Path) -> None:
    fitted = read_fitted(paths.fitted(dataset, modality))
    longest, num_features = int(fitted["steps"]), len(fitted["means"])
    lengths, real = utterances.length[rows], real_steps(utterances, modality, rows[present])
    if real.shape[1] != num_features or lengths.max() > longest:
        raise InputError(
            f"{utterances.path}: {modality} has {real.shape[1]} features and up to {lengths.max()} steps, that of "
            f"train {num_features} and {longest}"
        )
    is_bad = ~np.isfinite(real)
    real[is_bad] = np.broadcast_to(fitted["medians"], real.shape)[is_bad]
    scale(real, fitted["means"], fitted["deviations"])
    write(folder, modality, real, lengths, present, longest, {"num_features": num_features})
