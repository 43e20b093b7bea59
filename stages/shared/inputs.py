"""What is shown of single test samples' inputs: `results/inputs/<dataset>.json`, and what a dataset's raw files add.

The raw files of a dataset are read by its own `stages/datasets/<name>/inputs.py`, which has one function:

    def raw_inputs(dataset: str, samples: Mapping[str, list[str]]) -> dict[str, Raw]:

It gets by modality the ids of the samples that have it, and returns, of the modalities whose features alone say little
to people, an image or a text for each of these samples, or the columns that a vector was made of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from i2moe.base.errors import InputError
from i2moe.base.strict import Count, Positive, Strict
from i2moe.contract.json_file import Description

if TYPE_CHECKING:
    from numpy.typing import NDArray

Number = int | float

UNKNOWN = "(not in train)"  # a category whose one-hot features are all 0
NOISE = 1e-6  # of the mean: a number nearer to 0 is what float32 left of a 0


@dataclass(frozen=True)
class Images:
    """The image files of samples, in their order."""

    paths: list[Path]
    source: str = ""  # where they are written, for errors; empty where they have one folder


@dataclass(frozen=True)
class Texts:
    """The texts of samples, in their order."""

    texts: list[str]


def texts_in_order(found: Mapping[Any, str], samples: Sequence[Any], raw: str) -> Texts:
    """Return the texts of samples, by id or row, in their order.

    Raises:
        InputError: for raw files that lack a sample of the cohort.
    """
    lacking = sum(sample not in found for sample in samples)
    if lacking:
        raise InputError(f"{raw} has no text of {lacking} samples of the cohort: rerun the cohort stage")
    return Texts([found[sample] for sample in samples])


@dataclass(frozen=True)
class Column:
    """One column, and the features that were made of it: one of a number, one or more of categories."""

    name: str
    features: list[int]
    mean: float = 0.0  # of a number, which was scaled by these
    scale: float = 1.0
    categories: list[str] | None = None  # that the features stand for
    otherwise: str = UNKNOWN  # the category where all features are 0

    def number(self, values: "NDArray[Any]") -> "NDArray[np.float64]":
        """Return numbers [N] in the column's unit."""
        raw = values.astype(np.float64) * self.scale + self.mean
        return np.where(np.abs(raw) < NOISE * abs(self.mean), 0, raw)

    def category(self, values: "NDArray[Any]") -> list[str]:
        """Return the categories of one-hot features [N, C], above 0 where one is."""
        texts = np.array(self.categories or [], object)[values.argmax(axis=1)]
        return [str(text) for text in np.where((values > 0).any(axis=1), texts, self.otherwise)]


@dataclass(frozen=True)
class Columns:
    """The columns that a vector was made of, in their unit; the values are in the features."""

    columns: list[Column]


Raw = Images | Texts | Columns


class ShownImages(Strict):
    """Thumbnails; None for a sample without one."""

    kind: Literal["image"] = "image"
    images: list[str | None]  # data URLs

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.images)


class ShownTexts(Strict):
    """Texts, cut off where they are long; None for a sample without one."""

    kind: Literal["text"] = "text"
    texts: list[str | None]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.texts)


class ShownVectors(Strict):
    """Named columns; a sample without the modality has None in place of its values and percentiles."""

    kind: Literal["vector"] = "vector"
    unit: Literal["raw", "scaled"]  # of values and means: the raw files', or that of the features
    names: list[str]
    means: list[Number | None]  # of train; None of categories
    values: list[list[Number | str] | None]
    percentiles: list[list[Number | None] | None]  # among train, 0 to 100; None of categories
    left_out: Positive | None = None  # features that are not shown, where there are any

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.values)

    @model_validator(mode="after")
    def _a_value_per_name(self) -> Self:
        rows = [self.means, *self.values, *self.percentiles]
        if len(self.values) != len(self.percentiles) or any(
            len(row) != len(self.names) for row in rows if row is not None
        ):
            raise ValueError("values, percentiles and means do not fit each other or the names")
        return self


class ShownSequences(Strict):
    """Some features over the real steps; a sample without the modality has None in place of its steps."""

    kind: Literal["sequence"] = "sequence"
    names: list[str]
    steps: list[list[list[Number]] | None]  # by sample, name and step
    words: list[list[str]] | None = None  # by sample and step, where steps are words

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.steps)

    @model_validator(mode="after")
    def _steps_of_each_name(self) -> Self:
        if any(len(own) != len(self.names) for own in self.steps if own is not None):
            raise ValueError("steps do not fit the names")
        if self.words is not None and len(self.words) != len(self.steps):
            raise ValueError("words do not fit the steps")
        return self


Shown = ShownImages | ShownTexts | ShownVectors | ShownSequences


class Inputs(Description):
    """`results/inputs/<dataset>.json`."""

    samples: list[str]  # ids of those that are shown; none where the dataset's licence forbids it
    of: Count  # test samples
    how: str  # they were chosen
    modalities: dict[str, Annotated[Shown, Field(discriminator="kind")]]  # those of which anything can be shown

    @model_validator(mode="after")
    def _one_of_each_sample(self) -> Self:
        for name, own in self.modalities.items():
            if len(own) != len(self.samples):
                raise ValueError(f"modality {name!r} has {len(own)} samples of {len(self.samples)}")
        return self

    def to_json(self) -> str:
        """Return the file's text, on one line: it is many numbers."""
        return self.model_dump_json(exclude_none=True) + "\n"
