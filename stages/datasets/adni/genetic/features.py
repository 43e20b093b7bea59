"""SNPs of ADNI: filtered, pruned, imputed and scaled with the train split; copies of A1 as features."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from i2moe.preparation.fitted import Fitted, read_fitted
from stages.datasets.adni.genetic.matching import match, name_unseen_alleles, variants_of
from stages.datasets.adni.genetic.plink import MISSING, Genotypes, find_filesets, merge
from stages.datasets.adni.genetic.pruning import prune
from stages.datasets.adni.settings import GeneticSettings, Settings
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import fitted_on_train, save_blocks, save_fitted, spread, write_features, write_present
from stages.shared.visits import read_visits

DOSAGES = np.arange(3)  # copies of A1
PEOPLE = 64  # written at a time


def genetic() -> None:
    """Write data/features/adni/genetic.npy [N, S], .json, .present.npy and .fitted.npz."""
    settings = load_block("data.adni", Settings)
    visits = read_visits("adni", {"rid": int, "has_genetic": bool}, dates=("date",))
    merged = merge(find_filesets(settings.raw), settings.genetic)
    present = visits["has_genetic"].to_numpy(bool)
    people, is_train = visits.loc[present, "sample_id"].tolist(), visits.loc[present, "is_train"].to_numpy()
    write_genotypes(Genotypes(merged, people), is_train, present, settings.genetic, settings.raw)


def write_genotypes(
    genotypes: Genotypes,
    is_train: NDArray[np.bool_],
    present: NDArray[np.bool_],
    settings: GeneticSettings,
    source: str,
) -> None:
    """Filter, impute and write the genotypes of P people, and 0 for samples that have none, by `present` [N].

    Raises:
        InputError: when no variant passes the filters.
    """
    merged = genotypes.merged
    counts = count_dosages(genotypes, is_train)
    kept, removed = choose_variants(genotypes, counts, is_train, settings)
    variants = merged.variants.iloc[kept]
    fitted = {name: variants[name].to_numpy(str) for name in ("id", "chromosome", "a1", "a2")}
    fitted |= fit(counts[kept], settings)
    dosages = read_dosages(genotypes, kept)
    about: dict[str, Any] = {
        "source": source,
        "coding": "copies of the allele after the underscore, scaled to [-1, 1]",
        "features": names_of(fitted),
        "variants_in_filesets": {fileset.bed.stem: len(fileset.variants) for fileset in merged.filesets},
        "merge": merged.counts,
        "removed": removed,
        "share_missing": round(float((dosages == MISSING).mean()), 6),
        "fitted": fitted_on_train(is_train, "filters, pruning, imputed dosages, ranges")
        | {name: fitted[name].tolist() for name in ("imputed", "low", "high")},
    }
    write_dosages(paths.features("adni"), dosages, present, fitted, settings.impute, about)
    save_fitted("adni", "genetic", fitted)
    print(f"  {len(kept)} of {len(merged.variants)} variants")
    print_counts(merged.counts | removed)


def write_new_genotypes(dataset: str, settings: Settings, subjects: pd.DataFrame, folder: Path) -> dict[str, float]:
    """Write the genotypes of new subjects; return by `genetic: variant` the share of people outside of train.

    These have more or fewer copies than anyone in train, or a fileset that lacks the variant.

    Raises:
        InputError: as `match`.
    """
    fitted = read_fitted(paths.fitted(dataset, "genetic"))
    variants = variants_of(fitted)
    present = subjects["has_genetic"].to_numpy(bool)
    dosages, unseen = np.empty((0, len(variants)), np.int8), {}
    if present.any():
        filesets = [name_unseen_alleles(fileset, variants) for fileset in find_filesets(settings.raw)]
        matched = match(filesets, variants, settings.genetic)
        genotypes = Genotypes(matched.merged, subjects.loc[present, "sample_id"].tolist())
        dosages = read_dosages(genotypes, np.arange(len(variants)))
        outside = (dosages != MISSING) & ((dosages < fitted["low"]) | (dosages > fitted["high"]))
        number = outside.sum(axis=0)
        for rows, lacks in zip(genotypes.rows, matched.lacks, strict=True):
            number = number + len(rows) * lacks
        unseen = dict(zip(names_of(fitted), (number / len(dosages)).tolist(), strict=True))
        print_counts(matched.merged.counts)
    about = {"source": settings.raw, "features": names_of(fitted)}
    write_dosages(folder, dosages, present, fitted, settings.genetic.impute, about)
    return {f"genetic: {variant}": share for variant, share in unseen.items()}


def names_of(fitted: Fitted) -> list[str]:
    """Return the features' names: the variant and the allele that is counted."""
    return [f"{variant}_{allele}" for variant, allele in zip(fitted["id"], fitted["a1"], strict=True)]


