"""Images, texts, series and arrays next to the columns of a table: from files to features, new samples, and errors."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from torch import nn

from i2moe.base.errors import InputError
from i2moe.data import SampleSet
from i2moe.prepared import Prepared
from stages.datasets.tables.cohort import cohort
from stages.datasets.tables.columns import say_unselected
from stages.datasets.tables.features import features
from stages.datasets.tables.new import prepare
from stages.shared.base import paths
from stages.shared.images import networks

NUM = 30
MODALITIES = {
    "age": {"columns": ["age", "sex"]},
    "scan": {"image": {"column": "picture", "network": "resnet18", "batch_size": 4}},
    "report": {"text": {"column": "report", "dim": 2}},
    "heart": {"sequence": {"file": "heart.csv", "id": "sample", "time": "minute", "max_steps": 3}},
    "ecg": {"sequence": {"file": "ecg.npy", "lengths": "ecg.lengths.npy"}},
    "code": {"array": {"file": "code.npy"}},
    "map": {"array": {"file": "map.npy"}},
}
WORDS = ["calm", "rapid", "faint", "strong", "murmur"]


class Tiny(nn.Module):
    """Stands in for a network: the mean of each channel, and whatever torchvision's has at its end."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(3, 2)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write raw files of 30 samples; return a function that runs cohort and features with changed settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(networks, "build_network", lambda *_: Tiny())
    raw = Path("raw")
    (raw / "pictures").mkdir(parents=True)
    generator = np.random.default_rng(0)
    ids = [f"s{row:02d}" for row in range(NUM)]
    for name in ids:
        Image.fromarray(generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(raw / "pictures" / f"{name}.png")
    table = pd.DataFrame(
        {
            "sample": ids,
            "age": generator.normal(50, 9, NUM).round(1),
            "sex": generator.choice(["f", "m"], NUM),
            "picture": [f"pictures/{name}.png" for name in ids],
            "report": [" ".join(generator.choice(WORDS, 6)) for _ in ids],
            "outcome": ["ill", "well"] * (NUM // 2),
        }
    ).iloc[::-1]
    table.to_csv(raw / "own.csv", index=False)
    steps = [(name, minute, generator.normal(), generator.normal()) for name in ids for minute in (2, 0, 1, 3)]
    pd.DataFrame(steps, columns=["sample", "minute", "rate", "rise"]).to_csv(raw / "heart.csv", index=False)
    np.save(raw / "ecg.npy", generator.normal(size=(NUM, 5, 2)))
    np.save(raw / "ecg.lengths.npy", generator.integers(1, 6, NUM))
    np.save(raw / "code.npy", generator.normal(3, 2, size=(NUM, 4)))
    np.save(raw / "map.npy", generator.normal(size=(NUM, 2, 3, 3)).astype(np.float32))

    def run(modalities=MODALITIES, **changes):
        own = {"raw": "raw", "files": ["own.csv"], "id": "sample", "label": "outcome", "task": "binary"}
        data = {"tables": {"mine": own | {"licence": "open", "modalities": modalities} | changes}}
        split = {"train": 0.6, "validation": 0.2, "test": 0.2, "seed": 0}
        Path("params.yaml").write_text(json.dumps({"data": data, "split": split}))
        cohort("mine")
        features("mine")
        return Prepared(paths.features("mine"), paths.cohort("mine"))

    return run


def test_every_kind_of_modality_goes_from_files_to_features(project):
    found = project()
    assert found.kinds == {
        "age": "vector",
        "scan": "vector",
        "report": "vector",
        "heart": "sequence",
        "ecg": "sequence",
        "code": "vector",
        "map": "image",
    }
    assert found.shapes == {
        "age": (2,),
        "scan": (3,),
        "report": (2,),
        "heart": (3, 2),
        "ecg": (int(found.lengths["ecg"].max()), 2),
        "code": (4,),
        "map": (2, 3, 3),
    }
    assert found.present == {}
    train = found.rows("train")
    for name in ("age", "report", "code"):
        array = np.asarray(found.arrays[name][train], float)[:, 0]
        assert (array.mean(), array.std()) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-5)), name


