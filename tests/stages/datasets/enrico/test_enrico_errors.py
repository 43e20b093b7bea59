"""Bad files end in one InputError that names file, row or key and remedy, before anything is written."""

import io

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from i2moe.base.errors import InputError
from stages.datasets.enrico.cohort import cohort
from stages.datasets.enrico.image import image
from stages.shared.images import images
from tests.stages.datasets.enrico.conftest import IDS, ISSUES, TOPICS, topics_file

GOOD = topics_file()

TABLES = {
    "no topics": ({"design_topics.csv": None}, {}, r"raw/design_topics.csv is missing: download it .*data.enrico.raw"),
    "empty": ({"design_topics.csv": ""}, {}, r"design_topics.csv has no column 'screen_id'"),
    "header alone": ({"design_topics.csv": "screen_id,topic\n"}, {}, r"design_topics.csv has no rows: download it"),
    "no column": (
        {"design_topics.csv": GOOD.replace("topic", "topics", 1)},
        {},
        r"design_topics.csv has no column 'topic'; allowed: .*did you mean 'topics'\?",
    ),
    "id that is not a number": (
        {"design_topics.csv": GOOD.replace("\n100,", "\nhundred,")},
        {},
        r"design_topics.csv row 4: column 'screen_id' is not a screen id such as 50245: correct it",
    ),
    "empty id": (
        {"design_topics.csv": GOOD.replace("\n100,", "\n,")},
        {},
        r"row 4: column 'screen_id' is not a screen id",
    ),
    "path for an id": (
        {"design_topics.csv": GOOD.replace("\n100,", "\n../100,")},
        {},
        r"row 4: column 'screen_id' is not a screen id",
    ),
    "id twice": (
        {"design_topics.csv": GOOD.replace("\n100,", "\n9,")},
        {},
        r"design_topics.csv row 4: column 'screen_id' repeats an earlier value",
    ),
    "unknown topic": (
        {"design_topics.csv": GOOD.replace("100,calculator", "100,dialer")},
        {},
        r"design_topics.csv row 4: column 'topic' is not one of ENRICO's topics; allowed: bare, calculator, .*tutorial",
    ),
    "empty topic": (
        {"design_topics.csv": GOOD.replace("100,calculator", "100,")},
        {},
        r"row 4: column 'topic' is not one",
    ),
    "cut off": (
        {"design_topics.csv": GOOD[: GOOD.index("50105") + 3]},
        {},
        r"design_topics.csv row 24 has 1 values, the header 2: is the file complete\?",
    ),
    "cut off in a topic": (
        {"design_topics.csv": GOOD[: GOOD.index("50105") + 8]},
        {},
        r"design_topics.csv row 24: column 'topic' is not one",
    ),
    "one value more": ({"design_topics.csv": GOOD.replace("100,", "100,x,")}, {}, r"row 4 has 3 values, the header 2"),
    "no text": ({"design_topics.csv": b"\xff\xfe\x00"}, {}, r"design_topics.csv cannot be read \(UnicodeDecodeError\)"),
    "open quote": ({"design_topics.csv": GOOD + '"'}, {}, r"design_topics.csv cannot be read \(Error\): download it"),
    "column twice": (
        {"design_topics.csv": GOOD.replace("screen_id,topic", "topic,topic")},
        {},
        r"design_topics.csv has no column 'screen_id'",
    ),
    "column of ids twice": (
        {"issues.csv": ISSUES.replace("severity", "screen_id", 1)},
        {"issues": "drop"},
        r"issues.csv has column 'screen_id' twice: download it again",
    ),
    "no issues": (
        {"issues.csv": None},
        {"issues": "drop"},
        r"raw/issues.csv is missing: download it .*set data.enrico.issues to keep",
    ),
    "no severity": (
        {"issues.csv": ISSUES.replace("severity", "level", 1)},
        {"issues": "drop_high"},
        r"issues.csv has no column 'severity'",
    ),
    "unknown severity": (
        {"issues.csv": ISSUES.replace("low", "tiny")},
        {"issues": "drop_high"},
        r"issues.csv row 4: column 'severity' is not one of low, medium, high",
    ),
    "issue of no screen": (
        {"issues.csv": ISSUES.replace("\n777", "\nall")},
        {"issues": "drop"},
        r"issues.csv row 6: column 'screen_id' is not a screen id",
    ),
    "issues cut off": (
        {"issues.csv": ISSUES[:-20]},
        {"issues": "drop"},
        r"issues.csv row 6 has 3 values, the header 4: is the file complete\?",
    ),
    "class too small": (
        {"design_topics.csv": topics_file(topics=["maps", "maps", *TOPICS[2:]])},
        {},
        r"enrico: class 'maps' has 2 samples, too few for train, validation and test: leave it out",
    ),
    "too few screens": (
        {"design_topics.csv": topics_file(IDS[:9], TOPICS[:9])},
        {},
        r"enrico: 9 samples of 3 classes cannot be split",
    ),
    "nothing left": (
        {"design_topics.csv": topics_file(IDS[-2:], ["news"] * 2)},
        {},
        r"raw: no screen is left after 'listed under data.enrico.exclude': relax data.enrico",
    ),
}


