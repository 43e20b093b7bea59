"""Hand-written files in MMHS150K's layout (synthetic), and a project folder whose settings point at them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[4]

# Who is out: 17 has no image, 18 no word, 19 and 20 no majority; 15 has none of the six classes.
TWEETS = {
    "11": ([0, 0, 1], "Tea &amp; cake https://t.co/a", "u1"),
    "12": ([1, 1, 2], "@some_one: zzz cake", "u2"),
    "13": ([5, 2, 5], "RT @a: tea #Tea cake pic.twitter.com/xyz", "u3"),
    "14": ([0, 0, 0], "fog", "u1"),
    "15": ([3, 4, 0], "cake cake tea", "u5"),
    "16": ([0, 1, 0], "@other TEA &amp; cake", "u6"),
    "17": ([0, 0, 0], "tea", "u7"),
    "18": ([0, 0, 0], "RT @some_one https://t.co/a?b=c", "u8"),
    "19": ([0, 1], "tea", "u9"),
    "20": ([], "tea", "u10"),
}
WITHOUT_IMAGE = "17"
# The text that OCR found in each image: none in most; that of 16 has no word with a vector.
INSIDE = {"11": "CAKE\ncake tea", "12": "FOG @some_one", "15": "", "16": "QQQ"}
VECTORS = {"tea": (1, 0), "cake": (0, 1), "fog": (2, 2)}
SPLIT = {"train": ["11", "12", "13", "17"], "val": ["14", "15"], "test": ["16", "18", "19", "20"]}


def write_vectors(path, vectors):
    width = len(next(iter(vectors.values())))
    lines = b"".join(word.encode() + b" " + np.array(own, "<f4").tobytes() + b"\n" for word, own in vectors.items())
    path.write_bytes(f"{len(vectors)} {width}\n".encode() + lines)


def write_raw(raw, tweets=TWEETS, inside=INSIDE):
    for name in ("img_resized", "img_txt", "splits"):
        (raw / name).mkdir(parents=True, exist_ok=True)
    records = {
        name: {"img_url": url, "labels": labels, "labels_str": [], "tweet_url": "", "tweet_text": text}
        for name, (labels, text, url) in tweets.items()
    }
    (raw / "MMHS150K_GT.json").write_text(json.dumps(records))
    for number, name in enumerate(tweets):
        colours = np.random.default_rng(number).integers(0, 255, (12, 16, 3), dtype=np.uint8)
        if name != WITHOUT_IMAGE:
            Image.fromarray(colours).save(raw / "img_resized" / f"{name}.jpg")
    for name, text in inside.items():
        (raw / "img_txt" / f"{name}.json").write_text(json.dumps({"img_text": text}))
    for name, ids in SPLIT.items():
        (raw / "splits" / f"{name}_ids.txt").write_text("\n".join(ids) + "\n")
    write_vectors(raw / "vectors.bin", VECTORS)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Stand in an empty folder; return a function that writes the hand-written files and the settings, changed."""
    monkeypatch.chdir(tmp_path)

    def write(**settings):
        if not (tmp_path / "raw").exists():
            write_raw(tmp_path / "raw")
        write_settings(tmp_path, **settings)
        return tmp_path / "raw"

    return write


def write_settings(folder, **settings):
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load((ROOT / "params.yaml").read_text())
    own = params["data"]["mmhs"]
    for key, value in ({"raw": "raw"} | settings).items():
        own[key] = own[key] | value if isinstance(value, dict) else value
    params["split"] = {"train": 0.5, "validation": 0.25, "test": 0.25, "seed": 0}
    yaml.dump(params, folder / "params.yaml")
