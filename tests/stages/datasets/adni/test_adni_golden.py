"""Nine hand-written subjects (synthetic): cohort, flow and every value of every array, worked out here."""

import json

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet
from stages.datasets.adni.biospecimen.features import biospecimen
from stages.datasets.adni.clinical.features import clinical
from stages.datasets.adni.cohort import cohort, read_diagnoses, select
from stages.datasets.adni.genetic.features import genetic
from stages.datasets.adni.image.features import image
from stages.datasets.adni.settings import Settings
from stages.shared.base import paths
from stages.shared.base.params import load_block
from tests.stages.datasets.adni.conftest import ELECSYS, IDS, RIDS, SPLITS, VITALS

STAGES = (image, genetic, clinical, biospecimen)


def set_splits():
    """Make 2, 4 and 6 the train subjects."""
    table = pd.read_csv(paths.cohort("adni"), dtype=str)
    table["split"] = SPLITS
    table.to_csv(paths.cohort("adni"), index=False)


@pytest.fixture
def features(project):
    project()
    cohort()
    set_splits()
    for stage in STAGES:
        stage()
    return FeatureSet(paths.features("adni"), paths.cohort("adni"))


def column(features, modality, name):
    """Return a feature of all subjects by name."""
    return np.asarray(features.arrays[modality])[
        :, features.descriptions[modality].model_dump()["features"].index(name)
    ].tolist()


def scaled(values, low, high):
    return pytest.approx([2 * (value - low) / (high - low) - 1 for value in values], abs=1e-6)


def test_the_cohort_has_subjects_of_one_diagnosis_with_every_modality(features):
    assert features.sample_ids == IDS
    assert features.modalities == ["image", "genetic", "clinical", "biospecimen"]
    assert features.classes == ["CN", "MCI", "Dementia"]
    assert features.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    visits = pd.read_csv(paths.visits("adni"))
    assert visits["rid"].tolist() == RIDS
    assert visits["date"].tolist() == ["2007-01-15"] + ["2006-01-15"] * 8
    assert visits["scan"][0] == "001_S_0002_2007-01-15_RAVENS_150.nii.gz"


def test_the_flow_table_counts_what_each_filter_removes(features):  # noqa: ARG001 (writes the cohort)
    about = json.loads(paths.cohort("adni").with_suffix(".json").read_text())
    assert about["samples_in_raw_data"] == 14
    assert [list(step.values()) for step in about["flow"]] == [
        ["without any diagnosis", 1, 13],  # 9
        ["diagnosis changes between visits", 1, 12],  # 8
        ["without a scan", 1, 11],  # 13
        ["without genotypes", 1, 10],  # 14
        ["more than 50% of genotypes missing", 0, 10],
        ["without clinical rows", 0, 10],
        ["without biospecimen rows", 1, 9],  # 15
    ]


def empty_biospecimens(rids):
    """Return the biospecimens with rows that hold no value for these subjects, and no other rows of theirs."""
    rows = [line for line in ELECSYS.splitlines() if line.split(",")[1] not in rids]
    return "\n".join([*rows, *(f"ADNI1,{rid},bl,2006-01-12,,,,," for rid in rids)]) + "\n"


@pytest.mark.parametrize(("rids", "marks"), [(["4", "5"], True), (["5", "11"], False), ([], False)])
def test_a_subject_of_whom_all_is_imputed_is_marked_and_counted(project, rids, marks):
    # 4 is train, 5 and 11 are not: a column that is the same in all of train could not be learnt from.
    folder = project(biospecimen={"tables": ["UPENNBIOMK_ROCHE_ELECSYS"]}, modalities=["image", "biospecimen"])
    path = folder / "raw" / "UPENNBIOMK_ROCHE_ELECSYS_09May2024.csv"
    others = [rid for rid in ("10", "5", "11", "12") if rid not in rids]
    path.write_text(empty_biospecimens(rids) + "".join(f"ADNI1,{rid},bl,2006-01-12,,700,300,30,\n" for rid in others))
    cohort()
    set_splits()
    image()
    biospecimen()
    own = FeatureSet(paths.features("adni"), paths.cohort("adni"))
    names = own.descriptions["biospecimen"].model_dump()["features"]
    assert ("missing" in names) == marks
    assert own.shapes["biospecimen"] == (len(names),)
    if marks:
        assert column(own, "biospecimen", "missing") == [-1, -1, -1, 1, 1, -1, -1, -1, -1]
    note = own.notes.get("biospecimen")
    if rids:
        assert note.startswith("2 of 9 subjects have no value at all, everything is imputed; ")
        assert note.endswith("the column 'missing' marks them") == marks
    else:
        assert note is None


