"""Every mistake with MMHS150K's files: one error that names file, tweet or key and remedy, and nothing written."""

import json
import shutil

import numpy as np
import pytest

from i2moe.base.errors import InputError
from stages.datasets.mmhs.cohort import cohort
from stages.datasets.mmhs.image import image
from stages.datasets.mmhs.ocr import ocr
from stages.datasets.mmhs.tweet import tweet
from stages.datasets.mmhs.tweets import tweets
from stages.shared.base import paths
from tests.stages.datasets.mmhs.conftest import TWEETS, VECTORS, write_raw, write_vectors

GROUND_TRUTH = "MMHS150K_GT.json"


def fails(message, *stages):
    for stage in stages[:-1]:
        stage()
    with pytest.raises(InputError, match=message) as caught:
        stages[-1]()
    for _, text, _ in TWEETS.values():
        assert text not in str(caught.value)


def change(raw, name, **values):
    path = raw / GROUND_TRUTH
    records = json.loads(path.read_text())
    records[name] |= values
    path.write_text(json.dumps(records))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (GROUND_TRUTH, r"^raw/MMHS150K_GT.json is missing: unpack MMHS150K.zip there"),
        ("img_resized", r"^raw/img_resized is missing: unpack MMHS150K.zip there"),
        ("img_txt", r"^raw/img_txt is missing: unpack MMHS150K.zip there"),
        ("vectors.bin", r"raw/vectors.bin is missing: put word vectors there, .* set data.mmhs.vectors to"),
        ("splits/val_ids.txt", r"raw/splits/val_ids.txt is missing: take it .*, or set data.mmhs.split to shares"),
    ],
)
def test_what_is_missing(project, name, message):
    path = project(split="official") / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    fails(message, tweets)
    assert not paths.interim("mmhs").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, None])
def test_a_ground_truth_that_is_broken_or_cut_off(project, content):
    path = project() / GROUND_TRUTH
    path.write_bytes(path.read_bytes()[:-40] if content is None else content)
    fails(r"raw/MMHS150K_GT.json is not a complete JSON file: unpack the archive again", tweets)
    assert not paths.interim("mmhs").exists()


@pytest.mark.parametrize("content", ["[]", "{}", "3", '{"11": []}', '{"11": {"labels": [0]}, "12": null}'])
def test_a_ground_truth_that_is_no_dictionary_of_tweets(project, content):
    (project() / GROUND_TRUTH).write_text(content)
    fails(r"raw/MMHS150K_GT.json is not a dictionary of tweets by id: unpack the archive again", tweets)


@pytest.mark.parametrize("labels", [None, 0, "000", [0, 6, 0], [0, -1, 0], [0, "1", 0], [0, [1], 0], [0, None, 0]])
def test_a_tweet_without_labels_or_with_an_unknown_one(project, labels):
    change(project(), "13", labels=labels)
    fails(r"MMHS150K_GT.json: tweet 3 by id: 'labels' is not a list of numbers from 0 to 5: unpack the archive", tweets)


@pytest.mark.parametrize("value", [3, ["tea"]])
@pytest.mark.parametrize("key", ["tweet_text", "img_url"])
def test_a_text_that_is_none(project, key, value):
    change(project(), "13", **{key: value})
    fails(rf"MMHS150K_GT.json: tweet 3 by id: '{key}' is not a text: unpack the archive again", tweets)


@pytest.mark.parametrize("name", ["11", "labels"])
def test_a_key_that_is_in_the_ground_truth_twice(project, name):
    path = project() / GROUND_TRUTH
    text = path.read_text()
    added = text[:-1] + ', "11": ' + json.dumps({"labels": [1, 1, 1], "tweet_text": "tea"}) + "}"
    path.write_text(added if name == "11" else text.replace('"labels": [0, 0, 1]', '"labels": [0], "labels": [1]'))
    fails(r"raw/MMHS150K_GT.json: 1 of the keys of an object are in it twice: unpack the archive again", tweets)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("14\n15\n99\n", r"raw/splits/val_ids.txt: id 3 is not in MMHS150K_GT.json: take it from the archive"),
        ("14\n11\n", r"raw/splits/val_ids.txt: id 2 is in it twice, or in another split too: take it from"),
        ("14\n14\n", r"raw/splits/val_ids.txt: id 2 is in it twice, or in another split too"),
        (b"\xff\xfe", r"raw/splits/val_ids.txt: id .* is not in MMHS150K_GT.json"),
    ],
)
def test_wrong_ids_of_a_split(project, content, message):
    path = project(split="official") / "splits" / "val_ids.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    fails(message, tweets)
    assert not paths.interim("mmhs").exists()