def test_a_series_is_in_order_of_time_and_keeps_its_last_steps(project):
    found = project()
    table = pd.read_csv("raw/heart.csv")
    own = table[table["sample"] == "s07"].sort_values("minute")["rate"].to_numpy()[1:]
    train = [found.sample_ids[row] for row in found.rows("train")]
    every = table[table["sample"].isin(train)]["rate"]
    expected = (own - every.mean()) / every.std(ddof=0)
    np.testing.assert_allclose(found.arrays["heart"][7, :, 0], expected, rtol=1e-5)
    assert found.lengths["heart"].tolist() == [3] * NUM


def test_array_rows_are_those_of_the_first_file(project):
    found = project()
    raw = np.load("raw/code.npy")[::-1]  # the table's rows go backwards
    train = raw[found.rows("train")]
    np.testing.assert_allclose(
        found.arrays["code"], (raw - train.mean(axis=0)) / train.std(axis=0), rtol=1e-4, atol=1e-5
    )


def test_new_samples_without_labels_have_exactly_the_features_of_the_same_rows(project, tmp_path):
    found = project()
    rows = found.rows("test")
    new, own = Path("new"), {found.sample_ids[row] for row in rows}
    new.mkdir()
    table = pd.read_csv("raw/own.csv")
    chosen = table["sample"].isin(own).to_numpy()
    table[chosen].drop(columns="outcome").to_csv(new / "own.csv", index=False)
    steps = pd.read_csv("raw/heart.csv")
    steps[steps["sample"].isin(own)].to_csv(new / "heart.csv", index=False)
    for name in ("ecg", "ecg.lengths", "code", "map"):
        np.save(new / f"{name}.npy", np.load(f"raw/{name}.npy")[chosen])
    (new / "pictures").symlink_to(Path("raw/pictures").resolve())
    prepared = prepare("mine", new, tmp_path / "arrays")
    assert prepared.sample_ids == [found.sample_ids[row] for row in rows]
    samples = SampleSet(tmp_path / "arrays", found.modalities, prepared.sample_ids)
    for name in found.modalities:
        np.testing.assert_array_equal(samples.arrays[name], found.arrays[name][rows], err_msg=name)
    assert samples.shapes == found.shapes
    for name, lengths in samples.lengths.items():
        np.testing.assert_array_equal(lengths, found.lengths[name][rows])


def test_a_new_sample_that_lacks_all_but_one_modality_is_prepared(project, tmp_path):
    found = project(incomplete="keep")
    row = found.sample_ids.index("s07")
    new = Path("new")
    new.mkdir()
    table = pd.read_csv("raw/own.csv")
    chosen = (table["sample"] == "s07").to_numpy()
    table[chosen].drop(columns="outcome").assign(picture=None, report=" ", age=None, sex=None).to_csv(new / "own.csv")
    pd.read_csv("raw/heart.csv").iloc[:0].to_csv(new / "heart.csv", index=False)
    for name in ("ecg", "code", "map"):
        np.save(new / f"{name}.npy", np.load(f"raw/{name}.npy")[chosen])
    np.save(new / "ecg.lengths.npy", np.array([0]))
    prepared = prepare("mine", new, tmp_path / "arrays")
    assert prepared.sample_ids == ["s07"]
    samples = SampleSet(tmp_path / "arrays", found.modalities, prepared.sample_ids)
    assert samples.presence.tolist() == [[False, False, False, False, False, True, True]]
    for name in ("age", "scan", "report", "heart", "ecg"):
        assert not np.asarray(samples.arrays[name]).any(), name
    for name in ("code", "map"):
        np.testing.assert_array_equal(samples.arrays[name][0], found.arrays[name][row])


def spoil_table(column, value):
    def change():
        table = pd.read_csv("raw/own.csv").astype({column: object})
        table.loc[3, column] = value
        table.to_csv("raw/own.csv", index=False)

    return change


