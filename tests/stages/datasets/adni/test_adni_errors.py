"""Bad raw files end in one InputError that names file, row or column and remedy, before anything is written."""

import gzip
import re
import shutil

import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image

from i2moe.base.errors import InputError
from stages.datasets.adni.biospecimen.features import biospecimen
from stages.datasets.adni.clinical.features import clinical
from stages.datasets.adni.cohort import cohort
from stages.datasets.adni.genetic.features import genetic
from stages.datasets.adni.image.features import image
from tests.stages.datasets.adni.conftest import (
    AFFINE,
    APOERES,
    DXSUM,
    ELECSYS,
    LABELS,
    MAPS,
    PEOPLE,
    PTDEMOG,
    VARIANTS,
    VITALS,
    write_fileset,
    write_map,
)

# Of the hand-written rows; no message may quote it. File names, which hold ids, are named.
SUBJECT_DATA = ("Aspirin", "memory", "2006-01-12", "1946", "someday", "high", "sub-2")
DXSUM_FILE, NAME = "DXSUM_PDXCONV_22Apr2024.csv", "001_S_0003_20060115.nii.gz"


def text(name, content):
    return lambda raw: (raw / name).write_text(content)


def remove(name):
    return lambda raw: (raw / name).unlink()


def copy(name, other):
    return lambda raw: shutil.copy(raw / name, raw / other)


def fileset(change, bed="second.bed", people=PEOPLE):
    """Write a fileset whose rows `change` returns."""
    return lambda raw: write_fileset(raw / "plink" / bed, people, [change(list(row[:6])) for row in VARIANTS])


