"""Tweets of MMHS150K for people to look at."""

from pathlib import Path

from stages.datasets.mmhs.inputs import raw_inputs


def test_texts_are_cleaned_and_in_the_order_of_the_samples(project):
    project()
    found = raw_inputs("mmhs", {"tweet": ["14", "11", "13"], "image": ["12"], "ocr": ["12", "11", "14"]})
    assert found["tweet"].texts == ["fog", "tea & cake", "tea #tea cake"]
    assert found["ocr"].texts == ["fog", "cake cake tea", ""]
    assert found["image"].paths == [Path("raw/img_resized/12.jpg")]


def test_modalities_that_are_not_wanted_are_not_read(project):
    raw = project()
    (raw / "MMHS150K_GT.json").unlink()
    assert list(raw_inputs("mmhs", {"image": ["12"]})) == ["image"]
