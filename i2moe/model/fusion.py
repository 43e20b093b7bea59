"""What every fusion method shares: its interface, its sizes, what it returns, and how it is built.

Shapes: B samples, M modalities, P tokens per modality, N tokens of all modalities, H hidden_dim, C outputs, D width of
the fused latent.
"""

import importlib
import sys
import traceback
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from i2moe.base.errors import InputError, first_line
from i2moe.model.fusion_config import FusionConfig, OwnFusionConfig
from i2moe.model.tokens import Padded, Tokens, values_of


@dataclass(frozen=True)
class Sizes:
    """What a fusion method must know about the tokens it receives and the logits it returns."""

    num_modalities: int  # M
    num_patches: int  # P
    hidden_dim: int  # H
    num_outputs: int  # C
    dropout: float  # for the method to use
    num_tokens: tuple[int, ...] = ()  # of each modality, padding included; none: P of each
    is_padded: tuple[bool, ...] = ()  # the modality's tokens are `Padded`; none: no modality's are

    @property
    def token_counts(self) -> tuple[int, ...]:
        """Return how many tokens each modality has, padding included."""
        return self.num_tokens or (self.num_patches,) * self.num_modalities


class Fused(NamedTuple):
    """What a fusion method returns for a batch."""

    logits: Tensor  # [B, C]
    latent: Tensor | None = None  # [B, D], what the head sees
    balance_loss: Tensor | None = None  # scalar, of a sparse method in training: how unevenly its experts are used


class Fusion(nn.Module, ABC):
    """A fusion method in two steps, so that views of a sample can share the first one.

    `embed` treats each modality by itself and draws no random numbers; an I2MoE's views of a sample differ in one
    modality, so that each modality is embedded once intact and once replaced, not once per view. `fuse` is the rest.
    Where the samples of a batch share something, such as the capacity of sparse experts, a method has a `fuse_views` of
    its own too.

    A method whose layers are those of `i2moe.fusion.layers` and whose axes are counted from the last one sets
    `takes_stacked`: then it also runs with the parameters of E experts, [E, ·], on tokens [E, B, P, H], all else having
    E in front too. Inference does that, without gradients and on one view. A subclass has to say so by itself.
    """

    takes_stacked: ClassVar[bool] = False

    def embed(self, tokens: list[Any]) -> list[Any]:
        """Map each of M token tensors [B, P, H] to a tensor, or a tuple of tensors, with B rows.

        A method whose settings say that it `takes_sequences` is given `i2moe.model.tokens.Padded` for some modalities.
        """
        return list(tokens)

    @abstractmethod
    def fuse(self, embedded: list[Any]) -> Fused:
        """Fuse what `embed` returned for each of the M modalities."""

    def fuse_views(self, embedded: list[Any], num_views: int) -> Fused:  # noqa: ARG002 (for those who override it)
        """Fuse V views of a batch, one after the other along the rows; most methods need not tell them apart."""
        return self.fuse(embedded)

    def forward(self, tokens: list[Any]) -> Fused:
        """Fuse M token tensors [B, P, H]."""
        return self.fuse(self.embed(tokens))


class AttentionFusion(Fusion):
    """A fusion method that can tell where it attends to, for explanations."""

    @abstractmethod
    def with_attention(self, tokens: list[Any]) -> tuple[Fused, list[Tensor]]:
        """Fuse, and return each layer's attention [B, heads, N, N], from queries to keys, all modalities in a row.

        The maps lie on the way to the logits, so that `torch.autograd.grad` gives the logits' gradients by them.
        """


