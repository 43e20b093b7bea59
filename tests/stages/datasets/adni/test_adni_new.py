"""New subjects of ADNI, without diagnoses: exactly the features of the same subjects, and what is refused."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from bed_reader import open_bed, to_bed

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet, SampleSet
from stages.datasets.adni.biospecimen.features import biospecimen
from stages.datasets.adni.clinical.features import clinical
from stages.datasets.adni.cohort import cohort
from stages.datasets.adni.genetic.features import genetic
from stages.datasets.adni.genetic.matching import match, name_unseen_alleles
from stages.datasets.adni.genetic.plink import COMPLEMENT, Genotypes, find_filesets, read_fileset
from stages.datasets.adni.image.features import image
from stages.datasets.adni.new import prepare
from stages.datasets.adni.settings import GeneticSettings
from stages.shared.base import paths
from tests.stages.datasets.adni.conftest import DXSUM, TABLES, write_fileset, write_map

STAGES = (image, genetic, clinical, biospecimen)
NEW = Path("new")
GENETIC = GeneticSettings.model_validate(
    {"max_missing": 0.05, "min_maf": 0.01, "ambiguous": "drop", "mismatched": "error"}
    | {"prune": None, "variants": None, "impute": "mode"}
)


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