def content(name, change):
    def write(raw):
        path = raw / name
        path.write_bytes(change(path.read_bytes()))

    return write


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
        r"DXSUM_\S+ has no column 'DIAGNOSIS'; allowed: .*did you mean 'DIAGNOSE'\?",
    ),
    "column twice": (text(DXSUM_FILE, DXSUM.replace("PHASE", "PTID")), r"DXSUM_\S+ has column 'PTID' twice"),
    "empty file": (text(DXSUM_FILE, ""), r"DXSUM_\S+ has no rows: download it again"),
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
        r"001_S_0003.nii.gz is not named <PTID>_<date>…",
    ),
    "impossible date": (
        lambda raw: (raw / "ravens" / "001_S_0003_2006-13-15.nii").touch(),
        r"001_S_0003_2006-13-15.nii is not named",
    ),
    "two maps of a day": (
        lambda raw: (raw / "ravens" / "001_S_0003_2006-01-15.nii").touch(),
        r"001_S_0003_2006-01-15.nii, 001_S_0003_20060115.nii.gz are maps of the same subject and day",
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


def nifti(values, affine=AFFINE):
    return lambda _: gzip.compress(Nifti1Image(values, affine).to_bytes())


ZEROS = np.zeros(LABELS.shape, np.float32)
MAP = f"ravens/{NAME}"
SHIFTED = AFFINE + np.array([[0, 0, 0, 4], [0] * 4, [0] * 4, [0] * 4])
IN_THE_IMAGE_STAGE = {
    "map gone": (remove(MAP), rf"{NAME} is missing"),
    "map cut off": (
        content(MAP, lambda own: own[:-20]),
        rf"{NAME} is not a complete gzip file: make or download it again",
    ),
    "checksum cut off": (content(MAP, lambda own: own[:-4]), rf"{NAME} is not a complete gzip file"),
    "map corrupt": (content(MAP, lambda own: own[:-6] + b"xxxxxx"), rf"{NAME} is not a complete gzip file"),
    "no gzip": (content(MAP, gzip.decompress), rf"{NAME} is not a complete gzip file"),
    "no NIfTI": (content(MAP, lambda _: gzip.compress(b"x" * 1000)), rf"{NAME} is not a NIfTI file"),
    "volume cut off": (
        content(MAP, lambda own: gzip.compress(gzip.decompress(own)[:-5])),
        rf"{NAME} is cut off: 395 of 400 bytes: make or download it again",
    ),
    "four dimensions": (
        content(MAP, nifti(np.zeros((2, 2, 3, 5), np.float32))),
        rf"{NAME} is 4-D, of shape \(2, 2, 3, 5\): bring one 3-D map per scan",
    ),
    "another shape": (
        content(MAP, nifti(np.zeros((2, 3, 2), np.float32))),
        rf"{NAME} has shape \(2, 3, 2\), the atlas \(2, 2, 3\): .* set data.adni.image.resample to true",
    ),
    "another orientation": (
        content(MAP, nifti(ZEROS, np.diag([2.0, 2, 2, 1]))),
        rf"{NAME} has orientation RAS, the atlas LAS: bring maps",
    ),
    "another place": (
        content(MAP, nifti(ZEROS, SHIFTED)),
        rf"{NAME} has an affine that differs from the atlas.s by up to 4: bring maps",
    ),
    "not a number": (content(MAP, nifti(ZEROS * np.nan)), rf"{NAME} holds NaN or infinity in grey matter"),
    "no atlas": (remove("atlas.nii.gz"), r"raw/atlas.nii.gz is missing"),
    "atlas in four dimensions": (
        content("atlas.nii.gz", nifti(np.zeros((2, 2, 3, 5), np.int16))),
        r"raw/atlas.nii.gz is 4-D, of shape \(2, 2, 3, 5\): bring a 3-D label map",
    ),
    "atlas without the label": (
        content("atlas.nii.gz", nifti(ZEROS)),
        r"raw/atlas.nii.gz has no voxel of label 150: correct data.adni.image.grey_matter",
    ),
    "all train maps alike": (
        lambda raw: [write_map(raw / "ravens" / f"{name}.nii.gz", 3) for name in MAPS],
        r"raw/ravens: the train maps are constant in grey matter",
    ),
    "a value far out": (
        lambda raw: write_map(raw / "ravens" / "003_S_0012_2006-01-15.nii.gz", 1e30, mask=LABELS == 150),
        r"the map of sample 9 by id has a value too far from all others",
    ),
}
IN_THE_TABLES = {
    "a refused column": (
        clinical,
        {"clinical": {"columns": ["PTDEMOG.PTCOGBEG"]}},
        None,
        (
            r"data.adni.clinical.columns: PTDEMOG.PTCOGBEG shows the diagnosis \(year when cognitive symptoms began\): "
            "take it out"
        ),
    ),
    "an unknown column": (
        clinical,
        {"clinical": {"columns": ["PTDEMOG.PTGENDR"]}},
        None,
        (
            r"data.adni.clinical.columns: 'PTDEMOG.PTGENDR' is not a feature in the codebook columns.csv; .*"
            r"did you mean 'PTDEMOG.PTGENDER'\?"
        ),
    ),
    "an id as a feature": (
        clinical,
        {"clinical": {"columns": ["PTDEMOG.RID"]}},
        None,
        r"'PTDEMOG.RID' is not a feature",
    ),
    "no column": (
        clinical,
        {},
        text("PTDEMOG_09May2024.csv", PTDEMOG.replace("PTEDUCAT", "PTEDUC")),
        r"PTDEMOG_09May2024.csv has no column 'PTEDUCAT'; allowed: .*did you mean 'PTEDUC'\?",
    ),
    "no unit": (
        clinical,
        {},
        text("VITALS_09May2024.csv", VITALS.replace("VSWTUNIT", "UNIT")),
        r"VITALS_09May2024.csv has no column 'VSWTUNIT'",
    ),
    "text for a number": (
        clinical,
        {},
        text("VITALS_09May2024.csv", VITALS.replace(",140,", ",high,")),
        r"VITALS_09May2024.csv row 3: column 'VSBPSYS' holds something other than a number",
    ),
    "a row that contradicts another": (
        clinical,
        {},
        text("PTDEMOG_09May2024.csv", PTDEMOG + "1,001_S_0002,2,sc,2006-01-01,2,1936,1,1,12,0,2,5,-4,a\n"),
        (
            r"PTDEMOG_09May2024.csv row 12: column 'PTGENDER' contradicts an earlier row of the same subject and day .*"
            "set data.adni.cohort.same_day to last"
        ),
    ),
    "another genotype": (
        biospecimen,
        {},
        text("APOERES_09May2024.csv", APOERES + "001_S_0002,2,m12,2/2\n"),
        r"APOERES_09May2024.csv row 11: column 'GENOTYPE' contradicts an earlier row of the same subject",
    ),
    "genotype in no form": (
        biospecimen,
        {},
        text("APOERES_09May2024.csv", APOERES.replace("GENOTYPE", "GENO")),
        r"APOERES_09May2024.csv has no column 'GENOTYPE'",
    ),
    "assay gone": (
        biospecimen,
        {},
        remove("UPENNBIOMK_ROCHE_ELECSYS_09May2024.csv"),
        r"raw/UPENNBIOMK_ROCHE_ELECSYS_<date>.csv is missing: download the table",
    ),
    "no list": (
        genetic,
        {"genetic": {"variants": "keep.txt"}},
        None,
        r"data.adni.genetic.variants: keep.txt is missing",
    ),
    "a list of other ids": (
        genetic,
        {"genetic": {"variants": "keep.txt"}},
        lambda raw: (raw.parent / "keep.txt").write_text("rs99\n"),
        r"data.adni.genetic: no variant passes: \{.*'not in the list of variants': 4\}: relax the filters",
    ),
    "a list of another kind": (
        genetic,
        {"genetic": {"variants": "keep.txt"}},
        lambda raw: (raw.parent / "keep.txt").write_text("1 rs1\n"),
        r"data.adni.genetic.variants: keep.txt is not a list of ids: put one id in each row",
    ),
}


def error_of(stage, expected):
    with pytest.raises(InputError, match=expected) as caught:
        stage()
    message = str(caught.value)
    assert "\n" not in message
    assert not [word for word in SUBJECT_DATA if word in message]


@pytest.mark.parametrize(("spoil", "message"), IN_THE_COHORT.values(), ids=IN_THE_COHORT)
def test_the_cohort_stage_refuses(project, spoil, message):
    folder = project()
    spoil(folder / "raw")
    error_of(cohort, message)
    assert not (folder / "data").exists()


@pytest.mark.parametrize(("spoil", "message"), IN_THE_IMAGE_STAGE.values(), ids=IN_THE_IMAGE_STAGE)
def test_the_image_stage_refuses_and_leaves_nothing(project, spoil, message):
    folder = project()
    cohort()
    spoil(folder / "raw")
    error_of(image, message)
    assert not list((folder / "data").glob("features/adni/*"))


@pytest.mark.parametrize(("stage", "settings", "spoil", "message"), IN_THE_TABLES.values(), ids=IN_THE_TABLES)
def test_a_feature_stage_refuses(project, stage, settings, spoil, message):
    folder = project()
    cohort()
    project(**settings)
    if spoil:
        spoil(folder / "raw")
    error_of(stage, message)
    assert not (folder / "data/features").exists()


def test_the_same_row_twice_is_no_contradiction(project):
    folder = project()
    (folder / "raw/PTDEMOG_09May2024.csv").write_text(PTDEMOG + PTDEMOG.splitlines()[1] + "\n")
    cohort()
    clinical()


def test_alleles_that_do_not_fit_are_dropped_where_asked(project):
    folder = project(genetic={"mismatched": "drop"})
    second = [[*row[:3], "A", "G", row[5]] if row[1] == "rs1" else list(row[:6]) for row in VARIANTS]
    write_fileset(folder / "raw/plink/third.bed", PEOPLE, second)
    cohort()
    genetic()
    assert '"mismatched": 1' in (folder / "data/features/adni/genetic.json").read_text()
    assert "rs1_A" not in (folder / "data/features/adni/genetic.json").read_text()


def test_a_map_on_another_grid_is_resampled_where_asked(project):
    folder = project(image={"resample": True})
    cohort()
    # The same volume, its first axis stored the other way round.
    volume = np.full(LABELS.shape, 9, np.float32)
    volume[LABELS == 150] = 5
    affine = np.diag([2.0, 2, 2, 1])
    affine[0, 3] = -2
    content(MAP, nifti(volume[::-1], affine))(folder / "raw")
    image()
    resampled = np.load(folder / "data/features/adni/image.npy")
    write_map(folder / "raw" / MAP, [5] * 4)
    image()
    assert np.load(folder / "data/features/adni/image.npy") == pytest.approx(resampled, abs=1e-3)


def test_two_diagnoses_at_the_visit_are_refused(project):
    folder = project(cohort={"label": "visit"})
    (folder / "raw" / DXSUM_FILE).write_text(DXSUM + "ADNI1,001_S_0002,2,bl,bl,2006-01-11,2\n")
    error_of(cohort, r"row 19: column 'DIAGNOSIS' differs from an earlier row of the same visit")


def test_two_downloads_of_nfl_are_refused(project):
    folder = project()
    for name in ("ADNI_BLENNOWPLASMANFL_10_03_18.csv", "ADNI_BLENNOWPLASMANFLLONG_10_03_18_11Aug2025.csv"):
        (folder / "raw" / name).write_text(ELECSYS)
    error_of(cohort, r"are all BLENNOWPLASMANFL: leave one of them there")


def test_cohort_and_visits_of_two_runs_are_refused(project):
    folder = project()
    cohort()
    visits = folder / "data/cohorts/adni.visits.csv"
    visits.write_text("\n".join(visits.read_text().splitlines()[:-1]) + "\n")
    error_of(image, r"adni.visits.csv has other samples than .*adni.csv: rerun the cohort stage")
    visits.unlink()
    error_of(image, r"adni.visits.csv is missing: run the dataset's cohort stage")
