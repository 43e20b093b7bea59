"""Stages under faults, in a DVC project of one stage: what a user sees, and what DVC takes for done."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from i2moe.base.errors import InputError
from stages.shared.base.command import run
from stages.shared.features import save
from stages.shared.files import naming, write_whole

ROOT = Path(__file__).parents[3]
DVC = Path(sys.executable).with_name("dvc")
STAGE = """
import sys, time
from pathlib import Path
from stages.shared.base.command import run

def stage():
    Path("out.txt").write_text(Path("raw.txt").read_text())
    Path("started").touch()
    if Path("change").exists():
        Path(Path("change").read_text()).write_text("new")
        Path("change").unlink()
    while Path("wait").exists():
        time.sleep(0.02)

if __name__ == "__main__":
    run(stage)
"""
PIPELINE = "stages: {only: {cmd: python -m probe, deps: [raw.txt], outs: [out.txt]}}"
BY_HAND = [sys.executable, "-m", "probe"]


STAYING = """#!/bin/sh
/bin/sh "$@"
exit $?
"""


@pytest.fixture(params=["a shell that makes way", "a shell that stays"])
def shell(request, tmp_path, monkeypatch):
    """The shell by which DVC runs a command: bash replaces itself with the command, dash and fish wait for it."""
    staying = tmp_path / "staying"
    staying.write_text(STAYING)
    staying.chmod(0o755)
    monkeypatch.setenv("SHELL", str(staying) if request.param == "a shell that stays" else "/bin/bash")


@pytest.fixture
def project(tmp_path):
    (tmp_path / "probe.py").write_text(STAGE)
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "raw.txt").write_text("old")
    assert start([DVC, "init", "--no-scm", "--quiet"], tmp_path).wait() == 0
    return tmp_path


def start(command, folder):
    path = f"{DVC.parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": f"{ROOT}{os.pathsep}.", "DVC_SITE_CACHE_DIR": str(folder / "site")}
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=os.environ | own, start_new_session=True, **pipe)


def finish(process):
    said = process.communicate(timeout=100)[0]
    return process.returncode, said


def until(condition):
    deadline = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def nothing_runs(process):
    """Return whether a process group has ended; who is left of it may wait in vain to be asked for its exit code."""
    for other in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(other.pid) == process.pid and other.info["status"] != psutil.STATUS_ZOMBIE:
                return False
    return True


@pytest.mark.usefixtures("shell")
def test_a_file_that_changes_under_a_stage_is_not_taken_for_the_one_that_was_read(project):
    (project / "change").write_text("raw.txt")
    code, said = finish(start([DVC, "repro"], project))
    assert code != 0
    assert "error: raw.txt changed while the stage ran" in said
    assert "Traceback" not in said
    assert not (project / "dvc.lock").exists()
    code, said = finish(start([DVC, "repro"], project))
    assert code == 0, said
    assert (project / "out.txt").read_text() == "new"


def test_a_file_that_changes_in_a_folder_of_data_is_not_named_for_its_name_may_be_an_id(project):
    (project / "scans").mkdir()
    for name in ("1.txt", "54321.txt"):
        (project / "scans" / name).write_text("old")
    (project / "dvc.yaml").write_text(PIPELINE.replace("raw.txt", "raw.txt, scans"))
    (project / "change").write_text("scans/54321.txt")
    code, said = finish(start([DVC, "repro"], project))
    assert code != 0
    assert "error: scans: file 2 of 2 by name changed while the stage ran" in said
    assert "54321" not in said


@pytest.mark.parametrize("name", [".DS_Store", ".1.txt.swp", "1.txt~"])
def test_what_an_editor_or_file_manager_leaves_in_a_folder_is_no_change(project, name):
    shutil.copy(ROOT / ".dvcignore", project)
    (project / "scans").mkdir()
    (project / "scans/1.txt").write_text("old")
    (project / "dvc.yaml").write_text(PIPELINE.replace("raw.txt", "raw.txt, scans"))
    (project / "change").write_text(f"scans/{name}")
    code, said = finish(start([DVC, "repro"], project))
    assert code == 0, said
    assert "up to date" in finish(start([DVC, "status"], project))[1]


@pytest.mark.usefixtures("shell")
def test_ctrl_c_ends_in_one_line_and_leaves_no_process(project):
    (project / "wait").touch()
    process = start([DVC, "repro"], project)
    until((project / "started").exists)
    os.killpg(process.pid, signal.SIGINT)
    code, said = finish(process)
    assert code != 0
    assert said.count("stopped by Ctrl-C: run again") == 1
    assert "exited with 130" in said or "exited with -2" in said  # the latter of a shell that Ctrl-C reached first
    assert "Traceback" not in said
    until(lambda: nothing_runs(process))


@pytest.mark.usefixtures("shell")
def test_a_stage_ends_with_the_dvc_that_started_it(project):
    (project / "wait").touch()
    process = start([DVC, "repro"], project)
    until((project / "started").exists)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: nothing_runs(process))
    (project / "wait").unlink()
    code, said = finish(start([DVC, "repro"], project))
    assert code == 0, said


def test_the_same_stage_does_not_run_twice_at_once(project):
    (project / "wait").touch()
    first = start(BY_HAND, project)
    until((project / "started").exists)
    code, said = finish(start(BY_HAND, project))
    assert (code, said) == (1, "error: `python -m probe` runs here already: wait until it has ended, then run again\n")
    (project / "wait").unlink()
    assert finish(first) == (0, "")
    assert finish(start(BY_HAND, project)) == (0, "")


def ended(stage, monkeypatch):
    """Run a function as a stage; return the message with which it ends."""
    monkeypatch.setattr(sys, "argv", ["stage"])
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as raised:
            run(stage)
    finally:
        signal.signal(signal.SIGINT, before)
    return str(raised.value.code).strip()


def full(write):
    """Return a stage that writes to a full disk."""

    def stage():
        with naming(Path("own.npy")):
            write(Path("/dev/full"))

    return stage


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("a"),
        lambda path: save(path, np.zeros(10_000)),  # whose error has no number
    ],
)
def test_a_full_disk_is_named_with_the_file(write, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    said = ended(full(write), monkeypatch)
    assert said == "error: own.npy: No space left on device: the disk has no room left: free some, then run again"


def test_a_folder_that_may_not_be_written_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def refuse(partial):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(partial))

    said = ended(lambda: write_whole(Path("own.csv"), refuse), monkeypatch)
    assert said.startswith("error: own.csv: Read-only file system: the folder is read-only")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EIO, "Input/output error: the disk, or the network that it is on, fails: see to it"),
        (errno.EMFILE, "Too many open files: a program may not open that many files here (`ulimit -n`): raise"),
    ],
)
def test_a_disk_that_fails_and_a_limit_are_named(number, remedy, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    said = ended(lambda: raise_error(OSError(number, os.strerror(number), "own.npy")), monkeypatch)
    assert said.startswith(f"error: own.npy: {remedy}")


@pytest.mark.parametrize("allocate", [lambda: np.empty(10**17), lambda: torch.empty(10**16)])
def test_too_little_memory_ends_in_a_remedy(allocate, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    said = ended(allocate, monkeypatch)
    assert said.startswith("error: not enough memory (")
    assert "lower run.max_batch_size" in said


def test_a_sign_that_a_terminal_lacks_is_replaced(tmp_path):
    stage = "from stages.shared.base.command import run; run(lambda: print('a', chr(0x2192), 'b'))"
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        [sys.executable, "-c", stage], cwd=tmp_path, env=os.environ | locale, capture_output=True, check=False
    )
    assert (said.returncode, said.stdout) == (0, b"a ? b\n"), said.stderr


def raise_error(error):
    raise error


def test_an_error_of_the_code_keeps_its_traceback(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stage"])
    before = signal.getsignal(signal.SIGINT)
    for error in (KeyError("a"), RuntimeError("shapes differ"), FileNotFoundError(errno.ENOENT, "no such file", "a")):
        with pytest.raises(type(error)):
            run(lambda error=error: raise_error(error))
    signal.signal(signal.SIGINT, before)
    assert ended(lambda: raise_error(InputError("own.csv is wrong")), monkeypatch) == "error: own.csv is wrong"


def test_help_says_what_a_stage_does_and_nothing_of_its_code(monkeypatch, capsys):
    def stage(out: Path = Path("out.txt")):
        """Write a file.

        Another paragraph.

        Args:
            out: the file.

        Raises:
            InputError: where it is there.
        """

    monkeypatch.setattr(sys, "argv", ["stage", "--help"])
    with pytest.raises(SystemExit):
        run(stage)
    said = capsys.readouterr().out
    assert "Write a file." in said
    assert "Another paragraph." in said
    assert "--out" in said
    assert "InputError" not in said
    assert "Args" not in said
