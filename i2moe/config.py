"""Typed settings of a model and its training; every value is checked when it is read.

Sources: the paper's Tables 7-10 name these hyperparameters; Appendix F names the encoders.
"""

import difflib
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

Positive = Annotated[int, Field(gt=0)]
PositiveNumber = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
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


def in_order(names: list[str], all_names: tuple[str, ...]) -> list[str]:
    """Return names as they are, where they are some of `all_names` in the same order."""
    if names != [name for name in all_names if name in names]:
        raise ValueError(f"{names}; allowed: {', '.join(all_names)} in this order, or fewer of them")
    return names


class Strict(BaseModel):
    """Base of all settings: frozen, no conversion of types, and an unknown key is an error with a suggestion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _know_every_key(cls, values: Any) -> Any:  # noqa: ANN401 (anything may stand in the file)
        if isinstance(values, dict) and cls.model_config["extra"] == "forbid":
            unknown = [key for key in values if key not in cls.model_fields]
            if unknown:
                problems = [f"{key!r} (value {values[key]!r}): {nearest(key, cls.model_fields)}" for key in unknown]
                raise ValueError("unknown key " + "; unknown key ".join(problems))
        return values


class FusionConfig(Strict):
    """Base of the fusion methods' settings: which method, and the keyword arguments of its module."""

    method: str

    def arguments(self) -> dict[str, Any]:
        """Return the method's own keyword arguments."""
        return self.model_dump(exclude={"method", "balance_weight"})


class EarlyConfig(FusionConfig):
    """Settings of `i2moe.fusion.early.EarlyFusion`."""

    method: Literal["early"]
    width: Positive  # of the joined tokens
    mlp_dim: Positive
    num_layers: Positive
    num_heads: Positive


class LateConfig(FusionConfig):
    """Settings of `i2moe.fusion.late.LateFusion`."""

    method: Literal["late"]
    num_layers: Positive
    num_heads: Positive


class LRMFConfig(FusionConfig):
    """Settings of `i2moe.fusion.lrmf.LowRankFusion`."""

    method: Literal["lrmf"]
    rank: Positive
    fused_dim: Positive
    mlp_dim: Positive


class MulTConfig(FusionConfig):
    """Settings of `i2moe.fusion.mult.MulT`."""

    method: Literal["mult"]
    num_layers: Positive
    num_heads: Positive


class InterpretCCConfig(FusionConfig):
    """Settings of `i2moe.fusion.interpretcc.InterpretCC`."""

    method: Literal["interpretcc"]
    temperature: PositiveNumber  # of the gates' sigmoid, τ in Table 9
    threshold: Annotated[float, Field(gt=0, lt=1)]  # above it a gate is open


class SwitchGateConfig(FusionConfig):
    """Settings of `i2moe.fusion.switchgate.SwitchGate`."""

    method: Literal["switchgate"]
    num_layers: Positive
    num_heads: Positive
    num_experts: Positive
    capacity_factor: PositiveNumber  # in training an expert takes this times its even share of the tokens
    balance_weight: NonNegative  # γ, weight of the load-balance loss


class MoEPlusPlusConfig(FusionConfig):
    """Settings of `i2moe.fusion.moepp.MoEPlusPlus`."""

    method: Literal["moepp"]
    num_layers: Positive
    num_heads: Positive
    num_experts: Positive
    capacity_factor: PositiveNumber
    tau: PositiveNumber  # an FFN expert's share of the tokens by that of a zero-computation expert
    balance_weight: NonNegative

    @field_validator("num_experts")
    @classmethod
    def _one_ffn_at_least(cls, num_experts: int) -> int:
        if num_experts < 5:  # noqa: PLR2004
            raise ValueError(
                f"{num_experts} leaves no FFN expert, since 2 constant, 1 copy and 1 zero expert are among them; "
                "allowed: 5 and more"
            )
        return num_experts


class OwnFusionConfig(FusionConfig):
    """A fusion module of your own, `module:Class`; all other keys are keyword arguments of the class."""

    model_config = ConfigDict(extra="allow")

    method: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]


FUSION_CONFIGS: dict[str, type[FusionConfig]] = {
    "early": EarlyConfig,
    "late": LateConfig,
    "lrmf": LRMFConfig,
    "mult": MulTConfig,
    "interpretcc": InterpretCCConfig,
    "switchgate": SwitchGateConfig,
    "moepp": MoEPlusPlusConfig,
}