def read_dosages(genotypes: Genotypes, kept: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return the copies of A1 of some variants [P, S]."""
    dosages = np.empty((genotypes.num_people, len(kept)), dtype=np.int8)
    done = 0
    for _, block in genotypes.blocks(kept, "genotypes"):
        dosages[:, done : done + block.shape[1]] = block
        done += block.shape[1]
    return dosages


def write_dosages(
    folder: Path,
    dosages: NDArray[np.int8],
    present: NDArray[np.bool_],
    fitted: Fitted,
    impute: str,
    about: dict[str, Any],
) -> None:
    """Impute, scale and write dosages [P, S] in the places of those who have them, by `present` [N]."""
    shape = (len(present), dosages.shape[1])
    dtype = "<f2" if impute == "mode" else "<f4"  # whole dosages lose nothing in float16

    def write(partial: Path) -> None:
        save_blocks(partial, spread(_scaled(dosages, fitted), present, shape[1]), dtype, shape)

    about = {"kind": "vector", "shape": [shape[1]]} | about
    path = write_features(folder, "genetic", write, lambda: about)
    write_present(folder, "genetic", present)
    print(f"{path}: {shape[0]} x {shape[1]}")


def print_counts(counts: dict[str, int]) -> None:
    """Print how many variants each check removed or changed."""
    for name, number in counts.items():
        print(f"  - {number} {name}")


def count_dosages(genotypes: Genotypes, is_train: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return how many train people have 0, 1 and 2 copies of each variant's A1 [V, 3]."""
    everything = np.arange(len(genotypes.merged.variants))
    counts = np.zeros((len(everything), len(DOSAGES)), dtype=np.int64)
    for numbers, block in genotypes.blocks(everything, "count"):
        train = block[is_train]
        counts[numbers] = np.stack([(train == dosage).sum(axis=0) for dosage in DOSAGES], axis=1)
    return counts


def choose_variants(
    genotypes: Genotypes, counts: NDArray[np.int64], is_train: NDArray[np.bool_], settings: GeneticSettings
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Apply the filters in order; return the numbers of the variants that pass, and how many each removed.

    Raises:
        InputError: when none passes, or the list of variants cannot be read.
    """
    called = counts.sum(axis=1)
    frequency = (counts @ DOSAGES) / np.maximum(2 * called, 1)
    maf = np.minimum(frequency, 1 - frequency)
    ids = genotypes.merged.variants["id"]
    passes = {
        "more missing in train than allowed": called >= (1 - settings.max_missing) * is_train.sum(),
        "rarer in train than allowed": maf >= settings.min_maf,
        "the same in all of train": (counts > 0).sum(axis=1) > 1,
    }
    if settings.variants is not None:
        passes["not in the list of variants"] = ids.isin(read_list(Path(settings.variants))).to_numpy()
    kept, removed = np.arange(len(ids)), {}
    for name, flags in passes.items():
        removed[name] = int((~flags[kept]).sum())
        kept = kept[flags[kept]]
    if settings.prune is not None and len(kept):
        own = kept
        chromosome = genotypes.merged.variants["chromosome"].to_numpy(str)[own]
        stays = prune(lambda numbers: genotypes.read(own[numbers])[is_train], maf[own], chromosome, settings.prune)
        removed["in linkage disequilibrium"] = int((~stays).sum())
        kept = own[stays]
    if not len(kept):
        raise InputError(f"data.adni.genetic: no variant passes: {removed}: relax the filters")
    return kept, removed


def read_list(path: Path) -> set[str]:
    """Return the ids of a file with one in each row, as PLINK writes .prune.in.

    Raises:
        InputError: for a missing or empty file, or one with several columns.
    """
    if not path.is_file():
        raise InputError(f"data.adni.genetic.variants: {path} is missing: put the list there, or set it to null")
    rows = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    if not rows or any(len(row) != 1 for row in rows):
        raise InputError(f"data.adni.genetic.variants: {path} is not a list of ids: put one id in each row")
    return {row[0] for row in rows}


def fit(counts: NDArray[np.int64], settings: GeneticSettings) -> Fitted:
    """Return each variant's imputed dosage, and least and greatest dosage in train, from its counts [S, 3]."""
    mean = (counts @ DOSAGES) / counts.sum(axis=1)
    fill = counts.argmax(axis=1).astype(float) if settings.impute == "mode" else mean
    present = counts > 0
    return {"imputed": fill, "low": present.argmax(axis=1), "high": DOSAGES[-1] - present[:, ::-1].argmax(axis=1)}


def _scaled(dosages: NDArray[np.int8], fitted: Fitted) -> Iterator[NDArray[np.floating]]:
    """Impute dosages and scale them to [-1, 1], some people at a time."""
    fill, low, high = (fitted[name] for name in ("imputed", "low", "high"))
    for start in range(0, len(dosages), PEOPLE):
        block = dosages[start : start + PEOPLE]
        filled = np.where(block == MISSING, fill.astype(np.float32), block)
        yield 2 * (filled - low.astype(np.float32)) / (high - low).astype(np.float32) - 1


if __name__ == "__main__":
    run(genetic)
