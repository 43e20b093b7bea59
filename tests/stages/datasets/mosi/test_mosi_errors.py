"""Wrong arrays end in one InputError that names file, array, row and remedy, before anything is written."""

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from stages.datasets.mosi.cohort import cohort
from stages.datasets.mosi.sequence import sequence
from stages.shared.base import paths
from tests.stages.datasets.mosi.conftest import (
    MODALITIES,
    NAN,
    change,
    folds,
    put,
    refused,
    write_hdf5,
    write_npz,
    write_pickle,
)


def without(key):
    return lambda content: {name: own for name, own in content.items() if name != key}


def no_utterances(content):
    return {name: {key: own[:0] for key, own in fold.items()} for name, fold in content.items()}


# What is wrong with the arrays, and what is said whatever the format.
ARRAYS = {
    "no fold": (
        without("valid"),
        r"has no array 'valid/vision', and \d+ others: CMU-MOSI's file has .*, id in each of train, valid, test",
    ),
    "no key": (change("test", "labels", lambda _: None), r"has no array 'test/labels', and 14 others: "),
    "text for numbers": (
        change("test", "audio", lambda own: np.full(own.shape, "x", dtype="S1")),
        r"test/audio has dtype \|S1, not numbers: save it as numbers",
    ),
    "truth values": (
        change("test", "vision", lambda own: own > 0),
        r"test/vision has dtype bool, not numbers",
    ),
    "numbers for ids": (
        change("valid", "id", lambda own: np.zeros(own.shape)),
        r"valid/id has dtype float64, not bytes or text: save it as bytes or text",
    ),
    "no steps": (
        change("valid", "text", lambda own: own[:, 0]),
        r"valid/text has shape \(1, 2\), not \[utterances, steps, features\]: save it in that shape",
    ),
    "no features": (change("train", "vision", lambda own: own[..., :0]), r"train/vision has shape \(3, 4, 0\), not"),
    "other steps": (
        change("train", "text", lambda own: own[:, 1:]),
        r"train/text has 3 steps, train/vision 4: are all arrays from one file\?",
    ),
    "other steps in another fold": (
        lambda content: (
            content | {"test": {key: own[:, :3] if key in MODALITIES else own for key, own in content["test"].items()}}
        ),
        r"test/vision has 3 steps, train/vision 4",
    ),
    "other features": (
        change("test", "text", lambda own: own[..., :1]),
        r"test/text has 1 features, train/text 2: are all arrays from one file\?",
    ),
    "cut off": (change("train", "audio", lambda own: own[:2]), r"train/audio has 2 utterances, train/vision 3"),
    "labels cut off": (
        change("train", "labels", lambda own: own[:2]),
        r"train/labels has 2 utterances, train/vision 3",
    ),
    "ids cut off": (change("test", "id", lambda own: own[:1]), r"test/id has 1 utterances, test/vision 2"),
    "several labels": (
        change("train", "labels", lambda own: np.repeat(own, 2, axis=2)),
        r"train/labels has shape \(3, 1, 2\), not \[utterances, 1, 1\]: save it in that shape",
    ),
    "one label": (change("train", "labels", lambda own: own[0, 0, 0, ...]), r"train/labels has shape \(\), not"),
    "ids of one part": (
        change("train", "id", lambda own: own[:, 0]),
        r"train/id has shape \(3,\), not \[utterances, 3\]: save it in that shape",
    ),
    "empty id": (
        put("test", "id", (1, 0), b""),
        r"test/id\[1\] is not video, start and end as text: save ids as bytes or text, none empty",
    ),
    "ids that are not UTF-8": (
        put("train", "id", (2, 0), b"\xff"),
        r"train/id\[2\] is not video, start and end as text",
    ),
    "id twice": (
        put("train", "id", (1, slice(1, 3)), [b"0.0", b"1.5"]),
        r"train/id\[1\] is that of an earlier utterance: correct it or download the file again",
    ),
    "id in two folds": (put("test", "id", (1, 0), b"c"), r"test/id\[1\] is that of an earlier utterance"),
    "label NaN": (
        put("valid", "labels", 0, NAN),
        r"valid/labels\[0\] is NaN: correct it or download the file again",
    ),
    "label too large": (put("train", "labels", 1, 3.01), r"train/labels\[1\] is outside -3 to 3: correct it"),
    "label infinite": (put("test", "labels", 1, -np.inf), r"test/labels\[1\] is outside -3 to 3"),
    "label of an utterance without text": (put("train", "labels", 2, 4), r"train/labels\[2\] is outside -3 to 3"),
    "no text at all": (
        lambda content: {name: fold | {"text": np.zeros_like(fold["text"])} for name, fold in content.items()},
        r"all 6 utterances are without text: is this the right file\?",
    ),
    "text only infinite": (
        lambda content: {name: fold | {"text": np.full_like(fold["text"], -np.inf)} for name, fold in content.items()},
        r"all 6 utterances are without text",
    ),
    "no utterances": (
        no_utterances,
        r"all 0 utterances are without text: is this the right file\?",
    ),
    "empty official fold": (
        lambda content: content | {"valid": {key: own[:0] for key, own in content["valid"].items()}},
        r"mosi: the validation split is empty: there are too few samples or groups",
    ),
}
FORMATS = {"mosi_data.pkl": write_pickle, "own.npz": write_npz, "own.hdf5": write_hdf5}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", ARRAYS)
def test_wrong_arrays_are_one_clear_error_in_every_format(project, case, name):
    spoil, message = ARRAYS[case]
    folder = project(spoil(folds()), name=name, write=FORMATS[name])
    refused(folder, message if "official" in case else rf"^raw/{name}: .*{message}|^raw/{name} {message}")


def test_too_few_videos_for_three_splits(project):
    content = folds()
    for fold in content.values():
        fold["id"][:, 0] = b"a"
        fold["id"][:, 1] = [f"{own.sum():.3f}".encode() for own in np.nan_to_num(fold["vision"], posinf=0)]
    folder = project(content, split="shares")
    refused(folder, r"mosi: the validation split is empty: there are too few samples or groups")


def test_an_unknown_modality(project):
    folder = project()
    refused(folder, r"'video' is not a modality of CMU-MOSI; allowed: vision, audio, text", lambda: sequence("video"))


def test_no_cohort(project):
    folder = project()
    refused(folder, r"data/cohorts/mosi.csv is missing: run the dataset's cohort stage", lambda: sequence("text"))


@pytest.mark.parametrize("spoil", [put("test", "id", (1, 0), b"z"), put("test", "text", 1, 0), no_utterances])
def test_a_file_that_no_longer_fits_the_cohort(project, spoil):
    project()
    cohort()
    folder = project(spoil(folds()))
    message = (
        r"data/cohorts/mosi.csv has a sample that raw/mosi_data.pkl lacks, or has without any step: rerun the cohort"
    )
    with pytest.raises(InputError, match=message):
        sequence("text")
    assert not (folder / "data/features").exists()


def test_a_cohort_of_another_file_has_other_samples(project):
    project()
    cohort()
    table = pd.read_csv(paths.cohort("mosi"))
    table.assign(sample_id="0" + table["sample_id"]).to_csv(paths.cohort("mosi"), index=False)
    with pytest.raises(InputError, match=r"has a sample that raw/mosi_data.pkl lacks"):
        sequence("audio")
