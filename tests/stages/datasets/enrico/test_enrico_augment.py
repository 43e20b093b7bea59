"""Augmentation: by hand, alike for both images of a screen, of train screens only, and apart from torch's generator."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from i2moe.contract.cohort import read_cohort
from stages.datasets.enrico.augment import Change, draw_change, prepare_copy
from stages.datasets.enrico.cohort import cohort
from stages.datasets.enrico.image import build_extractor, image
from stages.datasets.enrico.settings import ImageSettings
from stages.datasets.enrico.source import image_path
from stages.settings.params import load_params
from stages.shared.base import paths
from stages.shared.images import images
from stages.shared.images.images import Item, decode
from tests.stages.datasets.enrico.conftest import IMAGE

AS_IT_IS = Change(flip=False, side=1, left=0, top=0, factors=(1, 1, 1))
NAMES = ["horizontal_flip", "crop", "colour"]


def ramp():
    """Return an image whose red is 4 times the column and whose green is 4 times the row."""
    pixels = np.zeros((60, 50, 3), np.uint8)
    pixels[..., 0] = 4 * np.arange(50)
    pixels[..., 1] = 4 * np.arange(60)[:, None]
    return Image.fromarray(pixels)


def prepared(change, names=NAMES, size=(50, 60), *, is_drawn=False):
    return np.asarray(prepare_copy(ramp(), change, names, size, is_drawn=is_drawn)).astype(int)


def test_a_mirrored_copy_is_the_image_from_right_to_left():
    change = Change(**(vars(AS_IT_IS) | {"flip": True}))
    np.testing.assert_array_equal(prepared(change), np.asarray(ramp())[:, ::-1])


def test_a_crop_is_a_part_of_the_image_at_full_size():
    # 80 % of each side from the 5th column and the 6th row on: 40 columns and 48 rows become 50 and 60.
    change = Change(**(vars(AS_IT_IS) | {"side": 0.8, "left": 0.1, "top": 0.1}))
    found = prepared(change)
    assert found.shape == (60, 50, 3)
    columns = 5 + (np.arange(50) + 0.5) * 40 / 50 - 0.5
    rows = 6 + (np.arange(60) + 0.5) * 48 / 60 - 0.5
    assert np.abs(found[30, 2:-2, 0] - 4 * columns[2:-2]).max() <= 1
    assert np.abs(found[2:-2, 25, 1] - 4 * rows[2:-2]).max() <= 1


def test_brightness_is_a_factor_and_wireframes_keep_their_colours():
    change = Change(**(vars(AS_IT_IS) | {"factors": (0.8, 1, 1)}))
    plain = np.asarray(ramp()).astype(int)
    assert np.abs(prepared(change) - 0.8 * plain).max() <= 1
    np.testing.assert_array_equal(prepared(change, is_drawn=True), plain)


@pytest.mark.parametrize("factors", [(1, 0.8, 1), (1, 1, 0.8)])
def test_contrast_and_saturation_bring_colours_nearer_to_each_other(factors):
    change = Change(**(vars(AS_IT_IS) | {"factors": factors}))
    assert prepared(change).std() < np.asarray(ramp()).std()


def test_what_is_not_named_is_not_done():
    change = Change(flip=True, side=0.9, left=0.05, top=0.05, factors=(0.8, 1.2, 0.9))
    np.testing.assert_array_equal(prepared(change, names=[]), np.asarray(ramp()))


def test_changes_stay_within_their_bounds_and_use_them():
    changes = [draw_change(0, str(screen), copy) for screen in range(500) for copy in (1, 2)]
    area = np.array([change.side**2 for change in changes])
    assert (area.min() >= 0.8, area.max() <= 1) == (True, True)
    assert area.mean() == pytest.approx(0.9, abs=0.01)
    assert np.mean([change.flip for change in changes]) == pytest.approx(0.5, abs=0.06)
    for name in ("left", "top"):
        ends = np.array([(getattr(change, name), getattr(change, name) + change.side) for change in changes])
        assert ends.min() >= 0
        assert ends.max() <= 1
    factors = np.array([change.factors for change in changes])
    assert factors.min() >= 0.8
    assert factors.max() <= 1.2
    assert np.ptp(factors, axis=0).min() > 0.35


def test_a_change_depends_on_seed_screen_and_copy_alone():
    first = draw_change(0, "9", 1)
    assert draw_change(0, "9", 1) == first
    others = [draw_change(1, "9", 1), draw_change(0, "10", 1), draw_change(0, "9", 2)]
    assert len({first, *others}) == 4


def test_both_images_of_a_screen_are_mirrored_and_cropped_alike_without_torchs_generator(project):
    folder = project(image={"augment": ["horizontal_flip", "crop"], "copies": 8, "width": 64})
    settings = load_params().data.enrico.image
    # The same picture as screenshot and as wireframe.
    (folder / "raw/screenshots/9.jpg").write_bytes((folder / "raw/wireframes/9.png").read_bytes())
    before = torch.random.get_rng_state()
    copies = {}
    for modality in ("screenshot", "wireframe"):
        extractor = build_extractor(settings, modality)
        items = [Item(image_path("raw", modality, "9"), "9", copy) for copy in range(9)]
        copies[modality] = [decode(item, extractor) for item in items]
    np.testing.assert_array_equal(copies["screenshot"], copies["wireframe"])
    assert len({copy.tobytes() for copy in copies["wireframe"]}) == 9
    is_mirrored = [copy[0, 0].tolist() == [128] * 3 for copy in copies["wireframe"][1:]]
    assert is_mirrored == [draw_change(0, "9", copy).flip for copy in range(1, 9)]
    assert 0 < sum(is_mirrored) < 8
    assert torch.equal(torch.random.get_rng_state(), before)


def run_stages():
    cohort()
    for modality in ("screenshot", "wireframe"):
        image(modality)


@pytest.mark.usefixtures("tiny")
def test_only_train_screens_have_copies_in_their_order(project):
    project(image={"augment": NAMES, "copies": 3, "width": 64})
    run_stages()
    table = read_cohort(paths.cohort("enrico"))
    train = table.loc[table["split"] == "train", "sample_id"].tolist()
    folder = paths.features("enrico")
    for modality in ("screenshot", "wireframe"):
        about = json.loads((folder / f"{modality}.json").read_text())
        copies = np.load(folder / f"{modality}.copies.npy").astype(float)
        assert about["copies"] == 3
        assert about["augment"] == NAMES
        assert copies.shape == (len(train), 3, 6, 2, 2)
        assert about["fitted"]["samples"] == len(train)
        # Each copy by itself: the network's features of what `decode` returns, scaled as all are.
        extractor = build_extractor_of_the_stage(modality)
        plain = np.load(folder / f"{modality}.npy").astype(float)
        for row, own in ((0, train[0]), (5, train[5])):
            position = table["sample_id"].tolist().index(own)
            for copy in (1, 3):
                item = Item(image_path("raw", modality, own), own, copy)
                difference = features_of(item, extractor) - features_of(item._replace(copy=0), extractor)
                found = (copies[row, copy - 1] - plain[position]).ravel() * about["fitted"]["std"]
                np.testing.assert_allclose(found, difference, atol=5e-3)


def build_extractor_of_the_stage(modality):
    from stages.datasets.enrico import image as stage

    return stage.build_extractor(load_params().data.enrico.image, modality)


def features_of(item, extractor):
    return next(images.forward({"only": item}, extractor))[1][0]


@pytest.mark.usefixtures("tiny")
def test_switching_augmentation_on_computes_copies_alone_and_leaves_the_plain_features(project, monkeypatch):
    seen = []
    real = images.forward
    monkeypatch.setattr(images, "forward", lambda new, own: (seen.extend(new), real(new, own))[1])
    project()
    run_stages()
    plain = {name: np.load(paths.features("enrico") / f"{name}.npy") for name in ("screenshot", "wireframe")}
    assert len(seen) == 2 * 22
    project(image={"augment": ["crop"], "copies": 2})
    run_stages()
    num_train = plain_train()
    assert len(seen) == 2 * 22 + 2 * 2 * num_train
    for name, array in plain.items():
        np.testing.assert_array_equal(np.load(paths.features("enrico") / f"{name}.npy"), array)
    project(image={"augment": ["crop"], "copies": 3})
    run_stages()
    assert len(seen) == 2 * 22 + 3 * 2 * num_train
    project(image={"augment": ["crop", "horizontal_flip"], "copies": 1})
    run_stages()
    assert len(seen) == 2 * 22 + 4 * 2 * num_train
    project()
    run_stages()
    assert len(seen) == 2 * 22 + 4 * 2 * num_train
    assert np.load(paths.features("enrico") / "wireframe.copies.npy").shape == (num_train, 0, 6, 2, 1)


def plain_train():
    return int((read_cohort(paths.cohort("enrico"))["split"] == "train").sum())


def test_the_order_of_names_does_not_matter():
    settings = [ImageSettings(**(IMAGE | {"augment": names, "copies": 1})) for names in (NAMES, NAMES[::-1])]
    first, second = (build_extractor(one, "screenshot") for one in settings)
    assert (first.key, first.augmentation) == (second.key, second.augmentation)
