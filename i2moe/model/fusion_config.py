"""What the settings of every fusion method share; each method's own are next to its class in `i2moe.fusion`."""

import re
from typing import Any, ClassVar

from pydantic import ConfigDict, field_validator

from i2moe.base.strict import Strict


class FusionConfig(Strict):
    """Base of the fusion methods' settings: which method, and the keyword arguments of its class."""

    module: ClassVar[str]  # where the class is, `module:Class`
    takes_sequences: ClassVar[bool] = False  # modalities may have different numbers of tokens, and padding
    method: str

    @property
    def path(self) -> str:
        """Where the method's class is, `module:Class`."""
        return self.module

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of the method's class."""
        return self.model_dump(exclude={"method", "balance_weight"})

    def attention_width(self, hidden_dim: int) -> tuple[str, int]:
        """Return the key and the value of the width that the attention heads share."""
        return "hidden_dim", hidden_dim


class OwnFusionConfig(FusionConfig):
    """A fusion module of your own, `module:Class`; all other keys are keyword arguments of the class."""

    model_config = ConfigDict(extra="allow")
    takes_sequences: ClassVar[bool] = True  # or it is refused when it is built

    method: str

    @field_validator("method")
    @classmethod
    def _names_a_class(cls, method: str) -> str:
        if not re.fullmatch(r"[\w.]+:\w+", method):
            raise ValueError(
                f"not {method!r}; allowed: own.FILE:CLASS of letters, digits and _, for the file own/FILE.py, such as "
                "own.gated_sum:GatedSum"
            )
        return method

    @property
    def path(self) -> str:
        """Where the class is, `module:Class`."""
        return self.method
