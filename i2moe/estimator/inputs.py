"""What `fit` and `predict` are given, as modalities of samples: checked, fitted on the train rows, written as arrays.

Shapes: N samples, F features, T steps.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.columns import ColumnEncoder
from i2moe.preparation.fitted import Fitted
from i2moe.signature import Signature

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Given: TypeAlias = pd.DataFrame | NDArray[Any] | list[NDArray[np.float32]]  # columns, images, sequences
Modalities = Mapping[str, Sequence[Any]]  # columns of each modality of a 2-D X, by name or number

VECTOR, IMAGE, SEQUENCE = "vector", "image", "sequence"
IMAGE_AXES = 4


@dataclass(frozen=True)
class Inputs:
    """N samples by modality."""

    given: dict[str, Given]
    num_samples: int

    def rows(self, index: NDArray[np.int64]) -> "Inputs":
        """Return some samples, in the order of an index."""
        return Inputs({name: _take(own, index) for name, own in self.given.items()}, len(index))


def read_inputs(x: Any, modalities: Modalities | None) -> Inputs:
    """Return what is given as modalities of samples.

    Args:
        x: a dict of modality to array [N, F] (or [N]), data frame, images [N, C, h, w] or list of sequences [T, F]; or
            one array [N, F] or data frame.
        modalities: of one array or frame, the columns of each modality, by name or number. Where none are given, the
            first half of the columns is one and the second half another.

    Raises:
        InputError: for something else, modalities of different lengths or whose rows are in another order, or columns
            that are not there.
    """
    if isinstance(x, Mapping):
        if modalities is not None:
            raise InputError("`modalities` names the columns of one array or frame; a dict says them itself")
        _require_same_order(x)
        given = {name: _given(name, own) for name, own in zip(_names(x), x.values(), strict=True)}
    else:
        given = _split_columns(x if isinstance(x, pd.DataFrame) else pd.DataFrame(x), modalities)
    counts = {name: len(own) for name, own in given.items()}
    if not counts or 0 in counts.values() or len(set(counts.values())) > 1:
        raise InputError(f"modalities need equally many samples, one at least of them; found {counts}")
    return Inputs(given, next(iter(counts.values())))


def _split_columns(table: pd.DataFrame, modalities: Modalities | None) -> dict[str, Given]:
    """Return the columns of each modality."""
    names = list(table.columns)
    if modalities is None:
        half = (len(names) + 1) // 2
        halves = {"first": names[:half], "second": names[half:]}
        return {name: _named(name, table[own]) for name, own in halves.items() if own}
    found: dict[str, Given] = {}
    for modality, wanted in zip(_names(modalities), modalities.values(), strict=True):
        missing = [one for one in wanted if one not in names]
        if missing or not len(wanted):
            raise InputError(f"modality {modality!r}: there is no column {missing or ''}; there are {names[:20]}")
        found[modality] = _named(modality, table[list(wanted)])
    return found


def categorical_columns(wanted: Sequence[Any], inputs: Inputs) -> list[str]:
    """Return the names of the columns that are categories whatever they hold; those of an array are numbers.

    Raises:
        InputError: for a column that no modality has.
    """
    tables = [own for own in inputs.given.values() if isinstance(own, pd.DataFrame)]
    names = [str(name) for own in tables for name in own.columns]
    chosen = [str(name) for name in ([wanted] if isinstance(wanted, str) else wanted)]
    for name in chosen:
        if name not in names:
            raise InputError(f"categorical: no modality has a column {name!r}; there are {names[:20]}")
    return chosen


def _names(modalities: Mapping[Any, Any]) -> list[str]:
    """Return the names of modalities as text; files are named after them.

    Raises:
        InputError: for two of the same name, or one that is no name of a file.
    """
    names = [str(name) for name in modalities]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two modalities have the name {name!r}: rename one")
        if not re.fullmatch(r"[^/\\\x00]+", name):
            raise InputError(f"modality {name!r}: a name of a letter or more without / and \\ is needed: rename it")
    return names


def _require_same_order(modalities: Mapping[Any, Any]) -> None:
    """Refuse frames whose indices name the same rows at other places; one that only counts them names none."""
    named = [
        (name, own.index)
        for name, own in modalities.items()
        if isinstance(own, pd.DataFrame | pd.Series) and not own.index.equals(pd.RangeIndex(len(own)))
    ]
    for name, index in named[1:]:
        first, other = named[0]
        if len(index) == len(other) and not index.equals(other) and index.isin(other).any():
            row = int(np.flatnonzero(np.asarray(index != other))[0])
            raise InputError(
                f"modalities {first!r} and {name!r} have another index from row {row} on: {other[row]!r}, "
                f"{index[row]!r}; bring their rows into the same order, such as by `reindex`, or drop the index"
            )


def _named(modality: str, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns have text as names, each its own."""
    names = pd.Index([str(name) for name in table.columns])
    if not names.is_unique:
        raise InputError(f"modality {modality!r} has two columns {names[names.duplicated()][0]!r}: rename one")
    return table.set_axis(names, axis=1).reset_index(drop=True)


