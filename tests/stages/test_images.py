"""Images through a frozen network: decoding, the store, weights, scaling; networks here are tiny (synthetic)."""

import contextlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from i2moe.errors import InputError
from stages import images, paths
from stages.images import (
    Extractor,
    Item,
    Scaled,
    Store,
    build_vgg,
    decode,
    embed,
    fingerprint,
    forward,
    untrained_note,
    write_image_features,
)

ROOT = Path(__file__).parents[2]
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
    own = replace(extractor(), network=build_vgg("vgg11", "none", 0, "key").features, width=64, height=64)
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
    with pytest.raises(InputError, match=r"0\.png: tiny network gives NaN or infinity: are these the right weights\?"):
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
from stages.images import Item, embed
from tests.stages.test_images import extractor, tiny_network

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
        expected = r"broken\.jpg (is no JPEG|cannot be decoded).*: bring it again$"
        with pytest.raises(InputError, match=expected) as caught:
            decode(broken(tmp_path, content[:size]), extractor())
        assert "\n" not in str(caught.value)
    for size in range(len(content) - 30, len(content)):  # where only checksums and the end mark are missing
        with contextlib.suppress(InputError):
            np.testing.assert_array_equal(decode(broken(tmp_path, content[:size]), extractor()), whole)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", encoded("GIF"), encoded("TIFF")])
def test_what_is_no_jpeg_or_png_is_refused_by_name(tmp_path, content):
    with pytest.raises(InputError, match=r"broken\.jpg is no JPEG or PNG image: bring it again"):
        decode(broken(tmp_path, content), extractor())


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    buffer = io.BytesIO()
    Image.new("1", (9000, 9000)).save(buffer, "PNG")
    with pytest.raises(InputError, match=r"broken\.jpg cannot be decoded \(9000 x 9000 pixels are too many\)"):
        decode(broken(tmp_path, buffer.getvalue()), extractor())


def test_a_missing_file_is_refused_by_name(items):
    with pytest.raises(InputError, match=r"gone\.png cannot be read \(No such file or directory\): put it there"):
        embed([*items, Item(Path("gone.png"), "1")], extractor())


def test_a_bad_file_stops_the_stage_but_what_was_computed_stays(items, count):
    items[9].path.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"9\.png is no JPEG or PNG image"):
        embed(items, extractor())
    assert len(Store(paths.image_features("tiny"), 40).keys) == 8
    items[9].path.write_bytes(items[0].path.read_bytes())
    embed(items, extractor())
    assert len(count) == 11 + 2  # the tenth is the first again


# Weights


def small_vgg(monkeypatch):
    """Let torchvision build a tiny network where it would build a VGG."""

    def get_model(_, weights=None, **__):
        assert weights is None
        return tiny_network(seed=int(torch.randint(1000, (1,))))

    monkeypatch.setattr("torchvision.models.get_model", get_model)


