"""Grey-matter maps, atlas and PLINK filesets of the synthetic ADNI."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from bed_reader import to_bed
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from stages.datasets.adni.genetic.plink import AUTOSOMES, COMPLEMENT, MISSING
from stages.datasets.adni.synthetic.subjects import Bools, Floats, Subjects, sigmoid

SHAPE = (8, 9, 8)
VOXEL = 24.0  # mm: the field of view of 91 x 109 x 91 voxels of 2 mm
GREY, WHITE = 150, 250
CORE, SURFACE = 0.5, 0.9  # radii of the white and the grey matter
BASE, EFFECT, NOISE = 1000.0, 250.0, 100.0  # of a map's values
BLOCK = 16  # variants in linkage disequilibrium
CAUSAL_EVERY = 2  # blocks; the first variant of each such block shows a term
SHARE_SAME = 0.85  # of a block's alleles are its first variant's
SHARE_FIRST_FILESET, SHARE_OF_VARIANTS, SHARE_SWAPPED, SHARE_FLIPPED = 0.6, 0.95, 0.4, 0.3
SHARE_MISSING, SHARE_MISSING_POOR, SHARE_POOR_VARIANTS, SHARE_AMBIGUOUS = 0.01, 0.3, 0.03, 0.08
BUILD_SHIFT = 12_345  # positions of the second fileset are of another genome build
FILESETS = ("ADNI_cluster_01_forward", "ADNI_GO_2_Forward_Bin")


def write_maps(folder: Path, subjects: Subjects, generator: np.random.Generator) -> None:
    """Write atlas.nii.gz and ravens/<PTID>_<date>_RAVENS_150.nii.gz, one or two per subject."""
    labels = _labels()
    _write_nifti(folder / "atlas.nii.gz", labels)
    scans = [(row, 0) for row in np.flatnonzero(subjects.has_scan)]
    scans += [(row, 2) for row in np.flatnonzero(subjects.has_scan & subjects.has_second_scan)]
    for row, visit in tqdm(scans, desc="maps", unit="map", mininterval=1, delay=2, dynamic_ncols=True):
        noise = gaussian_filter(generator.normal(size=SHAPE), 1.0) * NOISE * 5
        atrophy = subjects.terms["shared"][row]
        values = np.where(labels == GREY, BASE - EFFECT * atrophy + noise, 0).clip(0).astype(np.int16)
        date = subjects.date(visit)[row]
        _write_nifti(folder / "ravens" / f"{subjects.ptid[row]}_{date}_RAVENS_150.nii.gz", values)


def _labels() -> NDArray[np.int16]:
    """Draw a ball of white matter in a shell of grey matter."""
    axes = np.meshgrid(*(np.linspace(-1, 1, length) for length in SHAPE), indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    return np.select([radius < CORE, radius < SURFACE], [WHITE, GREY], 0).astype(np.int16)


def _write_nifti(path: Path, values: NDArray[np.int16]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = np.diag([-VOXEL, VOXEL, VOXEL, 1])
    affine[:3, 3] = [90, -126, -72]
    path.write_bytes(gzip.compress(Nifti1Image(values, affine).to_bytes(), compresslevel=1, mtime=0))


def write_filesets(folder: Path, subjects: Subjects, num: int, generator: np.random.Generator) -> None:
    """Write two filesets that share most variants; in the second, some alleles are swapped or on the other strand."""
    folder.mkdir(parents=True, exist_ok=True)
    dosages, names = _draw_dosages(subjects, num, generator)
    chromosome = np.array(AUTOSOMES)[np.sort(np.arange(num) * len(AUTOSOMES) // num)]
    position = 1000 * (1 + np.arange(num))
    alleles = _draw_alleles(num, generator)
    number = np.flatnonzero(subjects.has_genotypes)
    in_first = generator.random(len(number)) < SHARE_FIRST_FILESET
    in_first[:2] = True
    for fileset, name in enumerate(FILESETS):
        people = number[in_first if fileset == 0 else ~in_first]
        if fileset == 1:
            people = np.concatenate([number[:2], people])  # were genotyped twice
        own = np.flatnonzero(generator.random(num) < SHARE_OF_VARIANTS)
        values, first, second = dosages[np.ix_(people, own)], *alleles[:, own]
        if fileset == 1:
            values, first, second = _otherwise(values, first, second, generator)
        properties = {
            "fid": ["1"] * len(people),
            "iid": subjects.ptid[people].tolist(),
            "chromosome": chromosome[own].tolist(),
            "sid": names[own].tolist(),
            "bp_position": (position[own] + fileset * BUILD_SHIFT).tolist(),
            "allele_1": first.tolist(),
            "allele_2": second.tolist(),
        }
        to_bed(folder / f"{name}.bed", *_with_odd_variants(values, properties))


def _draw_dosages(
    subjects: Subjects, num: int, generator: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.str_]]:
    """Draw copies of A1 [N, V] and the variants' ids, which end in the term that they show: s or b."""
    people = len(subjects.rid)
    frequency = generator.uniform(0.05, 0.5, num)
    names = np.array([f"rs{1000 + number}" for number in range(num)], dtype=object)
    chromosomes: list[NDArray[np.bool_]] = []
    causal = np.arange(0, num, BLOCK * CAUSAL_EVERY)
    terms = ("genetic_bit", "shared")
    chance = np.repeat(frequency[None], people, axis=0)
    for order, variant in enumerate(causal):
        term = terms[order % len(terms)]
        shift = 6 * subjects.terms[term] - 3 if term == "genetic_bit" else 2 * subjects.terms[term]
        chance[:, variant] = sigmoid(shift)
        names[variant] += {"shared": "s", "genetic_bit": "b"}[term]
    lead = np.arange(num) // BLOCK * BLOCK
    for _ in range(2):
        alleles = generator.random((people, num)) < chance
        same = generator.random((people, num)) < SHARE_SAME
        chromosomes.append(np.where(same, alleles[:, lead], alleles))
    dosages = (chromosomes[0].astype(np.int8) + chromosomes[1]).astype(np.int8)
    share = np.where(generator.random(num) < SHARE_POOR_VARIANTS, SHARE_MISSING_POOR, SHARE_MISSING)
    by_person = np.where(subjects.has_poor_genotypes, SHARE_MISSING_POOR, 0)
    missing = generator.random((people, num)) < np.maximum(share[None], by_person[:, None])
    dosages[missing] = MISSING
    return dosages, names.astype(str)


