"""How a model, or one expert alone, uses its modalities: from its value with every subset of them left intact.

For two modalities with values v(none), v(0), v(1), v(both): redundancy is what either gives alone,
min(v(0), v(1)) - v(none); uniqueness of the better one is what it gives beyond the other, |v(0) - v(1)|; synergy is
what only both give, v(both) - max(v(0), v(1)). This is the lattice of Williams and Beer with the minimum as measure of
redundancy, on values in place of informations.

For more modalities: let a and b be the largest and second largest value of a modality alone. Redundancy is what at
least two modalities give alone, b - v(none); uniqueness is what one gives and no other, a - b, of the best modality;
synergy is what no modality gives alone, v(all) - a. The three add up to v(all) - v(none) as for two modalities, whose
formulas they are. We take the second largest value rather than the smallest since information that two of three
modalities share survives the loss of either, which the smallest, that of a third without any, would deny. Synergy of
two modalities and of all are one term, as I2MoE has one expert for both; the interaction index of each pair
(`i2moe.explain.subsets`) tells which modalities interact.

What it cannot tell: information that is additive over modalities, such as a label made of one part from each, counts
as redundancy and synergy in equal parts, since values say how much a modality knows and not what.

Shapes: M modalities, K = 2^M subsets, T = M + 2 terms, … any axes.
"""

import numpy as np

from i2moe.selection import Array, Floats


def lattice_parts(values: Array) -> Floats:
    """Return uniqueness of each modality, synergy and redundancy, [..., T]; they sum to what is gained.

    A modality that alone is worth less than nothing at all counts as worth as much.

    Args:
        values: of all subsets in the order of `i2moe.explain.subsets`, [..., K].

    Examples:
        >>> lattice_parts(np.array([0.5, 0.5, 0.5, 1.0])).tolist()  # exclusive or
        [0.0, 0.0, 0.5, 0.0]
        >>> lattice_parts(np.array([0.5, 1.0, 0.75, 1.0])).tolist()  # the second modality is a worse copy
        [0.25, 0.0, 0.0, 0.25]
    """
    num_modalities = values.shape[-1].bit_length() - 1
    none, whole = values[..., 0], values[..., -1]
    alone = np.maximum(values[..., 1 : num_modalities + 1], none[..., None])
    second, best = np.moveaxis(np.sort(alone, axis=-1)[..., -2:], -1, 0)
    unique = np.maximum(alone - second[..., None], 0.0)
    synergy, redundancy = np.maximum(whole - best, 0.0), second - none
    return np.concatenate([unique, synergy[..., None], redundancy[..., None]], axis=-1)
