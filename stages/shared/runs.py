"""What the settings stage writes and later stages read: what runs, and each model's settings in full."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, ValidationError

from i2moe.base.errors import InputError
from i2moe.base.strict import Count, Positive, PositiveNumber, Seed, Strict
from i2moe.model.config import ModelConfig
from stages.shared.base import paths
from stages.shared.files import write_whole

Kind = TypeVar("Kind", bound=Strict)


class Numerics(Strict):
    """What of `train` may change a number: where and how training runs, with Lightning's and PyTorch's names."""

    accelerator: str
    devices: Positive  # of each node
    num_nodes: Positive
    # Others cut the model up, or start processes in a way in which nothing here can follow.
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true"]
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]
    compile: bool
    accumulate_grad_batches: Positive

    @property
    def num_processes(self) -> int:
        """Of all nodes, one for each device."""
        return self.devices * self.num_nodes


class HardwareParams(Numerics):
    """The settings under `train`."""

    num_workers: Count  # changes no number, so that no stage runs again for it


class TokenParams(Strict):
    """The settings under `explain.tokens`: how much is read of the tokens of models that see sequences of them."""

    samples: Positive  # of the test split, drawn once
    top: Positive  # tokens of each modality whose pairs are probed
    draws: Annotated[int, Field(ge=2)]  # contexts of a pair, at most
    tolerance: PositiveNumber  # standard error of a pair's index at which its draws end


class ExplainParams(Strict):
    """The settings under `explain`: choices of the readings."""

    agreement_tolerance: PositiveNumber | None  # of regression, in the label's units
    tokens: TokenParams


class Training(Strict):
    """`results/settings/train.json`: what all trainings have in common besides their model's settings."""

    seeds: list[Seed]
    numerics: Numerics


class Explaining(Strict):
    """`results/settings/explain.json`: what all explanations have in common."""

    accelerator: str
    choices: ExplainParams


class Run(Strict):
    """`results/settings/run.json`: what the report shows."""

    datasets: dict[str, str]  # by name, what the report calls it
    models: list[str]
    seeds: list[Seed]
    max_epochs: Positive | None
    max_batch_size: Positive | None
    stand_ins: list[str]  # the datasets whose models train as synthetic.training says
    split_seed: Seed
    vanilla: dict[str, dict[str, str]]  # by dataset and I2MoE, the model that is its fusion alone, where one runs
    bases: dict[str, dict[str, str]]  # by dataset and model, the model that it starts from, where that runs


class ModelSettings(Strict):
    """`results/settings/<dataset>/<model>.json`: all that a model is made of."""

    config: ModelConfig
    fusion_source: str  # hash of the fusion method's source: when that changes, the model trains again


def write_settings(path: Path, settings: Strict) -> None:
    """Write settings as JSON."""
    write_whole(path, lambda partial: partial.write_text(text_of(settings), encoding="utf-8"))


def text_of(settings: Strict) -> str:
    """Return settings as they are written."""
    return settings.model_dump_json(indent=2) + "\n"


def read_run() -> Run:
    """Read what runs.

    Raises:
        InputError: for a file that is missing or broken.
    """
    return _read(paths.run_settings(), Run)


def read_training() -> Training:
    """Read which seeds are trained, and where.

    Raises:
        InputError: for a file that is missing or broken.
    """
    return _read(paths.training_settings(), Training)


def read_explaining() -> Explaining:
    """Read where and how models are explained.

    Raises:
        InputError: for a file that is missing or broken.
    """
    return _read(paths.explanation_settings(), Explaining)


def read_model(dataset: str, model: str) -> ModelConfig:
    """Read a model's settings on a dataset, capped as `run` says.

    Raises:
        InputError: for a file that is missing or broken.
    """
    return _read(paths.model_settings(dataset, model), ModelSettings).config


def _read(path: Path, kind: type[Kind]) -> Kind:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: run the settings stage (python -m stages.settings) first") from error
    except (ValidationError, OSError) as error:
        raise InputError(
            f"{path} is not what the settings stage writes: run python -m stages.settings again"
        ) from error