def error_of(stage, expected, *arguments):
    with pytest.raises(InputError, match=expected) as caught:
        stage(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("files", "change", "message"), TABLES.values(), ids=TABLES)
def test_the_cohort_stage_refuses(project, files, change, message):
    folder = project(files, **change)
    error_of(cohort, message)
    assert not (folder / "data").exists()


@pytest.mark.parametrize(
    ("name", "lost", "message"),
    [
        ("screenshots", IDS[:1], r"raw/screenshots: 1 of 22 screenshots are missing \(9.jpg\): unpack"),
        (
            "wireframes",
            IDS[:7],
            r"raw/wireframes: 7 of 22 wireframes are missing \(10.png, 100.png, 2.png, 30.png, 31.png, …\): unpack",
        ),
        ("screenshots", IDS, r"raw/screenshots: 22 of 22 screenshots are missing"),
    ],
)
def test_missing_images_are_counted_and_the_first_named(project, name, lost, message):
    folder = project()
    for path in (folder / "raw" / name).iterdir():
        if path.stem in lost:
            path.unlink()
    error_of(cohort, message)
    assert not (folder / "data").exists()


def test_what_the_message_says_helps(project):
    lost = IDS[:2]
    folder = project(exclude=[50105, 50109, *map(int, lost)])
    for own in lost:
        (folder / f"raw/screenshots/{own}.jpg").unlink()
    cohort()
    assert (folder / "data/cohorts/enrico.csv").exists()


def png(**change):
    buffer = io.BytesIO()
    Image.new("RGBA", (54, 96), (1, 2, 3, 255)).save(buffer, "PNG", **change)
    return buffer.getvalue()


BROKEN = {
    "cut off": (png()[:60], r"raw/wireframes/2\.png cannot be decoded \(.*\): unpack it again from wireframes.zip, or"),
    "empty": (
        b"",
        r"raw/wireframes/2\.png is not a JPEG or PNG image: unpack it again from wireframes.zip",
    ),
    "a page": (b"<html>404</html>", r"raw/wireframes/2\.png is not a JPEG or PNG image: .*under data.enrico.exclude"),
    "gone": (None, r"raw/wireframes/2\.png cannot be read \(No such file or directory\)"),
}


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
def test_the_image_stage_refuses_a_broken_file_by_name(project, content, message):
    folder = project()
    cohort()
    path = folder / "raw/wireframes/2.png"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    error_of(image, message, "wireframe")
    assert not (folder / "data/features").exists()


@pytest.mark.usefixtures("tiny")
def test_images_that_are_all_alike_are_refused(project):
    folder = project()
    cohort()
    for path in (folder / "raw/wireframes").iterdir():
        path.write_bytes(png())
    error_of(image, r"raw/wireframes: the train images' features are all alike", "wireframe")
    assert not (folder / "data/features").exists()


@pytest.mark.usefixtures("tiny")
def test_weights_that_give_nan_are_refused(project, monkeypatch):
    folder = project()
    cohort()
    real = images.forward
    monkeypatch.setattr(images, "forward", lambda new, own: ((n, f * np.float32(np.nan)) for n, f in real(new, own)))
    error_of(image, r"raw/wireframes/10\.png: VGG-11's convolutions, weights none returns NaN or infinity", "wireframe")
    assert not (folder / "data/features").exists()


def test_wrong_weights_are_refused(project):
    folder = project(image={"weights": "IMAGENET"})
    cohort()
    error_of(image, r"data.enrico.image.weights: 'IMAGENET' is not a file; allowed: none, IMAGENET1K_V1", "wireframe")
    assert not (folder / "data/features").exists()


def test_a_modality_that_is_none_is_refused(project):
    project(modalities=["wireframe"])
    error_of(image, r"'screenshot' is not one of data.enrico.modalities; allowed: wireframe", "screenshot")


def test_the_image_stage_needs_the_cohort(project):
    project()
    error_of(image, r"data/cohorts/enrico.csv is missing: run the dataset's cohort stage", "wireframe")


def test_a_project_without_the_block_is_told_so(project):
    folder = project()
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(folder / "params.yaml")
    del params["data"]["enrico"]
    params["run"]["datasets"] = ["wdbc"]
    yaml.dump(params, folder / "params.yaml")
    error_of(cohort, r"params.yaml: data.enrico is missing: take the block from the project's own params.yaml")