def test_ids_of_a_split_that_is_not_asked_for_are_not_read(project):
    (project() / "splits" / "val_ids.txt").write_text("99\n")
    tweets()


def test_an_official_split_that_is_empty(project):
    (project(split="official") / "splits" / "test_ids.txt").write_text("")
    fails(r"mmhs: the test split is empty", tweets, cohort)
    assert not paths.cohort("mmhs").exists()


def test_a_class_that_official_train_never_shows(project):
    (project(split="official") / "splits" / "train_ids.txt").write_text("11\n")
    fails(r"mmhs: class 'Hate' is absent from the train split: split by shares, bring more samples", tweets, cohort)
    assert not paths.cohort("mmhs").exists()


def test_a_class_too_small_for_three_splits(project):
    project(labels="classes")
    fails(r"mmhs: class 'Racist' has 1 samples, too few for train, validation and test", tweets, cohort)


def test_images_of_other_tweets(project):
    raw = project()
    for path in (raw / "img_resized").iterdir():
        path.rename(path.with_stem(f"9{path.stem}"))
    fails(r"raw: no tweet is left after 'without an image file': is the archive complete\?", tweets, cohort)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"raw/img_txt: file 2 of 4 by name is not a complete JSON file: unpack the archive again"),
        (b"\xff", r"raw/img_txt: file 2 of 4 by name is not a complete JSON file"),
        (b'{"img_text": "ra', r"raw/img_txt: file 2 of 4 by name is not a complete JSON file"),
        (b"[]", r"raw/img_txt: file 2 of 4 by name has no text 'img_text': unpack the archive again"),
        (b'{"text": "fog"}', r"raw/img_txt: file 2 of 4 by name has no text 'img_text'"),
        (b'{"img_text": 3}', r"raw/img_txt: file 2 of 4 by name has no text 'img_text'"),
    ],
)
def test_a_broken_text_of_an_image(project, content, message):
    (project() / "img_txt" / "12.json").write_bytes(content)
    fails(message, tweets)
    assert not paths.interim("mmhs").exists()


def test_an_image_that_cannot_be_decoded(project):
    path = project() / "img_resized" / "12.jpg"
    path.write_bytes(path.read_bytes()[:-100])
    fails(
        r"raw/img_resized: file 2 of 9 by name cannot be decoded .*: unpack the archive again, or remove this file",
        tweets,
        cohort,
        image,
    )
    assert not (paths.features("mmhs") / "image.npy").exists()


def test_weights_that_are_none(project):
    project(image={"weights": "IMAGENET1K_V9"})
    fails(r"data.mmhs.image.weights: 'IMAGENET1K_V9' is not a file; allowed: none, ", tweets, cohort, image)


def test_vectors_that_are_not_finite_are_not_named_by_their_word(project):
    write_vectors(project() / "vectors.bin", VECTORS | {"cake": (np.nan, 0)})
    fails(r"raw/vectors.bin: vectors of 1 of the texts' words are not finite: download it again", tweets)


def test_no_train_text_in_an_image_has_a_known_word(project):
    raw = project(split="official")
    for name in ("11", "12"):
        (raw / "img_txt" / f"{name}.json").write_text('{"img_text": "QQQ"}')
    fails(r"raw: no train text of 'ocr' has a word with a vector: is vectors.bin the right", tweets, cohort, ocr)


def test_stages_out_of_order(project):
    project()
    fails(r"data/interim/mmhs/tweets.parquet is missing: run the tweets stage", cohort)
    tweets()
    fails(r"data/cohorts/mmhs.csv is missing: run the dataset's cohort stage", tweet)


def test_a_modality_that_the_tweets_stage_did_not_read(project):
    project(modalities=["tweet"])
    fails(r"data/interim/mmhs/ocr.npy is missing: run the tweets stage", tweets, cohort, ocr)


def test_a_cohort_of_other_tweets(project):
    raw = project()
    tweets()
    cohort()
    write_raw(raw, {name: own for name, own in TWEETS.items() if name != "12"})
    fails(r"data/cohorts/mmhs.csv has other tweets than data/interim/mmhs: rerun the cohort stage", tweets, tweet)
