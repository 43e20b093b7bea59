"""The benchmark of incomplete samples: who lacks what, what is scaled with whom, and what a small run prints."""

import numpy as np
import pytest

from benchmarks.incomplete import (
    ALL,
    ARMS,
    BEST,
    COMPLETE,
    CONFIG,
    MISSING,
    TOKEN,
    Data,
    best_accuracy,
    digits,
    less,
    planted,
    presence_of,
    scores_of,
    show,
    write,
)


def test_a_share_of_the_samples_lacks_one_modality_each():
    presence = presence_of(planted(0, 600), 0)
    assert presence.any(axis=1).all()
    assert abs((~presence.all(axis=1)).mean() - MISSING) < 0.05
    assert abs((~presence).mean(axis=0) - MISSING / 2).max() < 0.05
    assert (presence_of(planted(0, 600), 0) == presence).all()
    assert (presence_of(planted(1, 600), 1) != presence).any()


def test_in_a_control_one_modality_is_constant_and_one_alone_is_taken():
    data = planted(0, 60, telling=(0,), taken=(1,))
    assert data.inputs["first"].std() > 0.9
    assert not data.inputs["second"].any()
    presence = presence_of(data, 0)
    assert presence[:, 0].all()
    assert not presence[:, 1].all()


def test_draws_of_digits_share_no_image():
    drawn = [digits(draw, 6) for draw in range(6)]
    assert {len(data.labels) for data in drawn} == {299}
    assert [int((drawn[0].splits == split).sum()) for split in ("train", "validation", "test")] == [149, 49, 101]
    images = np.concatenate([np.hstack([*data.inputs.values()]) for data in drawn])
    assert len(np.unique(images, axis=0)) == len(images) == 6 * 299


def test_the_best_possible_model_takes_the_nearest_mean_of_what_is_there():
    # Class means 0 and 2 in both; by the first alone samples are of classes 0 1 1, with the second of 0 1 0.
    inputs = {"first": np.array([[0.5], [1.5], [1.5]]), "second": np.array([[0.0], [2.0], [0.0]])}
    data = Data(inputs, np.array([0, 1, 0]), np.repeat("test", 3))
    means = np.array([[[0.0], [2.0]]] * 2)
    everything = np.ones((3, 2), bool)
    assert best_accuracy(data, means, everything) == 1
    assert best_accuracy(data, means, everything & [True, False]) == pytest.approx(2 / 3)


def test_an_interval_is_students_over_draws():
    # Differences .1, .2 and .3: mean .2, standard error .1 / sqrt(3), Student's t with two degrees of freedom 4.303.
    assert less([0.5, 0.7, 0.9], [0.4, 0.5, 0.6]) == "+0.200 [-0.048, +0.448]"


def test_complete_cases_leave_the_others_out_of_train_and_of_all_scales(tmp_path):
    data = planted(0, 60)
    presence = presence_of(data, 0)
    kept, complete, whole = (
        write(tmp_path / arm, data, presence | (arm == ALL), arm) for arm in (TOKEN, COMPLETE, ALL)
    )
    rows = complete.rows("train")
    assert len(rows) == presence[data.splits == "train"].all(axis=1).sum() < len(kept.rows("train")) == 60
    np.testing.assert_allclose(complete.arrays["first"][rows].mean(axis=0), 0, atol=1e-6)
    own = kept.rows("train")[kept.presence[kept.rows("train"), 0]]
    np.testing.assert_allclose(kept.arrays["first"][own].mean(axis=0), 0, atol=1e-6)
    assert len(complete.rows("test")) == len(kept.rows("test")) == 1000
    assert whole.presence.all()


def test_every_way_to_train_is_scored_on_complete_and_incomplete_samples():
    data = planted(0, 60)
    scores = scores_of(data, 0, CONFIG, 1)
    assert list(scores) == [*ARMS, BEST]
    assert scores[BEST][0] > scores[BEST][1] > max(max(scores[arm]) for arm in ARMS)
    means_unknown = scores_of(data._replace(means=None), 0, CONFIG, 1)
    assert means_unknown == {arm: scores[arm] for arm in ARMS}


def test_a_row_shows_what_a_way_to_train_gains_over_complete_cases_and_loses_to_no_gaps(capsys):
    draws = [{TOKEN: (0.5, 0.5), COMPLETE: (0.4, 0.5), ALL: (0.6, 0.7), BEST: (0.9, 0.8)}] * 2
    draws[1] = draws[1] | {TOKEN: (0.8, 0.5)}
    show("planted", "mult", draws)
    first, *_, last = capsys.readouterr().out.splitlines()
    # Differences .1 and .4, and -.1 and .2: standard error .15, Student's t with one degree of freedom 12.706.
    gaps = "+0.250 [-1.656, +2.156] | +0.050 [-1.856, +1.956]"
    assert first == f"| planted | mult | complete | keep, a learned token | 0.650 | {gaps} |"
    assert last == "| planted | mult | incomplete | the best possible model | 0.800 |  |  |"
