"""Screens as maps of a Hugging Face vision model's patches: a tiny one with random weights (synthetic)."""

import json

import numpy as np
import pytest
from PIL import Image

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet
from stages.datasets.enrico.cohort import cohort
from stages.datasets.enrico.image import build_extractor, image
from stages.datasets.enrico.settings import ImageSettings
from stages.shared.base import paths
from stages.shared.images.images import Item, embed
from tests.stages.datasets.enrico.conftest import IMAGE, ROOT
from tests.tiny_encoders import write_vision_encoder

SAMPLE = ROOT.parent / "shared/data/enrico/samples"  # one real screen
pytest.importorskip("transformers", reason="needs the extra 'transformers'")


@pytest.fixture
def vit(tmp_path):
    return str(write_vision_encoder(tmp_path / "vit"))


def test_screens_are_maps_of_patches_with_copies_beside_them(project, vit):
    project(image={"encoder": vit, "height": 32, "width": 32, "augment": ["horizontal_flip", "crop"], "copies": 2})
    cohort()
    for modality in ("screenshot", "wireframe"):
        image(modality)
    features = FeatureSet(paths.features("enrico"), paths.cohort("enrico"))
    assert features.shapes == {"screenshot": (8, 4, 4), "wireframe": (8, 4, 4)}
    assert features.num_copies == 2
    about = json.loads((paths.features("enrico") / "wireframe.json").read_text())
    assert about["network"] == f"{vit}, last hidden state of each patch"
    # Left halves are in a screen's own colour, right ones are grey: patches of a side have more in common.
    array = np.load(paths.features("enrico") / "screenshot.npy").astype(float)
    assert array[..., :2].std() > array[..., 2:].std()


@pytest.mark.skipif(not SAMPLE.exists(), reason="the real screen is not next to the project")
def test_a_real_screen_is_a_map_in_which_alike_patches_are_alike(tmp_path, monkeypatch, vit):
    monkeypatch.chdir(tmp_path)
    settings = ImageSettings.model_validate(IMAGE | {"encoder": vit, "height": 32, "width": 32})
    path = SAMPLE / "10594-screenshot.jpg"
    features, rows = embed([Item(path, "10594")], build_extractor(settings, "screenshot"))
    found = features[rows[0]].reshape(8, 16).astype(float)
    with Image.open(path) as screen:
        small = np.asarray(screen.convert("RGB").resize((4, 4), Image.Resampling.BOX), float).reshape(16, 3)
    colours, states = (np.linalg.norm(own[:, None] - own[None], axis=-1) for own in (small, found.T))
    assert np.corrcoef(colours[np.triu_indices(16, 1)], states[np.triu_indices(16, 1)])[0, 1] > 0.3


def test_another_size_than_the_models_is_refused(project, vit):
    project(image={"encoder": vit, "height": 64, "width": 32})
    cohort()
    message = r"vit sees images of 32 x 32 pixels: set data.enrico.image.height to 32 and data.enrico.image.width to 32"
    with pytest.raises(InputError, match=message):
        image("screenshot")


def test_a_missing_model_is_refused_by_its_key(project):
    project(image={"encoder": "nowhere"})
    cohort()
    with pytest.raises(InputError, match=r"data.enrico.image.encoder: there is no folder nowhere"):
        image("screenshot")
    assert not paths.features("enrico").exists()
