"""Real genotypes (HapMap 3) and real volumes on the grid of ADNI's maps."""

import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from bed_reader import open_bed
from nibabel.nifti1 import Nifti1Image

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet
from stages.datasets.adni.genetic.features import write_genotypes
from stages.datasets.adni.genetic.plink import Genotypes, merge, read_fileset
from stages.datasets.adni.image.maps import read_grid, read_nifti
from stages.reference import reference
from stages.settings.params import load_params
from stages.shared.base import paths
from stages.shared.cohort.cohorts import Cohort, write_cohort
from tests.stages.datasets.adni.conftest import ROOT

DATA = ROOT.parent / "shared" / "data"
HAPMAP, NIFTI = DATA / "plink-hapmap3", DATA / "nifti"
PARAMS = load_params(ROOT / "params.yaml")
GENETIC = PARAMS.data.adni.genetic
needs_hapmap = pytest.mark.skipif(not HAPMAP.exists(), reason=f"needs the real HapMap 3 genotypes at {HAPMAP}")
needs_nifti = pytest.mark.skipif(not NIFTI.exists(), reason=f"needs the real volumes at {NIFTI}")


@needs_hapmap
def test_hapmap_has_the_counts_that_were_published():
    fileset = read_fileset(HAPMAP / "data.bed")
    assert (len(fileset.people), len(fileset.variants)) == (957, 14389)
    merged = merge([fileset], GENETIC)
    assert merged.counts["not on an autosome"] == 75 + 39 + 9
    assert merged.counts["mismatched"] == 0
    with open_bed(fileset.bed) as bed:
        everything = bed.read(dtype="int8")
    assert int((everything == -127).sum()) == 21221
    genotypes = Genotypes(merged, fileset.people)
    autosomal = genotypes.read(np.arange(len(merged.variants)))
    assert genotypes.missing_share() == pytest.approx((autosomal == -127).mean(axis=1))


@needs_hapmap
def test_population_is_read_from_hapmaps_genotypes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fileset = read_fileset(HAPMAP / "data.bed")
    people = pd.read_csv(HAPMAP / "relationships_w_pops_121708.txt", sep="\t").set_index("IID")
    populations = people.loc[sorted(fileset.people), "population"]
    names = sorted(populations.unique())
    assert len(names) == 11
    labels = np.array([names.index(name) for name in populations])
    ids = populations.index.to_numpy(str)
    write_cohort(
        paths.cohort("hapmap"),
        Cohort("adni", "multiclass", names, ["genetic"], "open", ids, labels, len(ids), str(HAPMAP)),
        PARAMS.split,
    )
    is_train = (pd.read_csv(paths.cohort("hapmap"))["split"] == "train").to_numpy()
    write_genotypes(
        Genotypes(merge([fileset], GENETIC), ids.tolist()), is_train, np.ones(len(ids), bool), GENETIC, "HapMap 3"
    )
    shutil.move(paths.features("adni"), paths.features("hapmap"))
    features = FeatureSet(paths.features("hapmap"), paths.cohort("hapmap"))
    about = features.descriptions["genetic"].model_dump()
    kept = len(about["features"])
    # The published set was thinned at r2 0.02 already: much of it stays at 0.1.
    assert kept + sum(about["removed"].values()) == 14389 - 123
    assert kept > 8000
    train = np.asarray(features.arrays["genetic"])[is_train].astype(np.float32)
    assert (train.min(), train.max()) == (-1, 1)
    reference("hapmap")
    metrics = json.loads(paths.metrics("hapmap", "linear-reference").read_text())
    assert metrics["accuracy"] > 0.8  # the largest of 11 populations has a sixth of the people


@needs_nifti
def test_real_volumes_of_the_maps_grid_are_read_and_others_are_refused(tmp_path):
    source = read_nifti(NIFTI / "spm12" / "grey.nii")
    grey = np.asarray(source.dataobj)
    labels = np.where(grey > grey.max() / 2, 150, 0).astype(np.int16)
    (tmp_path / "atlas.nii.gz").write_bytes(gzip.compress(Nifti1Image(labels, source.affine).to_bytes()))
    grid = read_grid(str(tmp_path), PARAMS.data.adni.image)
    assert grid.mask.shape == (91, 109, 91)
    assert 50_000 < grid.mask.sum() < 200_000
    for name in ("grey", "white", "avg152T1", "single_subj_T1"):
        path = NIFTI / "spm12" / f"{name}.nii"
        values = grid.read(path)
        assert values == pytest.approx(np.asarray(read_nifti(path).dataobj)[grid.mask])
        assert len(values) == grid.mask.sum()
    refused = {
        "example4d.nii.gz": r"is 4-D, of shape \(128, 96, 24, 2\): bring one 3-D map per scan",
        "example_nifti2.nii.gz": r"is 4-D, of shape \(32, 20, 12, 2\)",
        "functional.nii": r"is 4-D, of shape \(17, 21, 3, 20\)",
        "anatomical.nii": r"has shape \(33, 41, 25\), the atlas \(91, 109, 91\)",
    }
    for name, message in refused.items():
        with pytest.raises(InputError, match=rf"nibabel_tests: file \d+ of \d+ by name {message}"):
            grid.read(NIFTI / "nibabel_tests" / name)


@needs_nifti
def test_a_real_volume_on_another_grid_is_resampled_where_asked(tmp_path):
    source = read_nifti(NIFTI / "spm12" / "grey.nii")
    labels = np.full((10, 12, 10), 150, np.int16)
    affine = source.affine @ np.diag([8, 8, 8, 1])
    (tmp_path / "atlas.nii.gz").write_bytes(gzip.compress(Nifti1Image(labels, affine).to_bytes()))
    settings = PARAMS.data.adni.image.model_copy(update={"resample": True})
    values = read_grid(str(tmp_path), settings).read(NIFTI / "spm12" / "grey.nii").reshape(labels.shape)
    # Every eighth voxel, since the coarse grid's points are on the fine one's.
    assert values == pytest.approx(np.asarray(source.dataobj)[:80:8, :96:8, :80:8], abs=1e-4)