def _method_of(fusion: Any) -> str:  # noqa: ANN401 (a block of the file, or settings)
    method = fusion.get("method") if isinstance(fusion, dict) else getattr(fusion, "method", None)
    return f"[{method}]" if isinstance(method, str) and method in FUSION_CONFIGS else "[own]"


AnyFusionConfig = Annotated[
    Annotated[EarlyConfig, Tag("[early]")]
    | Annotated[LateConfig, Tag("[late]")]
    | Annotated[LRMFConfig, Tag("[lrmf]")]
    | Annotated[MulTConfig, Tag("[mult]")]
    | Annotated[InterpretCCConfig, Tag("[interpretcc]")]
    | Annotated[SwitchGateConfig, Tag("[switchgate]")]
    | Annotated[MoEPlusPlusConfig, Tag("[moepp]")]
    | Annotated[OwnFusionConfig, Tag("[own]")],
    Discriminator(_method_of),
]


class InteractionConfig(Strict):
    """What turns a fusion method into an I2MoE; all but the first key are for the ablations of section 7."""

    loss_weight: NonNegative  # λ, `interaction_loss_weight` in Tables 7-10; 0 makes no perturbed views
    on: Literal["logits", "latent"] = "logits"  # what the interaction losses compare
    experts: Literal["all", "synergy-redundancy"] = "all"
    views: Literal["all", "two"] = "all"  # perturb every modality, or two drawn anew for each sample
    replacement: Literal["random", "mean", "zero"] = "random"  # Table 5


class ReweightingConfig(Strict):
    """Settings of `i2moe.interaction.Reweighting`; `*_rw` in Tables 7-10."""

    hidden_dim: Positive
    num_layers: Positive
    temperature: PositiveNumber


AnyReweightingConfig = Annotated[
    Annotated[Literal["global"], Tag("[global]")] | Annotated[ReweightingConfig, Tag("[mlp]")],
    Discriminator(lambda value: "[global]" if isinstance(value, str) else "[mlp]"),
]


class ModelConfig(Strict):
    """One model for one dataset: encoders, fusion, how it is trained; an I2MoE where `interaction` is given."""

    encoder: Literal["mlp", "maxout", "lstm", "gru", "patch"]
    encoder_dim: Positive
    num_patches: Positive
    hidden_dim: Positive
    dropout: Probability
    fusion: AnyFusionConfig
    interaction: InteractionConfig | None = None
    reweighting: AnyReweightingConfig | None = None  # global: one weight an expert for all samples
    learning_rate: PositiveNumber
    class_weights: Annotated[list[PositiveNumber], Field(min_length=2)] | None = None  # of the cross-entropy
    batch_size: Positive
    epochs: Positive
    selection: str  # the validation metric that picks the best epoch; `i2moe.metrics` lists them by task

    @model_validator(mode="before")
    @classmethod
    def _know_the_fusion_method(cls, values: Any) -> Any:  # noqa: ANN401 (anything may stand in the file)
        fusion = values.get("fusion") if isinstance(values, dict) else None
        method = fusion.get("method") if isinstance(fusion, dict) else "mult"
        if not (isinstance(method, str) and (method in FUSION_CONFIGS or ":" in method)):
            raise ValueError(
                f"fusion.method {method!r} is unknown; {nearest(method, FUSION_CONFIGS)}; or a module of your own as "
                "module:Class"
            )
        return values

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        heads = getattr(self.fusion, "num_heads", 1)
        name, width = "hidden_dim", self.hidden_dim
        if isinstance(self.fusion, EarlyConfig):
            name, width = "fusion.width", self.fusion.width
        if width % heads:
            divisors = [n for n in range(1, width + 1) if width % n == 0]
            best = min(divisors, key=lambda n: abs(n - heads))
            raise ValueError(
                f"fusion.num_heads {heads} does not divide {name} {width}; "
                f"allowed: {', '.join(map(str, divisors))}; did you mean {best}?"
            )
        if (self.interaction is None) != (self.reweighting is None):
            raise ValueError("an I2MoE needs both `interaction` and `reweighting`; a vanilla model has neither")
        return self
