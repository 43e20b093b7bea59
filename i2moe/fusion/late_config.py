"""Settings of late fusion."""

from typing import ClassVar, Literal

from i2moe.base.strict import Few
from i2moe.model.fusion_config import FusionConfig


class LateConfig(FusionConfig):
    """Settings of `i2moe.fusion.late.LateFusion`."""

    module: ClassVar[str] = "i2moe.fusion.late:LateFusion"
    method: Literal["late"]
    num_layers: Few
    num_heads: Few
