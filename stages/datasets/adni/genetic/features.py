"""SNPs of ADNI: filtered, pruned, imputed and scaled with the train split; copies of A1 as features."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError
from stages.datasets.adni.genetic.plink import MISSING, Genotypes, Merged, find_filesets, merge
from stages.datasets.adni.genetic.pruning import prune
from stages.datasets.adni.settings import GeneticSettings, Settings
from stages.shared.base import paths
from stages.shared.base.command import run
from stages.shared.base.params import load_block
from stages.shared.features import fitted_on_train, save_blocks, write_features
from stages.shared.visits import read_visits

DOSAGES = np.arange(3)  # copies of A1
PEOPLE = 64  # written at a time


def genetic() -> None:
    """Write data/features/adni/genetic.npy [N, S] and .json."""
    settings = load_block("data.adni", Settings)
    visits = read_visits("adni", dates=("date",))
    merged = merge(find_filesets(settings.raw), settings.genetic)
    write_genotypes(merged, visits["sample_id"].tolist(), visits["is_train"].to_numpy(), settings.genetic, settings.raw)


def write_genotypes(
    merged: Merged, people: list[str], is_train: NDArray[np.bool_], settings: GeneticSettings, source: str
) -> None:
    """Filter, impute and write the genotypes of some people.

    Raises:
        InputError: when no variant passes the filters.
    """
    genotypes = Genotypes(merged, people)
    counts = count_dosages(genotypes, is_train)
    kept, removed = choose_variants(genotypes, counts, is_train, settings)
    fill, low, high = fit(counts[kept], settings)
    dosages = np.empty((len(people), len(kept)), dtype=np.int8)
    done = 0
    for _, block in genotypes.blocks(kept, "genotypes"):
        dosages[:, done : done + block.shape[1]] = block
        done += block.shape[1]
    variants = merged.variants.iloc[kept]
    about: dict[str, Any] = {
        "kind": "vector",
        "shape": [len(kept)],
        "source": source,
        "coding": "copies of the allele after the underscore, scaled to [-1, 1]",
        "features": (variants["id"] + "_" + variants["a1"]).tolist(),
        "variants_in_filesets": {fileset.bed.stem: len(fileset.variants) for fileset in merged.filesets},
        "merge": merged.counts,
        "removed": removed,
        "share_missing": round(float((dosages == MISSING).mean()), 6),
        "fitted": fitted_on_train(is_train, "filters, pruning, imputed dosages, ranges")
        | {"imputed": fill.tolist(), "low": low.tolist(), "high": high.tolist()},
    }
    dtype = "<f2" if settings.impute == "mode" else "<f4"  # whole dosages lose nothing in float16

    def write(partial: Path) -> None:
        save_blocks(partial, _scaled(dosages, fill, low, high), dtype, dosages.shape)

    path = write_features(paths.features("adni"), "genetic", write, lambda: about)
    print(f"{path}: {len(people)} x {len(kept)} of {len(merged.variants)} variants")
    for name, number in (merged.counts | removed).items():
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
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    if not rows or any(len(row) != 1 for row in rows):
        raise InputError(f"data.adni.genetic.variants: {path} is not a list of ids: put one id in each row")
    return {row[0] for row in rows}


def fit(
    counts: NDArray[np.int64], settings: GeneticSettings
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return each variant's imputed dosage, and least and greatest dosage in train, from its counts [S, 3]."""
    mean = (counts @ DOSAGES) / counts.sum(axis=1)
    fill = counts.argmax(axis=1).astype(float) if settings.impute == "mode" else mean
    present = counts > 0
    return fill, present.argmax(axis=1), DOSAGES[-1] - present[:, ::-1].argmax(axis=1)


def _scaled(
    dosages: NDArray[np.int8], fill: NDArray[np.float64], low: NDArray[np.int64], high: NDArray[np.int64]
) -> Iterator[NDArray[np.floating]]:
    """Impute dosages and scale them to [-1, 1], some people at a time."""
    for start in range(0, len(dosages), PEOPLE):
        block = dosages[start : start + PEOPLE]
        filled = np.where(block == MISSING, fill.astype(np.float32), block)
        yield 2 * (filled - low.astype(np.float32)) / (high - low).astype(np.float32) - 1


if __name__ == "__main__":
    run(genetic)
