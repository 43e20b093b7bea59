"""New subjects of ADNI, without diagnoses: exactly the features of the same subjects, and what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bed_reader import open_bed, to_bed

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet, SampleSet
from i2moe.preparation.fitted import read_fitted
from stages.datasets.adni.biospecimen.features import biospecimen
from stages.datasets.adni.clinical.features import clinical
from stages.datasets.adni.cohort import cohort
from stages.datasets.adni.genetic.features import genetic
from stages.datasets.adni.genetic.plink import COMPLEMENT
from stages.datasets.adni.image.features import image
from stages.datasets.adni.new import prepare
from stages.shared.base import paths
from stages.shared.drift import drift_of
from tests.stages.datasets.adni.conftest import (
    APOERES,
    PEOPLE,
    SECOND_PEOPLE,
    VARIANTS,
    VITALS,
    content,
    error_of,
    remove,
    text,
    write_fileset,
    write_map,
    write_raw,
)
from tests.stages.datasets.adni.test_adni_golden import set_splits

STAGES = (image, genetic, clinical, biospecimen)
NEW = Path("new")


def run_stages():
    cohort()
    for stage in STAGES:
        stage()
    return FeatureSet(paths.features("adni"), paths.cohort("adni"))


def rewrite(bed, change):
    """Write a fileset again; `change` gets genotypes, IIDs and properties, and returns rows, columns and these."""
    with open_bed(bed) as own:
        values, properties = own.read(dtype="int8"), {name: list(own.properties[name]) for name in own.properties}
    values, properties = change(values, properties)
    to_bed(bed, values, properties=properties)


def keep_people(bed, people):
    def change(values, properties):
        rows = [row for row, iid in enumerate(properties["iid"]) if iid in people]
        names = ("fid", "iid", "father", "mother", "sex", "pheno")
        return values[rows], properties | {name: [properties[name][row] for row in rows] for name in names}

    rewrite(bed, change)


def copy_of(raw, people, folder=NEW):
    """Copy the raw files of these people alone, without DXSUM, atlas and what is planted."""
    rids = {int(person[-4:]) for person in people}
    folder.mkdir()
    for path in raw.glob("*.csv"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if "RID" in table and not path.name.startswith("DXSUM"):
            table[table["RID"].astype(int).isin(rids)].to_csv(folder / path.name, index=False)
    (folder / "ravens").mkdir()
    for person in people:
        for path in (raw / "ravens").glob(f"{person}_*"):
            shutil.copy(path, folder / "ravens")
    shutil.copytree(raw / "plink", folder / "plink")
    for bed in (folder / "plink").glob("*.bed"):
        keep_people(bed, people)


@pytest.fixture(params=[("ravens", "drop"), ("freesurfer", "drop"), ("ravens", "keep"), ("freesurfer", "keep")])
def trained(project, synthetic_raw, request):
    """Run the stages on synthetic files; return the dataset, and write those of its test subjects as new ones."""
    source, incomplete = request.param
    project(raw=str(synthetic_raw), base={}, image_source=source, incomplete=incomplete)
    found = run_stages()
    copy_of(synthetic_raw, [found.sample_ids[row] for row in found.rows("test")])
    return found


def assert_same(found, new, folder):
    rows = found.rows("test")
    assert new.sample_ids == [found.sample_ids[row] for row in rows]
    samples = SampleSet(folder, found.modalities, new.sample_ids)
    for index, name in enumerate(found.modalities):
        assert samples.arrays[name].dtype == found.arrays[name].dtype
        assert np.asarray(samples.arrays[name]).tobytes() == np.asarray(found.arrays[name])[rows].tobytes(), name
        assert samples.presence[:, index].tolist() == found.presence[rows, index].tolist()
        assert samples.kinds[name] == found.kinds[name]
    assert samples.shapes == found.shapes


def test_the_test_subjects_have_exactly_their_features(trained, tmp_path):
    new = prepare("adni", NEW, tmp_path / "arrays")
    assert_same(trained, new, tmp_path / "arrays")
    assert sum(new.removed.values()) == 0


def test_the_diagnosis_of_a_visit_needs_its_date_alone(project, synthetic_raw, tmp_path):
    project(raw=str(synthetic_raw), base={}, cohort={"label": "visit", "visit": "m12"}, incomplete="keep")
    found = run_stages()
    people = [found.sample_ids[row] for row in found.rows("test")]
    copy_of(synthetic_raw, people)
    with pytest.raises(InputError, match=r"new/DXSUM_<date>.csv is missing"):
        prepare("adni", NEW, tmp_path / "arrays")
    table = pd.read_csv(next(synthetic_raw.glob("DXSUM*")), dtype=str)
    table[table["PTID"].isin(people)].drop(columns="DIAGNOSIS").to_csv(NEW / "DXSUM_22Apr2024.csv", index=False)
    assert_same(found, prepare("adni", NEW, tmp_path / "arrays"), tmp_path / "arrays")


def other_order_and_strand(values, properties):
    """Write a fileset with every allele in the other order and on the other strand."""
    first, second = properties["allele_1"], properties["allele_2"]
    other = {name: COMPLEMENT.get(name, name) for name in {*first, *second}}
    alleles = {"allele_1": [other[name] for name in second], "allele_2": [other[name] for name in first]}
    return np.where(values == -127, -127, 2 - values).astype(np.int8), properties | alleles


def test_alleles_in_the_other_order_and_on_the_other_strand_give_the_same_features(project, synthetic_raw, tmp_path):
    project(raw=str(synthetic_raw), base={})
    found = run_stages()
    copy_of(synthetic_raw, [found.sample_ids[row] for row in found.rows("test")])
    for bed in (NEW / "plink").glob("*.bed"):
        rewrite(bed, other_order_and_strand)
    assert_same(found, prepare("adni", NEW, tmp_path / "arrays"), tmp_path / "arrays")


# What is new, hand-written: everything of the dataset but its diagnoses and its atlas.
@pytest.fixture
def hand_written(project):
    """Train on 2, 4 and 6 of the hand-written subjects; return a function that prepares all of them anew."""

    def start(**settings):
        folder = project(**settings)
        cohort()
        set_splits()
        for stage in STAGES:
            stage()
        write_raw(folder / "new")
        remove("DXSUM_PDXCONV_22Apr2024.csv")(folder / "new")
        remove("atlas.nii.gz")(folder / "new")
        return FeatureSet(paths.features("adni"), paths.cohort("adni"))

    return start


def test_who_lacks_a_modality_is_left_out_and_counted(hand_written, tmp_path):
    found = hand_written()
    new = prepare("adni", NEW, tmp_path / "arrays")
    # The scan of 8, whose diagnoses differ, counts; 8 has no genotypes. 13 is in no file but DXSUM.
    assert new.sample_ids == found.sample_ids
    assert {name: count for name, count in new.removed.items() if count} == {
        "without genotypes": 2,  # 8 and 14
        "without biospecimen rows": 1,  # 15
    }
    samples = SampleSet(tmp_path / "arrays", found.modalities, new.sample_ids)
    for name in found.modalities:
        assert np.asarray(samples.arrays[name]).tobytes() == np.asarray(found.arrays[name]).tobytes()


def test_all_files_of_a_modality_may_be_missing_where_incomplete_subjects_are_kept(hand_written, project, tmp_path):
    found = hand_written()
    project(incomplete="keep")
    for name in ("ravens", "plink"):
        shutil.rmtree(NEW / name)
    for name in ("APOERES", "UPENNBIOMK_ROCHE_ELECSYS"):
        remove(f"{name}_09May2024.csv")(NEW)
    new = prepare("adni", NEW, tmp_path / "arrays")
    assert new.sample_ids == [*found.sample_ids, "004_S_0015"]
    samples = SampleSet(tmp_path / "arrays", found.modalities, new.sample_ids)
    assert samples.presence.all(axis=0).tolist() == [False, False, True, False]
    assert not samples.presence[:, [0, 1, 3]].any()
    assert samples.shapes == found.shapes
    assert set(drift_of(samples, found, new.unseen)["modality"]) == {"clinical"}
    shutil.rmtree(NEW)
    NEW.mkdir()
    error_of(lambda: prepare("adni", NEW, tmp_path / "arrays"), "new: no file names a subject: put scans, genotypes")


def test_what_train_never_had_is_told(hand_written, tmp_path):
    hand_written()
    new = prepare("adni", NEW, tmp_path / "arrays")
    # Of nine subjects; train has ages of 60 and 71, and race 5.
    assert new.unseen["clinical: PTDEMOG.PTDOBYY"] == pytest.approx(1 / 8)  # 3 is 80; 6 has no date of birth
    assert new.unseen["clinical: PTDEMOG.PTRACCAT"] == pytest.approx(1 / 8)  # 4 of 10; 7 of 12 is unknown
    assert new.unseen["biospecimen: APOERES.GENOTYPE"] == pytest.approx(2 / 9)  # 2/3 and 4/4
    # rs3 has 1 and 2 copies in train, and 0 in 12; rs4 has 0 and 1, and 2 in 11 and 7.
    assert new.unseen["genetic: rs3_A"] == pytest.approx(1 / 9)
    assert new.unseen["genetic: rs4_C"] == pytest.approx(2 / 9)
    assert new.unseen["genetic: rs1_A"] == 0


def without_variants(*names):
    """Write the second fileset without some variants."""
    rows = [(*row[:2], row[2] + 7, *row[6:]) for row in VARIANTS if row[6] and row[1] not in names]
    return lambda raw: write_fileset(raw / "plink" / "second.bed", SECOND_PEOPLE, rows)


def test_variants_that_new_files_lack_are_imputed_up_to_a_share_and_told(hand_written, tmp_path, capsys):
    found = hand_written(cohort={"max_missing_genotypes": 0.6})
    without_variants("rs1", "rs3")(NEW)
    new = prepare("adni", NEW, tmp_path / "arrays")
    rows = new.sample_ids.index("003_S_0006"), new.sample_ids.index("001_S_0002")
    own = np.asarray(SampleSet(tmp_path / "arrays", found.modalities, new.sample_ids).arrays["genetic"])
    fitted = read_fitted(paths.fitted("adni", "genetic"))
    imputed = 2 * (fitted["imputed"] - fitted["low"]) / (fitted["high"] - fitted["low"]) - 1
    assert own[rows[0], [0, 2]].tolist() == pytest.approx(imputed[[0, 2]])
    assert own[rows[1]].tolist() == np.asarray(found.arrays["genetic"])[0].tolist()
    assert new.unseen["genetic: rs1_A"] == pytest.approx(3 / 9)  # 6, 7 and 12
    assert "  - 2 not in second.bed, or not usable" in capsys.readouterr().out


def test_people_of_filesets_that_lack_much_are_left_out(hand_written, tmp_path):
    hand_written()
    without_variants("rs1", "rs3", "rs4")(NEW)
    new = prepare("adni", NEW, tmp_path / "arrays")
    assert new.removed["in filesets that lack more than 50% of the variants of train"] == 4  # 6, 7, 12 and 15
    assert not {"003_S_0006", "003_S_0007", "003_S_0012"} & set(new.sample_ids)


REFUSED = {
    "no folder": (shutil.rmtree, r"new is not a folder: put the new files there"),
    "no scans": (lambda raw: shutil.rmtree(raw / "ravens"), r"new/ravens is missing"),
    "no filesets": (lambda raw: shutil.rmtree(raw / "plink"), r"new/plink holds no .bed file"),
    "no table": (remove("VITALS_09May2024.csv"), r"new/VITALS_<date>.csv is missing: download the table VITALS"),
    "no column": (
        text("VITALS_09May2024.csv", VITALS.replace("VSPULSE", "PULSE")),
        r"new/VITALS_09May2024.csv has no column 'VSPULSE'; it has 14 others; did you mean 'PULSE'\?",
    ),
    "no optional column, which train has": (
        text("APOERES_09May2024.csv", APOERES.replace("GENOTYPE", "APGEN1").replace("3/", "3").replace("4/", "4")),
        (
            r"new: no table APOERES with a column 'GENOTYPE', which the train split has: put it there; its cells may "
            "be empty"
        ),
    ),
    "text for a number": (
        text("VITALS_09May2024.csv", VITALS.replace(",140,", ",high,")),
        r"new/VITALS_09May2024.csv row 3: column 'VSBPSYS' holds something other than a number",
    ),
    "one subject with two PTIDs": (
        text("VITALS_09May2024.csv", VITALS.replace("002_S_0005", "009_S_0005")),
        r"new/VITALS_09May2024.csv row 8: column 'PTID' differs from that of the same RID elsewhere",
    ),
    "another grid": (
        lambda raw: write_map(raw / "ravens" / "002_S_0005_2006-01-15.nii.gz", 9, np.full((2, 3, 3), 150)),
        r"new/ravens: file 6 of 13 by name has shape \(2, 3, 3\), the atlas \(2, 2, 3\): bring maps on the atlas",
    ),
    "a value far out": (
        lambda raw: write_map(raw / "ravens" / "003_S_0012_2006-01-15.nii.gz", 1e30),
        r"new/ravens: file 10 of 13 by name has a value too far from those of the train maps",
    ),
    "alleles that do not fit": (
        lambda raw: [
            write_fileset(
                raw / "plink" / name,
                people,
                [(*row[:3], "A", "G", row[5]) if row[1] == "rs1" else row[:6] for row in VARIANTS],
            )
            for name, people in (("first.bed", PEOPLE), ("second.bed", [f"{name}0" for name in PEOPLE]))
        ],
        (
            r"new/plink/first.bim row 1: chromosome or alleles do not fit those of the variant in the train split on "
            r"either strand: remove it, or set data.adni.genetic.mismatched to drop"
        ),
    ),
    "ids of another kind": (
        lambda raw: [
            write_fileset(
                raw / "plink" / f"{name}.bed", PEOPLE, [(row[0], f"kgp{row[1]}", *row[2:6]) for row in VARIANTS]
            )
            for name in ("first", "second")
        ],
        r"new: no subject is left after 'in filesets that lack more than 50% of the variants of train'",
    ),
    "bed cut off": (content("plink/first.bed", lambda own: own[:-1]), r"new/plink/first.bed has 22 bytes"),
}


@pytest.mark.parametrize(("spoil", "message"), REFUSED.values(), ids=REFUSED)
def test_new_files_that_do_not_fit_are_refused(hand_written, tmp_path, spoil, message):
    hand_written()
    spoil(NEW)
    error_of(lambda: prepare("adni", NEW, tmp_path / "arrays"), message)


def test_a_table_of_freesurfer_without_a_measure_of_train_is_refused(project, tmp_path):
    folder = project(image_source="freesurfer", modalities=["image"])
    rows = "".join(
        f"{name},{int(name[-4:])},2006-02-01,{number},1\n" for number, name in enumerate(PEOPLE + SECOND_PEOPLE[:3])
    )
    (folder / "raw/UCSFFSX7_09Jun2025.csv").write_text(f"PTID,RID,EXAMDATE,ST1SV,ST2CV\n{rows}")
    cohort()
    image()
    NEW.mkdir()
    path = NEW / "UCSFFSX7_09Jun2025.csv"
    path.write_text(f"PTID,RID,EXAMDATE,ST1SV,ST3CV\n{rows}")
    error_of(lambda: prepare("adni", NEW, tmp_path / "arrays"), r"new/UCSFFSX7_09Jun2025.csv has no column 'ST2CV'")
    path.write_text("RID,EXAMDATE,ST1SV,ST2CV\n2,2006-02-01,1,1\n")
    error_of(lambda: prepare("adni", NEW, tmp_path / "arrays"), r"new: no subject is left after 'without a PTID in any")
    project(modalities=["image"])
    (NEW / "ravens").mkdir()
    shutil.copy(folder / "raw/ravens/001_S_0003_20060115.nii.gz", NEW / "ravens")
    error_of(lambda: prepare("adni", NEW, tmp_path / "arrays"), r"image.fitted.npz is of FreeSurfer's measures: rerun")


def test_a_subject_without_scan_and_tables_has_its_id_from_the_genotypes(hand_written, project, tmp_path):
    hand_written()
    project(incomplete="keep")
    write_fileset(NEW / "plink/second.bed", ["007_S_0099", "NA12878"], [(*row[:5], row[5][:2]) for row in VARIANTS])
    new = prepare("adni", NEW, tmp_path / "arrays")
    assert "007_S_0099" in new.sample_ids
    assert "NA12878" not in new.sample_ids
