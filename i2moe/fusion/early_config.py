"""Settings of early fusion."""

from typing import ClassVar, Literal

from i2moe.base.strict import Few, Width
from i2moe.model.fusion_config import FusionConfig


class EarlyConfig(FusionConfig):
    """Settings of `i2moe.fusion.early.EarlyFusion`."""

    module: ClassVar[str] = "i2moe.fusion.early:EarlyFusion"
    method: Literal["early"]
    width: Width  # of the joined tokens
    mlp_dim: Width
    num_layers: Few
    num_heads: Few

    def attention_width(self, hidden_dim: int) -> tuple[str, int]:  # noqa: ARG002 (the joined tokens have their own)
        """Return the key and the value of the width that the attention heads share."""
        return "fusion.width", self.width
