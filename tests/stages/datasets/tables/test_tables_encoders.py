"""Pictures and texts of a table through Hugging Face encoders, tiny ones (synthetic): from files to arrays."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageOps

from i2moe.base.errors import InputError
from i2moe.data import SampleSet
from i2moe.prepared import Prepared
from stages.datasets.tables.cohort import cohort
from stages.datasets.tables.features import features
from stages.datasets.tables.new import prepare
from stages.shared.base import paths
from tests.tiny_encoders import SIDE, WORDS, write_text_encoder, write_vision_encoder

transformers = pytest.importorskip("transformers", reason="needs the extra 'transformers'")
NUM = 40
KNOWN = ["war", "love", "sea", "and", "the", "a", "storm"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write encoders and 40 samples with a picture and a text; return a function that runs cohort and features."""
    monkeypatch.chdir(tmp_path)
    write_text_encoder(Path("bert"))
    write_vision_encoder(Path("vit"))
    generator = np.random.default_rng(0)
    Path("raw/pictures").mkdir(parents=True)
    ids = [f"s{row:02d}" for row in range(NUM)]
    for name in ids:
        pixels = generator.integers(0, 255, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"raw/pictures/{name}.png")
    # Longer than the 32 tokens that the encoder reads at once, and shorter.
    texts = [" ".join(generator.choice(KNOWN, 1 + 2 * row)) for row in range(NUM)]
    table = {"sample": ids, "picture": [f"pictures/{name}.png" for name in ids], "report": texts}
    pd.DataFrame(table | {"outcome": ["ill", "well"] * (NUM // 2)}).to_csv("raw/own.csv", index=False)

    def run(text="bert", image="vit", **changes):
        modalities = {
            "scan": {"image": {"column": "picture", "network": image, "batch_size": 4}},
            "report": {"text": {"column": "report", "encoder": text}},
        }
        own = {"raw": "raw", "files": ["own.csv"], "id": "sample", "label": "outcome", "task": "binary"}
        data = {"tables": {"mine": own | {"modalities": modalities} | changes}}
        split = {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 0}
        Path("params.yaml").write_text(json.dumps({"data": data, "split": split}))
        cohort("mine")
        features("mine")
        return Prepared(paths.features("mine"), paths.cohort("mine"))

    return run


def states_of(text):
    """Return the mean last state of a text's tokens, special ones too, in windows of 30 words between two of those."""
    model = transformers.AutoModel.from_pretrained("bert").eval()
    ids = [WORDS.index(word) for word in text.split()]
    windows = [[2, *ids[start : start + 30], 3] for start in range(0, len(ids), 30)]
    with torch.inference_mode():
        states = [model(input_ids=torch.tensor([own])).last_hidden_state[0].double() for own in windows]
    return torch.cat(states).mean(dim=0).numpy()


def patches_of(path):
    """Return the last state of each patch of a picture, cut to a square and scaled as the tiny processor says."""
    model = transformers.AutoModel.from_pretrained("vit").eval()
    picture = ImageOps.fit(Image.open(path), (SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels = (np.asarray(picture, np.float32) / 255 - [0.5, 0.25, 0.125]) / [0.5, 0.25, 2.0]
    with torch.inference_mode():
        states = model(pixel_values=torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32))
    return states.last_hidden_state[0, 1:].T.reshape(8, 4, 4).double().numpy()


def test_a_text_is_the_mean_of_its_tokens_states_scaled_with_train(project):
    found = project()
    assert (found.kinds["report"], found.shapes["report"]) == ("vector", (8,))
    texts = pd.read_csv("raw/own.csv").set_index("sample")["report"].loc[found.sample_ids]
    assert texts.str.split().map(len).max() > 60  # three windows
    means = np.array([states_of(text) for text in texts])
    train = means[found.rows("train")]
    np.testing.assert_allclose(
        found.arrays["report"], (means - train.mean(axis=0)) / train.std(axis=0), atol=1e-3, rtol=1e-3
    )
    about = json.loads((paths.features("mine") / "report.json").read_text())
    assert about["encoder"] == "bert"


def test_a_picture_is_a_map_of_its_patches_scaled_with_train(project):
    found = project()
    assert (found.kinds["scan"], found.shapes["scan"]) == ("image", (8, 4, 4))
    maps = np.array([patches_of(f"raw/pictures/{name}.png") for name in found.sample_ids])
    train = maps[found.rows("train")]
    scale = (train - train.mean(axis=0)).std()
    np.testing.assert_allclose(found.arrays["scan"], (maps - train.mean(axis=0)) / scale, atol=1e-2)
    about = json.loads((paths.features("mine") / "scan.json").read_text())
    assert about["network"] == "vit, last hidden state of each patch"


def test_new_samples_without_labels_have_exactly_the_features_of_the_same_rows(project, tmp_path):
    found = project()
    rows = found.rows("test")
    Path("new").mkdir()
    table = pd.read_csv("raw/own.csv").drop(columns="outcome")
    table[table["sample"].isin([found.sample_ids[row] for row in rows])].to_csv("new/own.csv", index=False)
    Path("new/pictures").symlink_to(Path("raw/pictures").resolve())
    new = prepare("mine", Path("new"), tmp_path / "arrays")
    assert new.sample_ids == [found.sample_ids[row] for row in rows]
    samples = SampleSet(tmp_path / "arrays", found.modalities, new.sample_ids)
    assert (samples.kinds, samples.shapes) == (found.kinds, found.shapes)
    for name in found.modalities:
        np.testing.assert_array_equal(samples.arrays[name], found.arrays[name][rows], err_msg=name)


def test_samples_without_a_picture_or_a_text_are_kept_where_that_is_wanted(project):
    table = pd.read_csv("raw/own.csv")
    table.loc[3, "picture"], table.loc[5, "report"] = None, " "
    table.to_csv("raw/own.csv", index=False)
    assert len(project()) == NUM - 2
    found = project(incomplete="keep")
    assert [found.presence[found.sample_ids.index(name)].tolist() for name in ("s03", "s05")] == [
        [False, True],
        [True, False],
    ]
    assert not found.arrays["scan"][found.sample_ids.index("s03")].any()
    assert not found.arrays["report"][found.sample_ids.index("s05")].any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": "nowhere"}, r"modalities.report.text.encoder: there is no folder nowhere; allowed: a local folder"),
        ({"image": "nowhere"}, r"modalities.scan.image.network: there is no folder nowhere; allowed: a local folder"),
        (
            {"text": "vit"},
            r"modalities.report.text.encoder: vit is a model of type 'vit', which is no encoder of te",
        ),
        (
            {"image": "bert"},
            r"modalities.scan.image.network: bert is a model of type 'bert', which is no encoder of i",
        ),
    ],
)
def test_an_encoder_that_is_none_is_refused_before_anything_is_written(project, changes, message):
    with pytest.raises(InputError, match=message):
        project(**changes)
    assert not paths.features("mine").exists()
