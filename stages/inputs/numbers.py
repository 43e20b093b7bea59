"""Vectors as the columns they were made from, with their place among the train split; sequences as series.

Shapes: N samples, F features, T steps.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from stages.shared.inputs import Column, Number, ShownSequences, ShownVectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from i2moe.prepared import Prepared

MOST_COLUMNS = 60  # of a vector
MOST_SERIES = 6  # of a sequence
BLOCK_NUMBERS = 2**23  # read at a time
SAME = 4  # decimals to which deviations that are alike are the same, so that rounding orders no features


def show_vectors(
    features: "Prepared", modality: str, rows: "NDArray[np.int64]", columns: list[Column] | None
) -> ShownVectors:
    """Return the named columns of vectors, those that vary most in train where there are many.

    Values that were missing are shown as what was put in their place, since that is what a model sees.

    Args:
        features: the dataset.
        modality: name.
        rows: of the samples [N].
        columns: that the features were made of; None: each named feature is shown as it is.
    """
    array, train = features.arrays[modality], train_rows(features, modality)
    found = columns or [Column(name, [place]) for place, name in enumerate(named(features, modality))]
    deviations = spreads(array, train)
    spread = np.array([np.sqrt(np.square(deviations[column.features]).sum()) for column in found])
    kept = [found[place] for place in varying_most(spread, MOST_COLUMNS)]
    parts = [show_column(own, array[train[:, None], own.features], array[rows[:, None], own.features]) for own in kept]
    is_there = present(features, modality, rows)
    left_out = array.shape[1] - sum(len(column.features) for column in kept)
    return ShownVectors(
        unit="raw" if columns else "scaled",
        names=[column.name for column in kept],
        means=[mean for mean, _, _ in parts],
        values=by_sample([values for _, values, _ in parts], is_there),
        percentiles=by_sample([percentiles for _, _, percentiles in parts], is_there),
        left_out=left_out or None,
    )


def show_column(
    column: Column, train: "NDArray[Any]", own: "NDArray[Any]"
) -> tuple[Number | None, list[Any], list[Number | None]]:
    """Return a column's train mean, values and percentiles; of categories values alone.

    Args:
        column: what it is.
        train: its features of the train samples.
        own: its features of the samples [N, …].
    """
    if column.categories is not None:
        return None, column.category(own), [None] * len(own)
    among = percentiles_among(np.sort(train[:, 0]), own[:, 0])
    mean = column.number(train[:, 0].astype(np.float64).mean(keepdims=True))
    return shown(mean)[0], shown(column.number(own[:, 0])), list(shown(among))


def show_sequences(
    features: "Prepared", modality: str, rows: "NDArray[np.int64]", words: list[list[str]]
) -> ShownSequences:
    """Return the features of sequences that vary most in train, over the real steps; unnamed ones have numbers.

    Args:
        features: the dataset.
        modality: name.
        rows: of the samples [N].
        words: of every sample of the cohort; none where steps are no words.
    """
    array, lengths = features.arrays[modality], features.lengths[modality]
    names = named(features, modality) or [f"feature {number}" for number in range(1, array.shape[2] + 1)]
    kept = varying_most(spreads(array, train_rows(features, modality), lengths), MOST_SERIES)
    is_there = present(features, modality, rows)
    steps = [
        [shown(array[row, : lengths[row], place]) for place in kept] if own else None
        for row, own in zip(rows.tolist(), is_there, strict=True)
    ]
    own_words = [words[row][: lengths[row]] for row in rows] if words else None
    return ShownSequences(names=[names[place] for place in kept], steps=steps, words=own_words)


def named(features: "Prepared", modality: str) -> list[str]:
    """Return the names of a modality's features as its description has them; none where it has no name for each."""
    names = (features.descriptions[modality].model_extra or {}).get("features", [])
    return names if len(names) == features.shapes[modality][-1] else []


def train_rows(features: "Prepared", modality: str) -> "NDArray[np.int64]":
    """Return the cohort rows of the train samples that have a modality."""
    train = features.rows("train")
    return train[present(features, modality, train)]


def present(features: "Prepared", modality: str, rows: "NDArray[np.int64]") -> "NDArray[np.bool_]":
    """Return which of some samples have a modality, [N]."""
    return np.asarray(features.presence[rows, features.modalities.index(modality)])


def spreads(
    array: "NDArray[Any]", rows: "NDArray[np.int64]", lengths: "NDArray[np.int64] | None" = None
) -> "NDArray[np.float64]":
    """Return the standard deviation [F] of each feature over samples, or over the real steps of their sequences.

    Args:
        array: [N, F] or [N, T, F], which is read some rows at a time.
        rows: of the samples.
        lengths: of the sequences [N].
    """
    size = max(1, BLOCK_NUMBERS // array[0].size)
    count, sums, squares = 0, np.zeros(array.shape[-1]), np.zeros(array.shape[-1])
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        values = array[part].astype(np.float64)
        if lengths is not None:
            values = values[np.arange(array.shape[1]) < lengths[part, None]]
        count += len(values)
        sums += values.sum(axis=0)
        squares += np.square(values).sum(axis=0)
    variances = squares / max(count, 1) - np.square(sums / max(count, 1))
    return np.asarray(np.sqrt(np.maximum(variances, 0)))


def varying_most(spread: "NDArray[np.float64]", num: int) -> list[int]:
    """Return the places of the largest deviations in their order; of equal ones the first.

    Examples:
        >>> varying_most(np.array([1.0, 0.2, 1.0000001, 3.0]), 2)
        [0, 3]
    """
    order = np.argsort(-np.round(spread, SAME), kind="stable")
    return sorted(order[:num].tolist())


def percentiles_among(train: "NDArray[Any]", values: "NDArray[Any]") -> "NDArray[np.float64]":
    """Return the share of train values, in percent, that lie below each value; equal ones count half.

    Examples:
        >>> percentiles_among(np.array([1, 2, 2, 4]), np.array([0, 2, 3, 9])).tolist()
        [0.0, 50.0, 75.0, 100.0]
    """
    below, up_to = (np.searchsorted(train, values, side=side) for side in ("left", "right"))
    return np.asarray(50 * (below + up_to) / max(len(train), 1))


def by_sample(columns: list[list[Any]], is_there: "NDArray[np.bool_]") -> list[list[Any] | None]:
    """Return the values of each sample from those of each column; None for a sample without any."""
    return [[own[row] for own in columns] if there else None for row, there in enumerate(is_there.tolist())]


def shown(values: "NDArray[Any]") -> list[Number]:
    """Return numbers with four significant digits, whole ones as such.

    Examples:
        >>> shown(np.array([0.123456, 3.00001, 123456.7]))
        [0.1235, 3, 123500]
    """
    rounded = [float(f"{value:.4g}") for value in values.tolist()]
    return [int(value) if value.is_integer() else value for value in rounded]