def test_maps(features):
    # Train voxels: 2 has 1 2 3 4, 4 has 3 3 3 3, 6 has 3 4 1 4: sum 34 of 12, squares 30 + 36 + 42 = 108.
    mean = 34 / 12
    std = (108 / 12 - mean**2) ** 0.5
    rows = [[1, 2, 3, 4], [5] * 4, [0, 0, 0, 1], [3] * 4, [7, 0, 0, 0], [0, 7, 0, 0], [3, 4, 1, 4], [0, 0, 7, 0]]
    rows = (np.array([*rows, [0, 0, 0, 7]]) - mean) / std
    assert features.arrays["image"].dtype == np.float16
    assert np.asarray(features.arrays["image"], float) == pytest.approx(rows, abs=2e-3)
    assert features.descriptions["image"].model_dump()["fitted"]["mean"] == pytest.approx(mean)
    assert features.descriptions["image"].model_dump()["fitted"]["std"] == pytest.approx(std)
    batch = features.__getitems__([0, 6]).inputs["image"].numpy()
    expected = np.zeros((2, 2, 2, 3))
    for place, index in enumerate([(0, 0, 0), (0, 1, 2), (1, 0, 0), (1, 1, 1)]):
        expected[(slice(None), *index)] = rows[[0, 6], place]
    assert batch == pytest.approx(expected, abs=2e-3)


def test_downsampled_maps_average_the_grey_voxels_of_a_cube(features, project):  # noqa: ARG001 (writes the cohort)
    project(image={"downsample": 2})
    image()
    own = FeatureSet(paths.features("adni"), paths.cohort("adni"))
    # Cubes of 2 x 2 x 2 of 2 x 2 x 3 voxels: one with (0,0,0), (1,0,0), (1,1,1), one with (0,1,2).
    assert own.shapes["image"] == (1, 1, 2)
    train = np.array([[8 / 3, 2], [3, 3], [8 / 3, 4]])
    first, last = np.array([8 / 3, 2]), np.array([7 / 3, 0])
    assert own.arrays["image"][0] == pytest.approx((first - train.mean()) / train.std(), abs=2e-3)
    assert own.arrays["image"][8] == pytest.approx((last - train.mean()) / train.std(), abs=2e-3)


def test_genotypes(features):
    about = features.descriptions["genetic"].model_dump()
    assert about["features"] == ["rs1_A", "rs2_A", "rs3_A", "rs4_C"]
    assert about["merge"] == {
        "not on an autosome": 2,  # rs6 of both filesets
        "alleles other than A, C, G, T": 2,  # rs0 of both
        "id several times": 0,
        "not in every fileset": 1,  # rs9
        "ambiguous strand": 1,  # rs5
        "alleles swapped": 2,  # rs2, rs4
        "strand flipped": 2,  # rs3, rs4
        "mismatched": 0,
    }
    assert about["removed"] == {
        "more missing in train than allowed": 1,  # rs8
        "rarer in train than allowed": 0,
        "the same in all of train": 1,  # rs7
    }
    # Subjects 2 3 10 | 4 5 11 | 6 7 12; train are 2, 4 and 6.
    dosages = {
        "rs1_A": ([0, 1, 2, 1, 0, 0, 2, 0, 0], 0, 2),
        "rs2_A": ([0, 0, 0, 1, 2, 0, 2, 1, 0], 0, 2),  # 11 is missing: train has 0 1 2, the mode is the least, 0
        "rs3_A": ([2, 1, 1, 2, 1, 1, 1, 2, 0], 1, 2),
        "rs4_C": ([1, 1, 0, 0, 0, 2, 0, 2, 1], 0, 1),  # 10 and 6 are missing: train has 1 and 0
    }
    assert features.arrays["genetic"].dtype == np.float16
    for name, (values, low, high) in dosages.items():
        assert column(features, "genetic", name) == scaled(values, low, high)
    assert about["share_missing"] == round(3 / 36, 6)


