"""Settings of InterpretCC."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from i2moe.base.strict import PositiveNumber
from i2moe.model.fusion_config import FusionConfig


class InterpretCCConfig(FusionConfig):
    """Settings of `i2moe.fusion.interpretcc.InterpretCC`."""

    module: ClassVar[str] = "i2moe.fusion.interpretcc:InterpretCC"
    method: Literal["interpretcc"]
    temperature: PositiveNumber  # of the gates' sigmoid, τ in Table 9
    threshold: Annotated[float, Field(gt=0, lt=1)]  # above it a gate is open
