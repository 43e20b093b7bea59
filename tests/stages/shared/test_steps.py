"""Sequences of tokens as arrays: scaling, padding and means by hand."""

import json

import numpy as np
import pytest

from i2moe.base.errors import InputError
from stages.shared import steps as steps_module
from stages.shared.base import paths
from stages.shared.steps import Steps, write_new_steps, write_steps, write_without_steps

TABLE = np.array([[1, 10], [3, 10], [5, 40], [9, 9]], np.float32)
# Samples: rows 0 1 0 | none | 2 | 3 1; the first and the third are train.
STEPS = Steps(TABLE, np.array([0, 1, 0, 2, 3, 1]), np.array([3, 0, 1, 2]))
IS_TRAIN = np.array([True, False, True, False])
WORDS = [["a", "b", "a"], [], ["c"], ["d", "b"]]


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(steps=STEPS, is_train=IS_TRAIN):
    write_steps("toy", "text", steps, WORDS, is_train, {"source": "raw"})
    folder = paths.features("toy")
    return np.load(folder / "text.npy", mmap_mode="r"), json.loads((folder / "text.json").read_text())


def test_steps_are_scaled_with_the_train_steps_by_hand_and_padded_with_0():
    array, about = written()
    # Train steps: 1, 3, 1, 5, mean 2.5, squared deviations 2.25, 0.25, 2.25, 6.25; and 10, 10, 10, 40: 17.5, 3 x 56.25,
    # 506.25.
    mean, std = np.array([2.5, 17.5]), np.sqrt([2.75, 168.75])
    expected = np.zeros((4, 3, 2))
    expected[0], expected[2, 0] = (TABLE[[0, 1, 0]] - mean) / std, (TABLE[2] - mean) / std
    expected[3, :2] = (TABLE[[3, 1]] - mean) / std
    assert array.dtype == np.float16
    np.testing.assert_allclose(array, expected, atol=1e-3)
    assert about["kind"] == "sequence"
    assert about["shape"] == [3, 2]
    assert about["fitted"]["steps"] == 4
    assert about["fitted"]["mean"] == mean.tolist()


def test_a_sample_without_steps_has_one_step_of_0_and_no_words():
    array, _ = written()
    folder = paths.features("toy")
    assert np.load(folder / "text.lengths.npy").tolist() == [3, 1, 1, 2]
    assert (array[1] == 0).all()
    assert json.loads((folder / "text.words.json").read_text()) == WORDS


def test_means_are_those_of_each_sample_and_0_without_steps():
    assert STEPS.means().tolist() == pytest.approx(np.array([[5 / 3, 10], [0, 0], [5, 40], [6, 9.5]]), abs=1e-6)


@pytest.mark.parametrize("size", [1, 50, 200])
def test_blocks_of_any_size_give_the_same(monkeypatch, size):
    generator = np.random.default_rng(0)
    lengths = generator.integers(0, 6, 40)
    steps = Steps(generator.normal(size=(9, 4)).astype("f2"), generator.integers(0, 9, lengths.sum()), lengths)
    is_train = np.arange(40) < 25
    whole, means = np.array(written(steps, is_train)[0]), steps.means()
    monkeypatch.setattr(steps_module, "BLOCK_BYTES", size)
    np.testing.assert_allclose(written(steps, is_train)[0], whole, atol=2e-3)
    np.testing.assert_allclose(steps.means(), means, atol=1e-6)


def test_steps_of_other_samples_do_not_change_train_rows():
    before = np.array(written()[0])
    changed = TABLE.copy()
    changed[3] = 1000
    after, _ = written(Steps(changed, STEPS.rows, STEPS.lengths))
    np.testing.assert_array_equal(after[:3], before[:3])
    assert (after[3] != before[3]).any()


def test_a_train_step_that_is_not_finite_is_refused():
    table = TABLE.copy()
    table[0] = np.inf
    with pytest.raises(InputError, match=r"toy text: a step is not finite or far from all others"):
        written(Steps(table, STEPS.rows, STEPS.lengths))


def test_no_train_step_at_all():
    with pytest.raises(InputError, match=r"toy text: no train sample has a step: are these the right texts\?"):
        written(is_train=np.array([False, True, False, False]))
    assert not paths.features("toy").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9])
def test_a_step_that_half_precision_cannot_hold_is_refused_and_nothing_is_written(value):
    table = TABLE.copy()
    table[3, 0] = value
    with pytest.raises(InputError, match=r"toy text: a step is not finite or far from all others"):
        written(Steps(table, STEPS.rows, STEPS.lengths))
    assert not list(paths.features("toy").iterdir())


def test_a_modality_without_steps_has_the_files_all_the_same():
    write_without_steps("toy", "picture")
    assert np.load(paths.features("toy") / "picture.lengths.npy").shape == (0,)
    assert json.loads((paths.features("toy") / "picture.words.json").read_text()) == []


def test_new_samples_are_scaled_and_padded_as_those_of_train(tmp_path):
    array, _ = written()
    new = Steps(TABLE[[3, 1, 0]], np.array([1, 2, 1, 0, 1]), np.array([4, 1]))
    write_new_steps("toy", "text", new, tmp_path, {"source": "new"})
    found = np.load(tmp_path / "text.npy")
    assert found.shape == (2, 3, 2)
    np.testing.assert_array_equal(found[0], array[0][[1, 0, 1]])
    np.testing.assert_array_equal(found[1], [array[0][1], [0, 0], [0, 0]])
    assert np.load(tmp_path / "text.lengths.npy").tolist() == [3, 1]
    about = json.loads((tmp_path / "text.json").read_text())
    assert about["note"] == "1 samples have more than 3 steps, of which the first are kept"


def test_new_steps_of_another_width_are_refused(tmp_path):
    written()
    new = Steps(TABLE[:, :1], np.array([0]), np.array([1]))
    with pytest.raises(InputError, match=r"new text: a step has 1 features, and train had others in .*text.fitted.npz"):
        write_new_steps("toy", "text", new, tmp_path / "new", {})
    assert not (tmp_path / "new").exists()
