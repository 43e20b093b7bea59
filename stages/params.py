"""params.yaml as typed, checked settings; `python -m stages.params` only checks them."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import typer
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from i2moe.config import ModelConfig, Positive, Strict, nearest, once_each
from i2moe.errors import InputError
from stages import paths
from stages.adni.settings import AdniSettings, SyntheticAdniSettings
from stages.command import run as run_command
from stages.mimic.settings import MimicSettings, SyntheticMimicSettings

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
ModalityName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
# What pydantic adds to a key to say which of several types it tried.
UNION_PART = re.compile(r"^(\[key\]|str|list\[.*\]|constrained-.*)$")
Share = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0)]


class RunParams(Strict):
    """What to run."""

    datasets: Annotated[list[str], Field(min_length=1)]
    models: Annotated[list[str], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    max_epochs: Positive | None

    @field_validator("datasets", "models", "seeds")
    @classmethod
    def _once_each(cls, values: list[Any]) -> list[Any]:
        return once_each(values)


class SplitParams(Strict):
    """Shares of the three splits."""

    train: Share
    validation: Share
    test: Share
    seed: Seed

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:  # noqa: PLR2004
            raise ValueError(f"train + validation + test is {total:g}; allowed: shares that sum to 1")
        return self


class Columns(Strict):
    """The columns of one modality: a list, a prefix of their names, or a regular expression that their names match."""

    columns: Annotated[list[str], Field(min_length=1)] | None = None
    prefix: str | None = None
    regex: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [key for key in type(self).model_fields if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(
                f"gives {' and '.join(given) or 'nothing'}; allowed: exactly one of columns, prefix, regex"
            )
        return self

    @field_validator("regex")
    @classmethod
    def _compiles(cls, regex: str | None) -> str | None:
        try:
            re.compile(regex or "")
        except re.error as error:
            raise ValueError(f"{regex!r} is no regular expression ({error}); allowed: Python's syntax") from error
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


class DataParams(Strict):
    """Every dataset there is, by kind."""

    tables: dict[Name, TableParams]
    mimic: MimicSettings | None = None
    adni: AdniSettings | None = None

    def names(self) -> list[str]:
        """Return the names of all datasets."""
        return [*self.tables, *(name for name in ("mimic", "adni") if getattr(self, name) is not None)]

    @field_validator("tables")
    @classmethod
    def _leave_names_alone(cls, tables: dict[str, TableParams]) -> dict[str, TableParams]:
        for name in tables:
            if name in cls.model_fields:
                raise ValueError(f"{name!r} is the name of a dataset with stages of its own; allowed: any other name")
        return tables


class SyntheticParams(Strict):
    """How much to synthesize of each dataset whose real files need a licence."""

    mimic: SyntheticMimicSettings | None = None
    adni: SyntheticAdniSettings | None = None


class TrainParams(Strict):
    """Hardware: Lightning's names and values."""

    accelerator: str
    devices: Positive
    strategy: str
    precision: str
    num_workers: Annotated[int, Field(ge=0)]