def test_samples_that_lack_a_modality_are_dropped_or_kept_and_counted(project, capsys):
    spoil_table("picture", None)()
    spoil_table("report", "  ")()
    table = pd.read_csv("raw/own.csv")
    lost = table["sample"][3]
    table.loc[5, ["age", "sex"]] = None
    table.to_csv("raw/own.csv", index=False)
    without = table["sample"][5]
    steps = pd.read_csv("raw/heart.csv")
    steps[steps["sample"] != without].to_csv("raw/heart.csv", index=False)
    dropped = project()
    assert len(dropped) == NUM - 2
    removed = json.loads(Path("data/cohorts/mine.json").read_text())["removed"]
    assert removed == {"outcome missing": 0, "without age": 1, "without scan": 1}
    capsys.readouterr()
    kept = project(incomplete="keep")
    assert len(kept) == NUM
    assert f"heart.npy: {NUM} x 3 x 2, {3 * (NUM - 1)} steps, mean length 3.00\n" in capsys.readouterr().out
    assert {name: (~present).sum() for name, present in kept.present.items()} == {
        "age": 1,
        "scan": 1,
        "report": 1,
        "heart": 1,
    }
    row = kept.sample_ids.index(lost)
    assert kept.presence[row].tolist() == [True, False, False, True, True, True, True]
    assert not kept.arrays["scan"][row].any()
    assert kept.lengths["heart"][kept.sample_ids.index(without)] == 1
    about = json.loads(Path("data/cohorts/mine.json").read_text())
    assert about["presence"] == {
        "age + scan + report + heart + ecg + code + map": NUM - 2,
        "scan + report + ecg + code + map": 1,
        "age + heart + ecg + code + map": 1,
    }


WRONG = {
    "no such picture": (
        spoil_table("picture", "pictures/none.png"),
        "raw column 'picture', sample .* by id: its file cannot be read .* put it there",
    ),
    "no picture": (
        lambda: Path("raw/pictures/s05.png").write_bytes(b"text"),
        "raw column 'picture', sample 6 by id: its file is not a JPEG or PNG image: bring the file again, or",
    ),
    "no series": (lambda: Path("raw/heart.csv").unlink(), "raw/heart.csv is not a file: put it there"),
    "no time": (
        lambda: Path("raw/heart.csv").write_text("sample,rate\ns01,1\n"),
        "raw/heart.csv has no column 'minute', named as of the series",
    ),
    "an empty time": (
        lambda: Path("raw/heart.csv").write_text("sample,minute,rate\ns01,,1\n"),
        "raw/heart.csv: column 'minute' is empty in 1 rows",
    ),
    "too few rows": (
        lambda: np.save("raw/code.npy", np.zeros((3, 4))),
        "code.npy has 3 rows, the first of the files 30",
    ),
    "wrong axes": (
        lambda: np.save("raw/code.npy", np.zeros((NUM, 4, 4))),
        r"code.npy has shape \(30, 4, 4\); allowed: \[N, F\] or \[N, C, h, w\]",
    ),
    "text": (lambda: np.save("raw/code.npy", np.full((NUM, 2), "a")), "code.npy holds <U1; allowed: numbers"),
    "NaN": (lambda: np.save("raw/code.npy", np.full((NUM, 2), np.nan)), "code.npy holds 36 values that are NaN"),
    "wrong lengths": (
        lambda: np.save("raw/ecg.lengths.npy", np.full(NUM, 6)),
        "ecg.lengths.npy: expected 30 numbers from 0 to 5",
    ),
    "nothing measured": (
        lambda: pd.read_csv("raw/heart.csv")[["sample", "minute"]].to_csv("raw/heart.csv", index=False),
        "raw/heart.csv has no columns besides 'sample' and 'minute': bring what was measured",
    ),
    "no array": (lambda: Path("raw/map.npy").unlink(), "raw/map.npy is missing: put it there"),
    "a pickle": (
        lambda: np.save("raw/map.npy", np.array([None] * NUM)),
        r"raw/map.npy is not a readable NPY array \(.*\): put it there, saved with numpy.save",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), WRONG.values(), ids=WRONG)
def test_wrong_files_are_refused_before_any_feature_is_written(project, spoil, message):
    spoil()
    with pytest.raises(InputError, match=message):
        project()
    assert not Path("data/features").exists()


def test_times_that_have_no_order_are_refused(project):
    steps = pd.read_csv("raw/heart.csv")
    steps.assign(minute=[[minute, minute] for minute in steps["minute"]]).to_parquet("raw/heart.parquet")
    heart = {"sequence": MODALITIES["heart"]["sequence"] | {"file": "heart.parquet"}}
    with pytest.raises(InputError, match=r"raw/heart.parquet: column 'minute' cannot be put in order: bring numbers"):
        project({"age": MODALITIES["age"], "heart": heart})


