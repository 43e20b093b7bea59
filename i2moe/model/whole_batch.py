"""The losses of a batch that several processes share, as if one had all of it.

Some losses are not the mean of what they are on parts of a batch: a cross-entropy with class weights is divided by the
sum of the weights, a decorrelation is of the whole batch. Where training runs on several devices, each process has some
samples of a batch. Within `shared_batch`, `whole` returns those of all processes, and gradients find their way back.
Every process then has the same loss, and the mean of the processes' gradients, which is what DDP makes, is the gradient
of one process that has the whole batch.

Without `shared_batch` there is one process, and `whole` changes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed

from i2moe.model.tokens import Padded, Tokens

_sizes: list[int] = []  # of the batch that is shared now: how many of its samples each process has


@contextmanager
def shared_batch(sizes: list[int]) -> Iterator[None]:
    """Let a batch be shared by processes that have this many of its samples.

    A process that has none must be given a sample all the same, for its model has to run; `whole` leaves it out.
    """
    _sizes[:] = sizes if len(sizes) > 1 else []
    try:
        yield
    finally:
        _sizes.clear()


def whole(own: Tensor, dim: int = 0) -> Tensor:
    """Return a tensor of all samples of the batch, in their order, from the one of this process's samples.

    Args:
        own: of this process's samples.
        dim: the axis of the samples.
    """
    if not _sizes:
        return own
    first = own.transpose(0, dim)[: _sizes[distributed.get_rank()]]
    return _joined(first, _sizes).transpose(0, dim)


def whole_tokens(own: Tokens) -> Tokens:
    """Return the tokens of all samples of the batch from those of this process's."""
    return Padded(*(whole(each) for each in own)) if isinstance(own, Padded) else whole(own)


def whole_of_some(own: Tensor) -> tuple[Tensor, slice]:
    """Return rows [n, ·] of all processes, each of which has one or more, and which of them are this process's.

    Of a process that has no sample of the batch, the first one stands for its own.
    """
    if not _sizes:
        return own, slice(None)
    rank = distributed.get_rank()
    sizes = _gathered_sizes(len(own) if _sizes[rank] else 0, own.device)
    begin = sum(sizes[:rank])
    return _joined(own[: sizes[rank]], sizes), slice(begin, begin + sizes[rank]) if sizes[rank] else slice(1)


def gather(own: Tensor) -> Tensor:
    """Return the rows of every process, which may differ in number, one process after the other; without gradients."""
    return _joined(own.detach(), _gathered_sizes(len(own), own.device))


def _gathered_sizes(size: int, device: torch.device) -> list[int]:
    own = torch.tensor([size], device=device)
    sizes = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
    distributed.all_gather(sizes, own)
    return [int(each) for each in sizes]


def _joined(own: Tensor, sizes: list[int]) -> Tensor:
    """Return the rows of every process; those of lower precision travel as float32, in which gradients are added up."""
    if not own.is_floating_point():
        return _Join.apply(own, sizes)  # type: ignore[no-any-return]
    return _Join.apply(own.to(torch.promote_types(own.dtype, torch.float32)), sizes).to(own.dtype)  # type: ignore[no-any-return]


class _Join(torch.autograd.Function):
    """Rows of all processes; each process's rows have the sum of the gradients that they have in every process."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, sizes: list[int]) -> Tensor:  # noqa: ANN401 (PyTorch's)
        ctx.begin, ctx.size = sum(sizes[: distributed.get_rank()]), len(own)
        padded = own.new_zeros(max(sizes), *own.shape[1:])
        padded[: len(own)] = own
        parts = [torch.empty_like(padded) for _ in sizes]
        distributed.all_gather(parts, padded)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        total = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total[ctx.begin : ctx.begin + ctx.size], None
