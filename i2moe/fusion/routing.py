"""Sparse layers: send each token to a few of a layer's experts, with fixed shapes and without loops.

Which token goes where changes shapes by its nature; here it only fills a buffer of fixed shape, so that the same code
runs under `torch.vmap` (with a router of its own for every interaction expert), on a CPU and on a GPU.

- In training each expert takes a fixed number of tokens, its capacity; what comes later in the batch is dropped (the
  token goes on through the skip connection alone), as in Switch Transformers (Fedus et al., JMLR 2022). An I2MoE's
  views of a batch are groups with a capacity each, that of the method alone for such a batch: in one queue, the intact
  view first, the last view would lose most.
- In evaluation nothing is dropped: a prediction must not depend on the other samples of its batch. The buffer is cut
  into small blocks, each of one expert, after Gale et al. (*MegaBlocks*, MLSys 2023). On a CPU and without gradients
  it is as long as there are choices instead, and each expert has its own part of it.

Shapes: n tokens, G groups of n / G tokens one after the other, k choices per token, E experts, S slots of the buffer.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from i2moe.fusion.layers import may_use_fast_kernels

# Whose the parts of a buffer are: [S / block], the expert of each block; None: block e is expert e's; or the number of
# rows of each expert, one expert after the other.
Owners = Tensor | list[int] | None


class Route(NamedTuple):
    """Where tokens go."""

    slots: Tensor  # [n, k], the slot that each choice of a token has in the buffer
    kept: Tensor  # [n, k], 0 where it has none: dropped, or none of these experts chosen
    source: Tensor  # [S], the token in each slot; any token where the slot is empty
    owners: Tensor | None  # [S / block], the expert of each block; None: block e is expert e's
    block: int  # slots per block


def route(choices: Tensor, num_experts: int, capacity: int | None, num_groups: int = 1) -> Route:
    """Give tokens their slots, in each group all first choices before all second ones, each in the order of the batch.

    Args:
        choices: [n, k] expert indices; those from `num_experts` on are not among these experts.
        num_experts: E.
        capacity: the most tokens that an expert takes of a group; None drops nothing.
        num_groups: G; without a capacity groups make no difference, and all tokens are one.
    """
    num_groups = 1 if capacity is None else num_groups
    num_tokens, num_choices = choices.shape
    queued = choices.view(num_groups, -1, num_choices).transpose(1, 2).flatten(1)  # [G, k·n / G]
    is_chosen = queued.unsqueeze(2) == torch.arange(num_experts, device=choices.device)  # [G, k·n / G, E]
    place = (is_chosen.cumsum(dim=1) * is_chosen).sum(dim=2) - 1  # in its expert's queue; -1 if there is none
    kept = place >= 0
    owners = None
    if capacity is not None:
        block, num_blocks = num_groups * capacity, num_experts
        group = torch.arange(num_groups, device=choices.device).unsqueeze(1)
        start = queued * block + group * capacity
        kept = kept & (place < capacity)
    else:
        block = math.ceil(num_tokens * num_choices / (2 * num_experts))  # smaller wastes less, and gathers more weights
        num_blocks = math.ceil(num_tokens * num_choices / block) + num_experts  # the most there can be
        owned = (is_chosen.sum(dim=(0, 1)) + block - 1) // block  # [E], blocks that each expert needs
        ends = owned.cumsum(dim=0)
        owners = (torch.arange(num_blocks, device=choices.device).unsqueeze(1) >= ends).sum(dim=1)
        owners = owners.clamp(max=num_experts - 1)
        start = (is_chosen * (ends - owned)).sum(dim=2) * block
    num_slots = num_blocks * block
    slots = torch.where(kept, start + place, num_slots)  # one slot more, for whatever has none
    tokens = torch.arange(num_tokens, device=choices.device).view(num_groups, -1).repeat(1, num_choices)
    source = torch.zeros(num_slots + 1, dtype=torch.long, device=choices.device)
    source = source.scatter(0, slots.flatten(), tokens.flatten())[:-1]
    slots = torch.where(kept, slots, 0)
    slots, kept = (part.view(num_groups, num_choices, -1).transpose(1, 2).flatten(0, 1) for part in (slots, kept))
    return Route(slots, kept, source, owners, block)


def through_experts(
    run: Callable[[Tensor, Owners], Tensor],
    tokens: Tensor,
    gates: Tensor,
    choices: Tensor,
    num_experts: int,
    capacity: int | None,
    num_groups: int = 1,
) -> Tensor:
    """Send each token to its experts and sum what they return.

    Args:
        run: the experts: maps a buffer and whose its parts are to a buffer of the same rows.
        tokens: [n, H]; with stacked parameters all of these have another axis in front, for layers side by side.
        gates: [n, k], the weight of each choice.
        choices: as `route` takes them, like the rest.
        num_experts: E.
        capacity: the most tokens that an expert takes of a group; None drops nothing.
        num_groups: G.

    Returns:
        [n, H].
    """
    shape = tokens.shape
    if tokens.dim() > 2:  # noqa: PLR2004 (the experts of layers side by side are the experts of one layer)
        first = torch.arange(len(tokens), device=tokens.device).view(-1, 1, 1) * num_experts
        choices = torch.where(choices < num_experts, choices + first, len(tokens) * num_experts)
        num_experts = len(tokens) * num_experts
        tokens, gates, choices = (each.flatten(0, 1) for each in (tokens, gates, choices))
    if capacity is None and may_use_fast_kernels(tokens):
        return _through_own_rows(run, tokens, gates, choices, num_experts).view(shape)
    routed = route(choices, num_experts, capacity, num_groups)
    return from_blocks(run(to_blocks(tokens, routed), routed.owners), routed, gates).view(shape)


def _through_own_rows(
    run: Callable[[Tensor, Owners], Tensor], tokens: Tensor, gates: Tensor, choices: Tensor, num_experts: int
) -> Tensor:
    """Do what `through_experts` does, with as many rows for each expert as choose it."""
    chosen = choices.flatten()
    sizes: list[int] = torch.bincount(chosen, minlength=num_experts)[:num_experts].tolist()
    mixed = torch.zeros_like(tokens)
    if not any(sizes):
        return mixed
    order = chosen.argsort(stable=True)[: sum(sizes)]
    source = order // choices.shape[1]
    outputs = run(tokens.index_select(0, source), sizes) * gates.flatten()[order].unsqueeze(1)
    return mixed.index_add_(0, source, outputs.to(mixed.dtype))


def to_blocks(tokens: Tensor, routed: Route) -> Tensor:
    """Copy tokens [n, H] to the buffer [blocks, block, H]."""
    return torch.unflatten(rows(tokens, routed.source), 0, (-1, routed.block))


def from_blocks(buffer: Tensor, routed: Route, gates: Tensor) -> Tensor:
    """Sum each token's outputs in the buffer [blocks, block, H], weighted by gates [n, k], to [n, H]."""
    outputs = rows(buffer.flatten(0, 1), routed.slots)  # [n, k, H]
    return (outputs * (gates * routed.kept).unsqueeze(2)).sum(dim=1)


