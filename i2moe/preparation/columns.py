"""Columns of a table as vectors: imputed, one-hot encoded and standardised with the train rows.

Text that is nearly numbers, dates, or different in nearly every row is refused: as categories, it would be many columns
that say nothing.

Shapes: N rows, A numeric columns, B other columns, F features.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest_column
from i2moe.preparation.fitted import Fitted, expect, refuse

Floats = NDArray[np.float64]

NEARLY = 0.5  # share of a column's texts that are numbers or dates, from which on the others are taken for slips
FEW_CATEGORIES = 20  # so many are never too many
MANY_CATEGORIES = 1000  # and so many always are
MOST_DISTINCT = 0.2  # between the two: share of a column's train values that are different
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
WRITTEN_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?|\d{1,2}[./]\d{1,2}[./]\d{2,4}( .*)?")
SHOWN_VALUES = 3
BLOCK_VALUES = 2**17  # of numeric columns that are looked at at a time


@dataclass(frozen=True)
class Numbers:
    """What was fitted for numeric columns."""

    names: list[str]  # A
    medians: Floats  # [A]
    means: Floats  # [A], of imputed values
    scales: Floats  # [A], 1 for a column that is constant in train
    lows: Floats  # [A], the range of train
    highs: Floats

    def parts(self, num_rows: int) -> Iterator[slice]:
        """Cut the columns into as many as are looked at at a time: of a large table few, whose copies cost little."""
        size = max(1, BLOCK_VALUES // max(1, num_rows))
        return (slice(start, min(start + size, len(self.names))) for start in range(0, len(self.names), size))


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
    def fit(
        cls,
        table: pd.DataFrame,
        is_train: NDArray[np.bool_],
        source: str | Path,
        *,
        categorical: Collection[str] = (),
        may_show: bool = False,
    ) -> Self:
        """Fit on the train rows; all rows are checked.

        Args:
            table: [N] rows.
            is_train: [N].
            source: where the columns are from, for errors.
            categorical: columns of categories, whatever they hold.
            may_show: whether errors may show values.

        Raises:
            InputError: for an infinite value; a column without any value in train; one that holds dates, nearly
                numbers, or too many different texts.
        """
        table = as_numbers(table, categorical)
        _check(table, source)
        missing = {name: table[name][is_train].isna() for name in table.columns}
        for name, flags in missing.items():
            if flags.all():
                raise InputError(f"{source} column {name!r} has no value in the train split: leave the column out")
        numeric = [name for name in table.columns if name not in categorical and _holds_numbers(table[name])]
        others = [name for name in table.columns if name not in numeric]
        for name in others:
            if name not in categorical:
                _refuse_slips(table[name], table[name][is_train], f"{source} column {name!r}", may_show=may_show)
        return cls(
            columns=list(table.columns),
            numbers=_fit_numbers(table, is_train, numeric),
            categories=[_fit_categories(table[name][is_train], name) for name in others],
            indicated=[name for name in [*numeric, *others] if missing[name].any()],
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
        table = as_numbers(table, [own.name for own in self.categories])
        self._check_columns(table, source)
        array = np.zeros((len(table), len(self.features)), np.float32)
        for part in self.numbers.parts(len(table)):
            values = self._scaled(table, part)
            too_large = np.abs(values).max(axis=0, initial=0) > np.finfo(np.float32).max
            if too_large.any():
                far = self.numbers.names[part][int(too_large.argmax())]
                raise InputError(
                    f"{source} column {far!r} holds a value too far from those of the train split: correct it"
                )
            array[:, part] = values
        start = len(self.numbers.names)
        for own in self.categories:
            texts = as_categories(table[own.name])
            places = pd.Index(own.encoded, dtype=object).get_indexer(texts.where(texts.notna(), own.mode))
            array[np.flatnonzero(places >= 0), start + places[places >= 0]] = 1
            start += len(own.encoded)
        array[:, start:] = table[self.indicated].isna()
        return array

    def _scaled(self, table: pd.DataFrame, part: slice) -> Floats:
        """Return some numeric columns, imputed and standardised, [N, a]."""
        own = self.numbers
        values = _floats(table, own.names[part])
        values = np.where(np.isnan(values), own.medians[part], values)
        return np.asarray((values - own.means[part]) / own.scales[part])

    def _check_columns(self, table: pd.DataFrame, source: str | Path) -> None:
        """Refuse rows that do not have the columns of train, or other kinds of values in them."""
        for name in self.columns:
            if name not in table:
                raise InputError(f"{source} has no column {name!r}; {nearest_column(name, table.columns)}")
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
        found: dict[str, float] = {}
        for part in self.numbers.parts(len(table)):
            values = _floats(table, self.numbers.names[part])
            outside = ((values < self.numbers.lows[part]) | (values > self.numbers.highs[part])).sum(axis=0)
            counts = (~np.isnan(values)).sum(axis=0)
            columns = zip(self.numbers.names[part], outside, counts, strict=True)
            found |= {name: int(own) / int(count) for name, own, count in columns if count}
        for own in self.categories:
            texts = as_categories(table[own.name]).dropna()
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
        """Return the encoder that `fitted` describes.

        Raises:
            InputError: for arrays that are missing, or not what `fitted` returns.
        """
        columns, numeric, categorical, indicated = (
            expect(values, name, "U").tolist() for name in ("columns", "numeric", "categorical", "indicated")
        )
        numbers = (
            expect(values, name, "f", (len(numeric),)) for name in ("medians", "means", "scales", "lows", "highs")
        )
        shape = (len(categorical),)
        modes, counts = expect(values, "modes", "U", shape).tolist(), expect(values, "category_counts", "iu", shape)
        found, ends = expect(values, "categories", "U", (int(counts.sum()),)).tolist(), np.cumsum(counts).tolist()
        if sorted([*numeric, *categorical]) != sorted(columns) or not set(indicated) <= set(columns):
            refuse(values, "its names of columns do not fit together")
        return cls(
            columns=columns,
            numbers=Numbers(numeric, *numbers),
            categories=[
                Categories(name, mode, found[start:end])
                for name, mode, start, end in zip(categorical, modes, [0, *ends], ends, strict=False)
            ],
            indicated=indicated,
        )


def _fit_numbers(table: pd.DataFrame, is_train: NDArray[np.bool_], names: list[str]) -> Numbers:
    """Fit the numeric columns of the train rows, some columns at a time."""
    from sklearn.preprocessing import StandardScaler

    found = Numbers(names, *(np.empty(len(names)) for _ in range(5)))
    for part in found.parts(int(is_train.sum())):
        values = _floats(table[names[part]][is_train], names[part])
        found.medians[part] = np.nanmedian(values, axis=0)
        found.lows[part], found.highs[part] = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        scaler = StandardScaler().fit(np.where(np.isnan(values), found.medians[part], values))
        found.means[part], found.scales[part] = scaler.mean_, scaler.scale_
    return found


def _fit_categories(train: "pd.Series[Any]", name: str) -> Categories:
    """Fit one other column's train rows; of equally frequent values the mode is the first by name."""
    counts = as_categories(train).dropna().value_counts()
    found = sorted(counts.index)
    return Categories(name, min(found, key=lambda value: (-counts[value], value)), found)


