"""All of params.yaml as typed, checked settings; a dataset's own are found in its folder."""

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, create_model, field_validator, model_validator

import stages.datasets
from i2moe.base.errors import InputError
from i2moe.base.strict import OnceEach, Positive, PositiveNumber, Probability, Seed, Strict, nearest
from i2moe.model.config import ModelConfig
from i2moe.selection import SELECTION, check_selection
from stages.datasets.tables.settings import TableParams
from stages.settings.models import bases, resolve_models
from stages.shared.base import paths
from stages.shared.base.params import check, read_params
from stages.shared.cohort.shares import SplitParams
from stages.shared.runs import ExplainParams, HardwareParams, Run

RESERVED = ("defaults", "shared")  # blocks of `models` besides those of datasets

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


class RunParams(Strict):
    """What to run."""

    datasets: Annotated[list[str], Field(min_length=1), OnceEach]
    models: Annotated[list[str], Field(min_length=1), OnceEach]
    seeds: Annotated[list[Seed], Field(min_length=1), OnceEach]
    max_epochs: Positive | None
    max_batch_size: Positive | None


class Datasets(Strict):
    """Every dataset there is: tables by name, and a block for each that has a folder of its own."""

    tables: dict[Name, TableParams]

    def blocks(self) -> dict[str, Any]:
        """Return the settings of each dataset that has any."""
        own = {name: getattr(self, name) for name in type(self).model_fields if name != "tables"}
        return {name: block for name, block in {**self.tables, **own}.items() if block is not None}

    def raw(self) -> dict[str, str]:
        """Return where the raw files of each dataset are."""
        return {name: block.raw for name, block in self.blocks().items()}

    @field_validator("tables")
    @classmethod
    def _leave_names_alone(cls, tables: dict[str, TableParams]) -> dict[str, TableParams]:
        for name in tables:
            if name in cls.model_fields:
                raise ValueError(f"{name!r} is the name of a dataset with stages of its own; allowed: any other name")
            if name in RESERVED:
                raise ValueError(f"{name!r} is a block of `models`, not a dataset; allowed: any other name")
        return tables


class StandInTraining(Strict):
    """How every model is made and trained on a stand-in, in place of its own settings, which are for more data."""

    learning_rate: PositiveNumber
    dropout: Probability
    # At most:
    encoder_dim: Positive
    hidden_dim: Positive
    num_patches: Positive
    batch_size: Positive
    epochs: Positive

    def of(self, config: ModelConfig) -> ModelConfig:
        """Return a model's settings on a stand-in."""
        update = self.model_dump()
        for name in set(update) - {"learning_rate", "dropout"}:
            update[name] = min(update[name], getattr(config, name))
        return config.model_copy(update=update)


class Synthetic(Strict):
    """The stand-ins: a block for each dataset that has one."""

    training: StandInTraining | None = None


def found_in_folders(kind: str) -> dict[str, Any]:
    """Find the class of this name in each dataset's `settings.py`; each may be absent from params.yaml."""
    found = {}
    for folder in pkgutil.iter_modules(stages.datasets.__path__):
        content = importlib.import_module(f"stages.datasets.{folder.name}.settings")
        if hasattr(content, kind):
            found[folder.name] = (getattr(content, kind) | None, None)
    return found


if TYPE_CHECKING:
    DataParams = Datasets
    SyntheticParams = Synthetic
else:
    DataParams = create_model("DataParams", __base__=Datasets, **found_in_folders("Settings"))
    SyntheticParams = create_model("SyntheticParams", __base__=Synthetic, **found_in_folders("SyntheticSettings"))


