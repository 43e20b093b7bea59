"""The settings under data.tables: everything that must be said about a dataset that comes as tables."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from i2moe.base.errors import InputError
from i2moe.base.strict import Strict, nearest
from stages.shared.base.params import load_block

ModalityName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Columns(Strict):
    """The columns of one modality: a list, a prefix of their names, or a regular expression that their names match."""

    columns: Annotated[list[str], Field(min_length=1)] | None = None
    prefix: str | None = None
    regex: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [key for key in type(self).model_fields if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(f"has {' and '.join(given) or 'nothing'}; allowed: exactly one of columns, prefix, regex")
        return self

    @field_validator("regex")
    @classmethod
    def _compiles(cls, regex: str | None) -> str | None:
        try:
            re.compile(regex or "")
        except re.error as error:
            raise ValueError(f"{regex!r} is not a regular expression ({error}); allowed: Python's syntax") from error
        return regex


class TableParams(Strict):
    """A dataset that comes as tables."""

    raw: str
    files: list[str] | None = None
    id: str | None = None
    group: str | None = None
    label: str | list[str]
    task: Literal["binary", "multiclass", "multilabel", "regression"]
    classes: list[str] | None = None
    licence: Literal["open", "restricted"] = "restricted"
    modalities: Annotated[dict[ModalityName, Columns], Field(min_length=1)]

    @model_validator(mode="after")
    def _label_fits_task(self) -> Self:
        if isinstance(self.label, list) != (self.task == "multilabel"):
            raise ValueError(
                f"label {self.label!r} does not fit task {self.task!r}; allowed: a list for multilabel only"
            )
        if self.classes is not None and self.task in ("multilabel", "regression"):
            raise ValueError(f"classes have no meaning for task {self.task!r}; allowed: for binary and multiclass only")
        return self


def load_table_params(dataset: str) -> TableParams:
    """Read and check the settings of a dataset that comes as tables.

    Raises:
        InputError: for an unknown name, or wrong settings.
    """
    tables = load_block("data.tables", dict[str, Any])
    if dataset not in tables:
        raise InputError(f"unknown dataset {dataset!r} under data.tables; {nearest(dataset, tables)}")
    return load_block(f"data.tables.{dataset}", TableParams)
