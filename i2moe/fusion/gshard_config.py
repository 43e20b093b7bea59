"""Settings of GShard."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from i2moe.base.strict import Few, NonNegative, PositiveNumber
from i2moe.model.fusion_config import FusionConfig


class GShardConfig(FusionConfig):
    """Settings of `i2moe.fusion.gshard.GShard`."""

    module: ClassVar[str] = "i2moe.fusion.gshard:GShard"
    takes_sequences: ClassVar[bool] = True
    method: Literal["gshard"]
    num_layers: Few
    num_heads: Few
    num_experts: Annotated[Few, Field(ge=2)]  # a token goes to two
    capacity_factor: PositiveNumber  # in training an expert takes up to this many times its even share of the tokens
    balance_weight: NonNegative  # weight of the load-balance loss