class Params(Strict):
    """All of params.yaml; `models` holds the resolved settings by dataset and model."""

    run: RunParams
    split: SplitParams
    synthetic: SyntheticParams = SyntheticParams()
    data: DataParams
    train: HardwareParams
    explain: ExplainParams
    models: dict[str, dict[str, ModelConfig]]

    @model_validator(mode="after")
    def _select_by_task(self) -> Self:
        """Let the task decide what selects the best epoch, where a model does not."""
        for dataset, block in self.data.blocks().items():
            for name, config in self.models.get(dataset, {}).items():
                chosen = {"selection": config.selection or SELECTION[block.task]}
                self.models[dataset][name] = config.model_copy(update=chosen)
        return self

    @model_validator(mode="after")
    def _run_what_exists(self) -> Self:
        known = self.data.raw()
        for dataset in self.run.datasets:
            if dataset not in known:
                raise ValueError(f"run.datasets: unknown dataset {dataset!r}; {nearest(dataset, known)}")
            for model in self.run.models:
                if model not in self.models[dataset]:
                    hint = nearest(model, self.models[dataset])
                    raise ValueError(f"run.models: unknown model {model!r} for dataset {dataset}; {hint}")
                self._check_model(dataset, model)
        return self

    def _check_model(self, dataset: str, model: str) -> None:
        """Refuse what a model asks of a dataset that does not have it, which training would find much later."""
        config, block, place = self.models[dataset][model], self.data.blocks()[dataset], f"models.{dataset}.{model}"
        try:
            check_selection(block.task, str(config.selection))
        except InputError as error:
            raise ValueError(f"{place}.{error}") from error
        parts, size = (
            self.train.num_processes * self.train.accumulate_grad_batches,
            self.model(dataset, model).batch_size,
        )
        if size < parts:
            raise ValueError(
                f"{place}.batch_size: {size} samples cannot be cut into {parts} parts (train.devices × train.num_nodes "
                f"× train.accumulate_grad_batches); allowed: {parts} and more, or fewer parts"
            )
        if config.class_weights is not None:
            classes = getattr(block, "classes", None)
            if block.task not in ("binary", "multiclass") or (classes and len(classes) != len(config.class_weights)):
                allowed = f"one for each of {classes}" if classes else "for binary and multiclass"
                raise ValueError(f"{place}.class_weights: do not fit {dataset}, task {block.task}; allowed: {allowed}")
        if (config.interaction or config.sealed) and len(block.modalities) < 2:  # noqa: PLR2004
            raise ValueError(
                f"{place} has interaction experts, which need two modalities or more; data of {dataset} have one: "
                "allowed: vanilla fusion methods, such as mult"
            )

    def label(self, dataset: str) -> str:
        """Return how a report names a dataset: one whose raw files are the synthetic ones is called synthetic."""
        return f"{dataset} (synthetic)" if self.is_synthetic(dataset) else dataset

    def is_synthetic(self, dataset: str) -> bool:
        """Return whether a dataset's raw files are the synthetic ones."""
        return Path(self.data.raw()[dataset]).is_relative_to(paths.synthetic(dataset))

    def is_stand_in(self, dataset: str) -> bool:
        """Return whether a dataset is the synthetic stand-in for data that need a licence."""
        return getattr(self.synthetic, dataset, None) is not None and self.is_synthetic(dataset)

    def model(self, dataset: str, model: str) -> ModelConfig:
        """Return a model's settings as they are trained: on a stand-in with its training, and capped by `run`."""
        config = self.models[dataset][model]
        if self.is_stand_in(dataset) and self.synthetic.training:
            config = self.synthetic.training.of(config)
        capped = {
            "epochs": min(config.epochs, self.run.max_epochs or config.epochs),
            "batch_size": min(config.batch_size, self.run.max_batch_size or config.batch_size),
        }
        return config.model_copy(update=capped)

    def to_run(self, raw: dict[str, Any]) -> Run:
        """Return what the report must know of the run.

        Args:
            raw: the file that this was read from.
        """
        return Run(
            datasets={dataset: self.label(dataset) for dataset in self.run.datasets},
            models=self.run.models,
            seeds=self.run.seeds,
            max_epochs=self.run.max_epochs,
            max_batch_size=self.run.max_batch_size,
            stand_ins=[name for name in self.run.datasets if self.is_stand_in(name)] if self.synthetic.training else [],
            split_seed=self.split.seed,
            vanilla={dataset: self.vanilla(dataset) for dataset in self.run.datasets},
            bases={dataset: bases(raw, dataset, self.run.models) for dataset in self.run.datasets},
        )

    def vanilla(self, dataset: str) -> dict[str, str]:
        """Return the vanilla model of the run whose fusion settings an I2MoE has, by I2MoE, where there is one.

        Of several it is the one that has most other settings in common.
        """
        models = {name: self.model(dataset, name) for name in self.run.models}
        found = {}
        for name, config in models.items():
            alike = {
                other: sum(getattr(config, field) == getattr(own, field) for field in ModelConfig.model_fields)
                for other, own in models.items()
                if own.interaction is None and own.sealed is None and own.fusion == config.fusion
            }
            if config.interaction is not None and alike:
                found[name] = max(alike, key=alike.__getitem__)
        return found


def load_params(path: Path = paths.PARAMS) -> Params:
    """Read and check all of params.yaml.

    Raises:
        InputError: naming each wrong key, its value, what is allowed and the nearest valid name.
    """
    return check_params(read_params(path), path)


def check_params(raw: dict[str, Any], path: Path) -> Params:
    """Resolve and check parameters that a file holds.

    Raises:
        InputError: naming the file, each wrong key, its value, what is allowed and the nearest valid name.
    """
    try:
        resolved = resolve_models(raw)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return check(resolved, Params, path)
