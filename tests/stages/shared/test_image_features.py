"""Features of images as arrays: scaling by hand, float16, and augmented copies."""

import json
from dataclasses import replace

import numpy as np
import pytest

from i2moe.base.errors import InputError
from stages.shared.base import paths
from stages.shared.features import save_blocks
from stages.shared.images import image_features
from stages.shared.images.image_features import (
    Images,
    describe_scale,
    fit_scale,
    scale_of,
    scaled,
    write_image_features,
    write_images,
)
from stages.shared.images.images import embed
from tests.stages.shared.test_images import HEIGHT, WIDTH, count, direct, extractor, items

__all__ = ["count", "items"]  # fixtures


def images_of(stored, source="images"):
    return Images(lambda part: stored[part], stored.shape[1:], source)


def write_all(path, stored, rows, train):
    images = images_of(stored)
    save_blocks(path, scaled(images, rows, fit_scale(images, train)), "<f2", (len(rows), stored.shape[1]))


def test_features_are_scaled_with_the_train_rows_by_hand(tmp_path):
    stored = np.array([[9, 9], [1, 10], [5, 30], [3, 20]], np.float32)
    scale = fit_scale(images_of(stored), np.array([1, 3]))
    # Train features: [1, 10] and [3, 20]; means 2 and 15, squared deviations 1, 1, 25, 25, mean 13.
    assert scale.mean.tolist() == [2, 15]
    assert scale.std == pytest.approx(13**0.5)
    again = scale_of(scale.fitted())
    assert (again.mean.tolist(), again.std) == (scale.mean.tolist(), scale.std)
    rows = np.array([1, -1, 2])
    about = describe_scale(scale, np.array([True, True, False]))
    assert about["samples"] == 2
    write_images(tmp_path, "picture", images_of(stored), rows, scale, {"kind": "vector", "shape": [2]})
    expected = (stored[[1, 0, 2]] - [2, 15]) / 13**0.5
    expected[1] = 0  # a sample without a picture
    np.testing.assert_array_equal(np.load(tmp_path / "picture.npy"), expected.astype(np.float16))
    assert np.load(tmp_path / "picture.present.npy").tolist() == [True, False, True]


def test_blocks_of_any_size_give_the_same(tmp_path, monkeypatch):
    stored = np.random.default_rng(0).normal(size=(11, 6)).astype(np.float32)
    for size in (1, 50, 2**26):
        monkeypatch.setattr(image_features, "BLOCK_BYTES", size)
        write_all(tmp_path / str(size), stored, np.arange(11), np.arange(8))
    np.testing.assert_array_equal(np.load(tmp_path / "1"), np.load(tmp_path / str(2**26)))
    np.testing.assert_array_equal(np.load(tmp_path / "50"), np.load(tmp_path / str(2**26)))


@pytest.mark.parametrize("value", [1.0, np.nan, np.inf])
def test_train_features_that_are_alike_or_not_finite_are_refused(value):
    stored = np.full((3, 2), value, np.float32)
    with pytest.raises(InputError, match=r"raw/screens: the train images' features are all alike, or not finite"):
        fit_scale(images_of(stored, "raw/screens"), np.arange(3))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_a_test_image_that_float16_cannot_hold_is_refused(value):
    stored = np.array([[0, 1], [1, 0], [value, 0]], np.float32)
    images = images_of(stored, "raw/screens")
    scale = fit_scale(images, np.arange(2))
    with pytest.raises(InputError, match=r"raw/screens: an image's features are not finite or far from all others"):
        list(scaled(images, np.arange(3), scale))


def is_train(num=11):
    return np.arange(num) % 2 == 0


def test_features_are_written_as_float16_with_what_was_fitted(items):
    own = replace(extractor(), note="untrained")
    write_image_features("toy", "picture", items, [], is_train(), own, {"kind": "image", "source": "raw"})
    array = np.load(paths.features("toy") / "picture.npy", mmap_mode="r")
    assert (array.dtype, array.shape) == (np.float16, (11, 5, 4, 2))
    features, rows = embed(items, own)
    train = features[rows][is_train()].astype(np.float64)
    expected = (features[rows] - train.mean(axis=0)) / np.sqrt(((train - train.mean(axis=0)) ** 2).mean())
    np.testing.assert_allclose(array.reshape(11, -1), expected, atol=2e-3)
    about = json.loads((paths.features("toy") / "picture.json").read_text())
    assert about["shape"] == [5, 4, 2]
    assert about["note"] == "untrained"
    assert about["fitted"]["split"] == "train"
    assert "copies" not in about
    assert not (paths.features("toy") / "picture.copies.npy").exists()


def brighter(image, item):
    """Prepare a copy: each number is brighter by 20."""
    return image.resize((WIDTH, HEIGHT)).point(lambda value: min(255, value // 2 + 20 * item.copy))


def test_copies_stand_by_train_sample_and_number_scaled_as_the_samples(items, count):
    own = replace(extractor(), prepare=brighter, augmentation="brighter")
    train = [item for item, own_split in zip(items, is_train(), strict=True) if own_split]
    copies = [item._replace(copy=number) for item in train for number in (1, 2)]
    write_image_features("toy", "picture", items, copies, is_train(), own, {"kind": "image"})
    assert len(count) == 11 + 12
    array = np.load(paths.features("toy") / "picture.npy").astype(float)
    copied = np.load(paths.features("toy") / "picture.copies.npy").astype(float)
    assert copied.shape == (6, 2, 5, 4, 2)
    about = json.loads((paths.features("toy") / "picture.json").read_text())
    assert about["copies"] == 2
    # All samples are scaled by one factor, so a copy differs from its sample as their unscaled features do.
    for row, item in enumerate(train):
        for number in (1, 2):
            difference = direct(item._replace(copy=number), own) - direct(item, own)
            found = (copied[row, number - 1] - array[2 * row]).ravel() * about["fitted"]["std"]
            np.testing.assert_allclose(found, difference, atol=5e-3)


def test_switching_augmentation_on_or_changing_it_leaves_the_plain_images_valid(items, count):
    own = replace(extractor(), prepare=brighter)
    embed(items, own)
    assert len(count) == 11
    augmented = replace(own, augmentation="brighter")
    copies = [item._replace(copy=1) for item in items[:3]]
    embed([*items, *copies], augmented)
    assert len(count) == 14
    embed([*items, *copies], replace(own, augmentation="much brighter"))
    assert len(count) == 17
    embed([*items, *copies], augmented)
    assert len(count) == 17
