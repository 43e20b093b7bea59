"""Fusion methods: M token tensors [B, P, H] in, logits [B, C] out; written for one expert, one file a method.

A fusion method stands alone as a vanilla baseline, and `i2moe.experts.Experts` runs several of them at once.
"""

import importlib
from collections.abc import Callable

import torch
from torch import nn

from i2moe.config import FusionConfig
from i2moe.errors import InputError
from i2moe.fusion.base import Fused
from i2moe.fusion.early import EarlyFusion
from i2moe.fusion.interpretcc import InterpretCC
from i2moe.fusion.late import LateFusion
from i2moe.fusion.lrmf import LowRankFusion
from i2moe.fusion.moepp import MoEPlusPlus
from i2moe.fusion.mult import MulT
from i2moe.fusion.switchgate import SwitchGate

# Each value builds the method from (num_modalities, num_patches, hidden_dim, num_outputs, dropout, **its own).
FUSIONS: dict[str, Callable[..., nn.Module]] = {
    "early": EarlyFusion,
    "late": LateFusion,
    "lrmf": LowRankFusion,
    "mult": MulT,
    "interpretcc": InterpretCC,
    "switchgate": SwitchGate,
    "moepp": MoEPlusPlus,
}


def build_fusion(
    config: FusionConfig, *, num_modalities: int, num_patches: int, hidden_dim: int, num_outputs: int, dropout: float
) -> nn.Module:
    """Build a fusion method, or a module of your own that `method: module:Class` names.

    Args:
        config: the method and its own settings.
        num_modalities: M.
        num_patches: P.
        hidden_dim: H.
        num_outputs: C.
        dropout: of the method.

    Raises:
        InputError: when a module of your own cannot be imported or built, or does not map tokens to logits.
    """
    shared = {
        "num_modalities": num_modalities,
        "num_patches": num_patches,
        "hidden_dim": hidden_dim,
        "num_outputs": num_outputs,
        "dropout": dropout,
    }
    if config.method in FUSIONS:
        return FUSIONS[config.method](**shared, **config.arguments())
    cls = import_fusion(config.method)
    try:
        fusion: nn.Module = cls(**shared, **config.arguments())
    except TypeError as error:
        raise InputError(
            f"fusion.method {config.method}: {error}; it is called with {', '.join([*shared, *config.arguments()])}"
        ) from error
    _check_shape(config.method, fusion, [torch.zeros(2, num_patches, hidden_dim)] * num_modalities, num_outputs)
    return fusion


def import_fusion(path: str) -> type[nn.Module]:
    """Import the class that `module:Class` names.

    Raises:
        InputError: when there is no such module or class.
    """
    module_name, _, class_name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise InputError(
            f"fusion.method {path}: cannot import {module_name!r} ({error}); put its file into the folder own/ "
            "and name it own.FILE:CLASS, or install its package"
        ) from error
    cls = getattr(module, class_name, None)
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise InputError(f"fusion.method {path}: {module.__file__} has no nn.Module class {class_name!r}")
    return cls


def _check_shape(path: str, fusion: nn.Module, tokens: list[torch.Tensor], num_outputs: int) -> None:
    """Refuse a module that does not map M tensors [B, P, H] to logits [B, C]."""
    with torch.no_grad():
        output = fusion.eval()(tokens)
    fusion.train()
    logits = output.logits if isinstance(output, Fused) else output
    shape = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if shape != [len(tokens[0]), num_outputs]:
        raise InputError(
            f"fusion.method {path}: for {len(tokens)} tensors {list(tokens[0].shape)} it gives {shape}; "
            f"allowed: logits {[len(tokens[0]), num_outputs]}, one row a sample and one column an output"
        )
