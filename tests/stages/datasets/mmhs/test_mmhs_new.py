"""New tweets of MMHS150K without annotations: exactly the features of the same tweets, and what is left out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet, SampleSet
from stages.datasets.mmhs import image as image_stage
from stages.datasets.mmhs.cohort import cohort
from stages.datasets.mmhs.image import image
from stages.datasets.mmhs.new import prepare
from stages.datasets.mmhs.ocr import ocr
from stages.datasets.mmhs.settings import Settings
from stages.datasets.mmhs.tweet import tweet
from stages.datasets.mmhs.tweets import tweets
from stages.shared.base import paths
from stages.shared.base.params import load_block
from tests.stages.shared.test_images import extractor


@pytest.fixture(params=["drop", "keep"])
def trained(project, monkeypatch, request):
    """Run the stages with a tiny network; return the dataset, and a folder with its test tweets, not annotated."""
    monkeypatch.setattr(image_stage, "build_extractor", lambda _: extractor())
    raw = project(split="official", incomplete=request.param)
    for stage in (tweets, cohort, tweet, ocr, image):
        stage()
    found = FeatureSet(paths.features("mmhs"), paths.cohort("mmhs"))
    names = [found.sample_ids[row] for row in found.rows("test")]
    new = Path("new")
    records = json.loads((raw / "MMHS150K_GT.json").read_text())
    for folder in ("img_resized", "img_txt"):
        (new / folder).mkdir(parents=True)
        for path in (raw / folder).iterdir():
            if path.stem in names:
                shutil.copy(path, new / folder)
    own = {name: {"tweet_text": records[name]["tweet_text"], "img_url": records[name]["img_url"]} for name in names}
    (new / "MMHS150K_GT.json").write_text(json.dumps(own))
    return found, new


def test_the_test_tweets_without_annotations_have_exactly_their_features(trained, tmp_path):
    found, raw = trained
    new = prepare("mmhs", raw, tmp_path / "arrays")
    rows = found.rows("test")
    assert new.sample_ids == [found.sample_ids[row] for row in rows]
    samples = SampleSet(tmp_path / "arrays", found.modalities, new.sample_ids)
    for name in found.modalities:
        np.testing.assert_array_equal(samples.arrays[name], found.arrays[name][rows], err_msg=name)
    np.testing.assert_array_equal(samples.presence, found.presence[rows])


def add_incomplete(raw):
    """Add new tweets to those of the test split: 97 has nothing, 98 words alone, 99 an image alone."""
    records = json.loads((raw / "MMHS150K_GT.json").read_text())
    first = next(iter(records))
    records["97"] = {"tweet_text": "https://t.co/x2", "img_url": ""}
    records["98"] = {"tweet_text": "tea and cake", "img_url": ""}
    records["99"] = {"tweet_text": "https://t.co/x1", "img_url": ""}
    shutil.copy(raw / "img_resized" / f"{first}.jpg", raw / "img_resized" / "99.jpg")
    (raw / "MMHS150K_GT.json").write_text(json.dumps(records))


def is_kept():
    return load_block("data.mmhs", Settings).incomplete == "keep"


def test_tweets_without_an_image_or_a_word_are_left_out_and_counted_or_kept(trained, tmp_path):
    found, raw = trained
    add_incomplete(raw)
    new = prepare("mmhs", raw, tmp_path / "arrays")
    if is_kept():
        assert new.removed == {"without any modality": 1}
        samples = SampleSet(tmp_path / "arrays", found.modalities, new.sample_ids)
        assert samples.presence[new.sample_ids.index("98")].tolist() == [True, False, False]
        assert samples.presence[new.sample_ids.index("99")].tolist() == [False, True, False]
        for name in found.modalities:
            assert not np.asarray(samples.arrays[name])[~samples.present[name]].any()
    else:
        assert new.removed == {"without an image file": 2, "without a word beside links and mentions": 1}
        assert len(new.sample_ids) == len(found.rows("test"))


def test_without_any_image_tweets_are_refused_or_kept(trained, tmp_path):
    found, raw = trained
    shutil.rmtree(raw / "img_resized")
    (raw / "img_resized").mkdir()
    if is_kept():
        new = prepare("mmhs", raw, tmp_path / "arrays")
        samples = SampleSet(tmp_path / "arrays", found.modalities, new.sample_ids)
        assert not samples.present["image"].any()
        assert samples.shapes == found.shapes
    else:
        with pytest.raises(InputError, match="new: no tweet has all that a prediction needs"):
            prepare("mmhs", raw, tmp_path / "arrays")
