"""params.yaml as typed, checked settings; `python -m stages.params` checks them and writes each model's in full."""

import hashlib
import json
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import typer
from pydantic import Field, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from i2moe.config import ModelConfig, OwnFusionConfig, Positive, Strict, nearest, once_each
from i2moe.errors import InputError
from stages import paths
from stages.adni.settings import AdniSettings, SyntheticAdniSettings
from stages.command import run as run_command
from stages.enrico.settings import EnricoSettings, SyntheticEnricoSettings
from stages.imdb.settings import ImdbSettings, SyntheticImdbSettings
from stages.mimic.settings import MimicSettings, SyntheticMimicSettings
from stages.models import resolve_models
from stages.mosi.settings import MosiSettings, SyntheticMosiSettings

Block = TypeVar("Block", bound=Strict)
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
ModalityName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
# What pydantic adds to a key to say which of several types it tried.
UNION_PART = re.compile(r"^(\[.*\]|str|list\[.*\]|constrained-.*)$")
MODEL_DEPTH = 3  # models.DATASET.MODEL
Share = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0)]


class RunParams(Strict):
    """What to run."""

    datasets: Annotated[list[str], Field(min_length=1)]
    models: Annotated[list[str], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    max_epochs: Positive | None
    max_batch_size: Positive | None

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
    imdb: ImdbSettings | None = None
    mosi: MosiSettings | None = None
    enrico: EnricoSettings | None = None

    def names(self) -> list[str]:
        """Return the names of all datasets."""
        own = [name for name in type(self).model_fields if name != "tables"]
        return [*self.tables, *(name for name in own if getattr(self, name) is not None)]

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
    imdb: SyntheticImdbSettings | None = None
    mosi: SyntheticMosiSettings | None = None
    enrico: SyntheticEnricoSettings | None = None


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

    def label(self, dataset: str) -> str:
        """Return how a report names a dataset: one whose raw files are the synthetic ones is called synthetic."""
        source = self.data.tables[dataset] if dataset in self.data.tables else getattr(self.data, dataset)
        is_synthetic = Path(source.raw).is_relative_to(paths.synthetic(dataset))
        return f"{dataset} (synthetic)" if is_synthetic else dataset

    def model(self, dataset: str, model: str) -> ModelConfig:
        """Return a model's settings, with its epochs and batch size capped by `run`."""
        config = self.models[dataset][model]
        capped = {
            "epochs": min(config.epochs, self.run.max_epochs or config.epochs),
            "batch_size": min(config.batch_size, self.run.max_batch_size or config.batch_size),
        }
        return config.model_copy(update=capped)

    def settings(self, dataset: str, model: str) -> dict[str, Any]:
        """Return all that a model is made of: its settings in full, and a hash of the source of a fusion of your own.

        Raises:
            InputError: when that source cannot be imported.
        """
        config = self.model(dataset, model)
        settings = config.model_dump()
        if isinstance(config.fusion, OwnFusionConfig):
            import inspect

            from i2moe.fusion import import_fusion

            source = Path(inspect.getfile(import_fusion(config.fusion.method)))
            settings["fusion"]["source"] = hashlib.blake2b(source.read_bytes(), digest_size=16).hexdigest()
        return settings


def required(block: Block | None, key: str) -> Block:
    """Return a block of settings that a stage cannot do without.

    Raises:
        InputError: when params.yaml does not have it.
    """
    if block is None:
        raise InputError(f"params.yaml: {key} is missing: take the block from the project's own params.yaml")
    return block


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
        return TypeAdapter(Params).validate_python(resolve_models(raw))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except ValidationError as error:
        raise InputError(f"{path}: " + "; ".join(_problems(error))) from error


def _problems(error: ValidationError) -> list[str]:
    """Say each problem once, though every model that inherits a wrong value has it."""
    places = defaultdict(list)
    for detail in error.errors():
        place, problem = _describe(detail)
        places[problem].append(place)
    problems = []
    for problem, where in places.items():
        more = f" (and {len(where) - 1} more)" if len(where) > 1 and where[0].startswith("models.") else ""
        problems.append(f"{where[0]}{more}{problem}")
    return list(dict.fromkeys(problems))


def _describe(error: ErrorDetails) -> tuple[str, str]:
    """Say where something is wrong, and what: key, value, what is allowed, nearest valid name.

    Of a model's setting, the place is the model (`models.DATASET.MODEL`), so that what models share can be told.
    """
    parts = [str(part) for part in error["loc"] if not UNION_PART.match(str(part))]
    depth = MODEL_DEPTH if parts[:1] == ["models"] else len(parts)
    place, key = ".".join(parts[:depth]), "".join(f".{part}" for part in parts[depth:])
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return place, f"{key}: {message}" if place else message
    if error["type"] == "missing":
        return place, f"{key} is missing"
    hint = ""
    if error["type"] == "literal_error":
        valid = [choice.strip(" '") for choice in error["ctx"]["expected"].replace(" or ", ",").split(",")]
        hint = f"; {nearest(error['input'], valid)}"
    return place, f"{key}: {message}, not {error['input']!r}{hint}"


def check(
    folder: Annotated[Path | None, typer.Argument(help="where to write the settings of each dataset and model")] = None,
) -> None:
    """Check params.yaml, every key, type and value; write the settings in full of each model that runs."""
    params = load_params()
    settings = {
        Path(dataset, f"{model}.json"): params.settings(dataset, model)
        for dataset in params.run.datasets
        for model in params.run.models
    }
    if folder is None:
        return
    shutil.rmtree(folder, ignore_errors=True)
    for name, values in settings.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(values, indent=2) + "\n")


if __name__ == "__main__":
    run_command(check)
