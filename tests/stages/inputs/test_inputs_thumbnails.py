"""Thumbnails of image files and of volumes."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from i2moe.base.errors import InputError
from stages.inputs.thumbnails import data_url, of_file, picture, show_images

PREFIX = "data:image/webp;base64,"


def opened(url):
    assert url.startswith(PREFIX)
    return Image.open(io.BytesIO(base64.b64decode(url.removeprefix(PREFIX))))


@pytest.mark.parametrize(("size", "expected"), [((400, 300), (96, 72)), ((30, 300), (10, 96)), ((40, 20), (40, 20))])
def test_a_thumbnail_has_the_images_shape_and_at_most_96_pixels_a_side(tmp_path, size, expected):
    path = tmp_path / "own.png"
    Image.new("RGB", size, (200, 40, 40)).save(path)
    image = opened(of_file(path))
    assert (image.format, image.size) == ("WEBP", expected)
    np.testing.assert_allclose(np.asarray(image.convert("RGB"))[5, 5], (200, 40, 40), atol=6)


def test_the_same_file_gives_the_same_bytes_and_a_photograph_takes_few(tmp_path):
    from sklearn.datasets import load_sample_image

    path = tmp_path / "own.jpg"
    Image.fromarray(load_sample_image("china.jpg")).save(path)
    url = of_file(path)
    assert of_file(path) == url
    assert 1000 < len(url) < 3500


def test_samples_without_an_image_have_none(tmp_path):
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / f"{name}.png")
    found = show_images([tmp_path / "a.png", tmp_path / "b.png"], np.array([False, True, False, True])).images
    assert [own is None for own in found] == [True, False, True, False]
    assert np.asarray(opened(found[1]).convert("RGB"))[4, 4, 0] > 200
    assert np.asarray(opened(found[3]).convert("RGB"))[4, 4, 2] > 200


@pytest.mark.parametrize("content", [None, b"no image"])
def test_a_file_that_is_no_image_is_named(tmp_path, content):
    path = tmp_path / "own.png"
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"by name (cannot be read|is not a JPEG or PNG image)"):
        show_images([path], np.array([True]))


def test_a_volume_is_three_slices_through_the_middle_of_its_mask_black_outside():
    mask = np.zeros((3, 4, 5), bool)
    mask[1:3, 1:4, 1:4] = True  # its middle: 1 (of 1 and 2), 2, 2
    volume = np.zeros((3, 4, 5))
    volume[mask] = np.linspace(-3, 3, mask.sum())
    image = picture(volume[mask], mask)
    longest = 4 + 3 + 3  # slices [Y, Z], [X, Z] and [X, Y], with the last axis upwards
    assert image.size == (longest * 9, 5 * 9)
    pixels = np.asarray(image)[::9, ::9]
    expected = np.round(255 * (volume + 3) / 6) * mask
    np.testing.assert_allclose(pixels[:, :4], np.rot90(expected[1]), atol=1)
    np.testing.assert_allclose(pixels[:, 4:7], np.rot90(expected[:, 2]), atol=1)
    np.testing.assert_allclose(pixels[1:, 7:], np.rot90(expected[:, :, 2]), atol=1)
    assert not pixels[0, 7:].any()


def test_a_large_volume_becomes_as_small_as_other_thumbnails():
    mask = np.ones((60, 72, 60), bool)
    image = picture(np.zeros(mask.sum()), mask)
    assert max(image.size) == 96
    np.testing.assert_allclose(np.asarray(image)[-1], 128, atol=1)  # all three slices reach the lower edge
    assert data_url(image).startswith(PREFIX)
