"""Layers of one expert that also run E experts at once: with stacked parameters, on inputs that have E in front.

In inference that takes a third of the time that `torch.vmap` takes for one sample, whose bookkeeping exceeds its
arithmetic. A method of such layers counts its axes from the last one, and says so by `Fusion.takes_stacked`.
"""

import torch
from torch import Tensor, nn
from torch._C._functorch import is_batchedtensor
from torch.nn import functional


class Linear(nn.Linear):
    """`nn.Linear`; E of them with the weights [E, out, in]."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Map [..., in] to [..., out], stacked [E, ..., in] to [E, ..., out]."""
        if self.weight.dim() == 2:  # noqa: PLR2004 (one expert)
            return super().forward(inputs)
        outputs = torch.bmm(inputs.flatten(1, -2), self.weight.transpose(1, 2))
        if self.bias is not None:
            outputs += self.bias.unsqueeze(1)  # faster than `baddbmm`, which first spreads the bias over the rows
        return outputs.view(*inputs.shape[:-1], -1)


class LayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` of the last axis; E of them with the weights [E, H]."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise [..., H], stacked [E, ..., H]."""
        if self.weight.dim() == 1:
            return super().forward(inputs)
        normed = functional.layer_norm(inputs, self.normalized_shape, eps=self.eps)
        weight, bias = (each.view(len(each), *[1] * (inputs.dim() - 2), -1) for each in (self.weight, self.bias))
        return torch.addcmul(bias, normed, weight)


def may_use_fast_kernels(values: Tensor) -> bool:
    """Return whether operations will do that have no `vmap` rule or read sizes from data: in inference on a CPU.

    Accelerators would wait for the data that a shape depends on.
    """
    return values.device.type == "cpu" and not torch.is_grad_enabled() and not is_batchedtensor(values)
