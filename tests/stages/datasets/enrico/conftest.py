"""Hand-made files in ENRICO's layout (synthetic), and a project folder whose settings point at them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML
from torch import nn

from stages.datasets.enrico import image as image_stage
from stages.datasets.enrico.synthetic.synthesize import write_files

ROOT = Path(__file__).parents[4]

# Three topics in 24 screens, in the file's order neither sorted by id nor by topic.
IDS = [str(number) for number in (9, 10, 100, 2, 30, 31, 32, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)]
IDS += ["50105", "50109"]
TOPICS = [("list", "news", "calculator")[row % 3] for row in range(len(IDS))]
ISSUES = """screen_id,source,description,severity
50105,wireframe,not available,high
30,wireframe,"mismatch, complete",high
31,hierarchy,missing checkboxes,low
31,screenshot,landscape mode,medium
777,screenshot,landscape mode,high
"""
SETTINGS = {
    "raw": "raw",
    "modalities": ["screenshot", "wireframe"],
    "split": "shares",
    "exclude": [50105, 50109],
    "issues": "keep",
}
IMAGE = {
    "encoder": "vgg",
    "weights": "none",
    "seed": 0,
    "height": 64,
    "width": 32,
    "augment": [],
    "copies": 0,
    "batch_size": 4,
}
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 0}


def topics_file(ids=IDS, topics=TOPICS):
    return "screen_id,topic\n" + "".join(f"{own},{topic}\n" for own, topic in zip(ids, topics, strict=True))


def colour_of(sample_id):
    number = int(sample_id)
    return (number * 37 % 256, number * 91 % 256, number * 53 % 256)


def draw(folder, ids=IDS):
    """Write a screenshot and a wireframe of each screen: a left half in its own colour, a right one in grey."""
    for name, ending, mode in (("screenshots", "jpg", "RGB"), ("wireframes", "png", "RGBA")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for own in ids:
            picture = Image.new("RGB", (54, 96), (128, 128, 128))
            picture.paste(colour_of(own), (0, 0, 27, 96))
            picture.convert(mode).save(folder / name / f"{own}.{ending}")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in an empty folder; return a function that writes the hand-made files and the settings, changed."""
    monkeypatch.chdir(tmp_path)

    def write(files=None, image=None, shares=None, **settings):
        contents = {"design_topics.csv": topics_file(), "issues.csv": ISSUES} | (files or {})
        draw(tmp_path / "raw")
        for name, text in contents.items():
            path = tmp_path / "raw" / name
            path.unlink(missing_ok=True)
            if text is not None:
                path.write_bytes(text if isinstance(text, bytes) else text.encode())
        yaml = YAML(typ="safe", pure=True)
        params = yaml.load(ROOT / "params.yaml")
        params["data"]["enrico"] = SETTINGS | settings | {"image": IMAGE | (image or {})}
        params["split"] = shares or SHARES
        params["synthetic"]["enrico"] = {"screens": 60, "seed": 0}
        yaml.dump(params, tmp_path / "params.yaml")
        return tmp_path

    return write


class Pooled(nn.Sequential):
    """A tiny network (synthetic) in place of VGG-11's convolutions: as many channels, random, and as coarse."""

    def __init__(self, channels):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            super().__init__(nn.AvgPool2d(32), nn.Conv2d(3, channels, 1), nn.ReLU())


@pytest.fixture
def tiny(monkeypatch):
    """Let the image stage use a tiny network of 6 channels."""
    real = image_stage.build_extractor
    monkeypatch.setattr(image_stage, "build_network", lambda *_: nn.ModuleDict({"features": Pooled(6)}))

    def build(settings, modality):
        extractor = real(settings, modality)
        return replace(extractor, shape=(6, *extractor.shape[1:]))

    monkeypatch.setattr(image_stage, "build_extractor", build)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "raw"
    write_files(folder, 80, seed=1)
    return folder


@pytest.fixture
def synthetic_raw(tmp_path, drawn):
    """Return a copy of a synthetic ENRICO of 80 screens, which a test may change."""
    shutil.copytree(drawn, tmp_path / "copy")
    return tmp_path / "copy"
