"""Settings of data.enrico and synthetic.enrico: what is refused, and how it is said."""

import pytest

from i2moe.base.errors import InputError
from stages.settings.params import load_params
from tests.stages.datasets.enrico.conftest import ROOT

WRONG = {
    "modalities turned round": ({"modalities": ["wireframe", "screenshot"]}, "screenshot, wireframe in this order"),
    "unknown modality": ({"modalities": ["hierarchy"]}, "data.enrico.modalities.*'hierarchy'"),
    "no modality": ({"modalities": []}, "data.enrico.modalities"),
    "unknown split": ({"split": "stratified"}, "data.enrico.split: .*not 'stratified'; allowed: shares, official"),
    "unknown issues": ({"issues": "drop_low"}, "data.enrico.issues: .*not 'drop_low'; allowed: keep, drop_high, drop"),
    "id that is not a number": ({"exclude": ["first"]}, "data.enrico.exclude.*'first'"),
    "unknown key": ({"splits": "official"}, "data.enrico: unknown key 'splits' .*did you mean 'split'"),
    "unknown augmentation": ({"image": {"augment": ["vertical_flip"], "copies": 1}}, "data.enrico.image.augment.*'ver"),
    "augmentation twice": ({"image": {"augment": ["crop", "crop"], "copies": 1}}, "names 'crop' twice"),
    "augmentation without copies": ({"image": {"augment": ["crop"]}}, r"augment \['crop'\] with copies 0; allowed"),
    "copies without augmentation": ({"image": {"copies": 2}}, r"augment \[\] with copies 2; allowed"),
    "negative copies": ({"image": {"copies": -1}}, "data.enrico.image.copies"),
    "too low": ({"image": {"height": 31}}, "data.enrico.image.height.*31"),
    "too narrow": ({"image": {"width": 0}}, "data.enrico.image.width"),
    "empty batch": ({"image": {"batch_size": 0}}, "data.enrico.image.batch_size"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_wrong_settings_are_refused_by_key(project, change, message):
    project(**change)
    with pytest.raises(InputError, match=message):
        load_params()


def test_so_few_synthetic_screens_that_a_topic_would_miss_a_split_are_refused(project):
    folder = project()
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("screens: 60", "screens: 59"))
    with pytest.raises(InputError, match=r"synthetic\.enrico\.screens"):
        load_params()


@pytest.mark.parametrize("names", [[], ["colour"], ["crop", "colour", "horizontal_flip"]])
def test_augmentations_in_any_order_with_copies_are_taken(project, names):
    project(image={"augment": names, "copies": len(names)})
    assert load_params().data.enrico.image.augment == names


def test_the_projects_own_settings_leave_out_the_corrupt_screens_and_augment_nothing():
    settings = load_params(ROOT / "params.yaml").data.enrico
    assert settings.exclude == [50105, 50109]
    assert (settings.image.height, settings.image.width) == (256, 128)
    assert (settings.image.augment, settings.image.copies) == ([], 0)
