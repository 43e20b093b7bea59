"""Typed settings of a model and its training; every value is checked when it is read.

Sources: the paper's Tables 7-10 name these hyperparameters; Appendix F names the encoders.
"""

import difflib
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(gt=0)]
T = TypeVar("T")
Probability = Annotated[float, Field(ge=0, lt=1)]


def nearest(name: object, valid: Iterable[str]) -> str:
    """Return a hint that lists the valid names and points at the nearest one to a wrong name."""
    names = list(valid)
    close = difflib.get_close_matches(str(name), names, n=1, cutoff=0.4)
    return f"allowed: {', '.join(names)}" + (f"; did you mean {close[0]!r}?" if close else "")


def once_each(values: list[T]) -> list[T]:
    """Return a list as it is, where no value stands in it twice."""
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise ValueError(f"names {twice!r} twice; allowed: each name once")
    return values


class Strict(BaseModel):
    """Base of all settings: frozen, no conversion of types, and an unknown key is an error with a suggestion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, values: Any) -> Any:  # noqa: ANN401 (anything may stand in the file)
        if isinstance(values, dict):
            unknown = [key for key in values if key not in cls.model_fields]
            if unknown:
                problems = [f"{key!r} (value {values[key]!r}): {nearest(key, cls.model_fields)}" for key in unknown]
                raise ValueError("unknown key " + "; unknown key ".join(problems))
        return values


class MulTConfig(Strict):
    """Settings of `i2moe.fusion.mult.MulT`."""

    method: Literal["mult"]
    num_layers: Positive
    num_heads: Positive


class InteractionConfig(Strict):
    """What turns a fusion method into an I2MoE."""

    loss_weight: Annotated[float, Field(ge=0)]  # λ, `interaction_loss_weight` in Tables 7-10


class ReweightingConfig(Strict):
    """Settings of `i2moe.interaction.Reweighting`; `*_rw` in Tables 7-10."""

    hidden_dim: Positive
    num_layers: Positive
    temperature: Annotated[float, Field(gt=0)]


class ModelConfig(Strict):
    """One model for one dataset: encoders, fusion, how it is trained; an I2MoE where `interaction` is given."""

    encoder: Literal["mlp", "lstm", "patch"]
    encoder_dim: Positive
    num_patches: Positive
    hidden_dim: Positive
    dropout: Probability
    fusion: MulTConfig
    interaction: InteractionConfig | None = None
    reweighting: ReweightingConfig | None = None
    learning_rate: Annotated[float, Field(gt=0)]
    class_weights: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=2)] | None = None  # of cross-entropy
    batch_size: Positive
    epochs: Positive
    selection: str  # the validation metric that picks the best epoch; `i2moe.metrics` lists them by task

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        heads = self.fusion.num_heads
        if self.hidden_dim % heads:
            divisors = [n for n in range(1, self.hidden_dim + 1) if self.hidden_dim % n == 0]
            best = min(divisors, key=lambda n: abs(n - heads))
            raise ValueError(
                f"fusion.num_heads {heads} does not divide hidden_dim {self.hidden_dim}; "
                f"allowed: {', '.join(map(str, divisors))}; did you mean {best}?"
            )
        if (self.interaction is None) != (self.reweighting is None):
            raise ValueError("an I2MoE needs both `interaction` and `reweighting`; a vanilla model has neither")
        return self