def _floats(table: pd.DataFrame, names: list[str]) -> Floats:
    """Return numeric columns as [N, A], NaN where a value is missing."""
    values: Floats = table[names].astype(float).to_numpy(np.float64)
    return values


def as_categories(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return values as text, whole numbers without a decimal point; missing ones stay so.

    Examples:
        >>> as_categories(pd.Series([1.0, None, 2.5])).tolist()
        ['1', nan, '2.5']
    """
    values = column.astype(object)
    return values.where(values.notna(), None).map(_as_category, na_action="ignore")


def _as_category(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def as_numbers(table: pd.DataFrame, categorical: Collection[str]) -> pd.DataFrame:
    """Return columns of objects or text that are all numbers as numbers, but for those of categories."""
    changed = {}
    for name in table.columns:
        column = table[name]
        if name in categorical or not _is_text(column) or _holds_dates(column):
            continue
        known = column.dropna()
        if len(known) and not known.map(lambda value: isinstance(value, bool | np.bool_)).any():
            numbers = pd.to_numeric(known, errors="coerce")
            if numbers.notna().all():
                changed[name] = numbers.astype(float).reindex(column.index)
    return table.assign(**changed) if changed else table


def _is_text(column: "pd.Series[Any]") -> bool:
    return bool(column.dtype == object or pd.api.types.is_string_dtype(column))


def _refuse_slips(column: "pd.Series[Any]", train: "pd.Series[Any]", place: str, *, may_show: bool) -> None:
    """Refuse text that is nearly numbers or dates, or different in too many rows.

    Args:
        column: all rows.
        train: the train rows.
        place: source and column, for errors.
        may_show: whether errors may show values.
    """
    if not _is_text(column):
        return
    texts = as_categories(column).dropna()
    odd = texts[pd.to_numeric(texts, errors="coerce").isna()]
    commas = odd.str.fullmatch(DECIMAL_COMMA)
    if commas.mean() >= NEARLY:
        raise InputError(f'{place} holds numbers with a decimal comma: set `decimal: ","` (of pandas `decimal=","`)')
    if texts.str.fullmatch(WRITTEN_DATE).mean() >= NEARLY:
        raise InputError(f"{place} holds dates: turn them into a number, such as days since an event")
    if 1 - len(odd) / len(texts) >= NEARLY:
        values = ", ".join(map(repr, odd.drop_duplicates().head(SHOWN_VALUES)))
        shown = f" ({values}{', …' if odd.nunique() > SHOWN_VALUES else ''})" if may_show else ""
        raise InputError(
            f"{place} holds numbers, but for {len(odd)} of {len(texts)} values{shown}: name those under `missing` "
            "(from Python: make them NaN), correct them, or name the column under `categorical`"
        )
    known = as_categories(train).dropna()
    distinct = known.nunique()
    if distinct > FEW_CATEGORIES and (distinct > MANY_CATEGORIES or distinct > MOST_DISTINCT * len(known)):
        raise InputError(
            f"{place} has {distinct} different texts in {len(known)} train rows: leave the column out, make it a "
            "modality of its own as `text`, or name it under `categorical`"
        )


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
    """Return whether a column holds dates, or times between them, each of which would be a category of its own."""
    if column.dtype == object:
        return bool(column.map(lambda value: isinstance(value, date | timedelta | pd.Period)).any())
    is_date = pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column)
    return bool(is_date or isinstance(column.dtype, pd.PeriodDtype))