def test_genotypes_by_the_mean_and_by_a_list(features, project):  # noqa: ARG001 (writes the cohort)
    folder = project(genetic={"impute": "mean", "variants": "keep.txt"})
    (folder / "keep.txt").write_text("rs4\nrs2\nrs5\n")
    genetic()
    own = FeatureSet(paths.features("adni"), paths.cohort("adni"))
    assert own.descriptions["genetic"].model_dump()["features"] == ["rs2_A", "rs4_C"]
    assert own.arrays["genetic"].dtype == np.float32
    assert column(own, "genetic", "rs2_A") == scaled([0, 0, 0, 1, 2, 1, 2, 1, 0], 0, 2)
    assert column(own, "genetic", "rs4_C") == scaled([1, 1, 0.5, 0, 0, 2, 0.5, 2, 1], 0, 1)


def test_clinical_tables(features):
    about = features.descriptions["clinical"].model_dump()
    # Ages at the scan; the year of birth of 6 is missing: the median of 71 (2, scanned in 2007) and 60 (4) is 65.5.
    assert column(features, "clinical", "PTDEMOG.PTDOBYY") == scaled([71, 80, 60, 60, 70, 70, 65.5, 70, 70], 60, 71)
    # Education of 10 is missing: the median of 12, 16 and 20.
    assert column(features, "clinical", "PTDEMOG.PTEDUCAT") == scaled([12, 20, 16, 16, 16, 16, 20, 12, 14], 12, 20)
    # 2: 100 pounds at the visit of the scan; 6 is -1, 11 has no unit: the median of 45.359237 and 75.
    middle = (45.359237 + 75) / 2
    weights = [45.359237, 60, 60, 75, 60, middle, middle, 60, 60]
    assert column(features, "clinical", "VITALS.VSWEIGHT") == scaled(weights, 45.359237, 75)
    assert column(features, "clinical", "VITALS.VSHEIGHT") == scaled([177.8] + [160] * 5 + [200, 160, 160], 160, 200)
    # 999 of 10 is outside the codebook's range, 6 is -4: the median of 140 and 100.
    pressure = [140, 110, 120, 100, 110, 110, 120, 110, 110]
    assert column(features, "clinical", "VITALS.VSBPSYS") == scaled(pressure, 100, 140)
    assert column(features, "clinical", "VITALS.VSTEMP") == scaled([37, 36, 36, 38, 36, 36, 37.5, 36, 36], 37, 38)
    # Three medications, none, one; the others have no row: the median is 1.
    assert column(features, "clinical", "RECCMEDS.CMMED") == scaled([3, 1, 1, 0, 1, 1, 1, 1, 1], 0, 3)
    assert column(features, "clinical", "PTDEMOG.PTGENDER_1") == [1, -1, -1, -1, 1, 1, 1, 1, 1]
    # 5 of 3 is "unknown", 9 of 11 is not a code: both become the mode, 1.
    assert column(features, "clinical", "PTDEMOG.PTMARRY_1") == [1, 1, -1, 1, 1, 1, -1, 1, 1]
    assert column(features, "clinical", "PTDEMOG.PTMARRY_2") == [-1, -1, 1, -1, -1, -1, 1, -1, -1]
    # Train has race 5 only: 4 of 10 is all -1, 7 of 12 is "unknown".
    assert column(features, "clinical", "PTDEMOG.PTRACCAT_5") == [1, 1, -1, 1, 1, 1, 1, 1, 1]
    assert about["features"][:5] == [f"PTDEMOG.{name}" for name in ("PTDOBYY", "PTEDUCAT")] + [
        f"VITALS.{name}" for name in ("VSWEIGHT", "VSHEIGHT", "VSBPSYS")
    ]
    assert about["features"][10:] == [
        f"PTDEMOG.{name}"
        for name in ("PTGENDER_1", "PTGENDER_2", "PTHAND_1", "PTMARRY_1", "PTMARRY_2", "PTNOTRT_0", "PTNOTRT_1")
    ] + ["PTDEMOG.PTETHCAT_2", "PTDEMOG.PTRACCAT_5"]
    assert about["ignored_columns"] == {"PTDEMOG": ["X"]}
    assert about["values_outside_the_codebook"] == {"PTDEMOG.PTMARRY": 1, "VITALS.VSBPSYS": 1}
    assert about["share_of_subjects_missing"]["PTDEMOG.PTEDUCAT"] == round(1 / 9, 4)
    assert about["fitted"]["imputed"][:2] == [65.5, 16]
    assert not [name for name in about["features"] if "PTCOGBEG" in name or "CMREASON" in name]


