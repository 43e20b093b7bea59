"""The image stage by hand, its leakage, and ENRICO's one real sample."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from i2moe.contract.cohort import read_cohort
from i2moe.data import FeatureSet
from stages.datasets.enrico import image as stage
from stages.datasets.enrico.cohort import cohort
from stages.datasets.enrico.image import image
from stages.datasets.enrico.settings import ImageSettings
from stages.datasets.enrico.source import image_path
from stages.shared.base import paths
from stages.shared.images import images
from stages.shared.images.images import Item, decode, embed
from tests.stages.datasets.enrico.conftest import IDS, IMAGE, ROOT, Pooled, draw

SAMPLE = ROOT.parent / "shared/data/enrico/samples"
MODALITIES = ("screenshot", "wireframe")


def run():
    """Run all stages; return the cohort table, the arrays, and what their JSON says."""
    cohort()
    for modality in MODALITIES:
        image(modality)
    folder = paths.features("enrico")
    about = {name: json.loads((folder / f"{name}.json").read_text()) for name in MODALITIES}
    return read_cohort(paths.cohort("enrico")), {name: np.load(folder / f"{name}.npy") for name in MODALITIES}, about


def by_hand(sample_id):
    """Return what the tiny network makes of a wireframe: a colour's average in each tile, a 1 x 1 convolution, ReLU."""
    convolution = Pooled(6)[1]
    weight = convolution.weight.detach().numpy()[:, :, 0, 0]
    picture = Image.open(image_path("raw", "wireframe", sample_id)).convert("RGB")
    pixels = np.asarray(picture.resize((64, 64), Image.Resampling.BILINEAR)) / 255
    pixels = (pixels - images.CHANNEL_MEAN) / images.CHANNEL_STD
    tiles = pixels.reshape(2, 32, 2, 32, 3).mean(axis=(1, 3))
    return np.maximum(0, np.einsum("oc,hwc->ohw", weight, tiles) + convolution.bias.detach().numpy()[:, None, None])


@pytest.mark.usefixtures("tiny")
def test_features_are_those_of_each_screen_scaled_by_hand(project):
    project(image={"width": 64})
    table, arrays, about = run()
    expected = np.stack([by_hand(own) for own in table["sample_id"]])
    is_train = (table["split"] == "train").to_numpy()
    mean = expected[is_train].mean(axis=0)
    std = np.sqrt(((expected[is_train] - mean) ** 2).mean())
    np.testing.assert_allclose(arrays["wireframe"], (expected - mean) / std, atol=3e-3)
    assert arrays["wireframe"].dtype == np.float16
    assert about["wireframe"]["kind"] == "image"
    assert about["wireframe"]["shape"] == [6, 2, 2]
    assert about["wireframe"]["source"] == "raw/wireframes"
    assert (about["wireframe"]["height"], about["wireframe"]["width"]) == (64, 64)
    assert about["wireframe"]["network"] == "VGG-11's convolutions, weights none"
    assert about["wireframe"]["note"] == "untrained image features (VGG-11 with random weights, seed 0)"
    assert about["wireframe"]["fitted"]["samples"] == is_train.sum()


@pytest.mark.usefixtures("tiny")
def test_the_files_meet_the_data_contract_with_and_without_copies(project):
    project()
    run()
    plain = FeatureSet(paths.features("enrico"), paths.cohort("enrico"))
    assert plain.num_copies == 0
    project(image={"augment": ["crop"], "copies": 2})
    run()
    augmented = FeatureSet(paths.features("enrico"), paths.cohort("enrico"))
    assert augmented.num_copies == 2
    batch = next(iter(augmented.loader("train", 64, shuffle_seed=0)))
    assert batch.inputs["wireframe"].shape[1:] == (6, 2, 1)


def recolour(sample_ids):
    """Give these screens other pictures."""
    for own in sample_ids:
        for modality in MODALITIES:
            path = image_path("raw", modality, own)
            mode = "RGB" if modality == "screenshot" else "RGBA"
            Image.new("RGB", (54, 96), (int(own) % 200, 250, 3)).convert(mode).save(path)


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("change", [{}, {"augment": ["crop", "colour"], "copies": 2}])
def test_changing_test_screens_leaves_train_rows_copies_and_fitted_numbers_byte_for_byte(project, change):
    project(image=change)
    table, arrays, about = run()
    copies = {name: (paths.features("enrico") / f"{name}.copies.npy").read_bytes() for name in MODALITIES}
    recolour(table.loc[table["split"] == "test", "sample_id"])
    changed_table, changed, changed_about = run()
    assert changed_table.equals(table)
    assert changed_about == about
    for name in MODALITIES:
        assert (paths.features("enrico") / f"{name}.copies.npy").read_bytes() == copies[name]
        is_test = (table["split"] == "test").to_numpy()
        assert changed[name][~is_test].tobytes() == arrays[name][~is_test].tobytes()
        assert (changed[name][is_test] != arrays[name][is_test]).any()


