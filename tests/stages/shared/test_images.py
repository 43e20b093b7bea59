"""Images through a frozen network: decoding and the store; networks here are tiny."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from i2moe.base.errors import InputError
from stages.shared.base import paths
from stages.shared.images import images
from stages.shared.images.images import Extractor, Item, Store, decode, embed, forward, opened_store
from stages.shared.images.networks import build_network

ROOT = Path(__file__).parents[3]
WIDTH, HEIGHT = 8, 16
RED = (200, 40, 40)


def tiny_network(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4))


def extractor(network=None, batch_size=4, key="tiny", **more):
    return Extractor(
        network=network or tiny_network(),
        prepare=lambda image, _: image.resize((WIDTH, HEIGHT)),
        width=WIDTH,
        height=HEIGHT,
        shape=(5, 4, 2),
        batch_size=batch_size,
        name="tiny network",
        key=key,
        remedy="bring it again",
        note=None,
        **more,
    )


@pytest.fixture
def items(tmp_path, monkeypatch):
    """Stand in an empty folder with 11 images of noise (synthetic)."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    found = []
    for number in range(11):
        path = tmp_path / f"{number}.png"
        Image.fromarray(generator.integers(0, 255, (32, 16, 3), dtype=np.uint8)).save(path)
        found.append(Item(path, str(number)))
    return found


@pytest.fixture
def count(monkeypatch):
    """Count the images that a network sees."""
    seen = []
    real = images.forward

    def spy(new, own):
        seen.extend(new)
        return real(new, own)

    monkeypatch.setattr(images, "forward", spy)
    return seen


def direct(item, own):
    """Return an image's features by the plain formula, alone and in the default memory format."""
    pixels = torch.tensor(decode(item, own)).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (images.CHANNEL_MEAN, images.CHANNEL_STD))
    with torch.no_grad():
        return own.network((pixels - mean) / std)[0].flatten().numpy()


# Features


def test_features_are_the_networks_own_channels_first(items):
    own = extractor()
    features, rows = embed(items, own)
    for item, row in zip(items, rows, strict=True):
        np.testing.assert_allclose(features[row], direct(item, own), rtol=1e-5, atol=1e-6)


def test_each_image_is_computed_once_whatever_the_order_and_the_cohort(items, count):
    own = extractor()
    first, rows = embed(items[:5], own)
    kept = np.array(first[rows])
    assert len(count) == 5
    again, rows = embed([items[7], *items[4::-1], items[2]], own)
    assert len(count) == 6
    np.testing.assert_array_equal(again[rows[1:6]], kept[::-1])
    np.testing.assert_array_equal(again[rows[6]], kept[2])


def test_an_experiment_in_a_copy_of_the_project_computes_no_image_again(items, count, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))  # as DVC does for stages, in its workers too
    first, rows = embed(items, extractor())
    (tmp_path / "worker").mkdir()
    monkeypatch.chdir(tmp_path / "worker")
    again, same = embed(items, extractor())
    assert len(count) == 11
    np.testing.assert_array_equal(again[same], first[rows])


def test_an_image_that_stands_under_two_names_is_computed_once(items, count):
    (items[0].path.parent / "copy.png").write_bytes(items[0].path.read_bytes())
    features, rows = embed([*items, Item(items[0].path.parent / "copy.png", "copy")], extractor())
    assert len(count) == 11
    assert rows[-1] == rows[0]
    assert len(features) == 11


def test_a_changed_image_is_computed_again(items, count):
    embed(items, extractor())
    items[3].path.write_bytes(items[4].path.read_bytes() + b" ")
    embed(items, extractor())
    assert len(count) == 12


def test_another_network_has_a_store_of_its_own(items, count):
    embed(items, extractor())
    embed(items, extractor(tiny_network(1), key="other"))
    assert len(count) == 22


def computed(items, own):
    """Return features of items [n, F] in their order, without a store."""
    return np.concatenate([features for _, features in forward({item.sample_id: item for item in items}, own)])


@pytest.mark.parametrize("size", [1, 3, 4, 11, 16])
def test_features_do_not_depend_on_the_place_in_a_batch(items, size):
    own = extractor(batch_size=size)
    straight, turned = computed(items, own), computed(items[::-1], own)
    np.testing.assert_array_equal(straight, turned[::-1])


