"""The synthetic MMHS150K: real formats, the same every time, made-up words, and terms where planted.json says."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from stages.datasets.mmhs.cohort import decide
from stages.datasets.mmhs.source import LABELS, has_image, read_folds, read_ground_truth, read_image_texts
from stages.datasets.mmhs.synthetic.files import FILLERS, TOPICS, UNKNOWN, WORDS
from stages.datasets.mmhs.synthetic.synthesize import write_files
from stages.shared.words import mean_vectors, tokenise

NUM = 600


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "mmhs"
    write_files(folder, NUM, seed=0)
    return folder


@pytest.fixture(scope="module")
def planted(raw):
    return pd.read_csv(raw / "planted.csv", dtype={"tweet_id": str})


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_files(tmp_path / name, 12, seed)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_the_files_have_the_archives_layout_and_its_gaps(raw):
    table, texts = read_ground_truth(str(raw))
    ids = table["tweet_id"]
    assert len(table) == NUM
    assert ids.str.fullmatch(r"\d{19}").all()
    assert 0 < (~has_image(str(raw), ids)).sum() < NUM / 10
    assert 0 < texts.count("") < NUM / 10
    assert 0 < (decide(table[list(LABELS)].to_numpy(), "classes") < 0).sum() < NUM / 10
    votes = table[list(LABELS)].to_numpy()
    assert (decide(votes, "hate") >= 0).all()
    assert np.bincount(decide(votes, "classes") + 1)[1:].min() > NUM / 20  # enough of each class for three splits
    assert 0 < table["image_url"].duplicated().sum() < NUM / 10
    assert set(read_folds(str(raw), ids)) == {"", "train", "validation", "test"}
    record = next(iter(json.loads((raw / "MMHS150K_GT.json").read_text()).values()))
    assert list(record) == ["img_url", "labels", "labels_str", "tweet_url", "tweet_text"]
    assert record["labels_str"] == [LABELS[label] for label in record["labels"]]
    with Image.open(next((raw / "img_resized").iterdir())) as image:
        assert (image.format, image.size) == ("JPEG", (64, 64))


def test_every_word_is_made_up(raw):
    known = {word for pair in WORDS.values() for own in pair for word in own} | {*TOPICS, *FILLERS, *UNKNOWN}
    table, texts = read_ground_truth(str(raw))
    inside = read_image_texts(str(raw), table["tweet_id"])
    assert {word for text in [*texts, *inside] for word in tokenise(text)} - {"&"} == known
    assert set((raw / "hatespeech_keywords.txt").read_text().split()) <= known


def test_planted_json_says_that_it_is_synthetic_and_what_decides(raw, planted):
    rule = json.loads((raw / "planted.json").read_text())
    assert rule["synthetic"] is True
    assert [term["role"] for term in rule["terms"]] == ["uniqueness", "redundancy", "synergy"]
    decides = planted.to_numpy()[np.arange(NUM), planted.columns.get_indexer(planted["cause"])]
    assert ((decides > 0) == planted["hate"]).all()
    assert (planted["pair"] == -planted["word_bit"] * planted["image_bit"]).all()
    votes = read_ground_truth(str(raw))[0][list(LABELS)].to_numpy()
    assert (decide(votes, "hate") == planted["hate"]).mean() > 0.95
    assert planted["cause"].value_counts(normalize=True)["pair"] == pytest.approx(0.4, abs=0.06)


def learned(features, truth):
    """Return the AUROC on the second half of a linear model fitted on the first."""
    half = len(truth) // 2
    model = LogisticRegression(C=0.1, max_iter=2000).fit(features[:half], truth[:half])
    return roc_auc_score(truth[half:], model.decision_function(features[half:]))


def test_texts_tell_what_keywords_and_copied_words_decide_and_not_the_pairs(raw, planted):
    table, texts = read_ground_truth(str(raw))
    inside = read_image_texts(str(raw), table["tweet_id"])
    vectors = mean_vectors(texts, raw / "vectors.bin", "vectors").means
    vectors = vectors / vectors.std()
    hate = planted["hate"].to_numpy()
    for cause, low, high in (("keyword", 0.95, 1), ("copied", 0.95, 1), ("pair", 0, 0.65)):
        rows = (planted["cause"] == cause).to_numpy() & (np.array(texts) != "")
        assert low <= learned(vectors[rows], hate[rows]) <= high, cause
    rows = (planted["cause"] == "copied").to_numpy() & (np.array(inside) != "")
    own = mean_vectors(inside, raw / "vectors.bin", "vectors").means[rows]
    assert learned(own / own.std(), hate[rows]) > 0.95
    assert planted[["word_bit", "hate"]][planted["cause"] == "pair"].corr().iloc[0, 1] == pytest.approx(0, abs=0.15)


def test_a_word_and_a_shape_together_tell_what_neither_tells(raw, planted):
    table, texts = read_ground_truth(str(raw))
    rows = (planted["cause"] == "pair").to_numpy() & (np.array(texts) != "")
    rows &= has_image(str(raw), table["tweet_id"])
    vectors = mean_vectors(texts, raw / "vectors.bin", "vectors").means[rows]
    images = [Image.open(raw / "img_resized" / f"{name}.jpg").resize((16, 16)) for name in planted["tweet_id"][rows]]
    pixels = np.stack([np.asarray(image).ravel() for image in images]) / 50
    own = planted[rows]
    assert learned(vectors / vectors.std(), own["word_bit"].to_numpy()) > 0.95
    assert learned(pixels, own["image_bit"].to_numpy()) > 0.95
    assert learned(pixels, own["hate"].to_numpy()) < 0.65
