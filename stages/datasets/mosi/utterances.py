"""The utterances of CMU-MOSI's file: which they are, and which of their steps are real."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.mosi.settings import MODALITIES
from stages.datasets.mosi.source import FOLDS, Arrays, find_file, read_arrays

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Utterances:
    """The n utterances of all folds, one fold after the other, each in the file's order."""

    path: Path
    fold: NDArray[np.str_]  # [n]
    row: Ints  # [n], within the fold, from 0
    video: NDArray[np.str_]  # [n]
    sample_id: NDArray[np.str_]  # [n], video_start_end
    label: NDArray[np.float64]  # [n]
    begin: Ints  # [n], the first real step
    length: Ints  # [n], number of real steps; 0 where there is none
    steps: dict[str, Floats]  # [n, T, F] by modality, padding included
    present: dict[str, Bools]  # [n] by modality: whether a real step has a finite value other than 0

    def refuse(self, flags: NDArray[np.bool_], key: str, problem: str) -> None:
        """Refuse the file when an utterance is flagged; the message names the row, never its content.

        Raises:
            InputError: for the first flagged utterance.
        """
        if flags.any():
            index = int(np.flatnonzero(flags)[0])
            raise InputError(
                f"{self.path}: {self.fold[index]}/{key}[{self.row[index]}] {problem}: correct it or download the file "
                "again"
            )


def read_utterances(raw: str, *, labelled: bool = True, needs_text: bool = True) -> Utterances:
    """Read the file, its sequences as float32.

    A number beyond float32 becomes infinite: other programs write the largest float64 for infinity. New samples need no
    labels, which are NaN then. What an utterance without text has are no real steps where it needs text.

    Raises:
        InputError: for a file that `find_file` or `read_arrays` refuses, an id that is not text, or two utterances with
            the same id.
    """
    path = find_file(raw)
    arrays = read_arrays(path, labelled=labelled)
    folds = [fold for fold in FOLDS if f"{fold}/id" in arrays]
    counts = [len(arrays[f"{fold}/id"]) for fold in folds]
    parts = [part for fold in folds for part in _id_parts(path, fold, arrays[f"{fold}/id"])]
    labels = np.full(len(parts), np.nan)
    if labelled:
        labels = np.concatenate([arrays[f"{fold}/labels"].reshape(-1).astype(np.float64) for fold in folds])
    steps = {modality: _stack(arrays, [f"{fold}/{modality}" for fold in folds]) for modality in MODALITIES}
    begin, length = _real_steps(steps, needs_text=needs_text)
    utterances = Utterances(
        path=path,
        fold=np.repeat(folds, counts),
        row=np.concatenate([np.arange(count) for count in counts]),
        video=np.array([video for video, _, _ in parts], dtype=str),
        sample_id=np.array(["_".join(part) for part in parts], dtype=str),
        label=labels,
        begin=begin,
        length=length,
        steps=steps,
        present={name: _has_values(values, begin, length) for name, values in steps.items()},
    )
    _, first = np.unique(utterances.sample_id, return_index=True)
    repeated = np.ones(len(parts), dtype=bool)
    repeated[first] = False
    utterances.refuse(repeated, "id", "is that of an earlier utterance")
    return utterances


def _id_parts(path: Path, fold: str, ids: NDArray[Any]) -> Iterator[list[str]]:
    """Yield each utterance's video, start and end as text.

    Raises:
        InputError: for one that is neither text nor bytes of UTF-8, or empty.
    """
    for row, parts in enumerate(ids.tolist()):
        try:
            texts = [part.decode() if isinstance(part, bytes) else part for part in parts]
        except UnicodeDecodeError:
            texts = []
        if not texts or not all(isinstance(text, str) and text for text in texts):
            raise InputError(
                f"{path}: {fold}/id[{row}] is not video, start and end as text: save ids as bytes or text, none empty"
            )
        yield texts


def _real_steps(steps: dict[str, Floats], *, needs_text: bool) -> tuple[Ints, Ints]:
    """Return the first real step [n] and the number of real steps [n].

    They begin with the first that has text and end with the last at which any modality is not 0. Without text, they
    begin with the first at which any modality is not 0, or there are none where text is needed. Text that is infinite
    or NaN counts as none.
    """
    may_begin = _known(steps["text"])
    has_any = np.logical_or.reduce([(values != 0).any(axis=2) for values in steps.values()])
    if not needs_text:
        may_begin = np.where(may_begin.any(axis=1, keepdims=True), may_begin, has_any)
    begin = may_begin.argmax(axis=1)
    end = has_any.shape[1] - has_any[:, ::-1].argmax(axis=1)
    return begin, np.where(may_begin.any(axis=1), end - begin, 0)


def _has_values(values: Floats, begin: Ints, length: Ints) -> Bools:
    """Return which utterances [n] have a known value at one of their real steps."""
    step = np.arange(values.shape[1])
    is_real = (step >= begin[:, None]) & (step < (begin + length)[:, None])
    return np.asarray((is_real & _known(values)).any(axis=1))


def _known(values: Floats) -> Bools:
    """Return which steps [n, T] have a finite value other than 0."""
    return np.asarray((np.isfinite(values) & (values != 0)).any(axis=2))


def _stack(arrays: Arrays, names: list[str]) -> Floats:
    """Return a modality's sequences of all folds [n, T, F]; the folds are taken out, so that none is held twice."""
    stacked = np.empty((sum(len(arrays[name]) for name in names), *arrays[names[0]].shape[1:]), np.float32)
    start = 0
    with np.errstate(over="ignore"):
        for name in names:
            own = arrays.pop(name)
            stacked[start : start + len(own)] = own
            start += len(own)
    return stacked