def build_fusion(config: FusionConfig, sizes: Sizes) -> nn.Module:
    """Build a fusion method, or a module of your own that `method: module:Class` names.

    Args:
        config: the method and the keyword arguments of its class.
        sizes: the positional argument of its class.

    Raises:
        InputError: when a module of your own cannot be imported or built, or does not map tokens to logits,
            or has no parameters.
    """
    cls = import_fusion(config.path)
    try:
        fusion: nn.Module = cls(sizes, **config.arguments())
    except Exception as error:
        if not isinstance(config, OwnFusionConfig):
            raise
        if isinstance(error, TypeError) and not _line_of(error, config.path):  # raised by the call itself
            called = ", ".join(["sizes", *config.arguments()])
            raise InputError(f"fusion.method {config.method}: {error}; it is called with {called}") from error
        raise _in_own_code(error, config.path) from error
    if isinstance(config, OwnFusionConfig):
        _check_parameters(config.method, fusion)
        _check_shape(config.method, fusion, sizes)
    return fusion


def import_fusion(path: str) -> type[nn.Module]:
    """Import the class that `module:Class` names.

    Raises:
        InputError: when there is no such module or class, or the module fails while it is imported.
    """
    module_name, _, class_name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        if not isinstance(error, ImportError) or _line_of(error, path):  # the file is there
            raise _in_own_code(error, path) from error
        raise InputError(
            f"fusion.method {path}: cannot import {module_name!r} ({error}); put its file into the folder own/ "
            "and name it own.FILE:CLASS, or install its package"
        ) from error
    cls = getattr(module, class_name, None)
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise InputError(f"fusion.method {path}: {module.__file__} has no nn.Module class {class_name!r}")
    return cls


def _check_parameters(path: str, fusion: nn.Module) -> None:
    """Refuse a module that has nothing to learn, which trains without a word and which no experts can be made of."""
    if next(fusion.parameters(), None) is None:
        raise InputError(
            f"fusion.method {path}: it has no parameters: keep layers as attributes or in an nn.ModuleList, not in a "
            "list, and tensors that are learnt as nn.Parameter"
        )


def _check_shape(path: str, fusion: nn.Module, sizes: Sizes) -> None:
    """Refuse a module that does not map the tokens of M modalities to logits [B, C]."""
    tokens: list[Tokens] = [torch.zeros(2, count, sizes.hidden_dim) for count in sizes.token_counts]
    for index, is_padded in enumerate(sizes.is_padded):
        if is_padded:
            values = values_of(tokens[index])
            tokens[index] = Padded(values, torch.arange(values.shape[1]).expand(2, -1) > 0)
    try:
        with torch.no_grad():
            output = fusion.eval()(tokens)
    except Exception as error:
        if not (any(sizes.is_padded) and isinstance(error, AttributeError | TypeError)):
            raise _in_own_code(error, path) from error
        raise InputError(
            f"fusion.method {path}: it does not take the tokens of sequences, `i2moe.model.tokens.Padded` ({error}); "
            "let it take them, or use an encoder that makes num_patches tokens of a sequence"
        ) from error
    fusion.train()
    given = ", ".join(dict.fromkeys(str(list(values_of(own).shape)) for own in tokens))
    logits = output.logits if isinstance(output, Fused) else output
    shape = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if shape != [2, sizes.num_outputs]:
        raise InputError(
            f"fusion.method {path}: for {len(tokens)} tensors {given} it returns {shape}; "
            f"allowed: logits {[2, sizes.num_outputs]}, one row per sample and one column per output"
        )


def _in_own_code(error: Exception, path: str) -> InputError:
    """Say where the code behind `module:Class` fails, for who wrote it needs its own line and no traceback of ours."""
    module_name = path.partition(":")[0]
    where = _line_of(error, path) or getattr(sys.modules.get(module_name), "__file__", None) or module_name
    return InputError(f"fusion.method {path}: {where}: {type(error).__name__}: {first_line(error)}: correct it there")


def _line_of(error: Exception, path: str) -> str:
    """Return the last line of the class's own package that an error went through; nothing where it reached none."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    package = path.partition(":")[0].partition(".")[0]
    lines = [
        f"{frame.f_code.co_filename}, line {number}"
        for frame, number in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").partition(".")[0] == package
    ]
    return lines[-1] if lines else ""
