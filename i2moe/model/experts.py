"""Run E fusion modules at once, on one view or all: parameters are stacked and `torch.vmap` maps over the expert axis.

In inference a method that takes stacked parameters as they are gets them so, without `vmap`'s bookkeeping.

Shapes: E experts, V views, B samples, M modalities, P tokens per modality, H hidden_dim, C outputs.
"""

import contextlib
import copy
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import stack_module_state

from i2moe.model.fusion import Fused, Fusion
from i2moe.model.tokens import Padded, Tokens, values_of

# On a CPU, experts with more token values than this run one by one: stacked, their temporaries do not fit its caches.
# With fewer, what counts is the number of operations, each of which waits for all threads.
CPU_LIMIT = 2**16


class Views(NamedTuple):
    """How to make the perturbed views of a batch."""

    replacements: list[Tokens]  # of M modalities, [E, B, P, H] or, the same for all experts, [B, P, H]
    replaced: Tensor | None  # [V - 1, B], the modality that view v + 1 replaces; None: view v + 1 replaces modality v


class Experts(nn.Module):
    """E fusion modules of one architecture, with stacked parameters.

    The first forward pass that `torch.vmap` cannot trace (data-dependent control flow in a module of your own, say)
    switches to a plain loop over the experts, with one warning: the same result, only slower.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        self.num_experts = len(modules)
        self.vectorised = True
        parameters, buffers = stack_module_state(list(modules))
        self.stacked = nn.ParameterDict(
            {_flat(name): nn.Parameter(value.detach()) for name, value in parameters.items()},
        )
        self._buffer_names = [_flat(name) for name in buffers]
        for name, value in buffers.items():
            self.register_buffer(_flat(name), value)
        # In a tuple, so that the skeleton's own (meta) parameters are neither trained nor counted nor saved.
        self._skeleton = (copy.deepcopy(modules[0]).to("meta"),)
        self._places = _places(self._skeleton[0], [*self.stacked, *self._buffer_names])
        # Not inherited: a subclass may count its axes from the first one.
        self._takes_stacked = bool(vars(type(modules[0])).get("takes_stacked"))

    def forward(self, tokens: list[Tokens], views: Views | None = None) -> Fused:
        """Run every expert on the intact tokens, or on all views.

        Args:
            tokens: of M modalities, [B, P, H]; or [E, B, P, H], where each expert sees its own. Padding, [B, N] or
                [E, B, N], likewise.
            views: how to perturb; None runs the intact view alone.

        Returns:
            What the fusion method returns, each tensor with E in front: logits [E, V·B, C], view after view.
        """
        self._follow_training_flag()
        if self.vectorised and not _too_large(tokens, views):
            if self._takes_stacked and views is None and not (self.training or torch.is_grad_enabled()):
                return self._forward_stacked(tokens)
            try:
                return self._forward_vmap(tokens, views)
            except RuntimeError as error:
                warnings.warn(f"experts run one by one, since vmap cannot trace them: {error}", stacklevel=2)
                self.vectorised = False
        return self._forward_loop(tokens, views)

    def _follow_training_flag(self) -> None:
        # Not in `train()`: trainers restore the training flag of each module without calling it.
        if self._skeleton[0].training != self.training:
            self._skeleton[0].train(self.training)

    def alone(self, expert: int) -> nn.Module:
        """Return one expert as a module of its own, with the weights it has now, which it shares."""
        module = copy.deepcopy(self._skeleton[0])
        names = [*self.stacked, *self._buffer_names]
        _put(_places(module, names), [value[expert] for value in self._state()])
        return module.train(self.training)

    def _forward_stacked(self, tokens: list[Tokens]) -> Fused:
        by_expert = [self._for_each(each) for each in tokens]
        return Fused(**self._call(self._state(), by_expert, None))

    def _for_each(self, tokens: Tokens) -> Tokens:
        """Return tokens of each expert, [E, B, P, H]."""

        def expand(tensor: Tensor, dims: int) -> Tensor:
            return tensor if tensor.dim() == dims else tensor.expand(self.num_experts, *tensor.shape)

        if isinstance(tokens, Padded):
            return Padded(expand(tokens.values, _PER_EXPERT_DIMS), expand(tokens.padding, _PER_EXPERT_DIMS - 1))
        return expand(tokens, _PER_EXPERT_DIMS)

    def _forward_vmap(self, tokens: list[Tokens], views: Views | None) -> Fused:
        axes = (0, _axes(tokens), _expert_axes(views))
        mapped = torch.vmap(self._call, in_dims=axes, randomness="different")
        return Fused(**mapped(self._state(), tokens, views))

    def _forward_loop(self, tokens: list[Tokens], views: Views | None) -> Fused:
        """Do what `forward` does, expert by expert."""
        outputs = []
        for expert, state in enumerate(self._states()):
            own = views and views._replace(replacements=[_own(each, expert) for each in views.replacements])
            seen = [_own(each, expert) for each in tokens]
            outputs.append(self._call(state, seen, own))
        return _stacked(outputs)

    def _call(self, state: Sequence[Tensor], tokens: list[Tokens], views: Views | None) -> dict[str, Tensor]:
        """Run the skeleton with this state; what it does not return is left out, since vmap returns tensors only."""
        with _lent(self._places, state):
            output = _on_views(self._skeleton[0], tokens, views)
        return _without_none(output if isinstance(output, Fused) else Fused(output))

    def _state(self) -> list[Tensor]:
        """Return the stacked parameters and buffers, in the order of `_places`."""
        return [*self.stacked.parameters(), *(self.get_buffer(name) for name in self._buffer_names)]

    def _states(self) -> Iterator[tuple[Tensor, ...]]:
        """Return the same of each expert."""
        return zip(*(value.unbind() for value in self._state()), strict=True)


def _without_none(fused: Fused) -> dict[str, Tensor]:
    return {name: value for name, value in fused._asdict().items() if value is not None}


def _stacked(outputs: list[dict[str, Tensor]]) -> Fused:
    """Return what the experts return, each tensor with E in front."""
    return Fused(**{name: torch.stack([output[name] for output in outputs]) for name in outputs[0]})


# The dictionaries of a module and its submodules that have a parameter or a buffer, and its key there.
Places = list[list[tuple[dict[str, Any], str]]]


def _places(module: nn.Module, names: list[str]) -> Places:
    """Return where each parameter or buffer of a flat name is; one that is shared is in several places."""
    found: dict[int, list[tuple[dict[str, Any], str]]] = {}
    for each in module.modules():
        for own in (each._parameters, each._buffers):  # noqa: SLF001 (where `functional_call` puts them too)
            for key, value in own.items():
                found.setdefault(id(value), []).append((own, key))
    values = {_flat(name): id(value) for name, value in (*module.named_parameters(), *module.named_buffers())}
    return [found[values[name]] for name in names]


@contextlib.contextmanager
def _lent(places: Places, state: Sequence[Tensor]) -> Iterator[None]:
    """Let a module have this state; what `torch.func.functional_call` does, which looks up every name at every call."""
    before = [own[0][0][own[0][1]] for own in places]
    try:
        _put(places, state)
        yield
    finally:
        _put(places, before)


def _put(places: Places, state: Sequence[Tensor]) -> None:
    for own, value in zip(places, state, strict=True):
        for dictionary, key in own:
            dictionary[key] = value


def _on_views(fusion: nn.Module, tokens: list[Tokens], views: Views | None) -> Any:  # noqa: ANN401 (Fused, or logits)
    """Run one fusion module on one view or all."""
    if views is None:
        return fusion(tokens)
    if not isinstance(fusion, Fusion):
        return fusion(_lay_out(tokens, views.replacements, views.replaced))
    intact, instead = fusion.embed(tokens), fusion.embed(views.replacements)
    return fusion.fuse_views(_lay_out(intact, instead, views.replaced), _num_views(tokens, views))


def _lay_out(intact: list[Any], instead: list[Any], replaced: Tensor | None) -> list[Any]:
    """Lay the views of each modality one after the other along the batch.

    Args:
        intact: M tensors, padded tokens or other tuples of tensors, [B, ·].
        instead: what replaces them, in the same form.
        replaced: see `Views`.

    Returns:
        The same, with V·B rows.
    """
    num_modalities = len(intact)
    laid_out: list[Any] = []
    for index, (own, other) in enumerate(zip(intact, instead, strict=True)):
        if isinstance(own, Tensor):
            laid_out.append(_views_of(own, other, index, num_modalities, replaced))
        else:
            parts = [_views_of(*pair, index, num_modalities, replaced) for pair in zip(own, other, strict=True)]
            laid_out.append(Padded(*parts) if isinstance(own, Padded) else tuple(parts))
    return laid_out


def _views_of(own: Tensor, other: Tensor, index: int, num_modalities: int, replaced: Tensor | None) -> Tensor:
    """Lay one modality's views along the batch: its own rows [B, ·], or the other ones where it is replaced."""
    if replaced is None:
        views = [other if index == view else own for view in range(num_modalities)]
    else:
        is_replaced = (replaced == index).view(*replaced.shape, *[1] * (own.dim() - 1))
        views = [torch.where(mask, other, own) for mask in is_replaced]
    return torch.cat([own, *views])


