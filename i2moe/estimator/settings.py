"""From an estimator's parameters to the settings of a model."""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from i2moe.model.config import FUSION_CONFIGS, ModelConfig

# Small ones, for data that fit into memory; a dict as `fusion` changes any of them.
FUSIONS: dict[str, dict[str, Any]] = {
    "early": {"width": 8, "mlp_dim": 64, "num_layers": 1, "num_heads": 2},
    "late": {"num_layers": 1, "num_heads": 4},
    "lrmf": {"rank": 8, "fused_dim": 32, "mlp_dim": 64},
    "mult": {"num_layers": 1, "num_heads": 4},
    "interpretcc": {"temperature": 1.0, "threshold": 0.5},
    "switchgate": {
        "num_layers": 1,
        "num_heads": 4,
        "num_experts": 4,
        "capacity_factor": 1.2,
        "balance_weight": 0.01,
    },
    "moepp": {
        "num_layers": 1,
        "num_heads": 4,
        "num_experts": 8,
        "capacity_factor": 1.1,
        "tau": 0.75,
        "balance_weight": 0.01,
    },
    "dense": {"num_layers": 1, "num_heads": 4},
    "gshard": {
        "num_layers": 1,
        "num_heads": 4,
        "num_experts": 4,
        "capacity_factor": 1.2,
        "balance_weight": 0.01,
    },
}
NEED_TOKENS = ("dense", "gshard")
ONE_PATCH = ("lrmf", "interpretcc")  # of each modality, as in params.yaml
# By the place of a setting: the parameter that it comes from, where its name is another.
PARAMETERS = {
    "interaction.loss_weight": "interaction_loss_weight",
    "reweighting.[mlp].hidden_dim": "gate_dim",
    "reweighting.[mlp].temperature": "temperature",
}
# Parameters that a model's settings do not have: what each has to be, and in words.
TYPES: dict[str, tuple[Any, str]] = {
    "modalities": (Mapping | None, "None, or a dict of each modality's columns"),
    "categorical": (Sequence | np.ndarray | pd.Index, "a list of columns"),
    "validation_fraction": (numbers.Real, "a share between 0 and 1"),
    "callbacks": (Sequence | None, "None, or a list of Lightning's callbacks"),
}


def check_types(params: dict[str, Any]) -> None:
    """Refuse parameters of a type that an estimator cannot use.

    Raises:
        InputError: naming the first of them.

    Examples:
        >>> check_types({"modalities": None, "categorical": (), "validation_fraction": "a", "callbacks": None})
        Traceback (most recent call last):
        i2moe.base.errors.InputError: validation_fraction 'a'; allowed: a share between 0 and 1
    """
    for name, (types, words) in TYPES.items():
        if not isinstance(params[name], types):
            raise InputError(f"{name} {params[name]!r}; allowed: {words}")


def _real(value: Any) -> Any:
    """Return a number as a float; what is no number is refused by its name later."""
    return float(value) if isinstance(value, numbers.Real) else value


def fusion_settings(fusion: Any) -> dict[str, Any]:
    """Return the settings of a fusion method that is given by name, as `module:Class`, as a class, or as a dict.

    Raises:
        InputError: for a name that is none.

    Examples:
        >>> fusion_settings({"method": "mult", "num_layers": 2})
        {'method': 'mult', 'num_layers': 2, 'num_heads': 4}
    """
    own = dict(fusion) if isinstance(fusion, dict) else {"method": fusion}
    method = own.get("method")
    if isinstance(method, type):
        if not issubclass(method, nn.Module):
            raise InputError(f"fusion {method.__qualname__}: a class of your own is an nn.Module")
        own["method"] = method = f"{method.__module__}:{method.__qualname__}"
    if not isinstance(method, str) or (method not in FUSION_CONFIGS and ":" not in method):
        raise InputError(f"fusion {method!r} is unknown; {nearest(method, FUSION_CONFIGS)}, or a module of your own")
    return {"method": method, **FUSIONS.get(method, {}), **{key: own[key] for key in own if key != "method"}}


def model_config(params: dict[str, Any], kinds: list[str], class_weights: list[float] | None) -> ModelConfig:
    """Return the settings of a model from an estimator's parameters.

    With one modality there are no interactions: the fusion method alone is trained. Sequences alone go through a GRU
    where the encoder is one of vectors.

    Raises:
        InputError: naming each wrong value.
    """
    from pydantic import ValidationError

    fusion = fusion_settings(params["fusion"])
    method = str(fusion["method"])
    # A grid of NumPy's, such as np.arange(10, 50, 10), has its numbers.
    params = {name: value.item() if isinstance(value, np.generic) else value for name, value in params.items()}
    is_mixture = params["interaction_loss_weight"] is not None and len(kinds) > 1
    encoder = "gru" if set(kinds) == {"sequence"} and params["encoder"] == "mlp" else params["encoder"]
    settings = {
        "encoder": "token" if method in NEED_TOKENS else encoder,
        "num_patches": 1 if method in ONE_PATCH else params["num_patches"],
        "fusion": fusion,
        "class_weights": class_weights,
    }
    settings |= {name: params[name] for name in ("encoder_dim", "hidden_dim", "batch_size", "epochs", "selection")}
    settings |= {name: _real(params[name]) for name in ("dropout", "learning_rate", "modality_dropout")}
    if is_mixture:
        settings["interaction"] = {"loss_weight": _real(params["interaction_loss_weight"])}
        gate = {"hidden_dim": params["gate_dim"], "num_layers": 2, "temperature": _real(params["temperature"])}
        settings["reweighting"] = gate
    try:
        return ModelConfig.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        place = PARAMETERS.get(place, place)
        raise InputError(f"{place or 'parameters'}: {first['msg'].removeprefix('Value error, ')}") from error
