"""The role that each expert plays, next to the one in its name: from its own lattice over modality subsets.

An expert's value with every subset of modalities (the others at their mean) is shared out as that of the whole model
(`i2moe.explain.lattice`). The term with the largest share is its behavioural role, where it is shown to lead: else the
role is unclear; of an expert that gains nothing alone it is none.

Shapes: S seeds, N samples, E experts, K = 2^M subsets, T terms.
"""

from dataclasses import dataclass

import numpy as np

from i2moe.explain.lattice import lattice_parts
from i2moe.explain.shares import Shares, share_out, shows_gain
from i2moe.resampling import Units, percentiles
from i2moe.selection import Array

IDLE, UNCLEAR_ROLE = "idle", "unclear"


@dataclass(frozen=True)
class Behaviour:
    """How one expert behaves in each of S seeds."""

    expert: str
    roles: list[str]  # [S]: a term | idle, without a gain alone | unclear, no term leads
    shares: Shares
    gain: list[float]  # [S], of its value alone over no modality and over the best constant


def behaviours(names: list[str], terms: list[str], values: Array, constant: Array, units: Units) -> list[Behaviour]:
    """Return how each expert behaves.

    Args:
        names: of the E experts.
        terms: the T terms.
        values: by sample, of each expert's logits with every subset of modalities, [S, K, N, E].
        constant: of the best constant prediction, [N].
        units: which of the N samples are resampled together.
    """
    found = []
    for index, name in enumerate(names):
        own = values[..., index]
        gain = shows_gain(own[:, -1], own[:, 0], constant, units)
        shares = share_out(terms, own, lattice_parts, units).where(gain.shown)
        found.append(Behaviour(name, behavioural_roles(shares, units), shares, gain.gain.tolist()))
    return found


def behavioural_roles(shares: Shares, units: Units) -> list[str]:
    """Return the role in each seed [S]: the term whose lead on the one after it has an interval above 0."""
    roles = []
    for seed, own in enumerate(shares.share):
        if np.isnan(own).any():
            roles.append(IDLE)
            continue
        first, second = own.argsort(kind="stable")[::-1][:2]
        on_resamples = shares.on_resamples[:, seed]
        lead = percentiles(on_resamples[:, first] - on_resamples[:, second], units)
        roles.append(shares.terms[first] if lead.low > 0 else UNCLEAR_ROLE)
    return roles