@pytest.mark.usefixtures("tiny")
def test_changing_train_screens_does_change_what_is_fitted_and_every_row(project):
    project()
    table, arrays, about = run()
    recolour(table.loc[table["split"] == "train", "sample_id"])
    _, changed, changed_about = run()
    is_test = (table["split"] == "test").to_numpy()
    for name in MODALITIES:
        assert changed_about[name]["fitted"] != about[name]["fitted"]
        assert (changed[name][is_test] != arrays[name][is_test]).any()


@pytest.mark.usefixtures("tiny")
def test_another_split_seed_looks_at_no_image_again(project, monkeypatch):
    seen = []
    real = images.forward
    monkeypatch.setattr(images, "forward", lambda new, own: (seen.extend(new), real(new, own))[1])
    project()
    first, arrays, _ = run()
    assert len(seen) == 2 * 22
    project(shares={"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 1})
    second, changed, _ = run()
    assert len(seen) == 2 * 22
    assert (first["split"] != second["split"]).any()
    assert (changed["wireframe"] != arrays["wireframe"]).any()


@pytest.mark.usefixtures("tiny")
def test_the_same_files_give_the_same_bytes(project):
    project()
    _, arrays, about = run()
    draw(paths.PARAMS.parent / "raw", IDS[::-1])
    for path in paths.image_features("").rglob("*.*"):
        path.unlink()
    _, again, again_about = run()
    assert again_about == about
    for name in MODALITIES:
        assert again[name].tobytes() == arrays[name].tobytes()


# The network itself


def settings(**more):
    return ImageSettings(**(IMAGE | more))


def test_the_features_are_those_of_vgg11s_convolutions(project):
    project()
    own = stage.build_extractor(settings(), "wireframe")
    item = Item(image_path("raw", "wireframe", "9"), "9")
    features, rows = embed([item], own)
    from torchvision import models

    torch.manual_seed(0)
    network = models.vgg11(weights=None).eval()
    pixels = np.asarray(Image.open(item.path).convert("RGB").resize((32, 64), Image.Resampling.BILINEAR)) / 255
    pixels = (pixels - images.CHANNEL_MEAN) / images.CHANNEL_STD
    with torch.no_grad():
        expected = network.features(torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32))[0]
    assert own.shape == tuple(expected.shape) == (512, 2, 1)
    np.testing.assert_allclose(features[rows[0]], expected.flatten().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("size", "shape"), [((256, 128), (512, 8, 4)), ((70, 100), (512, 2, 3))])
def test_the_shape_follows_height_and_width(size, shape):
    own = stage.build_extractor(settings(height=size[0], width=size[1], batch_size=1), "wireframe")
    with torch.no_grad():
        assert own.network(torch.zeros(1, 3, *size)).shape[1:] == own.shape == shape


def test_features_of_another_size_or_other_weights_stand_in_another_store():
    keys = {
        stage.build_extractor(settings(**change), "screenshot").key
        for change in ({}, {"height": 96}, {"width": 64}, {"seed": 1})
    }
    assert len(keys) == 4
    same = stage.build_extractor(settings(batch_size=7, augment=["crop"], copies=1), "wireframe")
    assert same.key in keys


@pytest.mark.skipif(not SAMPLE.exists(), reason="ENRICO's sample is not at hand")
def test_the_real_sample_is_decoded_flattened_and_seen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for modality, ending in (("screenshot", "jpg"), ("wireframe", "png")):
        item = Item(SAMPLE / f"10594-{modality}.{ending}", "10594")
        own = stage.build_extractor(settings(height=256, width=128), modality)
        pixels = decode(item, own)
        assert pixels.shape == (256, 128, 3)
        picture = Image.open(item.path)
        assert picture.size == (540, 960)
        plain = np.asarray(picture.convert("RGB").resize((128, 256), Image.Resampling.BOX)).astype(int)
        assert np.abs(pixels[:210].astype(int) - plain[:210]).mean() < 6
        if modality == "wireframe":
            # Its text button is transparent black, on a switch in the legend's #4FC3F7.
            assert picture.getpixel((270, 847)) == (0, 0, 0, 0)
            assert pixels[225, 64].tolist() == [255, 255, 255]
            assert pixels[60, 10].tolist() == [0x4F, 0xC3, 0xF7]
        features, rows = embed([item], own)
        assert features[rows].shape == (1, 512 * 8 * 4)
        assert np.isfinite(features).all()
        assert (features > 0).mean() > 0.05