def _given(name: str, own: Any) -> Given:
    """Return one modality in one of three forms."""
    if isinstance(own, pd.Series):
        own = own.to_frame()
    if isinstance(own, pd.DataFrame):
        return _named(name, own)
    if isinstance(own, list | tuple):
        first = next((one for one in own if one is not None), None)
        if first is not None and np.ndim(first) == 0:
            return _named(name, pd.DataFrame({name: own}))
        sequences = [_sequence(name, one) for one in own]
        if len({one.shape[1] for one in sequences if len(one)}) > 1:
            raise InputError(f"modality {name!r}: its sequences have different numbers of features")
        return sequences
    array = np.asarray(own)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim == 2:  # noqa: PLR2004
        return _named(name, pd.DataFrame(array))
    if array.ndim == 3:  # noqa: PLR2004
        return [_sequence(name, one) for one in array]
    if array.ndim == IMAGE_AXES and array.dtype.kind in "biuf":
        return array
    raise InputError(
        f"modality {name!r} has shape {array.shape} of {array.dtype}; allowed: columns [N, F], sequences [N, T, F] or "
        "a list of [T, F], features of images [N, C, h, w]"
    )


def _sequence(name: str, own: Any) -> NDArray[np.float32]:
    """Return one sequence [T, F]; None, or one without steps, is absent."""
    try:
        array = np.empty((0, 0), np.float32) if own is None else np.asarray(own, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"modality {name!r}: a sequence is not of numbers") from error
    if array.ndim == 1 and array.size:
        array = array[:, None]
    if array.ndim != 2 and array.size:  # noqa: PLR2004
        raise InputError(f"modality {name!r}: a sequence has shape {array.shape}; allowed: [T, F] or [T]")
    return array.reshape(len(array), -1) if array.size else np.empty((0, 0), np.float32)


def _take(own: Given, index: NDArray[np.int64]) -> Given:
    if isinstance(own, pd.DataFrame):
        return own.iloc[index].reset_index(drop=True)
    return [own[row] for row in index] if isinstance(own, list) else own[index]


@dataclass(frozen=True)
class Preparation:
    """What was fitted for each modality on the train rows."""

    kinds: dict[str, str]  # by modality, in order
    fitted: dict[str, Fitted]

    @classmethod
    def fit(cls, inputs: Inputs, is_train: Bools, categorical: Sequence[str]) -> "Preparation":
        """Fit each modality on the train rows [N] that have it.

        Raises:
            InputError: for values that cannot be used; it names modality and column.
        """
        kinds, fitted = {}, {}
        for name, own in inputs.given.items():
            present = presence(own)
            if not (is_train & present).any():
                raise InputError(f"modality {name!r}: no train sample has it")
            kinds[name] = _kind(own)
            fitted[name] = _fit(name, own, is_train & present, categorical)
        return cls(kinds, fitted)

    @classmethod
    def of_arrays(cls, signature: Signature) -> "Preparation":
        """Return one that takes arrays as a model does: nothing is scaled."""
        fitted: dict[str, Fitted] = {}
        for name, shape in signature.shapes.items():
            size = shape[-1] if signature.kinds[name] == SEQUENCE else int(np.prod(shape))
            fitted[name] = {"mean": np.zeros(size), "scale": np.array(1.0), "longest": np.array(shape[0])}
        return cls(signature.kinds, fitted)

    def write(self, inputs: Inputs, folder: Path) -> None:
        """Write the arrays of all samples by the data contract.

        Raises:
            InputError: for modalities that are not those of train, or values that do not fit them.
        """
        nothing = np.flatnonzero(~np.any([presence(own) for own in inputs.given.values()], axis=0))
        if len(nothing):
            raise InputError(
                f"{len(nothing)} samples have no modality at all, the first in row {nothing[0]}: leave them out"
            )
        if set(inputs.given) != set(self.kinds):
            raise InputError(f"the modalities are {list(inputs.given)}, those of the train samples {list(self.kinds)}")
        for name in self.kinds:
            own = inputs.given[name]
            if _kind(own) != self.kinds[name]:
                raise InputError(f"modality {name!r} is of kind {_kind(own)}, in the train samples {self.kinds[name]}")
            array, lengths, about = _apply(name, own, self.fitted[name])
            np.save(folder / f"{name}.npy", array)
            np.save(folder / f"{name}.present.npy", presence(own))
            if lengths is not None:
                np.save(folder / f"{name}.lengths.npy", lengths)
            (folder / f"{name}.json").write_text(
                json.dumps({"kind": self.kinds[name], "shape": list(array.shape[1:])} | about), encoding="utf-8"
            )


