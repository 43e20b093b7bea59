"""PLINK 1 filesets (.bed, .bim, .fam), merged by variant id with alleles checked, and read in blocks of variants.

Format: cog-genomics.org/plink/1.9/formats. A genotype is the number of copies of A1, the first allele in the first
fileset's .bim file; -127 where the call is missing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bed_reader import open_bed
from numpy.typing import NDArray
from tqdm import tqdm

from i2moe.base.errors import InputError
from stages.datasets.adni.settings import GeneticSettings

FOLDER = "plink"  # under the raw path
MISSING = -127
BLOCK = 4096  # variants read at a time
MAX_POSITION = 2**31 - 2  # as in PLINK
SNP_MAJOR = b"\x6c\x1b\x01"
AUTOSOMES = [str(number) for number in range(1, 23)]
COMPLEMENT = {"A": "T", "T": "A", "C": "G", "G": "C"}
VARIANT_COLUMNS = ["chromosome", "id", "centimorgan", "position", "a1", "a2"]


@dataclass(frozen=True)
class Fileset:
    """Genotypes of a set of people: the .bed file, its variants (a row of the .bim file each) and its people (IID)."""

    bed: Path
    variants: pd.DataFrame
    people: list[str]


@dataclass(frozen=True)
class Merged:
    """Filesets seen as one: V variants with the first fileset's A1 and A2, sorted by chromosome and position.

    `columns` and `swapped` tell by fileset where each variant is [V], -1 where it is not, and whether its A1 is the
    merged A2.
    `counts` says how many variants each check removed or changed.
    """

    filesets: list[Fileset]
    variants: pd.DataFrame
    columns: list[NDArray[np.int64]]
    swapped: list[NDArray[np.bool_]]
    counts: dict[str, int]

    def people(self) -> dict[str, tuple[int, int]]:
        """Return fileset and row of each person; of the first fileset where several have them."""
        found: dict[str, tuple[int, int]] = {}
        for number, fileset in enumerate(self.filesets):
            for row, person in enumerate(fileset.people):
                found.setdefault(person, (number, row))
        return found


def find_filesets(raw: str) -> list[Fileset]:
    """Read all filesets of the folder `plink`, in order of name.

    Raises:
        InputError: when there is none, or a file of one is missing or wrong.
    """
    folder = Path(raw) / FOLDER
    beds = sorted(folder.glob("*.bed"))
    if not beds:
        raise InputError(f"{folder} holds no .bed file: put ADNI's PLINK filesets (.bed, .bim, .fam) there")
    return [read_fileset(bed) for bed in beds]


def read_fileset(bed: Path) -> Fileset:
    """Read a fileset's variants and people, and check that the .bed file fits them.

    Raises:
        InputError: naming file, row and remedy.
    """
    variants = _read_columns(bed.with_suffix(".bim"), VARIANT_COLUMNS)
    people = _read_columns(bed.with_suffix(".fam"), ["fid", "iid", "father", "mother", "sex", "phenotype"])
    twice = people["iid"].duplicated().to_numpy()
    if twice.any():
        raise InputError(
            f"{bed.with_suffix('.fam')} row {int(twice.argmax()) + 1}: its IID is in an earlier row too: "
            "keep one row per person with PLINK's --remove"
        )
    position = pd.to_numeric(variants["position"], errors="coerce").astype(float)
    is_wrong = ~(position.abs() <= MAX_POSITION)
    if is_wrong.any():
        row = int(is_wrong.to_numpy().argmax()) + 1
        raise InputError(f"{bed.with_suffix('.bim')} row {row}: the position is not a number: make the fileset again")
    _check_bed(bed, len(people), len(variants))
    return Fileset(bed, variants.assign(position=position.astype(np.int64)), people["iid"].tolist())


def _read_columns(path: Path, names: list[str]) -> pd.DataFrame:
    """Read a file of columns between blanks, as text."""
    if not path.is_file():
        raise InputError(f"{path} is missing: a fileset needs .bed, .bim and .fam of one name")
    rows = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    for row, values in enumerate(rows, start=1):
        if len(values) != len(names):
            raise InputError(f"{path} row {row} has {len(values)} columns, not {len(names)}: make the fileset again")
    if not rows:
        raise InputError(f"{path} is empty: make the fileset again")
    return pd.DataFrame(rows, columns=names, dtype=str)


def _check_bed(bed: Path, num_people: int, num_variants: int) -> None:
    """Compare size and first bytes with what .bim and .fam state."""
    with bed.open("rb") as stream:
        start = stream.read(len(SNP_MAJOR))
    if start != SNP_MAJOR:
        raise InputError(f"{bed} is not a variant-major PLINK 1 .bed file: make it with PLINK 1.9's --make-bed")
    expected = len(SNP_MAJOR) + num_variants * -(-num_people // 4)
    if bed.stat().st_size != expected:
        raise InputError(
            f"{bed} has {bed.stat().st_size} bytes; {num_variants} variants of its .bim times {num_people} people of "
            f"its .fam need {expected}: take the three files of one fileset as they were made"
        )


def merge(filesets: list[Fileset], settings: GeneticSettings) -> Merged:
    """Merge filesets on variant id: the autosomal SNPs that all of them have, with the first one's alleles.

    Positions may be of different genome builds and are not compared; the first fileset's count. A variant's alleles may
    be in either order and on either strand; A/T and C/G read the same on both strands, so that these cannot be
    told apart.

    Raises:
        InputError: when alleles do not fit and `mismatched` is error, or no variant is left.
    """
    counts: dict[str, int] = {}
    tables = [usable(fileset, counts) for fileset in filesets]
    first = _shared(tables, counts)
    keep = np.ones(len(first), bool)
    if len(filesets) > 1 and settings.ambiguous == "drop":
        keep = (first["a1"].map(COMPLEMENT) != first["a2"]).to_numpy()
        add(counts, "ambiguous strand", int((~keep).sum()))
    columns, swapped = [], []
    for fileset, table in zip(filesets, tables, strict=True):
        own = table.iloc[pd.Index(table["id"]).get_indexer(first["id"])]
        fits, is_swapped, _ = compare(first, own, counts)
        if settings.mismatched == "error" and not fits[keep].all():
            row = int(own["column"].to_numpy()[np.flatnonzero(keep & ~fits)[0]]) + 1
            raise InputError(
                f"{fileset.bed.with_suffix('.bim')} row {row}: chromosome or alleles do not fit those of the variant "
                f"in {filesets[0].bed.with_suffix('.bim').name} on either strand: remove it, or set "
                "data.adni.genetic.mismatched to drop"
            )
        add(counts, "mismatched", int((keep & ~fits).sum()))
        keep = keep & fits
        columns.append(own["column"].to_numpy())
        swapped.append(is_swapped)
    if not keep.any():
        raise InputError(
            f"{filesets[0].bed.parent}: no autosomal SNP is in all filesets: {counts}: are the ids of the same kind?"
        )
    variants = first[keep].reset_index(drop=True)
    return Merged(filesets, variants, [own[keep] for own in columns], [own[keep] for own in swapped], counts)


def _shared(tables: list[pd.DataFrame], counts: dict[str, int]) -> pd.DataFrame:
    """Return the first fileset's variants that all filesets have, by chromosome and position."""
    first = tables[0]
    is_shared = first["id"].isin(set.intersection(*(set(table["id"]) for table in tables)))
    add(counts, "not in every fileset", int((~is_shared).sum()))
    order = first["chromosome"].map({name: number for number, name in enumerate(AUTOSOMES)})
    first = first.assign(order=order)[is_shared].sort_values(["order", "position"], kind="stable", ignore_index=True)
    return first[["chromosome", "id", "position", "a1", "a2"]]