class Params(Strict):
    """All of params.yaml; `models` holds the resolved settings by dataset and model."""

    run: RunParams
    split: SplitParams
    synthetic: SyntheticParams = SyntheticParams()
    data: DataParams
    train: TrainParams
    models: dict[str, dict[str, ModelConfig]]

    @model_validator(mode="after")
    def _run_what_exists(self) -> Self:
        for dataset in self.run.datasets:
            if dataset not in self.data.names():
                raise ValueError(f"run.datasets: unknown dataset {dataset!r}; {nearest(dataset, self.data.names())}")
            if dataset not in self.models:
                raise ValueError(
                    f"models.{dataset} is missing: give each model of run.models a block there, {{}} at least"
                )
            for model in self.run.models:
                if model not in self.models[dataset]:
                    known = nearest(model, self.models[dataset])
                    raise ValueError(f"run.models: unknown model {model!r} for dataset {dataset}; {known}")
        return self

    def table(self, dataset: str) -> TableParams:
        """Return the settings of a dataset that comes as tables.

        Raises:
            InputError: for an unknown name.
        """
        if dataset not in self.data.tables:
            raise InputError(f"unknown dataset {dataset!r} under data.tables; {nearest(dataset, self.data.tables)}")
        return self.data.tables[dataset]

    def mimic(self) -> MimicSettings:
        """Return the settings of MIMIC-IV.

        Raises:
            InputError: when there are none.
        """
        if self.data.mimic is None:
            raise InputError("params.yaml: data.mimic is missing: take the block from the project's own params.yaml")
        return self.data.mimic

    def adni(self) -> AdniSettings:
        """Return the settings of ADNI.

        Raises:
            InputError: when there are none.
        """
        if self.data.adni is None:
            raise InputError("params.yaml: data.adni is missing: take the block from the project's own params.yaml")
        return self.data.adni

    def model(self, dataset: str, model: str) -> ModelConfig:
        """Return a model's settings, with its epochs capped by run.max_epochs."""
        config = self.models[dataset][model]
        cap = self.run.max_epochs
        return config if cap is None else config.model_copy(update={"epochs": min(cap, config.epochs)})


def load_params(path: Path = paths.PARAMS) -> Params:
    """Read and check params.yaml.

    Raises:
        InputError: naming each wrong key, its value, what is allowed and the nearest valid name.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        raw = YAML(typ="safe", pure=True).load(path)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: run this in the project's root") from error
    except YAMLError as error:
        raise InputError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise InputError(f"{path}: no keys found; allowed: {', '.join(Params.model_fields)}")
    try:
        return TypeAdapter(Params).validate_python(_resolve_models(raw))
    except ValidationError as error:
        problems = list(dict.fromkeys(_describe(detail) for detail in error.errors()))
        raise InputError(f"{path}: " + "; ".join(problems)) from error


def _resolve_models(raw: dict[str, Any]) -> dict[str, Any]:
    """Put models.defaults under every dataset's and model's own block; what is no block is left for validation."""
    models = raw.get("models")
    if not isinstance(models, dict):
        return raw
    defaults = models.get("defaults") or {}
    if not isinstance(defaults, dict):
        return raw | {"models": {"defaults": defaults}}
    resolved: dict[str, Any] = {}
    for dataset, blocks in models.items():
        if dataset != "defaults":
            is_block = isinstance(blocks, dict)
            resolved[dataset] = {name: _over(defaults, block) for name, block in blocks.items()} if is_block else blocks
    return raw | {"models": resolved}


def _over(defaults: dict[str, Any], block: Any) -> Any:  # noqa: ANN401 (anything may stand in the file)
    return merge(defaults, block or {}) if isinstance(block, dict | None) else block


def merge(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    """Return base with override's values, block by block."""
    merged = dict(base)
    for key, value in override.items():
        both_blocks = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_blocks else value
    return merged


def _describe(error: ErrorDetails) -> str:
    """Say what is wrong in terms of the file: key, value, what is allowed, nearest valid name."""
    key = ".".join(str(part) for part in error["loc"] if not UNION_PART.match(str(part)))
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return f"{key}: {message}" if key else message
    if error["type"] == "missing":
        return f"{key} is missing"
    hint = ""
    if error["type"] == "literal_error":
        valid = [choice.strip(" '") for choice in error["ctx"]["expected"].replace(" or ", ",").split(",")]
        hint = f"; {nearest(error['input'], valid)}"
    return f"{key}: {message}, not {error['input']!r}{hint}"


def check(
    stamp: Annotated[Path | None, typer.Argument(help="file to write when all is well, for stages to wait for")] = None,
) -> None:
    """Check params.yaml: every key, type and value, before anything runs."""
    load_params()
    if stamp:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text("params.yaml is valid\n")


if __name__ == "__main__":
    run_command(check)
