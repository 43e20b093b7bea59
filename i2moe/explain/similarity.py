"""How alike the latents of experts are: linear centred kernel alignment (Kornblith et al. 2019), without its bias.

Both compare latents of the same N samples, up to rotation and scale: 1 where one is a rotation of the other, and 0
where nothing linear is shared. The usual estimate is far from 0 for independent latents unless there are many more
samples than columns; the debiased one, from the unbiased estimate of HSIC (Song et al. 2012), is 0 on average.

Shapes: N samples, D and D' widths, E experts.
"""

import numpy as np

from i2moe.selection import Array, Floats

LEAST_SAMPLES = 4  # of the unbiased estimate


def biased_cka(first: Array, second: Array) -> float:
    """Return the usual estimate for latents [N, D] and [N, D'], as the penalty `cka` has it.

    Examples:
        >>> first, second = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0]]), np.array([[1, 1], [-1, 1], [1, -1], [-1, -1]])
        >>> round(biased_cka(first, second), 4)  # 16 / (4 · √32)
        0.7071
    """
    one, other = _centred(first), _centred(second)
    return _alignment(_product(one, other), _product(one, one), _product(other, other))


def debiased_cka(first: Array, second: Array) -> float:
    """Return the debiased estimate for latents [N, D] and [N, D']; it may lie a little below 0. NaN of constants.

    Raises:
        ValueError: with fewer than four samples.
    """
    if len(first) < LEAST_SAMPLES:
        raise ValueError(f"the debiased CKA needs at least {LEAST_SAMPLES} samples, got {len(first)}")
    one, other = _centred(first), _centred(second)
    return _alignment(_hsic(one, other), _hsic(one, one), _hsic(other, other))


def cka_matrix(latents: Array) -> Floats:
    """Return the debiased estimate of every pair of experts, [E, E] of latents [E, N, D]."""
    return np.array([[debiased_cka(one, other) for other in latents] for one in latents])


def _centred(latents: Array) -> Floats:
    return np.asarray(latents - latents.mean(axis=0), np.float64)


def _product(one: Floats, other: Floats) -> float:
    """Return ‖XᵀY‖²_F, which is the sum of the products of the entries of XXᵀ and YYᵀ, without N × N matrices."""
    return float(np.square(one.T @ other).sum())


def _hsic(one: Floats, other: Floats) -> float:
    """Return N(N - 3) times the unbiased estimate of HSIC of centred latents (Song et al. 2012, theorem 5).

    The Gram matrices' diagonals count as 0 there, so that each row's sum is minus its diagonal element.
    """
    size, diagonal, others = len(one), np.square(one).sum(axis=1), np.square(other).sum(axis=1)
    shared, along = _product(one, other), float(diagonal @ others)
    alone = float(diagonal.sum() * others.sum()) / ((size - 1) * (size - 2))
    return shared - along + alone - 2 * along / (size - 2)


def _alignment(shared: float, one: float, other: float) -> float:
    """Return the alignment; NaN where one of the two varies too little to have an own one."""
    return float(shared / np.sqrt(one * other)) if one > 0 and other > 0 else float("nan")