def test_random_weights_depend_on_the_seed_alone(monkeypatch):
    small_vgg(monkeypatch)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (build_vgg("vgg11", "none", seed, "key") for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert fingerprint(first) == fingerprint(again) != fingerprint(other)


def test_a_fingerprint_depends_on_weights_and_whatever_else_is_given():
    assert fingerprint(tiny_network(), 8) == fingerprint(tiny_network(), 8)
    assert len({fingerprint(tiny_network(0), 8), fingerprint(tiny_network(1), 8), fingerprint(tiny_network(0), 9)}) == 3


def test_a_local_file_of_weights_is_loaded(monkeypatch, tmp_path):
    small_vgg(monkeypatch)
    trained = tiny_network(99)
    torch.save(trained.state_dict(), tmp_path / "vgg.pth")
    assert fingerprint(build_vgg("vgg11", str(tmp_path / "vgg.pth"), 0, "key")) == fingerprint(trained)


class Malicious:
    def __reduce__(self):
        return (os.mkdir, ("executed",))


@pytest.mark.parametrize("content", ["other network", "cut off", "no weights", "pickle", "malicious", "list"])
def test_a_file_that_is_no_state_dict_is_refused_and_never_executed(monkeypatch, tmp_path, content):
    small_vgg(monkeypatch)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "vgg.pth"
    torch.save(nn.Linear(2, 2).state_dict() if content == "other network" else [1, 2], path)
    if content == "cut off":
        path.write_bytes(path.read_bytes()[:200])
    elif content == "no weights":
        path.write_bytes(b"text")
    elif content in ("pickle", "malicious"):
        path.write_bytes(pickle.dumps(Malicious() if content == "malicious" else {"features.0.weight": 1}, protocol=2))
    with pytest.raises(InputError, match=r"key: .*vgg\.pth is no state dict of torchvision's vgg11 .*vgg11-.*\.pth"):
        build_vgg("vgg11", str(path), 0, "key")
    assert not (tmp_path / "executed").exists()


def test_an_unknown_name_of_weights_is_refused():
    with pytest.raises(InputError, match=r"key: 'IMAGENET' is no file; allowed: none, IMAGENET1K_V1, .*local file"):
        build_vgg("vgg11", "IMAGENET", 0, "key")


@pytest.mark.parametrize("error", [OSError("no route"), RuntimeError("invalid hash value")])
def test_weights_that_cannot_be_downloaded_are_refused_with_their_address(monkeypatch, error):
    def get_model(*_, **__):
        raise error

    monkeypatch.setattr("torchvision.models.get_model", get_model)
    with pytest.raises(InputError, match=r"key: torchvision cannot download .*bring https://.*vgg11.*\.pth to this"):
        build_vgg("vgg11", "IMAGENET1K_V1", 0, "key")


def test_only_untrained_features_have_a_note():
    assert untrained_note("none", "VGG-11", 3) == "untrained image features (VGG-11 with random weights, seed 3)"
    assert untrained_note("IMAGENET1K_V1", "VGG-11", 3) is None


# Scaling and writing


def test_features_are_scaled_with_the_train_rows_by_hand(tmp_path):
    stored = np.array([[9, 9], [1, 10], [5, 30], [3, 20]], np.float32)
    rows = np.array([1, 3, 2])
    scaled = Scaled(lambda part: stored[part], rows, np.array([True, True, False]), (2,))
    # Train features: [1, 10] and [3, 20]; means 2 and 15, squared deviations 1, 1, 25, 25, mean 13.
    assert scaled.mean.tolist() == [2, 15]
    assert scaled.std == pytest.approx(13**0.5)
    scaled.write(tmp_path / "out", rows, (3, 2))
    expected = (stored[rows] - [2, 15]) / 13**0.5
    np.testing.assert_array_equal(np.load(tmp_path / "out"), expected.astype(np.float16))
    assert scaled.describe()["samples"] == 2


def test_blocks_of_any_size_give_the_same(tmp_path, monkeypatch):
    stored = np.random.default_rng(0).normal(size=(11, 6)).astype(np.float32)
    for size in (1, 50, 2**26):
        monkeypatch.setattr(images, "BLOCK_BYTES", size)
        scaled = Scaled(lambda part: stored[part], np.arange(11), np.arange(11) < 8, (6,))
        scaled.write(tmp_path / str(size), np.arange(11), (11, 6))
    np.testing.assert_array_equal(np.load(tmp_path / "1"), np.load(tmp_path / str(2**26)))
    np.testing.assert_array_equal(np.load(tmp_path / "50"), np.load(tmp_path / str(2**26)))


@pytest.mark.parametrize("value", [1.0, np.nan, np.inf])
def test_train_features_that_are_alike_or_not_finite_are_refused(value):
    stored = np.full((3, 2), value, np.float32)
    with pytest.raises(InputError, match=r"raw/screens: the train images' features are all alike, or not finite"):
        Scaled(lambda part: stored[part], np.arange(3), np.array([True] * 3), (2,), "raw/screens")


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_a_test_image_that_float16_cannot_hold_is_refused(tmp_path, value):
    stored = np.array([[0, 1], [1, 0], [value, 0]], np.float32)
    scaled = Scaled(lambda part: stored[part], np.arange(3), np.array([True, True, False]), (2,), "raw/screens")
    with pytest.raises(InputError, match=r"raw/screens: an image's features are not finite or far from all others"):
        scaled.write(tmp_path / "out", np.arange(3), (3, 2))


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