def test_biospecimen_tables(features):
    about = features.descriptions["biospecimen"].model_dump()
    # Without a sample: 10, 5, 11 and 12, who get the train median of 1000, 200 and 600.
    assert column(features, "biospecimen", "UPENNBIOMK_ROCHE_ELECSYS.ABETA42") == scaled(
        [1000, 1700, 600, 200, 600, 600, 600, 600, 600], 200, 1000
    )
    assert column(features, "biospecimen", "UPENNBIOMK_ROCHE_ELECSYS.TAU") == scaled(
        [200, 300, 300, 400, 300, 300, 300, 1000, 300], 200, 400
    )
    assert column(features, "biospecimen", "UPENNBIOMK_ROCHE_ELECSYS.PTAU") == scaled(
        [20, 30, 30, 30, 30, 30, 40, 40, 30], 20, 40
    )
    assert column(features, "biospecimen", "APOERES.GENOTYPE_3/3") == [1, -1, -1, -1, -1, 1, -1, 1, -1]
    assert column(features, "biospecimen", "APOERES.GENOTYPE_3/4") == [-1, 1, -1, 1, -1, -1, 1, -1, 1]
    assert len(about["features"]) == 5
    assert about["without_value_in_train"] == ["UPENNBIOMK_ROCHE_ELECSYS.ABETA40"]
    assert about["absent_tables"] == ["BLENNOWPLASMANFL"]
    assert about["fitted"]["samples"] == 3


def test_freesurfer_measures_take_the_place_of_maps(project):
    folder = project(image_source="freesurfer")
    values = {2: (1, 8), 3: (5, 9), 10: (3, ""), 4: (2, ""), 5: (3, 1), 11: (3, 1), 6: (6, 4), 7: (3, 1), 12: (3, 1)}
    rows = [f"{rid},2006-02-01,{one},{two},,7" for rid, (one, two) in values.items()]
    rows += ["2,2005-01-01,100,100,,7"]  # not the latest
    text = "RID,EXAMDATE,ST1SV,ST2CV,ST3TA,ST4SA\n" + "\n".join(rows) + "\n"
    (folder / "raw/UCSFFSX7_09Jun2025.csv").write_text(text)
    cohort()
    set_splits()
    image()
    about = json.loads((paths.features("adni") / "image.json").read_text())
    assert about["features"] == ["ST1SV", "ST2CV"]
    assert about["without_value_in_train"] == ["ST3TA"]
    # Train: 1, 2, 6 with mean 3 and variance 14/3; 8, missing, 4: 6 in between, with mean 6 and variance 8/3.
    array = np.load(paths.features("adni") / "image.npy")
    first = (np.array([1, 5, 3, 2, 3, 3, 6, 3, 3]) - 3) / (14 / 3) ** 0.5
    second = (np.array([8, 9, 6, 6, 1, 1, 4, 1, 1]) - 6) / (8 / 3) ** 0.5
    assert array == pytest.approx(np.stack([first, second], axis=1), abs=1e-6)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("RID,EXAMDATE,ST4SA", r"UCSFFSX7_09Jun2025.csv has no column such as ST29SV, ST10CV or ST103TA"),
        ("RID,WHEN,ST1SV", r"UCSFFSX7_09Jun2025.csv has neither column VISDATE nor EXAMDATE"),
        (
            "RID,EXAMDATE,ST1SV,OVERALLQC",
            r"UCSFFSX7_09Jun2025.csv row 2: column 'ST1SV' holds something other than a number",
        ),
    ],
)
def test_a_freesurfer_table_without_measures_is_refused(project, columns, message):
    folder = project(image_source="freesurfer")
    more = ",Pass" if "OVERALLQC" in columns else ""
    value = "large" if more else "1"
    rows = "".join(f"{rid},2006-02-01,{value}{more}\n" for rid in RIDS)
    (folder / "raw/UCSFFSX7_09Jun2025.csv").write_text(f"{columns}\n{rows}")
    with pytest.raises(InputError, match=message):
        cohort() or image()


