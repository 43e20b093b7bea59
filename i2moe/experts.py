"""Run E fusion modules at once: their parameters are stacked and `torch.vmap` maps over the expert axis.

Shapes: E experts, B samples, M modalities, P tokens a modality, H hidden_dim, C outputs.
"""

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state


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
        self._buffer_names = list(buffers)
        for name, value in buffers.items():
            self.register_buffer(_flat(name), value)
        # In a tuple, so that the skeleton's own (meta) parameters are neither trained nor counted nor saved.
        self._skeleton = (copy.deepcopy(modules[0]).to("meta"),)

    def forward(self, tokens: list[Tensor]) -> Tensor:
        """Run every expert on tokens.

        Args:
            tokens: M tensors, [B, P, H] shared by all experts, or [E, B, P, H] with each expert's own.

        Returns:
            Logits [E, B, C].
        """
        # Not in `train()`: trainers restore the training flag of each module without calling it.
        self._skeleton[0].train(self.training)
        if self.vectorised:
            try:
                return self._forward_vmap(tokens)
            except RuntimeError as error:
                warnings.warn(f"experts run one by one, since vmap cannot trace them: {error}", stacklevel=2)
                self.vectorised = False
        return self._forward_loop(tokens)

    def _forward_vmap(self, tokens: list[Tensor]) -> Tensor:
        token_axes = [0 if modality.dim() == _PER_EXPERT_DIMS else None for modality in tokens]
        mapped = torch.vmap(self._call, in_dims=(0, token_axes), randomness="different")
        return mapped(self._state(), tokens)  # type: ignore[no-any-return]

    def _forward_loop(self, tokens: list[Tensor]) -> Tensor:
        """Do what `forward` does, expert by expert."""
        outputs = []
        for expert in range(self.num_experts):
            state = {name: value[expert] for name, value in self._state().items()}
            own = [modality[expert] if modality.dim() == _PER_EXPERT_DIMS else modality for modality in tokens]
            outputs.append(self._call(state, own))
        return torch.stack(outputs)

    def _call(self, state: dict[str, Tensor], tokens: list[Tensor]) -> Any:  # noqa: ANN401 (torch's own type)
        return functional_call(self._skeleton[0], state, (tokens,))

    def _state(self) -> dict[str, Tensor]:
        """Return the stacked parameters and buffers under the names the single module knows them by."""
        parameters = {name.replace("/", "."): value for name, value in self.stacked.items()}
        buffers = {name: self.get_buffer(_flat(name)) for name in self._buffer_names}
        return parameters | buffers


_PER_EXPERT_DIMS = 4  # [E, B, P, H]


def _flat(name: str) -> str:
    """Return a parameter's dotted name in a form that a registered name may have."""
    return name.replace(".", "/")
