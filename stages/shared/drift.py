"""How far new samples are from those of train: the share of values outside of what train had."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.prepared import Prepared, Samples

BLOCK_NUMBERS = 2**23  # looked at at a time


def drift_of(new: Samples, train: Prepared, unseen: dict[str, float]) -> pd.DataFrame:
    """Return rows of modality, feature and the share of new values outside of the train split, the largest first.

    Of each feature that is the range of the train samples; `unseen` has shares that a dataset's own code knows, by
    `modality: column`, and takes the place of the columns' features. A modality that no new sample has is left out.

    Args:
        new: new samples.
        train: the dataset that the model was trained on.
        unseen: by column.
    """
    rows = [dict(zip(("modality", "feature"), name.split(": ", 1), strict=True), share=unseen[name]) for name in unseen]
    known = {row["modality"] for row in rows}
    for name in new.modalities:
        if name in known:
            continue
        low, high = _range(train, name)
        outside, count = np.zeros(len(low)), 0
        for block in _values(new, name, np.arange(len(new))):
            outside += ((block < low) | (block > high)).sum(axis=0)
            count += len(block)
        if not count:
            continue
        features = getattr(train.descriptions[name], "features", None) or [str(index) for index in range(len(low))]
        shares = outside / count
        rows += [
            {"modality": name, "feature": feature, "share": float(share)}
            for feature, share in zip(features, shares, strict=True)
        ]
    return pd.DataFrame(rows).sort_values("share", ascending=False, kind="stable", ignore_index=True)


def _range(train: Prepared, name: str) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the least and the largest train value of each feature."""
    lows, highs = [], []
    for block in _values(train, name, train.rows("train")):
        lows.append(block.min(axis=0, initial=np.inf))
        highs.append(block.max(axis=0, initial=-np.inf))
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _values(samples: Samples, name: str, rows: NDArray[np.int64]) -> Iterator[NDArray[np.floating]]:
    """Yield the values of samples that have a modality [n, F], some at a time; of sequences those of real steps."""
    array = samples.arrays[name]
    rows = rows[samples.presence[rows, samples.modalities.index(name)]]
    size = max(1, BLOCK_NUMBERS // max(1, array[:1].size))
    for start in range(0, max(1, len(rows)), size):
        part = rows[start : start + size]
        block = array[part]
        if name in samples.lengths:
            yield block[np.arange(array.shape[1]) < samples.lengths[name][part, None]]
        else:
            yield block.reshape(len(part), int(np.prod(array.shape[1:])))
