"""Values of ADNI's tables as features: imputed, one-hot and scaled to [-1, 1] with what the train split says.

Shapes: N subjects, A numbers, B categories, F features.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import Fitted
from stages.datasets.adni.codebook import Entry

Floats = NDArray[np.float64]

MISSING = "missing"  # name of the feature that marks a subject of whom everything is imputed


@dataclass(frozen=True)
class TableEncoder:
    """Turns values into features.

    Numbers: missing → median or mean, then min–max; a value beyond train's range lies beyond [-1, 1]. Categories:
    missing → mode, then one feature per code that train has, 1 or -1. Columns without a value in train are left out.
    Where train has subjects without any value, a feature marks them, 1 or -1.
    """

    numbers: list[str]  # A
    imputed: Floats  # [A]
    lows: Floats  # [A], the range of train, imputed values included
    highs: Floats
    scales: Floats  # [A]: a number times its scale, plus its offset, is the feature
    offsets: Floats
    categories: list[str]  # B
    modes: list[str]  # [B]
    codes: list[list[str]]  # [B], sorted: those of train
    marks: bool

    @classmethod
    def fit(cls, train: pd.DataFrame, columns: list[Entry], impute: str) -> Self:
        """Fit on the values of the train subjects that have the modality.

        Raises:
            InputError: when no column has a value.
        """
        from sklearn.impute import SimpleImputer
        from sklearn.preprocessing import MinMaxScaler

        known = [entry for entry in columns if train[entry.name].notna().any()]
        if not known:
            raise InputError(
                "no train subject has any value in these tables: are they of the same subjects as the scans?"
            )
        numbers = [entry.name for entry in known if entry.kind != "category"]
        imputed = lows = highs = scales = offsets = np.empty(0)
        if numbers:
            fill, scale = SimpleImputer(strategy=impute), MinMaxScaler((-1, 1))
            scale.fit(fill.fit_transform(train[numbers].to_numpy(float)))
            imputed, lows, highs = fill.statistics_, scale.data_min_, scale.data_max_
            scales, offsets = scale.scale_, scale.min_
        categories = [entry.name for entry in known if entry.kind == "category"]
        modes = [train[name].dropna().mode().min() for name in categories]
        codes = [sorted(train[name].dropna().unique()) for name in categories]
        marks = bool(train[[entry.name for entry in known]].isna().all(axis=1).any())
        return cls(numbers, imputed, lows, highs, scales, offsets, categories, modes, codes, marks)

    @property
    def features(self) -> list[str]:
        """Names of the F features."""
        one_hot = [f"{name}_{code}" for name, codes in zip(self.categories, self.codes, strict=True) for code in codes]
        return [*self.numbers, *one_hot, *([MISSING] if self.marks else [])]

    def is_imputed(self, values: pd.DataFrame) -> NDArray[np.bool_]:
        """Tell which subjects have a value in none of the columns that are used [N]."""
        return np.asarray(values[[*self.numbers, *self.categories]].isna().all(axis=1))

    def transform(self, values: pd.DataFrame) -> NDArray[np.float32]:
        """Return the features of subjects of any split, or new ones, [N, F]."""
        numbers = values[self.numbers].to_numpy(float)
        blocks = [np.where(np.isnan(numbers), self.imputed, numbers) * self.scales + self.offsets]
        for name, mode, codes in zip(self.categories, self.modes, self.codes, strict=True):
            own = values[name].where(values[name].notna(), mode).to_numpy(object)
            blocks.append(np.where(own[:, None] == np.array(codes, object)[None], 1.0, -1.0))
        if self.marks:
            blocks.append(np.where(self.is_imputed(values), 1.0, -1.0)[:, None])
        return np.concatenate(blocks, axis=1).astype(np.float32)

    def require(self, values: pd.DataFrame, raw: str) -> None:
        """Refuse new values without a column that the model was trained with.

        Raises:
            InputError: naming table and column.
        """
        for name in [*self.numbers, *self.categories]:
            if name not in values:
                table, column = name.split(".")
                raise InputError(
                    f"{raw}: no table {table} with a column {column!r}, which the train split has: put it there; its "
                    "cells may be empty"
                )

    def unseen(self, values: pd.DataFrame) -> dict[str, float]:
        """Return by column the share of values, of those that are there, that train never had.

        Of numbers, those outside the range of train; of categories, codes that train lacks. Columns without any value
        are left out.
        """
        found: dict[str, float] = {}
        for name, low, high in zip(self.numbers, self.lows, self.highs, strict=True):
            own = values[name].dropna().astype(float)
            if len(own):
                found[name] = float(((own < low) | (own > high)).mean())
        for name, codes in zip(self.categories, self.codes, strict=True):
            own = values[name].dropna()
            if len(own):
                found[name] = float((~own.isin(codes)).mean())
        return found

    def described(self) -> dict[str, Any]:
        """Return what was fitted, for the JSON."""
        numbers = {"imputed": self.imputed.tolist(), "low": self.lows.tolist(), "high": self.highs.tolist()}
        return (numbers if self.numbers else {}) | ({"modes": self.modes} if self.categories else {})

    def fitted(self) -> Fitted:
        """Return all that was fitted, as arrays; `from_fitted` makes the same encoder of them."""
        texts = {"numbers": self.numbers, "categories": self.categories, "modes": self.modes}
        texts["codes"] = [code for codes in self.codes for code in codes]
        return {name: np.array(values, np.str_) for name, values in texts.items()} | {
            "imputed": self.imputed,
            "lows": self.lows,
            "highs": self.highs,
            "scales": self.scales,
            "offsets": self.offsets,
            "code_counts": np.array([len(codes) for codes in self.codes], np.int64),
            "marks": np.array(self.marks),
        }

    @classmethod
    def from_fitted(cls, values: Fitted) -> Self:
        """Return the encoder that `fitted` describes."""
        codes, ends = values["codes"].tolist(), np.cumsum(values["code_counts"]).tolist()
        return cls(
            numbers=values["numbers"].tolist(),
            imputed=values["imputed"],
            lows=values["lows"],
            highs=values["highs"],
            scales=values["scales"],
            offsets=values["offsets"],
            categories=values["categories"].tolist(),
            modes=values["modes"].tolist(),
            codes=[codes[start:end] for start, end in zip([0, *ends], ends, strict=False)],
            marks=bool(values["marks"]),
        )
