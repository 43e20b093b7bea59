"""Cohort of CMU-MOSI: utterances with text, or any modality; sentiment from -3 to 3; whole videos in one split."""

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.mosi.settings import Settings
from stages.datasets.mosi.utterances import Utterances, read_utterances
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.cohort.cohorts import Cohort, finish_cohort

MAX_SENTIMENT = 3  # and -3 the least
SPLIT_OF = {"train": "train", "valid": "validation", "test": "test"}  # a fold's
WITHOUT = {"drop": "without text", "keep": "without any modality"}  # who is left out


def cohort() -> None:
    """Write data/cohorts/mosi.csv and .json with the flow table."""
    settings = load_block("data.mosi", Settings)
    utterances = read_utterances(settings.raw, needs_text=settings.incomplete == "drop")
    check_labels(utterances)
    finish_cohort(select(utterances, settings))


def check_labels(utterances: Utterances) -> None:
    """Refuse labels that are not a sentiment.

    Raises:
        InputError: for the first that is NaN or outside -3 to 3.
    """
    utterances.refuse(np.isnan(utterances.label), "labels", "is NaN")
    outside = np.abs(utterances.label) > MAX_SENTIMENT
    utterances.refuse(outside, "labels", f"is outside -{MAX_SENTIMENT} to {MAX_SENTIMENT}")


def select(utterances: Utterances, settings: Settings) -> Cohort:
    """Return the utterances that have text, or any modality where incomplete ones are kept, by sample_id.

    Raises:
        InputError: when none has.
    """
    rows = rows_that_stay(utterances, settings)
    why, removed = WITHOUT[settings.incomplete], len(utterances.row) - len(rows)
    if not len(rows):
        raise InputError(f"{settings.raw}: all {removed} utterances are {why}: is this the right file?")
    is_official = settings.split == "official"
    if is_official:
        _print_shared_videos(utterances, rows)
    return Cohort(
        dataset="mosi",
        task=settings.task,
        classes=[],
        modalities=list(settings.modalities),
        licence=settings.licence,
        sample_ids=utterances.sample_id[rows],
        groups=utterances.video[rows],
        labels=utterances.label[rows],
        num_raw=len(utterances.row),
        raw=settings.raw,
        splits=np.array([SPLIT_OF[fold] for fold in utterances.fold[rows]]) if is_official else None,
        filters={why: removed},
        flow=[{"filter": why, "utterances_removed": removed, "utterances_left": len(rows)}],
        presence=presence_of(utterances, settings)[rows] if settings.incomplete == "keep" else None,
    )


def rows_that_stay(utterances: Utterances, settings: Settings) -> NDArray[np.int64]:
    """Return the utterances that stay, in order of their ids."""
    rows = np.argsort(utterances.sample_id)
    stays = utterances.length > 0
    if settings.incomplete == "keep":
        stays &= presence_of(utterances, settings).any(axis=1)
    return rows[stays[rows]]


def presence_of(utterances: Utterances, settings: Settings) -> NDArray[np.bool_]:
    """Return which utterances have which modality [n, M]."""
    return np.stack([utterances.present[name] for name in settings.modalities], axis=1)


def _print_shared_videos(utterances: Utterances, rows: NDArray[np.int64]) -> None:
    """Print where the file's folds share a video: a speaker's voice and face are then in train and in test."""
    pairs = np.unique(np.stack([utterances.video[rows], utterances.fold[rows]]), axis=1)
    shared = pairs.shape[1] - len(np.unique(pairs[0]))
    if shared:
        print(f"{utterances.path}: videos with utterances in more than one fold: {shared}")


if __name__ == "__main__":
    run(cohort)
