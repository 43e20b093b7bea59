"""Settings of MoE++."""

from typing import ClassVar, Literal

from pydantic import field_validator

from i2moe.base.strict import Few, NonNegative, PositiveNumber
from i2moe.model.fusion_config import FusionConfig


class MoEPlusPlusConfig(FusionConfig):
    """Settings of `i2moe.fusion.moepp.MoEPlusPlus`."""

    module: ClassVar[str] = "i2moe.fusion.moepp:MoEPlusPlus"
    method: Literal["moepp"]
    num_layers: Few
    num_heads: Few
    num_experts: Few
    capacity_factor: PositiveNumber
    tau: PositiveNumber  # an FFN expert's share of the tokens, relative to a zero-computation expert's
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
