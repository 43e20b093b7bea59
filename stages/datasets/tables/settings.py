"""The settings under data.tables: everything that must be said about a dataset that comes as tables."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from i2moe.base.errors import InputError
from i2moe.base.strict import Positive, Seed, Strict, nearest
from i2moe.contract.task import Licence, Task
from stages.shared.base.params import load_block

ModalityName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
TFIDF, WORDS = "tfidf", "words"  # encoders of texts; any other name is a Hugging Face model's


def _as_name(value: Any) -> Any:  # noqa: ANN401 (the file may hold anything)
    """Turn a class that YAML reads as a whole number into its name."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ClassName = Annotated[str, BeforeValidator(_as_name)]


class Image(Strict):
    """Pictures by path, through a frozen network of torchvision's or the vision tower of a Hugging Face model."""

    column: str  # paths, relative to `raw`
    network: str = "vgg16"  # vgg16 | vgg11 | resnet18 | resnet50 | a local folder, or OWNER/NAME at the hub
    weights: str = "none"  # of torchvision's networks: none | IMAGENET1K_V1 | a local file
    seed: Seed = 0  # of weights `none`
    batch_size: Positive = 16


class Text(Strict):
    """Texts of a column, each as one vector."""

    column: str
    encoder: str = TFIDF  # tfidf | words | a local folder of a Hugging Face encoder, or OWNER/NAME at the hub
    vectors: str | None = None  # of encoder words: file in word2vec's format under `raw`
    min_texts: Positive = 2  # of encoder tfidf: train texts that have a term
    max_terms: Positive = 50_000
    dim: Positive = 64  # of their truncated SVD, at most
    seed: Seed = 0

    @model_validator(mode="after")
    def _words_have_vectors(self) -> Self:
        if (self.encoder == WORDS) != (self.vectors is not None):
            raise ValueError("encoder words needs `vectors`, a file of word vectors under `raw`; others have none")
        return self


class Sequence(Strict):
    """Series: an NPY array [N, T, F], or a table of single measurements."""

    file: str  # under `raw`
    lengths: str | None = None  # of an array: an NPY file of the real steps of each row; none: all T
    id: str | None = None  # of a table: the column with the sample's id
    time: str | None = None  # by which a sample's steps are ordered
    columns: Annotated[list[str], Field(min_length=1)] | None = None  # what was measured; none: all others
    max_steps: Positive = 512  # of a sample, its last ones

    @model_validator(mode="after")
    def _fit_the_file(self) -> Self:
        is_array = self.file.endswith(".npy")
        table_keys = [key for key in ("id", "time", "columns") if getattr(self, key) is not None]
        if is_array and table_keys:
            raise ValueError(f"{table_keys[0]} is of a table; {self.file} is an array; allowed with it: lengths")
        if not is_array and (self.lengths is not None or self.id is None or self.time is None):
            raise ValueError("a table of measurements needs `id` and `time`, and has no `lengths`")
        return self


class Array(Strict):
    """Numbers [N, F] or maps [N, C, h, w] of an NPY file under `raw`, whose rows are those of the first of `files`."""

    file: str


class Modality(Strict):
    """What one modality is made of: columns of the tables, or one of the other kinds."""

    columns: Annotated[list[str], Field(min_length=1)] | None = None
    prefix: str | None = None  # of columns' names
    regex: str | None = None  # which matches columns' whole names
    file: str | None = None  # one of `files`, all of whose columns it takes
    image: Image | None = None
    text: Text | None = None
    sequence: Sequence | None = None
    array: Array | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [key for key in type(self).model_fields if getattr(self, key) is not None]
        if len(given) != 1:
            allowed = ", ".join(type(self).model_fields)
            raise ValueError(f"has {' and '.join(given) or 'nothing'}; allowed: exactly one of {allowed}")
        return self

    @field_validator("regex")
    @classmethod
    def _compiles(cls, regex: str | None) -> str | None:
        try:
            re.compile(regex or "")
        except re.error as error:
            raise ValueError(f"{regex!r} is not a regular expression ({error}); allowed: Python's syntax") from error
        return regex

    @property
    def own_column(self) -> str | None:
        """The column of the tables that an image or a text is in."""
        kind = self.image or self.text
        return kind.column if kind else None

    @property
    def is_columns(self) -> bool:
        """Whether it is made of columns of the tables."""
        return not (self.image or self.text or self.sequence or self.array)


class TableParams(Strict):
    """A dataset that comes as tables."""

    raw: str
    files: list[str] | None = None
    id: str | None = None
    group: str | None = None
    label: str | list[str]
    task: Task
    classes: list[ClassName] | None = None
    licence: Licence = "restricted"
    incomplete: Literal["drop", "keep"] = "drop"  # samples that lack a modality
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None  # of CSV files; none: recognised
    encoding: str = "utf-8"  # of CSV files
    decimal: Literal[".", ","] = "."  # of CSV files
    missing: list[str] = Field(default_factory=list)  # values of CSV files that stand for nothing, besides pandas'
    categorical: list[str] = Field(default_factory=list)  # columns of categories, whatever they hold
    modalities: Annotated[dict[ModalityName, Modality], Field(min_length=1)]

    @model_validator(mode="after")
    def _label_fits_task(self) -> Self:
        if isinstance(self.label, list) != (self.task == "multilabel"):
            raise ValueError(
                f"label {self.label!r} does not fit task {self.task!r}; allowed: a list for multilabel only"
            )
        if self.classes is not None and self.task in ("multilabel", "regression"):
            raise ValueError(f"classes have no meaning for task {self.task!r}; allowed: for binary and multiclass only")
        return self

    @model_validator(mode="after")
    def _other_files_are_in_a_folder(self) -> Self:
        for name, own in self.modalities.items():
            if self.files is None and not own.is_columns and (own.text is None or own.text.vectors):
                raise ValueError(
                    f"modalities.{name} has files of its own: let `raw` be the folder that holds them, and list the "
                    "tables in it under `files`"
                )
            if own.file is not None and own.file not in (self.files or []):
                raise ValueError(f"modalities.{name}.file: {nearest(own.file, self.files or [])}")
        return self

    @property
    def labels(self) -> list[str]:
        """The label's columns."""
        return self.label if isinstance(self.label, list) else [self.label]


def load_table_params(dataset: str) -> TableParams:
    """Read and check the settings of a dataset that comes as tables.

    Raises:
        InputError: for an unknown name, or wrong settings.
    """
    tables = load_block("data.tables", dict[str, Any])
    if dataset not in tables:
        raise InputError(f"unknown dataset {dataset!r} under data.tables; {nearest(dataset, tables)}")
    return load_block(f"data.tables.{dataset}", TableParams)
