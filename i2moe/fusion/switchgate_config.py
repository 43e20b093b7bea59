"""Settings of SwitchGate."""

from typing import ClassVar, Literal

from i2moe.base.strict import Few, NonNegative, PositiveNumber
from i2moe.model.fusion_config import FusionConfig


class SwitchGateConfig(FusionConfig):
    """Settings of `i2moe.fusion.switchgate.SwitchGate`."""

    module: ClassVar[str] = "i2moe.fusion.switchgate:SwitchGate"
    method: Literal["switchgate"]
    num_layers: Few
    num_heads: Few
    num_experts: Few
    capacity_factor: PositiveNumber  # in training an expert takes up to this many times its even share of the tokens
    balance_weight: NonNegative  # γ, weight of the load-balance loss
