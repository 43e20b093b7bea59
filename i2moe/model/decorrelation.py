"""Penalties on interaction experts whose latents say the same, the mean over all pairs of experts.

Those of the follow-up of FL-I2MoE (arXiv 2606.29613), as its code has them; on the latents of the intact view.

For fewer samples than columns, as in any batch, all of them are computed from products of samples with samples, B × B,
and none of columns with columns, D × D: ‖XᵀY‖²_F is the sum over all entries of XXᵀ times those of YYᵀ.

Shapes: E experts, B samples, D width of the latent.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

EPS = 1e-8  # of a denominator, and added to what a root is taken of: latents that are all alike have no gradient


def cosine(latents: Tensor) -> Tensor:
    """Squared cosine of the two latents of each sample, averaged over samples and pairs (Rep-Cos).

    Args:
        latents: [E, B, D].

    Examples:
        >>> latents = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 4.0], [5.0, 0.0]]])  # cosines 3/5 and 0
        >>> round(cosine(latents).item(), 3)
        0.18
    """
    directions = functional.normalize(latents, dim=2)
    cosines = torch.einsum("ebd,fbd->efb", directions, directions)
    return _over_pairs(cosines.square().mean(dim=2))


def cka(latents: Tensor) -> Tensor:
    """Linear centred kernel alignment of two experts' latents over the batch, averaged over pairs (Rep-CKA).

    It is near 1 for independent latents of a batch that is small for their width: see
    `i2moe.explain.similarity.debiased_cka` for a measure of how alike experts are.

    Args:
        latents: [E, B, D].

    Examples:
        >>> first = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
        >>> second = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
        >>> round(cka(torch.stack([first, second])).item(), 4)  # 16 / (4 · √32)
        0.7071
    """
    products = _products(latents - latents.mean(dim=1, keepdim=True))
    norms = (products.diagonal() + EPS).sqrt()
    return _over_pairs(products / (norms.unsqueeze(1) * norms + EPS))


def barlow(latents: Tensor) -> Tensor:
    """Squared correlation over the batch of a column with every other column of the other expert (Rep-Barlow).

    Averaged over pairs of columns and of experts. A column is compared with all but its namesake, so that two
    identical latents whose own columns are uncorrelated have no penalty.

    Args:
        latents: [E, B, D].

    Examples:
        >>> first = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
        >>> barlow(torch.stack([first, first])).item(), round(barlow(torch.stack([first, first.flip(1)])).item(), 4)
        (0.0, 1.0)
    """
    centred = latents - latents.mean(dim=1, keepdim=True)
    columns = centred / (centred.square().mean(dim=1, keepdim=True) + EPS).sqrt()
    _, batch, width = latents.shape
    all_pairs = _products(columns) / batch**2
    namesakes = torch.einsum("ebd,fbd->efd", columns, columns) / batch
    others = all_pairs - namesakes.square().sum(dim=2)
    return _over_pairs(others) / max(1, width**2 - width)


def _products(columns: Tensor) -> Tensor:
    """Return ‖XᵀY‖²_F for every pair of experts' matrices, [E, E] of [E, B, D]."""
    grams = columns @ columns.transpose(1, 2)
    return torch.einsum("eab,fab->ef", grams, grams)


def _over_pairs(values: Tensor) -> Tensor:
    """Average values [E, E] over pairs of different experts."""
    first, second = torch.triu_indices(len(values), len(values), offset=1, device=values.device)
    return values[first, second].mean()


PENALTIES: dict[str, Callable[[Tensor], Tensor]] = {"cosine": cosine, "cka": cka, "barlow": barlow}
