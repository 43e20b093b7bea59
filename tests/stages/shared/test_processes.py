"""Processes side by side: all calls happen, errors come through, and none outlives a killed parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from i2moe.base.errors import InputError
from stages.shared.processes import side_by_side

ROOT = Path(__file__).parents[3]


def write_process(path: Path) -> None:
    """Write the number of the process, once there are two, or after a while."""
    path.write_text(str(os.getpid()))
    deadline = time.monotonic() + 100
    while len(list(path.parent.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)


def fail_at_one(path: Path, number: int) -> None:
    if number == 1:
        raise InputError("own.csv: of the second call")
    (path / str(number)).write_text("")


def end_itself(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_calls_are_in_processes_of_their_own_at_the_same_time(tmp_path):
    side_by_side(write_process, [(tmp_path / "a",), (tmp_path / "b",)], at_once=2)
    processes = {int(path.read_text()) for path in tmp_path.iterdir()}
    assert len(processes) == 2
    assert os.getpid() not in processes


def test_an_error_comes_through_and_the_other_calls_end(tmp_path):
    with pytest.raises(InputError, match=r"^own.csv: of the second call$"):
        side_by_side(fail_at_one, [(tmp_path, number) for number in range(4)], at_once=2)
    assert {path.name for path in tmp_path.iterdir()} == {"0", "2", "3"}


def test_a_process_that_the_system_ended_is_told_of_with_the_remedy():
    with pytest.raises(InputError, match="run again, it goes on where it was"):
        side_by_side(end_itself, [(0,)], at_once=1)


ENDLESS = """
import os, sys, time
from pathlib import Path
from stages.shared.processes import side_by_side

def write_and_wait(path):
    path.write_text(str(os.getpid()))
    time.sleep(100)

if __name__ == "__main__":
    side_by_side(write_and_wait, [(Path(sys.argv[1]) / name,) for name in "ab"], 2)
"""


def test_no_process_outlives_a_parent_that_was_killed(tmp_path):
    script, folder = tmp_path / "script.py", tmp_path / "processes"
    script.write_text(ENDLESS)
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(script), str(folder)], env=environment) as parent:
        wait_until(lambda: len([path for path in folder.iterdir() if path.read_text()]) == len("ab"))
        parent.kill()
    processes = [int(path.read_text()) for path in folder.iterdir()]
    wait_until(lambda: not any(is_running(process) for process in processes))


def wait_until(is_so) -> None:
    deadline = time.monotonic() + 100
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(process: int) -> bool:
    """Return whether a process is there and is no zombie."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