def usable(fileset: Fileset, counts: dict[str, int]) -> pd.DataFrame:
    """Return the autosomal SNPs of a fileset whose id is in it once, with their column in the .bed file."""
    table = fileset.variants.assign(column=np.arange(len(fileset.variants)))
    table[["a1", "a2"]] = table[["a1", "a2"]].apply(lambda alleles: alleles.str.upper())
    table["chromosome"] = table["chromosome"].str.removeprefix("chr")
    for name, is_wrong in (
        ("not on an autosome", ~table["chromosome"].isin(AUTOSOMES)),
        ("alleles other than A, C, G, T", ~(table["a1"].isin(COMPLEMENT) & table["a2"].isin(COMPLEMENT))),
        ("id several times", table["id"].duplicated(keep=False)),
    ):
        wrong = is_wrong.reindex(table.index)
        add(counts, name, int(wrong.sum()))
        table = table[~wrong]
        if table.empty:
            raise InputError(f"{fileset.bed.with_suffix('.bim')} has no autosomal SNP: {counts}")
    return table


def compare(
    first: pd.DataFrame, own: pd.DataFrame, counts: dict[str, int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Compare a fileset's alleles with the first fileset's.

    Returns:
        Which variants fit, which are in the other order, and which are on the other strand, each [V].
    """
    a1, a2, b1, b2 = (table[name].to_numpy(str) for table in (first, own) for name in ("a1", "a2"))
    other1, other2 = (own[name].map(COMPLEMENT).to_numpy(str) for name in ("a1", "a2"))
    same, swapped = (b1 == a1) & (b2 == a2), (b1 == a2) & (b2 == a1)
    flipped = ~same & ~swapped & (other1 == a1) & (other2 == a2)
    both = ~same & ~swapped & (other1 == a2) & (other2 == a1)
    add(counts, "alleles swapped", int((swapped | both).sum()))
    add(counts, "strand flipped", int((flipped | both).sum()))
    fits = (same | swapped | flipped | both) & (first["chromosome"].to_numpy() == own["chromosome"].to_numpy())
    return fits, swapped | both, flipped | both


def add(counts: dict[str, int], name: str, number: int) -> None:
    """Add to a count."""
    counts[name] = counts.get(name, 0) + number


class Genotypes:
    """The genotypes of N people, whichever fileset each is in."""

    def __init__(self, merged: Merged, people: list[str]) -> None:
        """Find the people in the filesets.

        Args:
            merged: the filesets.
            people: IIDs, in order.

        Raises:
            InputError: when no fileset has one of them.
        """
        places = merged.people()
        lost = next((row for row, person in enumerate(people) if person not in places), None)
        if lost is not None:
            raise InputError(
                f"{merged.filesets[0].bed.parent}: no .fam file has sample {lost + 1}: rerun the cohort stage"
            )
        self.merged = merged
        self.num_people = len(people)
        fileset_of, row_of = np.array([places[person] for person in people]).T
        self.rows = [np.flatnonzero(fileset_of == number) for number in range(len(merged.filesets))]
        self.rows_in_bed = [row_of[rows] for rows in self.rows]

    def read(self, variants: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the genotypes of some variants, by number [N, b]."""
        block = np.empty((self.num_people, len(variants)), dtype=np.int8, order="F")
        for number, fileset in enumerate(self.merged.filesets):
            if len(self.rows[number]):
                part = self._read_fileset(fileset, self.rows_in_bed[number], self.merged.columns[number][variants])
                swapped = self.merged.swapped[number][variants]
                part[:, swapped] = np.where(part[:, swapped] == MISSING, MISSING, 2 - part[:, swapped])
                block[self.rows[number]] = part
        return block

    @staticmethod
    def _read_fileset(fileset: Fileset, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int8]:
        names: dict[str, Any] = dict.fromkeys(("fid", "iid", "father", "mother", "sex", "pheno"))
        names |= dict.fromkeys(("chromosome", "sid", "cm_position", "bp_position", "allele_1", "allele_2"))
        sizes = {"iid_count": len(fileset.people), "sid_count": len(fileset.variants)}
        there = columns >= 0
        with open_bed(fileset.bed, **sizes, properties=names) as bed:
            found: NDArray[np.int8] = bed.read(np.s_[rows, columns[there]], dtype="int8")
        if there.all():
            return found
        part = np.full((len(rows), len(columns)), MISSING, dtype=np.int8, order="F")
        part[:, there] = found
        return part

    def blocks(self, variants: NDArray[np.int64], what: str) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int8]]]:
        """Yield numbers and genotypes of some variants, a block at a time, with a progress bar."""
        with tqdm(total=len(variants), desc=what, unit="variant", mininterval=1, delay=2, dynamic_ncols=True) as bar:
            for start in range(0, len(variants), BLOCK):
                numbers = variants[start : start + BLOCK]
                yield numbers, self.read(numbers)
                bar.update(len(numbers))

    def missing_share(self) -> NDArray[np.float64]:
        """Return each person's share of missing genotypes [N]."""
        everything = np.arange(len(self.merged.variants))
        missing = np.zeros(self.num_people, dtype=np.int64)
        for _, block in self.blocks(everything, "missing genotypes"):
            missing += (block == MISSING).sum(axis=1)
        share: NDArray[np.float64] = missing / len(everything)
        return share