def test_the_diagnosis_of_a_visit_with_the_scan_nearest_to_it(project):
    project(cohort={"label": "visit", "visit": "bl", "max_days_from_visit": 30})
    cohort()
    table = pd.read_csv(paths.cohort("adni"))
    # 8 counts with the diagnosis at baseline, but has no genotypes; 2 has the scan of 2006.
    assert table["sample_id"].tolist() == IDS
    visits = pd.read_csv(paths.visits("adni"))
    assert visits["date"].tolist() == ["2006-01-15"] * 9
    flow = json.loads(paths.cohort("adni").with_suffix(".json").read_text())["flow"]
    assert [list(step.values()) for step in flow[:4]] == [
        ["without any diagnosis", 1, 13],
        ["no diagnosis at visit bl", 0, 13],
        ["without a scan within 30 days of the visit", 1, 12],  # 13
        ["without genotypes", 2, 10],  # 8, 14
    ]


def test_columns_asked_for_are_the_only_ones(features, project):  # noqa: ARG001 (writes the cohort)
    for columns, names in (
        (["PTDEMOG.PTGENDER"], ["PTDEMOG.PTGENDER_1", "PTDEMOG.PTGENDER_2"]),
        (["VITALS.VSPULSE"], ["VITALS.VSPULSE"]),
    ):
        project(clinical={"columns": columns, "impute": "mean"})
        clinical()
        assert json.loads((paths.features("adni") / "clinical.json").read_text())["features"] == names


@pytest.mark.parametrize(("days", "pressure"), [(90, 140), (400, 200)])
def test_rows_count_up_to_so_many_days_after_the_scan(project, days, pressure):
    project(cohort={"max_days_after_scan": days}, clinical={"columns": ["VITALS.VSBPSYS"]})
    cohort()
    set_splits()
    clinical()
    about = json.loads((paths.features("adni") / "clinical.json").read_text())
    assert about["fitted"]["high"] == [pressure]


@pytest.mark.parametrize(
    ("change", "rids"),
    [
        ({}, [2, 3, 4, 5, 6, 7, 10, 11, 12]),
        ({"tables_needed": "all"}, [2, 4, 6]),  # the others have no medications
        ({"undiagnosed_visits": "drop"}, [2, 4, 5, 6, 7, 10, 11, 12]),  # 3 has a visit without a diagnosis
        # Of six variants, rs8 is missing in 2 and 4, rs2 in 11, rs4 in 10 and 6.
        ({"max_missing_genotypes": 0.1}, [3, 5, 7, 12]),
        ({"max_missing_genotypes": 0.17}, [2, 3, 4, 5, 6, 7, 10, 11, 12]),
    ],
)
def test_the_settings_of_the_cohort_are_followed(project, change, rids):
    project(cohort=change)
    settings = load_block("data.adni", Settings)
    assert select(read_diagnoses(settings), settings).subjects["rid"].tolist() == rids


def test_the_first_scan_where_asked(project):
    project(cohort={"scan": "first"})
    cohort()
    assert pd.read_csv(paths.visits("adni"))["scan"][0] == "001_S_0002_2006-01-15_RAVENS_150.nii.gz"


def test_the_last_of_two_rows_of_a_day_where_asked(project):
    folder = project(cohort={"same_day": "last"}, clinical={"columns": ["VITALS.VSBPSYS"]})
    again = "001_S_0002,2,m12,2007-01-10,100,1,70,1,150,90,60,12,98.6,1\n"
    (folder / "raw/VITALS_09May2024.csv").write_text(VITALS + again)
    cohort()
    set_splits()
    clinical()
    about = json.loads((paths.features("adni") / "clinical.json").read_text())
    assert about["fitted"]["high"] == [150]
