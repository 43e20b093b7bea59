"""Pruning of variants in linkage disequilibrium: of two that tell the same, one stays."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from stages.datasets.adni.genetic.plink import MISSING
from stages.datasets.adni.settings import PruneSettings

BLOCK = 512  # variants correlated at a time with those before them


def prune(
    read: Callable[[NDArray[np.int64]], NDArray[np.int8]],
    maf: NDArray[np.float64],
    chromosome: NDArray[np.str_],
    settings: PruneSettings,
) -> NDArray[np.bool_]:
    """Return which of V variants stay [V].

    The window slides by one variant: each is compared with those still there among the `window` - 1 before it on its
    chromosome, from the first to the last. Where the squared correlation of their genotypes exceeds `max_r2`, the one
    with the smaller minor allele frequency goes, the later one where these are equal. PLINK's --indep-pairwise slides
    by a step and visits pairs in another order: it keeps mostly the same variants, not exactly the same.

    Args:
        read: returns the people's genotypes of variants by number [T, b]; a missing one counts as the variant's mean.
        maf: minor allele frequencies [V].
        chromosome: of each variant [V]; in order of chromosome and position.
        settings: of the window and the threshold.
    """
    stays = np.ones(len(maf), dtype=bool)
    before = np.empty((0, 0), dtype=np.float32)
    first = 0  # number of the first variant of `before`
    for start in tqdm(range(0, len(maf), BLOCK), desc="prune", unit="block", mininterval=1, delay=2):
        block = _standardise(read(np.arange(start, min(start + BLOCK, len(maf)))))
        both = np.concatenate([before, block], axis=1) if before.size else block
        earlier, later = np.arange(first, first + both.shape[1])[:, None], np.arange(start, start + block.shape[1])
        linked = (both.T @ block) ** 2 > settings.max_r2
        linked &= (earlier < later) & (later - earlier < settings.window) & (chromosome[earlier] == chromosome[later])
        for column in np.flatnonzero(linked.any(axis=0)):
            _drop_one_of_each_pair(first + np.flatnonzero(linked[:, column]), start + int(column), stays, maf)
        first = max(0, start + block.shape[1] - settings.window + 1)
        before = both[:, both.shape[1] - (start + block.shape[1] - first) :]
    return stays


def _drop_one_of_each_pair(
    partners: NDArray[np.int64], variant: int, stays: NDArray[np.bool_], maf: NDArray[np.float64]
) -> None:
    for partner in partners[stays[partners]]:
        if maf[variant] <= maf[partner]:
            stays[variant] = False
            return
        stays[partner] = False


def _standardise(genotypes: NDArray[np.int8]) -> NDArray[np.float32]:
    """Centre and scale columns to length 1, so that products of columns are correlations; missing ones become 0."""
    values = genotypes.astype(np.float32)
    values[genotypes == MISSING] = np.nan
    values = np.nan_to_num(values - np.nanmean(values, axis=0))
    norms = np.linalg.norm(values, axis=0)
    scaled: NDArray[np.float32] = np.divide(values, norms, out=np.zeros_like(values), where=norms > 0)
    return scaled
