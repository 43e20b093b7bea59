"""Every stage of MMHS150K against files whose outputs are worked out by hand (synthetic)."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from i2moe.data import FeatureSet
from stages.datasets.mmhs.cohort import cohort, decide
from stages.datasets.mmhs.image import image
from stages.datasets.mmhs.ocr import ocr
from stages.datasets.mmhs.settings import Settings
from stages.datasets.mmhs.source import LABELS, clean, count_votes
from stages.datasets.mmhs.table import means_path, read_table
from stages.datasets.mmhs.tweet import tweet
from stages.datasets.mmhs.tweets import tweets
from stages.shared.base import paths
from stages.shared.base.params import load_block
from tests.stages.datasets.mmhs.conftest import VECTORS

TEA, CAKE, FOG = (np.array(VECTORS[word], float) for word in ("tea", "cake", "fog"))
MEANS = {
    "11": (TEA + CAKE) / 2,  # the ampersand has no vector
    "12": CAKE,
    "13": (2 * TEA + CAKE) / 3,
    "14": FOG,
    "15": (2 * CAKE + TEA) / 3,
    "16": (TEA + CAKE) / 2,
}
INSIDE_MEANS = {"11": (2 * CAKE + TEA) / 3, "12": FOG}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("RT @one: two &lt;3 http://a.example/b?c=1", "two <3"),
        ("so true RT @one two", "so true two"),
        ("RT two", "two"),
        ("ART and rt @one, two", "art and rt , two"),
        ("see pic.twitter.com/AbC1 #Sunday\n\nnow", "see #sunday now"),
        ("\ud83d half a sign", "\ud83d half a sign"),
        ("@one https://t.co/a", ""),
    ],
)
def test_links_mentions_and_the_mark_of_a_retweet_are_removed(text, cleaned):
    assert clean(text) == cleaned


@given(st.lists(st.lists(st.integers(0, 5), max_size=5), min_size=1, max_size=5))
def test_a_class_is_what_more_than_half_of_the_annotators_chose(annotations):
    votes = count_votes(annotations)
    for kind, groups in (("classes", annotations), ("hate", [[min(label, 1) for label in own] for own in annotations])):
        for own, decided in zip(groups, decide(votes, kind).tolist(), strict=True):
            assert decided == next((label for label in own if own.count(label) > len(own) / 2), -1)


def run_folder(project, **settings):
    project(**settings)
    tweets()
    cohort()


def described():
    return json.loads(paths.cohort("mmhs").with_suffix(".json").read_text())


def table_of():
    return pd.read_csv(paths.cohort("mmhs"), dtype=str)


def test_the_tweets_stage_counts_annotators_and_averages_vectors(project):
    project()
    tweets()
    settings = load_block("data.mmhs", Settings)
    table, means, inside = read_table(settings), np.load(means_path("tweet")), np.load(means_path("ocr"))
    for row, name in enumerate(table["tweet_id"]):
        assert means[row] == pytest.approx(MEANS.get(name, (0, 0) if name == "18" else TEA), abs=1e-6)
        assert inside[row] == pytest.approx(INSIDE_MEANS.get(name, (0, 0)), abs=1e-6)
    own = table.set_index("tweet_id")
    assert own.loc["13", list(LABELS)].tolist() == [0, 0, 1, 0, 0, 2]
    assert own.loc["20", list(LABELS)].tolist() == [0] * 6
    assert own.loc["11", ["tweet_words", "tweet_known", "ocr_words", "ocr_known"]].tolist() == [3, 2, 3, 3]
    assert own.loc["16", ["ocr_words", "ocr_known"]].tolist() == [1, 0]
    assert own["same_text"]["11"] == own["same_text"]["16"] != own["same_text"]["15"]
    assert own["same_image"]["11"] == own["same_image"]["14"] != own["same_image"]["15"]


def test_no_text_reaches_the_table_of_tweets(project):
    project()
    tweets()
    columns = read_table(load_block("data.mmhs", Settings)).select_dtypes(exclude=["number", "bool"]).columns.tolist()
    assert columns == ["tweet_id", "fold"]


def test_the_cohort_counts_what_each_filter_removes(project):
    run_folder(project)
    assert described()["removed"] == {
        "without an image file": 1,
        "without a word beside links and mentions": 1,
        "without a majority of annotators": 2,
    }
    table = table_of()
    assert table["sample_id"].tolist() == sorted(MEANS)
    assert table["label"].tolist() == ["NotHate", "Hate", "Hate", "NotHate", "Hate", "NotHate"]
    about = described()
    assert (about["task"], about["classes"], about["licence"]) == ("binary", ["NotHate", "Hate"], "restricted")
    assert about["samples_in_raw_data"] == 10


def test_of_six_classes_a_tweet_that_all_annotators_see_differently_has_none(project, monkeypatch):
    project(labels="classes", split="official")
    tweets()
    # Train has two of the six classes only.
    monkeypatch.setattr("stages.shared.cohort.cohorts._check_splits", lambda *_: None)
    cohort()
    assert described()["removed"]["without a majority of annotators"] == 3
    assert dict(table_of()[["sample_id", "label"]].to_numpy().tolist()) == {
        "11": "NotHate",
        "12": "Racist",
        "13": "OtherHate",
        "14": "NotHate",
        "16": "NotHate",
    }
    assert (described()["task"], described()["classes"]) == ("multiclass", list(LABELS))


def test_filters_follow_the_modalities(project):
    run_folder(project, modalities=["image"])
    assert list(described()["removed"]) == ["without an image file", "without a majority of annotators"]
    assert "18" in table_of()["sample_id"].tolist()
    assert not means_path("tweet").exists()
    run_folder(project, modalities=["tweet", "ocr"])
    assert "17" in table_of()["sample_id"].tolist()


def test_the_official_split_is_that_of_the_id_files(project):
    raw = project(split="official")
    (raw / "splits" / "val_ids.txt").write_text("14\n\n")
    tweets()
    cohort()
    assert described()["removed"]["in no official split"] == 1  # 15
    splits = dict(table_of()[["sample_id", "split"]].to_numpy().tolist())
    assert splits == {"11": "train", "12": "train", "13": "train", "14": "validation", "16": "test"}
    assert described()["split"] == "official"


def standardised(values, is_fitted):
    mean, std = values[is_fitted].mean(axis=0), values[is_fitted].std(axis=0)
    return (values - mean) / np.where(std == 0, 1, std)


def test_tweets_are_standardised_with_the_train_split(project, capsys):
    run_folder(project, split="official")
    tweet()
    is_train = (table_of()["split"] == "train").to_numpy()
    expected = standardised(np.stack([MEANS[name] for name in sorted(MEANS)]), is_train)
    assert np.load(paths.features("mmhs") / "tweet.npy") == pytest.approx(expected, abs=1e-5)
    about = json.loads((paths.features("mmhs") / "tweet.json").read_text())
    assert about["share_of_words_without_vector"] == pytest.approx(3 / 15, abs=1e-4)  # &, zzz, &
    again = "1 of 3 validation and test tweets have the text of a train tweet"
    assert about["note"] == f"{about['share_of_words_without_vector']:.1%} of the words have no vector; {again}"
    assert again in capsys.readouterr().out


def test_a_text_in_an_image_is_marked_by_the_last_feature_and_its_absence_is_0(project):
    run_folder(project, split="official")
    ocr()
    array = np.load(paths.features("mmhs") / "ocr.npy")
    assert array[:, -1].tolist() == [1, 1, 0, 0, 0, 1]
    fitted = np.stack([INSIDE_MEANS["11"], INSIDE_MEANS["12"]])
    assert array[:2, :-1] == pytest.approx(standardised(fitted, np.array([True, True])), abs=1e-5)
    assert (array[2:, :-1] == 0).all()
    about = json.loads((paths.features("mmhs") / "ocr.json").read_text())
    assert (about["texts"], about["texts_without_known_word"]) == (3, 1)
    assert about["note"].startswith("50.0% of the images have a text; ")


def test_images_go_through_vgg_16_and_all_features_meet_the_contract(project):
    run_folder(project, split="official", image={"batch_size": 6})
    for stage in (tweet, image, ocr):
        stage()
    features = FeatureSet(paths.features("mmhs"), paths.cohort("mmhs"))
    assert list(features.modalities) == ["tweet", "image", "ocr"]
    assert np.load(paths.features("mmhs") / "image.npy").shape == (6, 4096)
    note = json.loads((paths.features("mmhs") / "image.json").read_text())["note"]
    again = "1 of 3 validation and test tweets have the image address of a train tweet"
    assert note == f"untrained image features (VGG-16 with random weights, seed 0); {again}"
