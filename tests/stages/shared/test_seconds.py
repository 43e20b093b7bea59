"""Times of training and inference: hand-made clocks, an epoch after a resume, and a file that is something else."""

import types

import pytest

from i2moe.base.errors import InputError
from stages.shared import seconds
from stages.shared.seconds import Seconds, device_name, epoch_timer, of_model, read, write_inference


@pytest.fixture
def clock(monkeypatch):
    """A clock whose times a test sets."""
    times = []
    monkeypatch.setattr(seconds, "now", lambda: times.pop(0))
    return times


def one_epoch(timer, *, first=True):
    trainer = types.SimpleNamespace(is_global_zero=first)
    timer.on_train_epoch_start(trainer, None)
    timer.on_validation_start(trainer, None)


def test_an_epoch_lasts_from_its_start_to_validation(tmp_path, clock):
    clock += [10.0, 12.5, 20.0, 21.0]
    timer = epoch_timer(tmp_path, "CPU, 1 thread")
    one_epoch(timer)
    one_epoch(timer)
    assert read(tmp_path) == Seconds(epochs=[2.5, 1.0], trained_on="CPU, 1 thread")


def test_a_resumed_training_goes_on_counting_but_not_on_another_device(tmp_path, clock):
    clock += [0.0, 1.0, 0.0, 2.0, 0.0, 4.0]
    one_epoch(epoch_timer(tmp_path, "CPU, 1 thread"))
    one_epoch(epoch_timer(tmp_path, "CPU, 1 thread"))
    assert read(tmp_path).epochs == [1.0, 2.0]
    one_epoch(epoch_timer(tmp_path, "another"))
    assert read(tmp_path) == Seconds(epochs=[4.0], trained_on="another")


def test_only_the_first_of_several_devices_writes(tmp_path, clock):
    clock += [0.0, 1.0]
    one_epoch(epoch_timer(tmp_path, "CPU, 1 thread"), first=False)
    assert read(tmp_path) == Seconds()


def test_inference_is_added_to_what_is_known(tmp_path, clock, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clock += [0.0, 1.0]
    folder = tmp_path / "results/.training/wdbc/mult/0/key"
    one_epoch(epoch_timer(folder, "one"))
    write_inference(folder, 0.5, "two")
    expected = Seconds(epochs=[1.0], trained_on="one", inference=0.5, predicted_on="two")
    assert of_model("wdbc", "mult") == [expected]
    assert of_model("wdbc", "early") == []


def test_another_file_is_refused(tmp_path):
    (tmp_path / "seconds.json").write_text('{"epochs": "long"}')
    with pytest.raises(InputError, match=r"seconds\.json is not what the train stage writes: delete it"):
        read(tmp_path)


def test_a_cpu_is_named_with_its_threads():
    assert device_name("cpu").startswith("CPU, ")
