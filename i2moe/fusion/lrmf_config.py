"""Settings of LRMF."""

from typing import ClassVar, Literal

from i2moe.base.strict import Width
from i2moe.model.fusion_config import FusionConfig


class LRMFConfig(FusionConfig):
    """Settings of `i2moe.fusion.lrmf.LowRankFusion`."""

    module: ClassVar[str] = "i2moe.fusion.lrmf:LowRankFusion"
    method: Literal["lrmf"]
    rank: Width
    fused_dim: Width
    mlp_dim: Width
