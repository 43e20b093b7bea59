"""Grids and maps on hand-made volumes (synthetic)."""

import gzip

import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from nibabel.nifti2 import Nifti2Image

from i2moe.base.errors import InputError
from stages.datasets.adni.image.maps import read_grid, read_nifti
from stages.settings.params import load_params
from tests.stages.datasets.adni.conftest import AFFINE, LABELS, ROOT, write_map

IMAGE = load_params(ROOT / "params.yaml").data.adni.image


def grid_of(folder, labels, **settings):
    (folder / "atlas.nii.gz").write_bytes(gzip.compress(Nifti1Image(labels, AFFINE).to_bytes()))
    return read_grid(str(folder), IMAGE.model_copy(update=settings))


def test_coarse_voxels_stand_in_the_order_of_the_coarse_volume(tmp_path):
    # In the fine volume (0, 3, 0) comes before (1, 0, 0), in the coarse one (0, 1, 0) after (0, 0, 0).
    labels = np.zeros((4, 4, 4), np.int16)
    labels[0, 3, 0] = labels[1, 0, 0] = labels[3, 3, 3] = 150
    grid = grid_of(tmp_path, labels, downsample=2)
    write_map(tmp_path / "map.nii", [30, 10, 333], labels=labels)
    volume = np.zeros((2, 2, 2))
    volume[grid.coarse] = grid.read(tmp_path / "map.nii")
    assert (volume[0, 0, 0], volume[0, 1, 0], volume[1, 1, 1]) == (10, 30, 333)
    assert np.count_nonzero(volume) == 3


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_constant_map_stays_constant(tmp_path, factor):
    generator = np.random.default_rng(0)
    labels = np.where(generator.random((7, 5, 8)) < 0.4, 150, 0).astype(np.int16)
    grid = grid_of(tmp_path, labels, downsample=factor)
    write_map(tmp_path / "map.nii", 7, labels=labels)
    assert grid.coarse.shape == tuple(-(-length // factor) for length in (7, 5, 8))
    assert grid.read(tmp_path / "map.nii") == pytest.approx(np.full(grid.coarse.sum(), 7))


@pytest.mark.parametrize("kind", [Nifti1Image, Nifti2Image])
@pytest.mark.parametrize("name", ["map.nii", "map.nii.gz"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_form_of_a_map_is_read(tmp_path, kind, name, order):
    volume = np.arange(12, dtype=f"{order}i2").reshape(2, 2, 3)
    image = kind(volume, AFFINE)
    image.set_data_dtype(volume.dtype)
    image.header.set_slope_inter(0.5, 3)
    content = kind(volume, AFFINE, image.header).to_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    grid = grid_of(tmp_path, LABELS)
    expected = np.asarray(read_nifti(tmp_path / name).dataobj)[LABELS == 150]
    assert grid.read(tmp_path / name).tolist() == expected.tolist()
    assert grid.read(tmp_path / name).dtype == np.float32


def test_an_affine_may_differ_by_rounding(tmp_path):
    grid = grid_of(tmp_path, LABELS)
    write_map(tmp_path / "map.nii", [1, 2, 3, 4], affine=AFFINE + 1e-4 * np.eye(4)[[0, 1, 2, 0]] * np.eye(4))
    assert grid.read(tmp_path / "map.nii").tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["map.nii", "map.nii.gz"])
@pytest.mark.parametrize("column", [0, np.nan, np.inf])
def test_an_affine_that_says_no_direction_is_refused(tmp_path, name, column):
    affine = AFFINE.copy()
    affine[:3, 0] = column
    write_map(tmp_path / "good.nii", [1, 2, 3, 4])
    content = bytearray((tmp_path / "good.nii").read_bytes())
    content[280:328] = affine[:3].astype("<f4").tobytes()  # srow_x, srow_y, srow_z
    content[252:256] = bytes([0, 0, 2, 0])  # no qform; the affine is that of the scanner
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else bytes(content))
    with pytest.raises(InputError, match=r"file 2 of 2 by name has an affine that gives its axes no direction: make"):
        read_nifti(tmp_path / name)
