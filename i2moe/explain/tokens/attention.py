"""How much of each token reaches the prediction, from the attention of all layers: rollout, and rollout by gradients.

- rollout (Abnar and Zuidema, ACL 2020): each layer hands a token on as its attention says, and by the skip around the
  attention as it is; all layers multiplied say how much of each token is in each place at the end. It knows nothing of
  what is predicted.
- rollout by gradients (after Chefer et al., CVPR 2021): an attention counts as far as it raises the value that is asked
  about. It is what the FL-I2MoE line uses.

What is predicted is a mean over each modality's places, without a token of its own for it; so a token's score is the
mean over all places that hold a token.

Shapes: B samples, N tokens of all modalities, L layers; … experts in front, if any.
"""

import torch
from torch import Tensor


def rollout(maps: list[Tensor], real: Tensor) -> Tensor:
    """Return each token's share of the places at the end, [..., B, N]; shares of a sample sum to 1.

    Args:
        maps: L attention maps [..., B, heads, N, N], from queries to keys.
        real: [B, N], which places hold a token.
    """
    return _through([attention.mean(dim=-3) for attention in maps], real)


def gradient_rollout(maps: list[Tensor], gradients: list[Tensor], real: Tensor) -> Tensor:
    """Return the same, of what raises a value, [..., B, N].

    Args:
        maps: L attention maps [..., B, heads, N, N].
        gradients: of the value that is asked about by the maps, in the same shape.
        real: [B, N], which places hold a token.
    """
    raising = [
        (attention.clamp(min=0) * gradient.clamp(min=0)).mean(dim=-3)
        for attention, gradient in zip(maps, gradients, strict=True)
    ]
    return _through(raising, real)


def _through(layers: list[Tensor], real: Tensor) -> Tensor:
    """Multiply what L layers [..., B, N, N] hand on, each with its skip, and average over the places."""
    skip = torch.eye(layers[0].shape[-1], dtype=layers[0].dtype, device=layers[0].device)
    through = skip
    for layer in layers:
        handed_on = layer + skip
        through = handed_on / handed_on.sum(dim=-1, keepdim=True) @ through
    places = real.to(through.dtype).unsqueeze(-2)  # [B, 1, N]
    return (places @ through).squeeze(-2) / places.sum(dim=-1) * real