def rows(table: Tensor, index: Tensor) -> Tensor:
    """Pick rows of a table [·, H]: `embedding` has a fast vmap rule, where indexing and `index_select` have none."""
    return functional.embedding(index, table)


class ExpertLinear(nn.Module):
    """E linear maps, each for the blocks of its expert; initialised as `nn.Linear` is."""

    def __init__(self, num_experts: int, in_dim: int, out_dim: int, *, bias: bool = True) -> None:
        super().__init__()
        bound = in_dim**-0.5
        self.weight = nn.Parameter(torch.empty(num_experts, in_dim, out_dim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(num_experts, 1, out_dim).uniform_(-bound, bound)) if bias else None

    def forward(self, buffer: Tensor, owners: Owners) -> Tensor:
        """Map a buffer [blocks, block, in_dim] to [blocks, block, out_dim], or rows [S, in_dim] to [S, out_dim]."""
        weight, bias = _side_by_side(self.weight), None if self.bias is None else _side_by_side(self.bias)
        if isinstance(owners, list):
            own = zip(torch.split(buffer, owners), weight, [None] * len(weight) if bias is None else bias, strict=True)
            # An expert without a row is left out: most are, where a sample is alone.
            return torch.cat([_linear(*each) for each in own if len(each[0])])
        outputs: Tensor = buffer @ _of_owners(weight, owners)
        return outputs if bias is None else outputs + _of_owners(bias, owners)


def _side_by_side(weights: Tensor) -> Tensor:
    """Return the weights [E, ·, ·] of a layer's experts, or of all of the layers that are stacked, [·, E, ·, ·]."""
    return weights.flatten(0, -3)


def _linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return inputs @ weight if bias is None else torch.addmm(bias, inputs, weight)


def _of_owners(weights: Tensor, owners: Tensor | None) -> Tensor:
    """Repeat each expert's weights [E, ·, ·] for each block it owns."""
    return weights if owners is None else torch.unflatten(rows(weights.flatten(1), owners), 1, weights.shape[1:])


def without_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Keep mixed precision away from routing: a router computes in the precision of its parameters."""
    available = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if available else nullcontext()


def balance_loss(
    probabilities: Tensor, choices: Tensor, penalties: Tensor, num_groups: int = 1, padding: Tensor | None = None
) -> Tensor:
    """Return Σ penalty · (share of tokens that choose the expert) · (mean probability of the expert), mean over groups.

    It is computed in each group by itself, as its capacity is: views that crowd different experts do not cancel out.
    Only the probabilities carry a gradient (Fedus et al. 2022, Equation 4; Jin et al. 2024 for unequal penalties).

    Args:
        probabilities: [n, E] of the router.
        choices: [n, k].
        penalties: [E].
        num_groups: G.
        padding: [n], True where there is no token; its choices are not among the experts.
    """
    is_chosen = choices.unsqueeze(-1) == torch.arange(penalties.shape[-1], device=choices.device)  # [n, k, E]
    chosen = is_chosen.any(dim=-2).to(probabilities.dtype)
    if padding is None:
        shares, means = (
            torch.unflatten(each, -2, (num_groups, -1)).mean(dim=-2) for each in (chosen, probabilities)
        )  # [G, E]
    else:
        probabilities = probabilities.masked_fill(padding.unsqueeze(-1), 0)
        count = torch.unflatten(~padding, -1, (num_groups, -1)).sum(dim=-1, keepdim=True).clamp(min=1)
        shares, means = (
            torch.unflatten(each, -2, (num_groups, -1)).sum(dim=-2) / count for each in (chosen, probabilities)
        )
    return (penalties.unsqueeze(-2) * shares * means).sum(dim=-1).mean(dim=-1)
