"""What the page says of how a model was trained, and of what it confuses."""

import json
from typing import Any

import numpy as np
import pandas as pd

from i2moe.model.config import ModelConfig
from stages.shared.predictions import SplitPredictions


def confusion(predictions: SplitPredictions, labels: pd.Series, classes: list[str]) -> pd.DataFrame:
    """Return a row per pair of classes: how many predictions of all seeds, and their share of the true class.

    Args:
        predictions: of one split, S seeds.
        labels: the N samples' classes, by name.
        classes: in the order of the logits.

    Examples:
        >>> logits = np.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        >>> found = SplitPredictions([0], ["a", "b", "c"], logits, [], np.empty((1, 0, 0, 0)), np.empty((1, 3, 0)))
        >>> confusion(found, pd.Series(["no", "yes", "yes"]), ["no", "yes"])["share"].tolist()
        [1.0, 0.0, 0.5, 0.5]
    """
    chosen = predictions.logits.argmax(axis=2)  # [S, N]
    actual = pd.Categorical(labels.astype(str), classes).codes
    size = len(classes)
    counts = np.bincount((actual * size + chosen).ravel(), minlength=size**2).reshape(size, size)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    pairs = [(first, second) for first in classes for second in classes]
    table = pd.DataFrame(pairs, columns=["actual", "predicted"])
    return table.assign(count=counts.ravel(), share=shares.ravel().round(6))


def changed_settings(config: ModelConfig, defaults: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return a model's settings that differ from `models.defaults`: key, default, value; a dash where there is none."""
    own = config.model_dump(mode="json", exclude_none=True)
    unset = {name: field.default for name, field in ModelConfig.model_fields.items()}
    found = []
    for key, value in own.items():
        default = defaults.get(key, unset.get(key))
        if not _equal(value, default):
            found.append((key, _shown(default), _shown(value)))
    return found


def _equal(value: Any, default: Any) -> bool:  # noqa: ANN401 (settings of any type)
    try:
        return float(value) == float(default)
    except (TypeError, ValueError):
        return bool(value == default)


def _shown(value: Any) -> str:  # noqa: ANN401
    if value is None or repr(value) == "PydanticUndefined":
        return "–"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(own)}" for key, own in value.items())
    return value if isinstance(value, str) else json.dumps(value)
