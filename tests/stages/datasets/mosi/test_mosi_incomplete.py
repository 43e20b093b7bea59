"""Utterances of CMU-MOSI that lack a modality, dropped or kept: every value worked out here (synthetic)."""

import json

import numpy as np
import pytest

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet
from stages.datasets.mosi.cohort import cohort
from stages.datasets.mosi.sequence import sequence
from stages.shared.base import paths
from tests.stages.datasets.mosi.conftest import IDS, MODALITIES, folds

WITHOUT_TEXT = "b_0.0_1.0"
KEPT = sorted([*IDS, WITHOUT_TEXT])


def spoiled():
    """Return arrays in which the first utterance has no face, and that of d no known value of its voice."""
    content = folds()
    content["train"]["vision"][0] = 0
    content["test"]["audio"][1] = [[0], [0], [-np.inf], [np.nan]]
    return content


def run():
    cohort()
    for modality in MODALITIES:
        sequence(modality)
    return FeatureSet(paths.features("mosi"), paths.cohort("mosi"))


def about():
    return json.loads(paths.cohort("mosi").with_suffix(".json").read_text())


def described(modality):
    return json.loads((paths.features("mosi") / f"{modality}.json").read_text())


def check(features, modality, index, rows, steps):
    """Compare a feature with rows of steps, standardised with the mean and deviation of some of them."""
    mean, std = np.mean(steps), np.std(steps)
    expected = np.zeros((len(rows), 4))
    for row, own in enumerate(rows):
        expected[row, : len(own)] = (np.array(own) - mean) / std
    assert np.asarray(features.arrays[modality])[..., index] == pytest.approx(expected, abs=1e-6)


def test_by_default_zeros_in_face_or_voice_are_data(project, capsys):
    project(spoiled())
    features = run()
    assert features.sample_ids == IDS
    assert features.present == {}
    assert "presence" not in about()
    steps = [0, 0, 2, 0, 4, 0]
    check(features, "vision", 0, [[0, 0], [2, 0, 4, 0], [7, 0], [1], [2, 3]], steps)
    assert features.lengths["vision"].tolist() == [2, 4, 2, 1, 2]
    assert [described(name)["utterances_without_values"] for name in MODALITIES] == [1, 1, 0]
    assert capsys.readouterr().out.count("1 utterances have no value but 0: kept as data, as published") == 2


def test_kept_utterances_lack_what_is_zero_or_not_finite_at_all_steps(project, capsys):
    project(spoiled(), incomplete="keep")
    features = run()
    assert features.sample_ids == KEPT
    absent = {name: [KEPT[row] for row in np.flatnonzero(~own)] for name, own in features.present.items()}
    assert absent == {"vision": [KEPT[0]], "audio": ["d_0.0_2.0"], "text": [WITHOUT_TEXT]}
    assert about()["removed"] == {"without any modality": 0}
    assert about()["presence"] == {
        "vision + audio + text": 3,
        "audio + text": 1,
        "vision + audio": 1,
        "vision + text": 1,
    }
    assert capsys.readouterr().out.count("1 utterances have no value but 0: absent") == 3


def test_steps_without_text_begin_with_the_first_that_is_not_0_and_fit_the_scale_where_there_are_any(project):
    project(spoiled(), incomplete="keep")
    features = run()
    # The second of video b has a face and a voice at its last step; the first of a has no face: one step of 0.
    assert features.lengths["vision"].tolist() == [1, 4, 1, 2, 1, 2]
    assert features.lengths["audio"].tolist() == [2, 4, 1, 2, 1, 2]
    assert features.lengths["text"].tolist() == [2, 4, 1, 2, 1, 2]
    check(features, "vision", 0, [[], [2, 0, 4, 0], [9], [7, 0], [1], [2, 3]], [2, 0, 4, 0, 9])
    check(features, "audio", 0, [[1, 0], [1, 3, 5, 0], [9], [0, 2], [], [2, 0]], [1, 0, 1, 3, 5, 0, 9])
    check(features, "text", 0, [[1, 2], [3, 0, 1, 1], [], [1, 0], [2], [1, 0]], [1, 2, 3, 0, 1, 1])
    assert [described(name)["fitted"]["samples"] for name in MODALITIES] == [2, 3, 2]
    assert [described(name)["fitted"]["steps"] for name in MODALITIES] == [5, 7, 6]


def test_utterances_without_any_of_the_modalities_are_removed(project):
    project(spoiled(), incomplete="keep", modalities=["text"])
    cohort()
    assert about()["removed"] == {"without any modality": 1}
    assert "presence" not in about()  # all that are left have all that is asked for


def test_zeros_alone_are_no_utterances(project):
    content = {name: fold | {key: np.zeros_like(fold[key]) for key in MODALITIES} for name, fold in folds().items()}
    project(content, incomplete="keep")
    with pytest.raises(InputError, match=r"all 6 utterances are without any modality: is this the right file\?"):
        cohort()


def test_a_modality_that_no_train_utterance_has_is_refused(project):
    content = folds()
    content["train"]["audio"][:] = 0
    project(content, incomplete="keep")
    cohort()
    with pytest.raises(InputError, match=r"no train utterance has audio: leave it out of data\.mosi\.modalities"):
        sequence("audio")
    assert not paths.features("mosi").exists()