def _draw_alleles(num: int, generator: np.random.Generator) -> NDArray[np.str_]:
    """Draw A1 and A2 [2, V]; some are their own complement."""
    plain, ambiguous = np.array(["AC", "AG", "CA", "CT", "GA", "TC"]), np.array(["AT", "TA", "CG", "GC"])
    pairs = plain[generator.integers(len(plain), size=num)]
    is_ambiguous = generator.random(num) < SHARE_AMBIGUOUS
    pairs[is_ambiguous] = ambiguous[generator.integers(len(ambiguous), size=int(is_ambiguous.sum()))]
    return np.array([[pair[0] for pair in pairs], [pair[1] for pair in pairs]])


def _otherwise(
    values: NDArray[np.int8], first: NDArray[np.str_], second: NDArray[np.str_], generator: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.str_], NDArray[np.str_]]:
    """Write some variants with the alleles in the other order, and some on the other strand."""
    swap: Bools = generator.random(len(first)) < SHARE_SWAPPED
    chance: Floats = generator.random(len(first))
    flip = chance < SHARE_FLIPPED
    first, second = np.where(swap, second, first), np.where(swap, first, second)
    values = np.where(swap & (values != MISSING), 2 - values, values).astype(np.int8)
    other = np.vectorize(COMPLEMENT.get, otypes=[str])
    return values, np.where(flip, other(first), first), np.where(flip, other(second), second)


def _with_odd_variants(values: NDArray[np.int8], properties: dict[str, list[Any]]) -> tuple[Any, dict[str, list[Any]]]:
    """Add what arrays have too: an indel, a variant of chromosome X, and an id that appears twice."""
    for name, chromosome, first, second in (
        ("indel1", "1", "I", "D"),
        ("rs_x", "23", "A", "G"),
        ("rs_twice", "2", "A", "G"),
        ("rs_twice", "2", "A", "C"),
    ):
        row = {"chromosome": chromosome, "sid": name, "bp_position": 1, "allele_1": first, "allele_2": second}
        properties = properties | {key: [*properties[key], value] for key, value in row.items()}
        values = np.concatenate([values, values[:, :1]], axis=1)
    return values, properties
