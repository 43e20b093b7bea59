"""New screens of ENRICO, without any table: exactly the features of the same screens, and what is left out."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet, SampleSet
from stages.datasets.enrico.cohort import cohort
from stages.datasets.enrico.image import image
from stages.datasets.enrico.new import prepare
from stages.shared.base import paths


def write_incomplete(value):
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(Path("params.yaml"))
    params["data"]["enrico"]["incomplete"] = value
    yaml.dump(params, Path("params.yaml"))


@pytest.fixture
def trained(project, tiny):  # noqa: ARG001 (a network of 6 channels)
    """Run the stages; return the dataset, and a folder with the images of its test screens alone."""
    project(image={"width": 64})
    cohort()
    for modality in ("screenshot", "wireframe"):
        image(modality)
    found = FeatureSet(paths.features("enrico"), paths.cohort("enrico"))
    for folder, ending in (("screenshots", "jpg"), ("wireframes", "png")):
        (Path("new") / folder).mkdir(parents=True)
        for row in found.rows("test"):
            shutil.copy(Path("raw") / folder / f"{found.sample_ids[row]}.{ending}", Path("new") / folder)
    return found


def test_the_test_screens_have_exactly_their_features(trained, tmp_path):
    new = prepare("enrico", Path("new"), tmp_path / "arrays")
    rows = trained.rows("test")
    assert new.sample_ids == [trained.sample_ids[row] for row in rows]
    assert new.removed == {"without every image": 0}
    samples = SampleSet(tmp_path / "arrays", trained.modalities, new.sample_ids)
    for name in trained.modalities:
        np.testing.assert_array_equal(samples.arrays[name], trained.arrays[name][rows])
    assert samples.shapes == trained.shapes


def test_screens_that_lack_an_image_are_left_out_and_counted(trained, tmp_path):
    next(Path("new/wireframes").glob("*.png")).unlink()
    new = prepare("enrico", Path("new"), tmp_path / "arrays")
    assert new.removed == {"without every image": 1}
    assert len(new.sample_ids) == len(trained.rows("test")) - 1
    write_incomplete("keep")
    new = prepare("enrico", Path("new"), tmp_path / "kept")
    samples = SampleSet(tmp_path / "kept", trained.modalities, new.sample_ids)
    assert samples.presence.sum(axis=0).tolist() == [len(trained.rows("test")), len(trained.rows("test")) - 1]
    write_incomplete("drop")
    shutil.rmtree("new/wireframes")
    with pytest.raises(InputError, match="new: no screen has an image in screenshots and wireframes"):
        prepare("enrico", Path("new"), tmp_path / "arrays")


def test_screens_that_lack_an_image_are_an_error_or_kept(project, tiny):  # noqa: ARG001
    project()
    for path in sorted(Path("raw/screenshots").glob("*.jpg"))[:3]:
        path.unlink()
    lost = sorted(Path("raw/wireframes").glob("*.png"))[2]
    lost.unlink()  # the third has neither
    with pytest.raises(InputError, match=r"or keep them with data\.enrico\.incomplete"):
        cohort()
    project_kept = project(incomplete="keep")
    for name in ("screenshots", "wireframes"):  # which the fixture drew again
        for path in sorted((project_kept / "raw" / name).iterdir())[: 3 if name == "screenshots" else 0]:
            path.unlink()
    lost.unlink()
    cohort()
    for modality in ("screenshot", "wireframe"):
        image(modality)
    found = FeatureSet(paths.features("enrico"), paths.cohort("enrico"))
    assert (~found.present["screenshot"]).sum() == 2
    assert list(found.present) == ["screenshot"]
    assert lost.stem not in found.sample_ids
    assert not found.arrays["screenshot"][~found.present["screenshot"]].any()
    train = found.rows("train")
    own = np.asarray(found.arrays["screenshot"][train[found.present["screenshot"][train]]], float)
    np.testing.assert_allclose(own.mean(axis=0), 0, atol=2e-3)
