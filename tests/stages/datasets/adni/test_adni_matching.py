"""Genotypes of new people as copies of the alleles that train counts, worked out by hand (synthetic)."""

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from stages.datasets.adni.genetic.matching import match, name_unseen_alleles
from stages.datasets.adni.genetic.plink import Genotypes, read_fileset
from stages.datasets.adni.settings import GeneticSettings
from tests.stages.datasets.adni.conftest import M, write_fileset

SETTINGS = {"max_missing": 0.05, "min_maf": 0.01, "ambiguous": "drop", "mismatched": "error"}
SETTINGS |= {"prune": None, "variants": None, "impute": "mode"}
# What train counts: rs1 to rs3 copies of A, rs4 of C; rs5 and rs6 read the same on both strands.
KNOWN = pd.DataFrame(
    [
        ("1", "rs1", "A", "C"),
        ("1", "rs2", "A", "G"),
        ("2", "rs3", "A", "C"),
        ("2", "rs4", "C", "T"),
        ("3", "rs5", "A", "T"),
    ],
    columns=["chromosome", "id", "a1", "a2"],
)


def dosages(tmp_path, rows, **settings):
    """Return what is read of a fileset of two people, and the counts."""
    write_fileset(tmp_path / "new.bed", ["one", "two"], rows)
    own = name_unseen_alleles(read_fileset(tmp_path / "new.bed"), KNOWN)
    matched = match([own], KNOWN, GeneticSettings.model_validate(SETTINGS | settings))
    read = Genotypes(matched.merged, ["one", "two"]).read(np.arange(len(KNOWN)))
    return read.T.tolist(), matched.merged.counts


def test_every_order_and_strand_is_read_as_in_train(tmp_path):
    rows = [
        ("2", "rs4", 1, "A", "G", [0, M]),  # the other order on the other strand: T and C
        ("1", "rs1", 2, "A", "C", [0, 1]),
        ("1", "rs2", 3, "G", "A", [0, 1]),  # the other order
        ("2", "rs3", 4, "T", "G", [0, 1]),  # the other strand
        ("3", "rs5", 5, "A", "T", [0, 1]),
        ("3", "rs9", 6, "A", "C", [0, 1]),  # not of train
    ]
    read, counts = dosages(tmp_path, rows)
    # Some are on the other strand: of A/T nobody knows.
    assert read == [[0, 1], [2, 1], [0, 1], [2, M], [M, M]]
    assert (counts["alleles swapped"], counts["strand flipped"], counts["ambiguous strand"]) == (2, 2, 1)
    assert counts["not in new.bed, or not usable"] == 1
    read, counts = dosages(tmp_path, rows, ambiguous="keep")
    assert read[4] == [0, 1]


def test_ambiguous_variants_count_in_a_fileset_on_the_strand_of_train(tmp_path):
    rows = [("1", "rs1", 2, "A", "C", [0, 1]), ("1", "rs2", 3, "G", "A", [0, 1]), ("3", "rs5", 5, "T", "A", [0, 1])]
    read, counts = dosages(tmp_path, rows)
    assert read == [[0, 1], [2, 1], [M, M], [M, M], [2, 1]]
    assert "ambiguous strand" not in counts


@pytest.mark.parametrize("unseen", ["0", "."])
def test_an_allele_that_nobody_in_the_file_has_is_the_other_one_of_train(tmp_path, unseen):
    rows = [
        ("1", "rs1", 1, unseen, "C", [0, 0]),  # all C: no copy of A
        ("1", "rs2", 2, unseen, "A", [0, 0]),  # all A
        ("2", "rs3", 3, unseen, "T", [0, M]),  # all T, which is A on the other strand
        ("2", "rs4", 4, "T", unseen, [2, 2]),  # all T: no copy of C
        ("3", "rs5", 5, unseen, unseen, [M, M]),
    ]
    read, counts = dosages(tmp_path, rows)
    assert read == [[0, 0], [2, 2], [2, M], [0, 0], [M, M]]
    assert counts["mismatched"] == 0
    assert counts["alleles other than A, C, G, T"] == 1


def test_variants_that_do_not_fit_are_refused_or_missing(tmp_path):
    rows = [("1", "rs1", 1, "A", "G", [0, 1]), ("1", "rs2", 2, "A", "G", [0, 1]), ("7", "rs3", 3, "A", "C", [0, 1])]
    with pytest.raises(InputError, match=r"new.bim row 1: chromosome or alleles do not fit .* in the train split"):
        dosages(tmp_path, rows)
    read, counts = dosages(tmp_path, rows, mismatched="drop")
    assert read == [[M, M], [0, 1], [M, M], [M, M], [M, M]]
    assert counts["mismatched"] == 2


def test_an_id_that_is_in_a_file_twice_is_not_usable(tmp_path):
    rows = [("1", "rs1", 1, "A", "C", [0, 1]), ("1", "rs1", 2, "A", "C", [1, 1]), ("1", "rs2", 3, "A", "G", [0, 1])]
    read, counts = dosages(tmp_path, rows)
    assert read[:2] == [[M, M], [0, 1]]
    assert counts["id several times"] == 2


def test_a_fileset_without_any_variant_of_train_is_all_missing(tmp_path):
    read, counts = dosages(tmp_path, [("1", "rs77", 1, "A", "C", [0, 1])])
    assert read == [[M, M]] * 5
    assert counts["not in new.bed, or not usable"] == 5
