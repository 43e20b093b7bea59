"""Columns of a table as vectors: imputed, one-hot encoded and standardised with the train rows.

Shapes: N rows, A numeric columns, B other columns, F features.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from i2moe.preparation.fitted import Fitted

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Numbers:
    """What was fitted for numeric columns."""

    names: list[str]  # A
    medians: Floats  # [A]
    means: Floats  # [A], of imputed values
    scales: Floats  # [A], 1 for a column that is constant in train
    lows: Floats  # [A], the range of train
    highs: Floats


@dataclass(frozen=True)
class Categories:
    """What was fitted for one other column."""

    name: str
    mode: str
    found: list[str]  # in train, sorted

    @property
    def encoded(self) -> list[str]:
        """The categories that have a feature each: of two, the second alone."""
        return self.found[1:] if len(self.found) == 2 else self.found  # noqa: PLR2004


@dataclass(frozen=True)
class ColumnEncoder:
    """Turns columns into features.

    Numbers: missing → median, then standardised. Other columns: missing → mode, then one-hot (one feature for two
    values; a value that train lacks is all zeros). A column with missing values in train also gets an indicator.
    """

    columns: list[str]  # all, in order
    numbers: Numbers
    categories: list[Categories]
    indicated: list[str]  # columns with an indicator: numeric ones, then others

    @classmethod
    def fit(cls, table: pd.DataFrame, is_train: NDArray[np.bool_], source: str | Path) -> Self:
        """Fit on the train rows; all rows are checked.

        Args:
            table: [N] rows.
            is_train: [N].
            source: where the columns are from, for errors.

        Raises:
            InputError: for an infinite value, a column without any value in train, or one that holds dates.
        """
        _check(table, source)
        train = table[is_train]
        for name in table.columns:
            if train[name].isna().all():
                raise InputError(f"{source} column {name!r} has no value in the train split: leave the column out")
        numeric = [name for name in table.columns if _holds_numbers(table[name])]
        others = [name for name in table.columns if name not in numeric]
        missing = train.isna().any()
        return cls(
            columns=list(table.columns),
            numbers=_fit_numbers(train, numeric),
            categories=[_fit_categories(train, name) for name in others],
            indicated=[name for name in [*numeric, *others] if missing[name]],
        )

    @property
    def features(self) -> list[str]:
        """Names of the F features."""
        one_hot = [f"{own.name}_{value}" for own in self.categories for value in own.encoded]
        return [*self.numbers.names, *one_hot, *(f"missingindicator_{name}" for name in self.indicated)]

    def transform(self, table: pd.DataFrame, source: str | Path) -> NDArray[np.float32]:
        """Turn rows of any split, or new ones, into features [N, F].

        Raises:
            InputError: for a column that is missing, or holds text where train has numbers; a value that is infinite or
                too far from those of train.
        """
        self._check_columns(table, source)
        blocks = [self._scaled(table)]
        for own in self.categories:
            texts = _as_text(table[own.name])
            values = texts.where(texts.notna(), own.mode).to_numpy(object)
            blocks.append(values[:, None] == np.array(own.encoded, object)[None, :])
        blocks.append(table[self.indicated].isna().to_numpy())
        array = np.concatenate([block.astype(np.float64, copy=False) for block in blocks], axis=1)
        too_large = np.abs(array).max(axis=0, initial=0) > np.finfo(np.float32).max
        if too_large.any():
            far = self.features[int(too_large.argmax())]
            raise InputError(f"{source} column {far!r} holds a value too far from those of the train split: correct it")
        return np.ascontiguousarray(array, dtype=np.float32)

    def _scaled(self, table: pd.DataFrame) -> Floats:
        """Return the numeric columns, imputed and standardised, [N, A]."""
        values = _floats(table, self.numbers.names)
        values = np.where(np.isnan(values), self.numbers.medians, values)
        return np.asarray((values - self.numbers.means) / self.numbers.scales)

    def _check_columns(self, table: pd.DataFrame, source: str | Path) -> None:
        """Refuse rows that do not have the columns of train, or other kinds of values in them."""
        for name in self.columns:
            if name not in table:
                raise InputError(f"{source} has no column {name!r}; {nearest(name, map(str, table.columns[:40]))}")
        _check(table[self.columns], source)
        for name in self.numbers.names:
            if not (_holds_numbers(table[name]) or table[name].isna().all()):
                raise InputError(
                    f"{source} column {name!r} holds text, and in the train split numbers alone: correct the values"
                )

    def drift(self, table: pd.DataFrame) -> dict[str, float]:
        """Return by column the share of values, of those that are there, that train never had.

        Of numbers, those outside the range of train; of other columns, categories that train lacks. Columns without
        any value are left out.
        """
        values = _floats(table, self.numbers.names)
        known = ~np.isnan(values)
        outside = ((values < self.numbers.lows) | (values > self.numbers.highs)).sum(axis=0)
        counts = known.sum(axis=0)
        found = {
            name: int(own) / int(count)
            for name, own, count in zip(self.numbers.names, outside, counts, strict=True)
            if count
        }
        for own in self.categories:
            texts = _as_text(table[own.name]).dropna()
            if len(texts):
                found[own.name] = float((~texts.isin(own.found)).mean())
        return {name: found[name] for name in self.columns if name in found}

    def fitted(self) -> Fitted:
        """Return all that was fitted, as arrays; `from_fitted` makes the same encoder of them."""
        return {
            "columns": _texts(self.columns),
            "numeric": _texts(self.numbers.names),
            "medians": self.numbers.medians,
            "means": self.numbers.means,
            "scales": self.numbers.scales,
            "lows": self.numbers.lows,
            "highs": self.numbers.highs,
            "categorical": _texts([own.name for own in self.categories]),
            "modes": _texts([own.mode for own in self.categories]),
            "categories": _texts([value for own in self.categories for value in own.found]),
            "category_counts": np.array([len(own.found) for own in self.categories], np.int64),
            "indicated": _texts(self.indicated),
        }

    @classmethod
    def from_fitted(cls, values: Fitted) -> Self:
        """Return the encoder that `fitted` describes."""
        names = ("medians", "means", "scales", "lows", "highs")
        ends = np.cumsum(values["category_counts"]).tolist()
        found = values["categories"].tolist()
        return cls(
            columns=values["columns"].tolist(),
            numbers=Numbers(values["numeric"].tolist(), *(values[name] for name in names)),
            categories=[
                Categories(name, mode, found[start:end])
                for name, mode, start, end in zip(
                    values["categorical"].tolist(), values["modes"].tolist(), [0, *ends], ends, strict=False
                )
            ],
            indicated=values["indicated"].tolist(),
        )


def _fit_numbers(train: pd.DataFrame, names: list[str]) -> Numbers:
    """Fit the numeric columns of the train rows."""
    from sklearn.preprocessing import StandardScaler

    values = _floats(train, names)
    if not names:
        return Numbers([], *(np.empty(0) for _ in range(5)))
    medians = np.nanmedian(values, axis=0)
    scaler = StandardScaler().fit(np.where(np.isnan(values), medians, values))
    return Numbers(names, medians, scaler.mean_, scaler.scale_, np.nanmin(values, axis=0), np.nanmax(values, axis=0))


def _fit_categories(train: pd.DataFrame, name: str) -> Categories:
    """Fit one other column of the train rows; of equally frequent values the mode is the first by name."""
    counts = _as_text(train[name]).dropna().value_counts()
    found = sorted(counts.index)
    return Categories(name, min(found, key=lambda value: (-counts[value], value)), found)


def _floats(table: pd.DataFrame, names: list[str]) -> Floats:
    """Return numeric columns as [N, A], NaN where a value is missing."""
    values: Floats = table[names].astype(float).to_numpy(np.float64)
    return values


def _as_text(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return the values as text; missing ones stay so."""
    values = column.astype(object)
    return values.where(values.isna(), values.astype(str)).where(values.notna(), None)


def _texts(values: list[str]) -> NDArray[np.str_]:
    return np.array(values, dtype=np.str_)


def _holds_numbers(column: "pd.Series[Any]") -> bool:
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column))


def _check(table: pd.DataFrame, source: str | Path) -> None:
    """Refuse dates and infinite values."""
    for name in table.columns:
        column = table[name]
        if _holds_dates(column):
            raise InputError(
                f"{source} column {name!r} holds dates: turn it into a number, such as days since an event"
            )
        if pd.api.types.is_numeric_dtype(column) and np.isinf(column.to_numpy(float, na_value=np.nan)).any():
            row = int(np.flatnonzero(np.isinf(column.to_numpy(float, na_value=np.nan)))[0])
            raise InputError(
                f"{source} column {name!r}, sample {row + 1} by id: infinite value: correct it or leave it empty"
            )


def _holds_dates(column: "pd.Series[Any]") -> bool:
    if column.dtype == object:
        return bool(column.map(lambda value: isinstance(value, date)).any())
    return bool(pd.api.types.is_datetime64_any_dtype(column))
