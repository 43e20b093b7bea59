"""Files that the feature stages refuse: one InputError names file, row or column and remedy, and nothing is left."""

import gzip

import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image

from stages.datasets.adni.biospecimen.features import biospecimen
from stages.datasets.adni.clinical.features import clinical
from stages.datasets.adni.cohort import cohort
from stages.datasets.adni.genetic.features import genetic
from stages.datasets.adni.image.features import image
from tests.stages.datasets.adni.conftest import (
    AFFINE,
    APOERES,
    LABELS,
    MAPS,
    PEOPLE,
    PTDEMOG,
    VARIANTS,
    VITALS,
    content,
    error_of,
    remove,
    text,
    write_fileset,
    write_map,
)

MAP = "ravens/001_S_0003_20060115.nii.gz"
NAME = "raw/ravens: file 3 of 13 by name"
ZEROS = np.zeros(LABELS.shape, np.float32)
SHIFTED = AFFINE + np.array([[0, 0, 0, 4], [0] * 4, [0] * 4, [0] * 4])


def nifti(values, affine=AFFINE):
    return lambda _: gzip.compress(Nifti1Image(values, affine).to_bytes())


def with_number(content, place, number):
    """Return a NIfTI-1 file with another number in its header."""
    return content[:place] + number.to_bytes(2, "little", signed=True) + content[place + 2 :]


IN_THE_IMAGE_STAGE = {
    "map gone": (remove(MAP), "raw/ravens: a file that would be number 3 by name is missing"),
    "map cut off": (
        content(MAP, lambda own: own[:-20]),
        rf"{NAME} is not a complete gzip file: make or download it again",
    ),
    "checksum cut off": (content(MAP, lambda own: own[:-4]), rf"{NAME} is not a complete gzip file"),
    "map corrupt": (content(MAP, lambda own: own[:-6] + b"xxxxxx"), rf"{NAME} is not a complete gzip file"),
    "no gzip": (content(MAP, gzip.decompress), rf"{NAME} is not a complete gzip file"),
    "no NIfTI": (content(MAP, lambda _: gzip.compress(b"x" * 1000)), rf"{NAME} is not a NIfTI file"),
    "voxels of no type": (
        content(MAP, lambda own: gzip.compress(with_number(gzip.decompress(own), 70, 4096))),
        rf"{NAME} has no readable NIfTI header: make or download it again",
    ),
    "voxels less than none": (
        content(MAP, lambda own: gzip.compress(with_number(gzip.decompress(own), 44, -3))),
        rf"{NAME} has no readable NIfTI header: make or download it again",
    ),
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
        r"raw/ravens: file 10 of 13 by name has a value too far from those of the train maps: make it again",
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
        r"PTDEMOG_09May2024.csv has no column 'PTEDUCAT'; it has 15 others; did you mean 'PTEDUC'\?",
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


def test_cohort_and_visits_of_two_runs_are_refused(project):
    folder = project()
    cohort()
    visits = folder / "data/cohorts/adni.visits.csv"
    visits.write_text("\n".join(visits.read_text().splitlines()[:-1]) + "\n")
    error_of(image, r"adni.visits.csv has other samples than .*adni.csv: rerun the cohort stage")
    visits.unlink()
    error_of(image, r"adni.visits.csv is missing: run the dataset's cohort stage")
