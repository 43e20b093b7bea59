"""Settings of MulT."""

from typing import ClassVar, Literal

from i2moe.base.strict import Few
from i2moe.model.fusion_config import FusionConfig


class MulTConfig(FusionConfig):
    """Settings of `i2moe.fusion.mult.MulT`."""

    module: ClassVar[str] = "i2moe.fusion.mult:MulT"
    method: Literal["mult"]
    num_layers: Few
    num_heads: Few