def test_the_real_vgg11_does_not_mind_places_in_a_batch_nor_a_resume(items):
    own = replace(extractor(), network=build_network("vgg11", "none", 0, "key").features, width=64, height=64)
    own = replace(own, prepare=lambda image, _: image.resize((64, 64)), shape=(512, 2, 2))
    whole, rows = embed(items[:6], own)
    whole = np.array(whole[rows])
    assert np.isfinite(whole).all()
    assert whole.std() > 0
    resumed = replace(own, key="resumed")
    embed(items[5:6], resumed)
    features, rows = embed(items[:6], resumed)
    np.testing.assert_array_equal(features[rows], whole)


def test_a_network_that_gives_nan_is_refused_by_file_and_nothing_is_kept(items):
    network = tiny_network()
    network[0].weight.data[0] = np.nan
    with pytest.raises(
        InputError, match=r"file 1 of 12 by name: tiny network returns NaN or infinity: are these the right weights\?"
    ):
        embed(items, extractor(network))
    assert Store(paths.image_features("tiny"), 40).keys == []


# Store


def test_a_store_gives_back_what_was_appended(tmp_path):
    store = Store(tmp_path / "s", 3)
    store.append(["a", "b"], np.array([[1, 2, 3], [4, 5, 6]], np.float32))
    store.append(["c"], np.array([[7, 8, 9]], np.float32))
    again = Store(tmp_path / "s", 3)
    assert again.keys == ["a", "b", "c"]
    np.testing.assert_array_equal(again.array(), [[1, 2, 3], [4, 5, 6], [7, 8, 9]])


def test_who_opens_a_store_waits_until_it_is_closed(tmp_path):
    def append(number):
        with opened_store(tmp_path / "s", 3) as store:
            known = len(store.keys)
            for step in range(3):
                time.sleep(0.01)
                store.append([f"{number}-{step}"], np.full((1, 3), number, np.float32))
            assert len(store.keys) == known + 3

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(append, range(4)))
    store = Store(tmp_path / "s", 3)
    assert sorted(store.keys) == [f"{number}-{step}" for number in range(4) for step in range(3)]
    np.testing.assert_array_equal(store.array()[:, 0], [int(key[0]) for key in store.keys])


@pytest.mark.parametrize("lost", ["features.f32", "keys.txt"])
def test_a_store_cut_at_any_byte_keeps_what_is_whole_and_goes_on(tmp_path, lost):
    features = np.arange(12, dtype=np.float32).reshape(4, 3)
    names = ["aa", "bb", "cc", "dd"]
    Store(tmp_path / "whole", 3).append(names, features)
    whole = {name: (tmp_path / "whole" / name).read_bytes() for name in ("features.f32", "keys.txt")}
    for size in range(len(whole[lost]) + 1):
        folder = tmp_path / f"cut-{size}"
        folder.mkdir()
        for name, content in whole.items():
            (folder / name).write_bytes(content[:size] if name == lost else content)
        store = Store(folder, 3)
        kept = size // (12 if lost == "features.f32" else 3)
        assert store.keys == names[:kept]
        store.append(names[kept:], features[kept:])
        assert {name: (folder / name).read_bytes() for name in whole} == whole
        np.testing.assert_array_equal(Store(folder, 3).array(), features)


KILLED = """
import sys, time
from pathlib import Path
from torch import nn
from stages.shared.images.images import Item, embed
from tests.stages.shared.test_images import extractor, tiny_network

class Slow(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = tiny_network()
    def forward(self, pixels):
        time.sleep(0.2)
        return self.inner(pixels)

embed([Item(Path(f"{number}.png"), str(number)) for number in range(11)], extractor(Slow(), batch_size=2))
"""


def test_a_killed_stage_loses_at_most_a_batch_and_ends_with_the_same_features(items, count):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", KILLED], env=environment) as killed:
        names = paths.image_features("tiny") / "keys.txt"
        deadline = time.monotonic() + 120
        while not (names.exists() and len(names.read_text().splitlines()) >= 4):
            assert time.monotonic() < deadline
            assert killed.poll() is None
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
    kept = len(names.read_text().splitlines())
    assert 4 <= kept < 11
    features, rows = embed(items, extractor(batch_size=2))
    assert len(count) == 11 - kept
    other, whole = embed(items, extractor(batch_size=2, key="undisturbed"))
    np.testing.assert_array_equal(features[rows], other[whole])


# Decoding


def saved(tmp_path, image, suffix="png", **options):
    path = tmp_path / f"picture.{suffix}"
    image.save(path, **options)
    return decode(Item(path, "1"), extractor())


