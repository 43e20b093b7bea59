"""The stage from raw files to results/inputs, what it never writes, and what its file may hold."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torch import nn

from i2moe.base.errors import InputError
from stages.datasets.tables.cohort import cohort
from stages.datasets.tables.features import features
from stages.inputs import __main__ as stage
from stages.inputs.__main__ import cut, inputs
from stages.shared.base import paths
from stages.shared.images import networks
from stages.shared.inputs import Inputs

NUM = 40
CANARY = "canary"  # in every text, id, class and name of a column
MODALITIES = {
    "body": {"columns": ["age canary", "sex"]},
    "scan": {"image": {"column": "picture", "network": "resnet18", "batch_size": 4}},
    "report": {"text": {"column": "report", "dim": 2}},
    "heart": {"sequence": {"file": "heart.csv", "id": "sample", "time": "minute"}},
    "map": {"array": {"file": "map.npy"}},
}


class Tiny(nn.Module):
    """Stands in for a network: the mean of each channel, and whatever torchvision's has at its end."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(3, 2)


def write_raw(raw):
    """Write raw files of 40 samples, one without a report and one without a picture; return the table."""
    (raw / "pictures").mkdir(parents=True)
    generator = np.random.default_rng(0)
    ids = [f"{CANARY}{row:02d}" for row in range(NUM)]
    for row, name in enumerate(ids):
        colours = np.full((120, 60, 3), (row * 6, 100, 250 - row * 6), np.uint8)
        Image.fromarray(colours).save(raw / "pictures" / f"{name}.png")
    table = pd.DataFrame(
        {
            "sample": ids,
            "age canary": generator.normal(50, 9, NUM).round(1),
            "sex": generator.choice(["f canary", "m canary"], NUM),
            "picture": [f"pictures/{name}.png" for name in ids],
            "report": [f"{CANARY} " + " ".join(generator.choice(["calm", "rapid", "faint"], 6)) for _ in ids],
            "outcome": ["ill canary", "well canary"] * (NUM // 2),
        }
    )
    table.to_csv(raw / "own.csv", index=False)
    steps = [(name, minute, row + minute) for row, name in enumerate(ids) for minute in (1, 0, 2)]
    pd.DataFrame(steps, columns=["sample", "minute", "rate canary"]).to_csv(raw / "heart.csv", index=False)
    np.save(raw / "map.npy", generator.normal(size=(NUM, 2, 3, 3)).astype(np.float32))
    return table


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write raw files; return a function that runs cohort and features with changed settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(networks, "build_network", lambda *_: Tiny())
    table = write_raw(Path("raw"))

    def run(edit=lambda table: table, **changes):
        edit(table).to_csv("raw/own.csv", index=False)
        own = {"raw": "raw", "files": ["own.csv"], "id": "sample", "label": "outcome", "task": "binary"}
        data = {"tables": {"mine": own | {"licence": "open", "modalities": MODALITIES} | changes}}
        split = {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 0}
        Path("params.yaml").write_text(json.dumps({"data": data, "split": split}))
        cohort("mine")
        features("mine")
        return table.set_index("sample")

    return run


def splits():
    return pd.read_csv(paths.cohort("mine"), dtype=str).set_index("sample_id")["split"]


def test_every_test_sample_is_shown_as_its_raw_files_have_it(project):
    table = project()
    inputs("mine")
    found = Inputs.read(paths.inputs("mine"))
    test = splits()[splits() == "test"].index.tolist()
    assert (found.samples, found.of, found.how) == (test, 8, "all test samples")
    assert list(found.modalities) == ["body", "scan", "report", "heart"]  # a network's maps say nothing to people
    assert found.modalities["report"].texts == table.loc[test, "report"].tolist()
    body, train = found.modalities["body"], table.loc[splits()[splits() == "train"].index]
    assert (body.unit, body.names) == ("raw", ["age canary", "sex"])
    assert [row[0] for row in body.values] == pytest.approx(table.loc[test, "age canary"].tolist())
    assert [row[1] for row in body.values] == table.loc[test, "sex"].tolist()
    assert body.means == [pytest.approx(train["age canary"].mean(), rel=5e-4), None]
    for name, image in zip(test, found.modalities["scan"].images, strict=True):
        thumbnail = Image.open(io.BytesIO(base64.b64decode(image.split(",")[1]))).convert("RGB")
        row = int(name.removeprefix(CANARY))
        assert thumbnail.size == (48, 96)
        np.testing.assert_allclose(np.asarray(thumbnail)[50, 20], (row * 6, 100, 250 - row * 6), atol=8)
    heart = found.modalities["heart"]
    assert heart.names == ["rate canary"]
    assert all(own[0][0] < own[0][1] < own[0][2] for own in heart.steps)


def test_the_same_inputs_give_the_same_bytes(project):
    project()
    inputs("mine")
    first = paths.inputs("mine").read_bytes()
    paths.inputs("mine").unlink()
    inputs("mine")
    assert paths.inputs("mine").read_bytes() == first
    assert CANARY.encode() in first  # which must not be there where the licence is restricted
    assert len(first) < 30_000


def test_samples_without_a_text_or_an_image_have_none(project):
    project(incomplete="keep")
    wordless, unseen = splits()[splits() == "test"].index[[2, 5]]

    def edit(table):
        is_own = table["sample"] == wordless
        return table.assign(
            report=table["report"].mask(is_own), picture=table["picture"].mask(table["sample"] == unseen)
        )

    project(edit, incomplete="keep")
    inputs("mine")
    found = Inputs.read(paths.inputs("mine"))
    for lacking, shown in (
        (wordless, found.modalities["report"].texts),
        (unseen, found.modalities["scan"].images),
    ):
        assert [name for name, own in zip(found.samples, shown, strict=True) if own is None] == [lacking]


@pytest.mark.parametrize("planted", [None, "raw", "cohort"])
def test_nothing_of_a_restricted_dataset_is_written(project, capsys, planted, monkeypatch):
    """Nor where the raw files alone, or the cohort alone, say that they are synthetic."""
    project(licence="restricted")
    about = {"synthetic": True, "rule": "none", "terms": []}
    if planted == "raw":
        Path("raw/planted.json").write_text(json.dumps(about))
    if planted == "cohort":
        path = paths.cohort("mine").with_suffix(".json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"planted": about}))
    monkeypatch.setattr(stage, "show", None)  # raw files and features are not even read
    capsys.readouterr()
    inputs("mine")
    found = json.loads(paths.inputs("mine").read_text())
    how = "none: the dataset's licence is restricted"
    assert found == {"samples": [], "of": 8, "how": how, "modalities": {}}
    assert CANARY not in paths.inputs("mine").read_text() + capsys.readouterr().out


def test_synthetic_files_in_place_of_restricted_ones_are_shown(project):
    Path("raw/planted.json").write_text(json.dumps({"synthetic": True, "rule": "none", "terms": []}))
    project(licence="restricted")
    inputs("mine")
    assert len(Inputs.read(paths.inputs("mine")).samples) == 8


def test_an_image_that_cannot_be_read_anymore_is_named_and_nothing_is_written(project):
    project()
    for path in Path("raw/pictures").iterdir():
        path.write_bytes(b"no image")
    message = r"raw column 'picture': the file of image \d+ is not a JPEG or PNG image: bring the file again"
    with pytest.raises(InputError, match=message) as caught:
        inputs("mine")
    assert CANARY not in str(caught.value)
    assert not paths.inputs("mine").exists()


@pytest.mark.parametrize("edit", [lambda table: table.iloc[:9], lambda table: table.assign(report=None)])
def test_a_table_that_lost_samples_since_is_refused(project, edit):
    edit(project().reset_index()).to_csv("raw/own.csv", index=False)
    with pytest.raises(InputError, match=r"raw: column .* lacks samples of the cohort: rerun the cohort stage"):
        inputs("mine")


def test_an_unknown_dataset_is_refused(project):
    project()
    with pytest.raises(InputError, match="unknown dataset 'mne'; allowed: mine, tables; did you mean 'mine'"):
        inputs("mne")


def test_long_texts_are_cut():
    assert cut("  short \n") == "short"
    assert cut("x" * 600) == "x" * 600
    assert cut("x" * 601) == "x" * 600 + "…"


VECTOR = {"kind": "vector", "unit": "raw", "names": ["a"], "means": [1], "values": [[1]], "percentiles": [[50]]}
SEQUENCE = {"kind": "sequence", "names": ["a"], "steps": [[[1, 2]]]}


@pytest.mark.parametrize(
    ("modality", "message"),
    [
        ({"kind": "text", "texts": []}, "modality 'own' has 0 samples of 1"),
        ({"kind": "movie"}, "movie"),
        (VECTOR | {"means": []}, None),
        (VECTOR | {"means": [1, 2]}, "values, percentiles and means do not fit each other or the names"),
        (VECTOR | {"values": [[1, 2]]}, "values, percentiles and means do not fit each other or the names"),
        (VECTOR | {"percentiles": []}, "values, percentiles and means do not fit each other or the names"),
        (SEQUENCE | {"steps": [[[1], [2]]]}, "steps do not fit the names"),
        (SEQUENCE | {"words": []}, "words do not fit the steps"),
        (VECTOR | {"unit": "inch"}, "unit"),
    ],
)
def test_a_file_that_breaks_the_contract_is_refused(tmp_path, modality, message):
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"samples": ["s"], "of": 1, "how": "all", "modalities": {"own": modality}}))
    with pytest.raises(InputError, match=r"own\.json breaks the data contract") as caught:
        Inputs.read(path)
    assert (message or "do not fit") in str(caught.value)


def test_a_file_is_read_as_it_was_written(tmp_path):
    given = {"samples": ["s", "t"], "of": 2, "how": "all test samples", "modalities": {}}
    given["modalities"] |= {
        "v": VECTOR | {"values": [["x"], None], "percentiles": [[None], None], "means": [None], "left_out": 3},
        "s": {"kind": "sequence", "names": ["a"], "steps": [[[1, 0.5]], None], "words": [["ä", "b"], []]},
        "t": {"kind": "text", "texts": ["ä", None]},
        "i": {"kind": "image", "images": [None, "data:image/webp;base64,AA=="]},
    }
    path = tmp_path / "own.json"
    path.write_text(json.dumps(given))
    found = Inputs.read(path)
    assert json.loads(found.to_json()) == given