def presence(own: Given) -> Bools:
    """Return which samples have a modality [N]: any value in its columns, a step, any number of an image."""
    if isinstance(own, pd.DataFrame):
        return np.asarray(own.notna().any(axis=1).to_numpy(bool))
    if isinstance(own, list):
        return np.asarray(np.array([len(one) for one in own]) > 0)
    return np.asarray(~np.isnan(own.reshape(len(own), -1).astype(np.float64)).all(axis=1))


def _kind(own: Given) -> str:
    if isinstance(own, pd.DataFrame):
        return VECTOR
    return SEQUENCE if isinstance(own, list) else IMAGE


def _fit(name: str, own: Given, is_train: Bools, categorical: Sequence[str]) -> Fitted:
    place = f"modality {name!r}"
    if isinstance(own, pd.DataFrame):
        known = [column for column in own.columns if column in categorical]
        return ColumnEncoder.fit(own, is_train, place, categorical=known, may_show=True).fitted()
    rows = np.flatnonzero(is_train)
    train = [own[row] for row in rows] if isinstance(own, list) else own[rows]
    _refuse_non_finite(place, train, rows)
    values = (np.concatenate(train) if isinstance(train, list) else train.reshape(len(rows), -1)).astype(np.float64)
    scales = values.std(axis=0) if isinstance(own, list) else np.array(values.std())
    fitted = {"mean": values.mean(axis=0), "scale": np.where(scales > 0, scales, 1.0)}
    return fitted | ({"longest": np.array(max(len(own[row]) for row in rows))} if isinstance(own, list) else {})


def _apply(
    name: str, own: Given, fitted: Fitted
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None, dict[str, Any]]:
    """Return the array, the lengths of sequences, and what there is to say; 0 where a sample lacks the modality."""
    present, place = presence(own), f"modality {name!r}"
    if isinstance(own, pd.DataFrame) and "columns" not in fitted:  # numbers as a model takes them
        try:
            array = np.array(own, np.float32, order="C")
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{place} holds text; this model takes numbers, as features are: `python -m stages.predict` takes "
                "raw files"
            ) from error
        if array.shape[1] != len(fitted["mean"]):
            raise InputError(f"{place} has {array.shape[1]} columns, in the train samples {len(fitted['mean'])}")
        array[~present] = 0
        _refuse_non_finite(place, array, range(len(array)))
        return array, None, {}
    if isinstance(own, pd.DataFrame):
        encoder = ColumnEncoder.from_fitted(fitted)
        array = encoder.transform(own, place)
        array[~present] = 0
        return array, None, {"features": encoder.features}
    num_features = len(fitted["mean"])
    if isinstance(own, list):
        return *_pad(place, own, fitted, num_features), {}
    flat = own.reshape(len(own), -1)
    if flat.shape[1] != num_features:
        raise InputError(f"{place} has {flat.shape[1]} numbers a sample, in the train samples {num_features}")
    _refuse_non_finite(place, flat[present], np.flatnonzero(present))
    scaled = np.where(present[:, None], (flat - fitted["mean"]) / fitted["scale"], 0)
    return scaled.reshape(own.shape).astype(np.float32), None, {}


def _pad(
    place: str, own: list[NDArray[np.float32]], fitted: Fitted, num_features: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return sequences [N, T, F] of the last steps, as many as the longest train sample had, and their lengths."""
    longest = int(fitted["longest"])
    array, lengths = np.zeros((len(own), longest, num_features), np.float32), np.ones(len(own), np.int64)
    for row, one in enumerate(own):
        if not len(one):
            continue
        if one.shape[1] != num_features:
            raise InputError(f"{place}: sample {row} has {one.shape[1]} features, the train samples {num_features}")
        last = one[-longest:]
        lengths[row] = len(last)
        array[row, : len(last)] = (last - fitted["mean"]) / fitted["scale"]
    _refuse_non_finite(place, array, range(len(own)))
    return array, lengths


def _refuse_non_finite(place: str, values: Sequence[NDArray[Any]] | NDArray[Any], rows: Sequence[int] | Ints) -> None:
    """Refuse samples, an array each, with a value that is not finite; `rows` says which samples they are."""
    if isinstance(values, np.ndarray):
        finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    else:
        finite = np.array([np.isfinite(own).all() for own in values], bool)
    bad = np.flatnonzero(~finite)
    if len(bad):
        raise InputError(
            f"{place}: {len(bad)} samples hold NaN or infinity, the first in row {rows[bad[0]]}: impute them, or leave "
            "whole samples out"
        )


def ids_of(x: Any, num_samples: int) -> list[Any]:
    """Return the index of a frame, or of the first frame of a dict, else row numbers."""
    parts = list(x.values()) if isinstance(x, Mapping) else [x]
    frames = [own for own in parts if isinstance(own, pd.DataFrame | pd.Series)]
    return frames[0].index.tolist() if frames else list(range(num_samples))
