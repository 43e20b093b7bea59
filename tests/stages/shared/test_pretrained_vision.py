"""Images through the vision tower of a Hugging Face model: tiny ones with random weights, written here (synthetic)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from i2moe.base.errors import InputError
from stages.shared.images import images
from stages.shared.images.images import Item, embed
from stages.shared.pretrained.vision import load_vision_tower
from tests.tiny_encoders import SIDE, vision_model, write_processor, write_text_encoder, write_vision_encoder

transformers = pytest.importorskip("transformers", reason="needs the extra 'transformers'")
# Models, and the tokens before the patches: a class token, and three registers.
MODELS = {"ViTModel": 1, "CLIPModel": 1, "CLIPVisionModel": 1, "Dinov2WithRegistersModel": 4, "SiglipVisionModel": 0}
MEAN, STD = (0.5, 0.25, 0.125), (0.5, 0.25, 2.0)  # of the tiny processor


@pytest.fixture
def items(tmp_path, monkeypatch):
    """Stand in an empty folder with 5 images of noise (synthetic)."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    found = []
    for number in range(5):
        Image.fromarray(generator.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(f"{number}.png")
        found.append(Item(Path(f"{number}.png"), str(number)))
    return found


def extractor(folder, batch_size=3):
    return load_vision_tower(str(folder), "data.key").extractor(
        lambda image, _: image, "as it is", batch_size, "remedy"
    )


@pytest.mark.parametrize("kind", MODELS)
def test_a_map_is_the_last_state_of_each_patch_in_its_place(items, tmp_path, kind):
    own = extractor(write_vision_encoder(tmp_path / kind, kind))
    assert own.shape == (8, 4, 4)
    features, rows = embed(items, own)
    assert features.dtype == np.float16
    model = vision_model(kind).eval()
    for item, row in zip(items, rows, strict=True):
        pixels = torch.tensor(np.asarray(Image.open(item.path))).permute(2, 0, 1).double() / 255
        scaled = (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        with torch.inference_mode():
            tower = getattr(model, "vision_model", model)
            states = tower(pixel_values=scaled[None].float()).last_hidden_state[0].numpy()
        assert len(states) == MODELS[kind] + 16
        found = features[row].reshape(own.shape).astype(float)
        for y, x in ((0, 0), (0, 3), (2, 1), (3, 3)):
            np.testing.assert_allclose(found[:, y, x], states[MODELS[kind] + 4 * y + x], rtol=2e-3, atol=2e-3)


def test_what_a_tower_sees_decides_on_its_store(items, tmp_path, monkeypatch):
    folder = write_vision_encoder(tmp_path / "vit")
    seen = []
    real = images.forward
    monkeypatch.setattr(images, "forward", lambda new, own: seen.extend(new) or real(new, own))
    embed(items, extractor(folder))
    embed(items, extractor(folder, batch_size=2))
    assert len(seen) == 5
    write_processor(folder, image_mean=[0, 0, 0])
    embed(items, extractor(folder))
    assert len(seen) == 10


def test_the_size_on_disk_is_said_before_the_work(items, tmp_path, capsys):
    embed(items, extractor(write_vision_encoder(tmp_path / "vit")))
    assert "5 new images, 0 MB under data/.images/patches-" in capsys.readouterr().out


def refused(message, folder):
    with pytest.raises(InputError, match=message):
        load_vision_tower(str(folder), "data.key")


def test_a_text_encoder_is_refused(tmp_path):
    refused(
        r"data.key: .*bert is a model of type 'bert', which is no encoder of images",
        write_text_encoder(tmp_path / "bert"),
    )


def test_a_folder_without_an_image_processor(tmp_path):
    folder = write_vision_encoder(tmp_path / "vit")
    (folder / "preprocessor_config.json").unlink()
    refused(r"the folder .*vit holds no Hugging Face model that AutoImageProcessor can load", folder)


def test_a_model_without_patches_is_refused(tmp_path):
    config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4], depths=[1], layer_type="basic")
    transformers.ResNetModel(config).save_pretrained(tmp_path / "resnet")
    write_processor(tmp_path / "resnet")
    refused(r"resnet \(type 'resnet'\) cuts images into no patches; allowed: a ViT", tmp_path / "resnet")


def test_a_model_that_merges_patches_is_refused(tmp_path):
    config = transformers.SwinConfig(
        image_size=32, patch_size=4, embed_dim=4, depths=[1, 1], num_heads=[1, 1], window_size=4
    )
    transformers.SwinModel(config).save_pretrained(tmp_path / "swin")
    write_processor(tmp_path / "swin")
    refused(
        r"swin returns \(16, 8\) for an image of 8 x 8 patches, not a token for each; allowed: a ViT", tmp_path / "swin"
    )


def test_weights_that_are_a_pickle_are_never_read(tmp_path):
    folder = write_vision_encoder(tmp_path / "vit")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(r"vit holds no \*.safetensors", folder)