def test_new_samples_that_do_not_fit_are_refused_by_file_and_column(project, tmp_path):
    project({name: MODALITIES[name] for name in ("age", "code")})
    new = Path("new")
    new.mkdir()
    table = pd.read_csv("raw/own.csv").drop(columns="outcome")
    np.save(new / "code.npy", np.load("raw/code.npy"))
    table.drop(columns="sex").to_csv(new / "own.csv", index=False)
    with pytest.raises(InputError, match=r"new has no column 'sex', named as feature of modality 'age'"):
        prepare("mine", new, tmp_path / "arrays")
    table.assign(age="old").to_csv(new / "own.csv", index=False)
    with pytest.raises(InputError, match=r"new column 'age' holds text, and in the train split numbers alone"):
        prepare("mine", new, tmp_path / "arrays")
    table.to_csv(new / "own.csv", index=False)
    np.save(new / "code.npy", np.zeros((NUM, 5)))
    with pytest.raises(InputError, match=r"new/code.npy has rows of shape \(5,\), those of train were others"):
        prepare("mine", new, tmp_path / "arrays")


def test_what_train_never_had_is_told_by_column(project, tmp_path):
    project({"age": MODALITIES["age"], "code": MODALITIES["code"]})
    new = Path("new")
    new.mkdir()
    table = pd.read_csv("raw/own.csv").drop(columns="outcome")
    table.loc[:2, "sex"], table.loc[0, "age"] = "x", 200
    table.to_csv(new / "own.csv", index=False)
    np.save(new / "code.npy", np.load("raw/code.npy"))
    unseen = prepare("mine", new, tmp_path / "arrays").unseen
    assert unseen["age: sex"] == pytest.approx(0.1)
    assert 0 < unseen["age: age"] < 0.5


def test_columns_in_no_modality_are_named(project, capsys):
    project({"age": {"columns": ["age"]}, "code": MODALITIES["code"]})
    assert "mine: 3 columns are in no modality: sex, picture, report" in capsys.readouterr().out


def test_one_column_in_no_modality_is_one(capsys):
    say_unselected("mine", ["sex"])
    assert capsys.readouterr().out == "mine: 1 column is in no modality: sex\n"


def test_a_file_selects_all_of_its_columns(project):
    pd.DataFrame({"sample": [f"s{row:02d}" for row in range(NUM)], "dose": range(NUM), "age": range(NUM)}).to_csv(
        "raw/more.csv", index=False
    )
    found = project({"more": {"file": "more.csv"}, "age": {"columns": ["own.age"]}}, files=["own.csv", "more.csv"])
    assert found.shapes == {"more": (2,), "age": (1,)}


def write_word_vectors(path):
    lines = [f"{word} {index} {index % 2}" for index, word in enumerate(WORDS)]
    path.write_text(f"{len(lines)} 2\n" + "\n".join(lines) + "\n")


def test_texts_may_be_means_of_word_vectors(project):
    write_word_vectors(Path("raw/vectors.txt"))
    table = pd.read_csv("raw/own.csv")
    table.loc[4, "report"] = "nothing known"
    table.to_csv("raw/own.csv", index=False)
    report = {"text": {"column": "report", "encoder": "words", "vectors": "vectors.txt"}}
    found = project({"age": MODALITIES["age"], "report": report})
    by_word = {word: np.array([index, index % 2]) for index, word in enumerate(WORDS)}
    texts = table.set_index("sample")["report"].loc[found.sample_ids]
    own = [[by_word[word] for word in text.split() if word in by_word] or [np.zeros(2)] for text in texts]
    means = np.array([np.mean(vectors, axis=0) for vectors in own])
    known = ~texts.str.contains("nothing").to_numpy()
    train = np.isin(np.arange(NUM), found.rows("train")) & known
    expected = (means - means[train].mean(axis=0)) / means[train].std(axis=0)
    np.testing.assert_allclose(found.arrays["report"][known], expected[known], atol=1e-5)
    assert not found.arrays["report"][~known].any()
    assert found.present == {}