def half_transparent(mode):
    """Return an image that is opaque red on the left and transparent black on the right, and exact at any size."""
    pixels = np.zeros((16, 8, 4), np.uint8)
    pixels[:, :4] = (*RED, 255)
    image = Image.fromarray(pixels)
    if mode != "P":
        return image.convert(mode)
    palette = Image.new("P", image.size, 1)
    palette.putpalette([*RED, 0, 0, 0])
    palette.paste(0, (0, 0, 4, 16))
    palette.info["transparency"] = 1
    return palette


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
def test_what_is_transparent_becomes_white(tmp_path, mode):
    pixels = saved(tmp_path, half_transparent(mode))
    red = np.array(Image.new("RGB", (1, 1), RED).convert("L").convert("RGB") if mode == "LA" else [[RED]])[0, 0]
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    assert (pixels[:, 0] == red).all()
    assert (pixels[:, -1] == 255).all()


def test_half_transparent_is_mixed_with_white(tmp_path):
    pixels = saved(tmp_path, Image.new("RGBA", (8, 16), (0, 0, 0, 128)))
    assert np.abs(pixels.astype(int) - 127).max() <= 1


def test_a_transparent_colour_becomes_white_without_an_alpha_channel(tmp_path):
    assert (saved(tmp_path, Image.new("RGB", (8, 16), RED), transparency=RED) == 255).all()


@pytest.mark.parametrize(("mode", "colour"), [("L", 77), ("1", 0), ("P", 77)])
def test_grey_black_and_white_and_palette_images_become_rgb(tmp_path, mode, colour):
    image = Image.new("L", (8, 16), colour).convert(mode)
    expected = 77 if mode != "1" else 0
    assert np.abs(saved(tmp_path, image).astype(int) - expected).max() <= 1


def test_sixteen_bits_a_pixel_become_eight(tmp_path):
    image = Image.fromarray(np.full((16, 8), 77 * 256 + 5, np.uint16))
    assert (saved(tmp_path, image) == 77).all()


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpegs_of_every_kind_become_rgb(tmp_path, mode):
    image = Image.new("RGB", (64, 128), RED).convert(mode)
    pixels = saved(tmp_path, image, "jpg", quality=95)
    expected = np.asarray(image.convert("RGB"))[0, 0].astype(int)
    assert np.abs(pixels.astype(int) - expected).max() <= 4


def broken(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    return Item(path, "1")


def encoded(kind):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_file_cut_off_anywhere_is_refused_by_name_unless_all_pixels_are_there(tmp_path, kind):
    content = encoded(kind)
    whole = decode(broken(tmp_path, content), extractor())
    for size in [*range(2, 700, 45), *np.linspace(700, len(content) - 30, 25).astype(int)]:
        expected = r"file 1 of \d+ by name (is not a JPEG|cannot be decoded).*: bring it again$"
        with pytest.raises(InputError, match=expected) as caught:
            decode(broken(tmp_path, content[:size]), extractor())
        assert "\n" not in str(caught.value)
    for size in range(len(content) - 30, len(content)):  # where only checksums and the end mark are missing
        with contextlib.suppress(InputError):
            np.testing.assert_array_equal(decode(broken(tmp_path, content[:size]), extractor()), whole)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", encoded("GIF"), encoded("TIFF")])
def test_what_is_no_jpeg_or_png_is_refused_by_name(tmp_path, content):
    with pytest.raises(InputError, match=r"file 1 of \d+ by name is not a JPEG or PNG image: bring it again"):
        decode(broken(tmp_path, content), extractor())


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    buffer = io.BytesIO()
    Image.new("1", (9000, 9000)).save(buffer, "PNG")
    with pytest.raises(InputError, match=r"file 1 of \d+ by name cannot be decoded \(9000 x 9000 pixels are"):
        decode(broken(tmp_path, buffer.getvalue()), extractor())


def test_a_missing_file_is_refused_by_name(items):
    with pytest.raises(
        InputError,
        match=r"a file .* by name cannot be read \(No such file or directory\): put it there",
    ):
        embed([*items, Item(Path("gone.png"), "1")], extractor())


def test_a_bad_file_stops_the_stage_but_what_was_computed_stays(items, count):
    items[9].path.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"file \d+ of 12 by name is not a JPEG or PNG image"):
        embed(items, extractor())
    assert len(Store(paths.image_features("tiny"), 40).keys) == 8
    items[9].path.write_bytes(items[0].path.read_bytes())
    embed(items, extractor())
    assert len(count) == 11 + 2  # the tenth is the first again
