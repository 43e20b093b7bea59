"""Typed settings of a model and its training; every value is checked when it is read. Imports no torch.

Sources: the paper's Tables 7-10 name these hyperparameters; Appendix F names the encoders.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, Union, get_args

from pydantic import Discriminator, Field, Tag, model_validator

import i2moe.fusion
from i2moe.base.strict import Few, NonNegative, Positive, PositiveNumber, Probability, Strict, Width, nearest
from i2moe.model.fusion_config import FusionConfig, OwnFusionConfig


def find_fusion_configs() -> dict[str, type[FusionConfig]]:
    """Find the settings next to the fusion methods, by the method's name."""
    found = {}
    for module in pkgutil.iter_modules(i2moe.fusion.__path__):
        if module.name.endswith("_config"):
            content = vars(importlib.import_module(f"i2moe.fusion.{module.name}"))
            for cls in content.values():
                if isinstance(cls, type) and issubclass(cls, FusionConfig) and cls is not FusionConfig:
                    found[get_args(cls.model_fields["method"].annotation)[0]] = cls
    return found


FUSION_CONFIGS = find_fusion_configs()


def _method_of(fusion: Any) -> str:  # noqa: ANN401 (a block of the file, or settings)
    method = fusion.get("method") if isinstance(fusion, dict) else getattr(fusion, "method", None)
    return f"[{method}]" if isinstance(method, str) and method in FUSION_CONFIGS else "[own]"


if TYPE_CHECKING:
    AnyFusionConfig = FusionConfig
else:
    _TAGGED = [Annotated[cls, Tag(f"[{method}]")] for method, cls in {**FUSION_CONFIGS, "own": OwnFusionConfig}.items()]
    AnyFusionConfig = Annotated[Union[tuple(_TAGGED)], Discriminator(_method_of)]  # noqa: UP007 (made from a list)


class DecorrelateConfig(Strict):
    """A penalty on experts whose latents say the same: `i2moe.model.decorrelation`."""

    kind: Literal["cosine", "cka", "barlow"]
    weight: PositiveNumber


class InteractionConfig(Strict):
    """What turns a fusion method into an I2MoE; all but the first key are for the ablations of section 7."""

    loss_weight: NonNegative  # λ, `interaction_loss_weight` in Tables 7-10; 0 makes no perturbed views
    objective: Literal["published", "role-supervised"] = "published"  # role-supervised: `i2moe.model.roles`
    compare: Literal["logits", "latent"] = "logits"  # what the interaction losses compare
    experts: Literal["all", "synergy-redundancy"] = "all"
    views: Literal["all", "two"] = "all"  # perturb every modality, or two drawn anew for each sample
    replacement: Literal["random", "mean", "zero"] = "random"  # Table 5
    decorrelate: DecorrelateConfig | None = None

    @model_validator(mode="after")
    def _supervise_logits(self) -> Self:
        if self.objective == "role-supervised" and self.compare != "logits":
            raise ValueError("objective role-supervised compares logits with labels; allowed: compare logits")
        return self


class SealedConfig(Strict):
    """What turns a fusion method into a `i2moe.model.sealed.SealedMixture`."""

    loss_weight: PositiveNumber  # of the experts' own losses; the joint expert's is 1, and the encoders obey them all
    min_gain: NonNegative  # a part stays if it saves this share of the constant's loss on the validation split


class ReweightingConfig(Strict):
    """Settings of `i2moe.model.interaction.Reweighting`; `*_rw` in Tables 7-10."""

    hidden_dim: Width
    num_layers: Few
    temperature: PositiveNumber
    normalise: bool = False  # each modality's mean token to length 1


AnyReweightingConfig = Annotated[
    Annotated[Literal["global"], Tag("[global]")] | Annotated[ReweightingConfig, Tag("[mlp]")],
    Discriminator(lambda value: "[global]" if isinstance(value, str) else "[mlp]"),
]


class ModelConfig(Strict):
    """One model for one dataset: encoders, fusion, how it is trained.

    An I2MoE where `interaction` is given, a sealed mixture where `sealed` is.
    """

    encoder: Literal["mlp", "maxout", "lstm", "gru", "patch", "token"]
    encoder_dim: Width
    num_patches: Width
    vector_tokens: Width = 64  # of encoder token: a vector with more features has tokens of several each
    hidden_dim: Width
    dropout: Probability
    fusion: AnyFusionConfig
    interaction: InteractionConfig | None = None
    reweighting: AnyReweightingConfig | None = None  # global: one weight per expert for all samples
    sealed: SealedConfig | None = None
    learning_rate: PositiveNumber
    absent: Literal["token", "mean"] = "token"  # a learned token for a modality that a sample lacks | its train mean
    modality_dropout: NonNegative = 0.0  # weight of the task loss on views with one modality at its batch's mean
    class_weights: Annotated[list[PositiveNumber], Field(min_length=2)] | None = None  # of the cross-entropy
    batch_size: Positive
    epochs: Positive
    # The validation metric that picks the best epoch; `i2moe.selection` lists them by task; none: its own choice
    selection: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _know_the_fusion_method(cls, values: Any) -> Any:  # noqa: ANN401 (the file may hold anything)
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
        name, width = self.fusion.attention_width(self.hidden_dim)
        if width % heads:
            divisors = [n for n in range(1, width + 1) if width % n == 0]
            best = min(divisors, key=lambda n: abs(n - heads))
            raise ValueError(
                f"fusion.num_heads {heads} does not divide {name} {width}; "
                f"allowed: {', '.join(map(str, divisors))}; did you mean {best}?"
            )
        if self.encoder == "token" and not self.fusion.takes_sequences:
            able = [method for method, cls in FUSION_CONFIGS.items() if cls.takes_sequences]
            raise ValueError(
                f"encoder token gives each modality its own number of tokens, which fusion.method {self.fusion.method} "
                f"does not take; allowed: {', '.join(able)}, or a module of your own as module:Class"
            )
        if (self.interaction is None) != (self.reweighting is None):
            raise ValueError("an I2MoE needs both `interaction` and `reweighting`; a vanilla model has neither")
        if self.interaction is not None and self.sealed is not None:
            raise ValueError("a model is an I2MoE or `sealed`; allowed: `interaction` with `reweighting`, or `sealed`")
        return self

    @property
    def role_weight(self) -> float:
        """How much the experts' own losses weigh next to that of the prediction: λ; 0 for a vanilla model."""
        mixture = self.interaction or self.sealed
        return mixture.loss_weight if mixture else 0.0

    @property
    def decorrelation_weight(self) -> float:
        """How much the penalty on alike experts weighs next to the loss of the prediction; 0 where there is none."""
        decorrelate = self.interaction.decorrelate if self.interaction else None
        return decorrelate.weight if decorrelate else 0.0