def _expert_axes(views: Views | None) -> Any:  # noqa: ANN401 (vmap's nested axes)
    """Return which tensors of the views have the expert axis."""
    if views is None:
        return None
    return Views(_axes(views.replacements), None)


def _axes(tokens: list[Tokens]) -> list[Any]:
    return [
        Padded(_axis(each.values, _PER_EXPERT_DIMS), _axis(each.padding, _PER_EXPERT_DIMS - 1))  # type: ignore[arg-type]
        if isinstance(each, Padded)
        else _axis(each, _PER_EXPERT_DIMS)
        for each in tokens
    ]


def _axis(tensor: Tensor, dims: int) -> int | None:
    return 0 if tensor.dim() == dims else None


def _own(tokens: Tokens, expert: int) -> Tokens:
    """Return what one expert sees."""
    if isinstance(tokens, Padded):
        values, padding = tokens
        return Padded(
            values[expert] if values.dim() == _PER_EXPERT_DIMS else values,
            padding[expert] if padding.dim() == _PER_EXPERT_DIMS - 1 else padding,
        )
    return tokens[expert] if tokens.dim() == _PER_EXPERT_DIMS else tokens


def _too_large(tokens: list[Tokens], views: Views | None) -> bool:
    num_views = 1 if views is None else _num_views(tokens, views)
    values = sum(values_of(_own(each, 0)).numel() for each in tokens)
    return values_of(tokens[0]).device.type == "cpu" and num_views * values > CPU_LIMIT


def _num_views(tokens: list[Tokens], views: Views) -> int:
    """Return V, the intact view among them."""
    return 1 + len(tokens if views.replaced is None else views.replaced)


_PER_EXPERT_DIMS = 4  # [E, B, P, H]


def _flat(name: str) -> str:
    """Return a parameter's dotted name in a form that a registered name may have."""
    return name.replace(".", "/")
