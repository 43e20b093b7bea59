"""Genotypes of new people, as copies of the alleles that were counted in train: what fits, and what is missing.

A variant that a new fileset lacks, or whose strand is in doubt, counts as missing in all of its people, and is imputed
as missing calls are.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import Fitted
from stages.datasets.adni.genetic.plink import COMPLEMENT, Fileset, Merged, add, compare, usable
from stages.datasets.adni.settings import GeneticSettings

UNSEEN_ALLELE = ("0", ".")  # how a .bim file names the allele that none of its people has


def variants_of(fitted: Fitted) -> pd.DataFrame:
    """Return the variants that are features: id, chromosome, a1 (which is counted) and a2."""
    return pd.DataFrame({name: fitted[name].astype(object) for name in ("id", "chromosome", "a1", "a2")})


def name_unseen_alleles(fileset: Fileset, variants: pd.DataFrame) -> Fileset:
    """Name the allele that none of a fileset's people has, by the variants of train; others stay as they are."""
    table = fileset.variants.copy()
    place = pd.Index(variants["id"]).get_indexer(table["id"])
    for unseen, seen in (("a1", "a2"), ("a2", "a1")):
        rows = np.flatnonzero((place >= 0) & table[unseen].isin(UNSEEN_ALLELE) & ~table[seen].isin(UNSEEN_ALLELE))
        allele = table[seen].iloc[rows].str.upper().to_numpy(object)
        one, two = (variants[name].to_numpy(object)[place[rows]] for name in ("a1", "a2"))
        other_one, other_two = (pd.Series(side).map(COMPLEMENT).to_numpy(object) for side in (one, two))
        known = [allele == one, allele == two, allele == other_one, allele == other_two]
        named = np.select(known, [two, one, other_two, other_one], table[unseen].iloc[rows].to_numpy(object))
        table.iloc[rows, table.columns.get_loc(unseen)] = named
    return replace(fileset, variants=table)


@dataclass(frozen=True)
class Matched:
    """New filesets seen as one, with the S variants of train; and by fileset, which of them it lacks [S]."""

    merged: Merged
    lacks: list[NDArray[np.bool_]]

    def share_lacking(self) -> list[float]:
        """Return by fileset the share of variants that it lacks."""
        return [float(own.mean()) for own in self.lacks]


def match(filesets: list[Fileset], variants: pd.DataFrame, settings: GeneticSettings) -> Matched:
    """Find the variants of train in each new fileset, whatever the order and strand of its alleles.

    A/T and C/G read the same on both strands. With `ambiguous: drop` they count only in filesets that have every other
    variant on the strand of train.

    Raises:
        InputError: when alleles do not fit and `mismatched` is error.
    """
    counts: dict[str, int] = {}
    columns, swapped = [], []
    for fileset in filesets:
        table = usable(fileset, counts)
        place = pd.Index(table["id"]).get_indexer(variants["id"])
        there = np.flatnonzero(place >= 0)
        known, own = variants.iloc[there], table.iloc[place[there]]
        fits, is_swapped, is_flipped = compare(known, own, counts)
        if settings.mismatched == "error" and not fits.all():
            row = int(own["column"].to_numpy()[np.flatnonzero(~fits)[0]]) + 1
            raise InputError(
                f"{fileset.bed.with_suffix('.bim')} row {row}: chromosome or alleles do not fit those of the variant "
                "in the train split on either strand: remove it, or set data.adni.genetic.mismatched to drop"
            )
        add(counts, "mismatched", int((~fits).sum()))
        is_ambiguous = (known["a1"].map(COMPLEMENT) == known["a2"]).to_numpy()
        if settings.ambiguous == "drop" and is_flipped[~is_ambiguous].any():
            add(counts, "ambiguous strand", int((fits & is_ambiguous).sum()))
            fits = fits & ~is_ambiguous
        columns.append(_placed(own["column"].to_numpy()[fits], there[fits], len(variants)))
        swapped.append(np.isin(np.arange(len(variants)), there[fits & is_swapped]))
    lacks = [own < 0 for own in columns]
    for fileset, own in zip(filesets, lacks, strict=True):
        add(counts, f"not in {fileset.bed.name}, or not usable", int(own.sum()))
    return Matched(Merged(filesets, variants, columns, swapped, counts), lacks)


def _placed(columns: NDArray[np.int64], places: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Return columns at their places among all variants, -1 elsewhere."""
    placed = np.full(number, -1, np.int64)
    placed[places] = columns
    return placed
