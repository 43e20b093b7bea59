"""Sequences of tokens as a dataset's arrays: scaled with the train split's steps, padded and written block by block."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import read_fitted
from stages.shared.base import paths
from stages.shared.features import fitted_on_train, save, save_blocks, save_fitted, write_features
from stages.shared.files import write_whole

BLOCK_BYTES = 2**26  # of steps read at a time

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Steps:
    """The steps of N samples, as rows of a table that may be on disk."""

    table: NDArray[np.floating]  # [R, D]
    rows: Ints  # [S], of each step, one sample after the other
    lengths: Ints  # [N], steps of each sample; 0 where it has none

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return the steps of samples from `start` on and before `stop` [s, D]."""
        first, last = int(self.lengths[:start].sum()), int(self.lengths[:stop].sum())
        found: NDArray[np.float32] = self.table[self.rows[first:last]].astype(np.float32)
        return found

    def blocks(self, longest: int) -> Iterator[tuple[int, int]]:
        """Yield first and last sample, plus one, of blocks that fit into memory when padded to `longest` steps."""
        size = max(1, BLOCK_BYTES // (4 * longest * self.table.shape[1]))
        starts = range(0, len(self.lengths), size)
        return ((start, min(start + size, len(self.lengths))) for start in starts)

    def cut(self, longest: int) -> "Steps":
        """Return the first steps of each sample, at most `longest` of them."""
        place = np.arange(len(self.rows)) - np.repeat(self.lengths.cumsum() - self.lengths, self.lengths)
        return Steps(self.table, self.rows[place < longest], np.minimum(self.lengths, longest))

    def means(self) -> NDArray[np.float32]:
        """Return the mean step of each sample [N, D], 0 where it has none."""
        found = np.zeros((len(self.lengths), self.table.shape[1]), dtype=np.float32)
        for start, stop in self.blocks(max(1, int(self.lengths.max(initial=0)))):
            has_steps = start + np.flatnonzero(self.lengths[start:stop])
            if len(has_steps):
                lengths = self.lengths[has_steps]
                sums = np.add.reduceat(self.block(start, stop), lengths.cumsum() - lengths)
                found[has_steps] = sums / lengths[:, None]
        return found


def write_steps(
    dataset: str,
    modality: str,
    steps: Steps,
    words: Sequence[Sequence[str]],
    is_train: NDArray[np.bool_],
    description: dict[str, Any],
) -> None:
    """Write sequences [N, T, D] of float16 with their lengths, words and description, and what was fitted for them.

    T is the longest sample's number of steps. Each feature is scaled by mean and deviation over the train split's real
    steps. A sample without any has one step of 0, the mean step, and no words.

    Args:
        dataset: name.
        modality: name.
        steps: of the N samples, in cohort order.
        words: of each sample, one for each step, for people to read: lists.
        is_train: [N].
        description: for the JSON; all but what is known here.

    Raises:
        InputError: when no train sample has a step, or a step is not finite or too large for float16.
    """
    source = f"{dataset} {modality}"
    scale = _fit(steps, is_train, source)
    fitted = fitted_on_train(is_train, "mean and deviation of each feature over all steps")
    numbers = {"steps": scale.steps, "mean": scale.mean.tolist(), "scale": scale.std.tolist()}
    about = description | {"fitted": fitted | numbers}
    _write_scaled(paths.features(dataset), modality, steps, scale, about, source)
    _write_words(dataset, modality, words)
    save_fitted(dataset, modality, {name: np.array(value) for name, value in scale._asdict().items()})


def write_new_steps(dataset: str, modality: str, steps: Steps, folder: Path, description: dict[str, Any]) -> None:
    """Write new samples' sequences into a folder, scaled as those of the dataset's train split.

    T is that of the dataset's own array: of a sample with more steps the first are kept.

    Args:
        dataset: name.
        modality: name.
        steps: of the samples, in order.
        folder: for the arrays.
        description: for the JSON; all but what is known here.

    Raises:
        InputError: for steps of another width than those of train, or that are not finite.
    """
    fitted = read_fitted(paths.fitted(dataset, modality))
    width = steps.table.shape[1]
    if len(fitted.get("mean", ())) != width:
        raise InputError(
            f"new {modality}: a step has {width} features, and train had others in {paths.fitted(dataset, modality)}: "
            "bring files like those of train, or rerun the feature stage"
        )
    scale = _Scale(fitted["mean"], fitted["std"], int(fitted["steps"]), int(fitted["longest"]))
    num_cut = int((steps.lengths > scale.longest).sum())
    cut_off = f"{num_cut} samples have more than {scale.longest} steps, of which the first are kept"
    print(f"new {modality}: {cut_off}")
    _write_scaled(folder, modality, steps.cut(scale.longest), scale, description | {"note": cut_off}, f"new {modality}")


def _write_scaled(
    folder: Path, modality: str, steps: Steps, scale: "_Scale", description: dict[str, Any], source: str
) -> None:
    shape = (len(steps.lengths), scale.longest, steps.table.shape[1])
    about = {"kind": "sequence", "shape": list(shape[1:])} | description
    blocks = _scaled(steps, scale, source)
    path = write_features(folder, modality, lambda partial: save_blocks(partial, blocks, "<f2", shape), lambda: about)
    _write_lengths(folder, modality, np.maximum(steps.lengths, 1))
    print(f"{path}: {' x '.join(map(str, shape))}, {steps.lengths.sum()} steps, {path.stat().st_size / 1e6:.0f} MB")


def write_without_steps(dataset: str, modality: str) -> None:
    """Write empty lengths and words of a modality that is no sequence, since DVC has no outputs that exist at times."""
    _write_lengths(paths.features(dataset), modality, np.empty(0, np.int64))
    _write_words(dataset, modality, [])


def _write_lengths(folder: Path, modality: str, lengths: Ints) -> None:
    write_whole(folder / f"{modality}.lengths.npy", lambda partial: save(partial, lengths))


def _write_words(dataset: str, modality: str, words: Sequence[Sequence[str]]) -> None:
    text = json.dumps(words, ensure_ascii=False) + "\n"
    write_whole(paths.words(dataset, modality), lambda partial: partial.write_text(text, encoding="utf-8"))


class _Scale(NamedTuple):
    """Mean and deviation of each feature [D] over so many steps, and the steps of the longest sample."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    steps: int
    longest: int


def _fit(steps: Steps, is_train: NDArray[np.bool_], source: str) -> _Scale:
    """Fit over all steps of the train samples; each row of the table is read once, however many steps it is."""
    counts = np.bincount(steps.rows[np.repeat(is_train, steps.lengths)], minlength=len(steps.table))
    used = np.flatnonzero(counts)
    if not len(used):
        raise InputError(f"{source}: no train sample has a step: are these the right texts?")
    size = max(1, BLOCK_BYTES // (8 * steps.table.shape[1]))
    parts = [used[start : start + size] for start in range(0, len(used), size)]
    sums, squares = np.zeros(steps.table.shape[1]), np.zeros(steps.table.shape[1])
    for part in parts:
        values = steps.table[part].astype(np.float64)
        _check(values, source)
        sums += counts[part].astype(float) @ values
    mean = sums / counts.sum()
    for part in parts:
        squares += counts[part].astype(float) @ np.square(steps.table[part] - mean)
    std = np.sqrt(squares / counts.sum())
    is_constant = std <= np.finfo(np.float32).eps * np.abs(mean)
    longest = max(1, int(steps.lengths.max(initial=0)))
    return _Scale(mean, np.where(is_constant, 1, std), int(counts.sum()), longest)


def _scaled(steps: Steps, scale: _Scale, source: str) -> Iterator[NDArray[np.float16]]:
    """Yield scaled and padded steps [n, T, D], some samples at a time."""
    mean, std = scale.mean.astype(np.float32), scale.std.astype(np.float32)
    for start, stop in steps.blocks(scale.longest):
        values = steps.block(start, stop)
        values -= mean
        values /= std
        _check(values, source)
        padded = np.zeros((stop - start, scale.longest, steps.table.shape[1]), dtype=np.float16)
        padded[np.arange(scale.longest) < steps.lengths[start:stop, None]] = values
        yield padded


def _check(values: NDArray[np.floating], source: str) -> None:
    highest = max(values.max(initial=0), -values.min(initial=0))
    if not highest <= np.finfo(np.float16).max:
        raise InputError(f"{source}: a step is not finite or far from all others: are these the right vectors?")
