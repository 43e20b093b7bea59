"""New utterances of CMU-MOSI: prepared with what was fitted on the train split."""

from pathlib import Path

import numpy as np

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import read_fitted
from stages.datasets.mosi.cohort import WITHOUT_TEXT
from stages.datasets.mosi.sequence import pad, real_steps, scale
from stages.datasets.mosi.settings import Settings
from stages.datasets.mosi.utterances import Utterances, read_utterances
from stages.shared.base import paths
from stages.shared.base.params import load_block
from stages.shared.features import write_sequences
from stages.shared.new import NewSamples


def prepare(dataset: str, raw: Path, folder: Path) -> NewSamples:
    """Write the arrays of new utterances, of any fold, with or without labels; those without text are left out.

    Raises:
        InputError: for a file that cannot be read, or has other features or more steps than that of train.
    """
    settings = load_block(f"data.{dataset}", Settings)
    utterances = read_utterances(str(raw), labelled=False)
    rows = np.argsort(utterances.sample_id)
    rows = rows[utterances.length[rows] > 0]
    if not len(rows):
        raise InputError(f"{raw}: no utterance has text")
    for modality in settings.modalities:
        _write(dataset, modality, utterances, rows, folder)
    removed = len(utterances.row) - len(rows)
    return NewSamples(utterances.sample_id[rows].tolist(), {WITHOUT_TEXT: removed})


def _write(dataset: str, modality: str, utterances: Utterances, rows: "np.ndarray", folder: Path) -> None:
    fitted = read_fitted(paths.fitted(dataset, modality))
    longest, num_features = int(fitted["steps"]), len(fitted["means"])
    lengths, real = utterances.length[rows], real_steps(utterances, modality, rows)
    if real.shape[1] != num_features or lengths.max() > longest:
        raise InputError(
            f"{utterances.path}: {modality} has {real.shape[1]} features and up to {lengths.max()} steps, that of "
            f"train {num_features} and {longest}"
        )
    is_bad = ~np.isfinite(real)
    real[is_bad] = np.broadcast_to(fitted["medians"], real.shape)[is_bad]
    scale(real, fitted["means"], fitted["deviations"])
    write_sequences(folder, modality, pad(real, lengths, longest), lengths, {"num_features": num_features})
