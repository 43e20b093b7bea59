"""Tweets that lack an image or words, kept: who has what, and what is fitted (synthetic)."""

import json

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet
from stages.datasets.mmhs import image as image_stage
from stages.datasets.mmhs.cohort import cohort
from stages.datasets.mmhs.image import image
from stages.datasets.mmhs.ocr import ocr
from stages.datasets.mmhs.tweet import tweet
from stages.datasets.mmhs.tweets import tweets
from stages.shared.base import paths
from tests.stages.datasets.mmhs.conftest import VECTORS
from tests.stages.shared.test_images import extractor

# 17 has no image, 18 no word. In the images of 13 to 15, 17 and 18 is no text, in that of 16 no word with a vector.
KEPT = ["11", "12", "13", "14", "15", "16", "17", "18"]


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(image_stage, "build_extractor", lambda _: extractor())


def run(project, **settings):
    project(split="official", incomplete="keep", **settings)
    tweets()
    cohort()
    for stage in (tweet, ocr, image):
        stage()
    return FeatureSet(paths.features("mmhs"), paths.cohort("mmhs"))


def about():
    return json.loads(paths.cohort("mmhs").with_suffix(".json").read_text())


def described(modality):
    return json.loads((paths.features("mmhs") / f"{modality}.json").read_text())


def test_tweets_that_lack_an_image_or_words_stay(project):
    found = run(project)
    assert found.sample_ids == KEPT
    absent = {name: [KEPT[row] for row in np.flatnonzero(~own)] for name, own in found.present.items()}
    assert absent == {"tweet": ["18"], "image": ["17"], "ocr": ["13", "14", "15", "16", "17", "18"]}
    assert about()["removed"] == {
        "without any modality": 0,
        "without a majority of annotators": 2,
        "in no official split": 0,
    }
    assert about()["presence"] == {"tweet + image + ocr": 2, "tweet + image": 4, "tweet": 1, "image": 1}
    for name in found.modalities:
        assert not np.asarray(found.arrays[name])[~found.present[name]].any()


def test_tweets_without_anything_are_removed(project):
    project(split="official", incomplete="keep", modalities=["tweet", "ocr"])
    tweets()
    cohort()
    assert about()["removed"]["without any modality"] == 1
    assert "18" not in pd.read_csv(paths.cohort("mmhs"), dtype=str)["sample_id"].tolist()


def test_what_is_fitted_is_fitted_on_tweets_that_have_it(project):
    found = run(project)
    # Train has 11, 12, 13 and 17: tea and cake, cake, tea tea cake, tea.
    tea, cake = (np.array(VECTORS[word], float) for word in ("tea", "cake"))
    means = np.stack([(tea + cake) / 2, cake, (2 * tea + cake) / 3, tea])
    expected = (means - means.mean(axis=0)) / means.std(axis=0)
    assert np.asarray(found.arrays["tweet"])[found.rows("train")] == pytest.approx(expected, abs=1e-5)
    assert [described(name)["fitted"]["samples"] for name in ("tweet", "image", "ocr")] == [4, 3, 2]
    train = found.rows("train")
    images = np.asarray(found.arrays["image"], float)[train[found.present["image"][train]]]
    np.testing.assert_allclose(images.mean(axis=0), 0, atol=2e-3)


def test_tweets_without_text_do_not_count_as_alike(project):
    found = run(project)
    assert KEPT.index("18") in found.rows("test")
    assert described("tweet")["note"].endswith("1 of 3 validation and test tweets have the text of a train tweet")


def test_a_modality_that_no_train_tweet_has_is_refused(project):
    raw = project(split="official", incomplete="keep")
    for name in ("11", "12", "13"):
        (raw / "img_resized" / f"{name}.jpg").unlink()
    tweets()
    cohort()
    with pytest.raises(InputError, match="mmhs image: 4 train samples have no image: too many"):
        image()
