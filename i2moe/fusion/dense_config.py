"""Settings of Dense."""

from typing import ClassVar, Literal

from i2moe.base.strict import Few
from i2moe.model.fusion_config import FusionConfig


class DenseConfig(FusionConfig):
    """Settings of `i2moe.fusion.dense.Dense`."""

    module: ClassVar[str] = "i2moe.fusion.dense:Dense"
    takes_sequences: ClassVar[bool] = True
    method: Literal["dense"]
    num_layers: Few
    num_heads: Few
