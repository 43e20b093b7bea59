"""Files that the cohort stage refuses: one InputError names file, row or column and remedy, and nothing is written."""

import gzip
import re
import shutil

import pytest

from stages.datasets.adni.cohort import cohort
from tests.stages.datasets.adni.conftest import (
    DXSUM,
    ELECSYS,
    PEOPLE,
    VARIANTS,
    VITALS,
    content,
    error_of,
    remove,
    text,
    write_fileset,
)

DXSUM_FILE = "DXSUM_PDXCONV_22Apr2024.csv"


def copy(name, other):
    return lambda raw: shutil.copy(raw / name, raw / other)


def fileset(change, bed="second.bed", people=PEOPLE):
    """Write a fileset whose rows `change` returns."""
    return lambda raw: write_fileset(raw / "plink" / bed, people, [change(list(row[:6])) for row in VARIANTS])


def gzipped(raw):
    remove("VITALS_09May2024.csv")(raw)
    (raw / "VITALS_09May2024.csv.gz").write_bytes(gzip.compress(VITALS.encode())[:-9])


IN_THE_COHORT = {
    "no folder": (shutil.rmtree, r"raw is not a folder: put ADNI's files there, or correct data.adni.raw"),
    "no diagnoses": (remove(DXSUM_FILE), r"raw/DXSUM_<date>.csv is missing: download the table DXSUM"),
    "two downloads": (
        copy(DXSUM_FILE, "DXSUM_01Jan2025.csv"),
        r"raw: DXSUM_01Jan2025.csv, DXSUM_PDXCONV_22Apr2024.csv are all DXSUM: leave one of them there",
    ),
    "no column": (
        text(DXSUM_FILE, DXSUM.replace("DIAGNOSIS", "DIAGNOSE")),
        r"DXSUM_\S+ has no column 'DIAGNOSIS'; it has 7 others; did you mean 'DIAGNOSE'\?",
    ),
    "column twice": (text(DXSUM_FILE, DXSUM.replace("PHASE", "PTID")), r"DXSUM_\S+: columns 1 and 2 have the same"),
    "empty file": (text(DXSUM_FILE, ""), r"DXSUM_\S+: it has no rows: download it again"),
    "row cut short": (text(DXSUM_FILE, DXSUM[:-8]), r"DXSUM_\S+ row 18 has 6 values, the header 7: is the file"),
    "open quote": (text(DXSUM_FILE, DXSUM + '"ADNI1'), r"DXSUM_\S+ cannot be read \(Error\): download it again"),
    "unknown code": (
        text(DXSUM_FILE, DXSUM.replace("bl,bl,2006-01-10,3", "bl,bl,2006-01-10,4", 1)),
        r"DXSUM_\S+ row 10: column 'DIAGNOSIS' is not one of 1 \(CN\), 2 \(MCI\), 3 \(Dementia\)",
    ),
    "text for a code": (
        text(DXSUM_FILE, DXSUM.replace("bl,bl,2006-01-10,3", "bl,bl,2006-01-10,AD", 1)),
        r"DXSUM_\S+ row 10: column 'DIAGNOSIS' holds something other than a number",
    ),
    "no roster id": (text(DXSUM_FILE, DXSUM.replace(",2,bl", ",,bl", 1)), r"DXSUM_\S+ row 2: column 'RID' is empty"),
    "another roster id": (
        text(DXSUM_FILE, DXSUM.replace(",2,bl", ",9,bl", 1)),
        r"DXSUM_\S+ row 2: column 'PTID' does not end in the row's RID",
    ),
    "no PTID": (
        text(DXSUM_FILE, DXSUM.replace("001_S_0002,2,m12", ",2,m12")),
        r"DXSUM_\S+ row 3: column 'PTID' is empty",
    ),
    "PTID of another kind": (
        text(DXSUM_FILE, DXSUM.replace("001_S_0002,2,m12", "sub-2,2,m12")),
        r"DXSUM_\S+ row 3: column 'PTID' is not an id such as 011_S_0002",
    ),
    "one subject with two PTIDs": (
        text(DXSUM_FILE, DXSUM.replace("001_S_0002,2,m12", "009_S_0002,2,m12")),
        r"DXSUM_\S+ row 3: column 'PTID' differs from an earlier row of the same RID",
    ),
    "no maps": (
        lambda raw: shutil.rmtree(raw / "ravens"),
        r"raw/ravens is missing: .* set data.adni.image_source to freesurfer",
    ),
    "map without a date": (
        lambda raw: (raw / "ravens" / "001_S_0003.nii.gz").touch(),
        r"raw/ravens: file 3 of \d+ by name is not named <PTID>_<date>…",
    ),
    "impossible date": (
        lambda raw: (raw / "ravens" / "001_S_0003_2006-13-15.nii").touch(),
        r"raw/ravens: file \d+ of \d+ by name is not named",
    ),
    "two maps of a day": (
        lambda raw: (raw / "ravens" / "001_S_0003_2006-01-15.nii").touch(),
        r"raw/ravens: of its 14 maps by name, 3 and 4 are of the same subject and day: leave one of them there",
    ),
    "no filesets": (lambda raw: shutil.rmtree(raw / "plink"), r"raw/plink holds no .bed file: put ADNI's PLINK"),
    "no bim": (remove("plink/first.bim"), r"first.bim is missing: a fileset needs .bed, .bim and .fam of one name"),
    "no fam": (remove("plink/second.fam"), r"second.fam is missing"),
    "bed cut off": (
        content("plink/first.bed", lambda own: own[:-1]),
        r"first.bed has 22 bytes; 10 variants of its .bim times 6 people of its .fam need 23: take the three files",
    ),
    "bed of another kind": (
        content("plink/first.bed", lambda own: b"\x6c\x1b\x00" + own[3:]),
        r"first.bed is not a variant-major PLINK 1 .bed file: make it with PLINK 1.9's --make-bed",
    ),
    "bim row cut short": (
        content("plink/first.bim", lambda own: own.rstrip()[:-2]),
        r"first.bim row 10 has 5 columns, not 6: make the fileset again",
    ),
    "position in words": (
        content("plink/first.bim", lambda own: own.replace(b"\t300\t", b"\tfar\t")),
        r"first.bim row 3: the position is not a number",
    ),
    "position without end": (
        content("plink/first.bim", lambda own: own.replace(b"\t300\t", b"\tinf\t")),
        r"first.bim row 3: the position is not a number",
    ),
    "position past 64 bits": (
        content("plink/first.bim", lambda own: own.replace(b"\t300\t", b"\t" + b"9" * 30 + b"\t")),
        r"first.bim row 3: the position is not a number",
    ),
    "one person twice": (
        content("plink/first.fam", lambda own: own.replace(b"001_S_0003", b"001_S_0002")),
        r"first.fam row 2: its IID is in an earlier row too",
    ),
    "alleles that do not fit": (
        fileset(lambda row: [*row[:3], "A", "G", row[5]] if row[1] == "rs1" else row),
        (r"second.bim row 1: chromosome or alleles do not fit those of the variant in first.bim on either strand: .*"
        "set data.adni.genetic.mismatched to drop"),
    ),
    "another chromosome": (
        fileset(lambda row: ["7", *row[1:]] if row[1] == "rs4" else row),
        r"second.bim row 4: chromosome or alleles do not fit",
    ),
    "ids of another kind": (
        fileset(lambda row: [row[0], f"kgp{row[1]}", *row[2:]]),
        r"raw/plink: no autosomal SNP is in all filesets: .* are the ids of the same kind\?",
    ),
    "no autosome": (
        fileset(lambda row: ["X", *row[1:]]),
        r"second.bim has no autosomal SNP",
    ),
    "people of another kind": (
        lambda raw: [content(f"plink/{name}.fam", lambda own: own.replace(b"_S_", b"-S-"))(raw)
                     for name in ("first", "second")],
        r"raw: no subject is left after 'without genotypes', .* named by PTID \(an IID of a .fam file too\)\?",
    ),
    "date in words": (
        text("VITALS_09May2024.csv", VITALS.replace("2006-01-10", "someday", 1)),
        r"VITALS_09May2024.csv row 2: column 'VISDATE' is not a date",
    ),
    "no column of dates": (
        text("VITALS_09May2024.csv", VITALS.replace("VISDATE", "WHEN")),
        r"VITALS_09May2024.csv has neither column VISDATE nor EXAMDATE",
    ),
    "table cut off": (gzipped, r"VITALS_09May2024.csv.gz cannot be read \(EOFError\): download it again"),
    "nobody diagnosed": (
        text(DXSUM_FILE, re.sub(r",\d$", ",-4", DXSUM, flags=re.MULTILINE)),
        r"raw: no subject is left after 'without any diagnosis', which removed 14: are all files of the same subjects",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "message"), IN_THE_COHORT.values(), ids=IN_THE_COHORT)
def test_the_cohort_stage_refuses(project, spoil, message):
    folder = project()
    spoil(folder / "raw")
    error_of(cohort, message)
    assert not (folder / "data").exists()


def test_two_diagnoses_at_the_visit_are_refused(project):
    folder = project(cohort={"label": "visit"})
    (folder / "raw" / DXSUM_FILE).write_text(DXSUM + "ADNI1,001_S_0002,2,bl,bl,2006-01-11,2\n")
    error_of(cohort, r"row 19: column 'DIAGNOSIS' differs from an earlier row of the same visit")


def test_two_downloads_of_nfl_are_refused(project):
    folder = project()
    for name in ("ADNI_BLENNOWPLASMANFL_10_03_18.csv", "ADNI_BLENNOWPLASMANFLLONG_10_03_18_11Aug2025.csv"):
        (folder / "raw" / name).write_text(ELECSYS)
    error_of(cohort, r"are all BLENNOWPLASMANFL: leave one of them there")
