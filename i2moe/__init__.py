"""I2MoE: a mixture of interaction experts over any multimodal fusion method (arXiv 2505.19190).

``from i2moe import I2MoEClassifier`` trains by scikit-learn's conventions. Of the library each module is imported where
it is used, ``from i2moe.model.interaction import InteractionMoE`` and so on, so that ``import i2moe`` costs nothing.
"""

import importlib
from typing import Any

__all__ = ["I2MoEClassifier", "I2MoERegressor", "open_run"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (a class, or a function)
    if name not in __all__:
        raise AttributeError(f"module 'i2moe' has no attribute {name!r}")
    return getattr(importlib.import_module("i2moe.estimator.estimator"), name)


def __dir__() -> list[str]:
    return __all__
