"""A process that ends with those that started it lives as long as they do; a command runs once at a time."""

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from i2moe.base.errors import InputError
from stages.shared.base import guard

ROOT = Path(__file__).parents[3]

# Its parent is a shell, the shell's is the test.
CHILD = """
import os, sys, time
import psutil
from stages.shared.base import guard

guard.WATCH_SECONDS = 0.01
{prepare}
locks = guard.Locks({{}}, {{"data": psutil.Process().parent().ppid()}})
{begin}
ancestors = guard._up_to_dvc(locks)
guard.end_with(ancestors)
time.sleep(0.3)
print(ancestors == [os.getppid(), {above}], flush=True)
"""
ABOVE = "psutil.Process(os.getppid()).ppid()"
NO_PROC = "psutil.PROCFS_PATH = '/nowhere'"
# Looks further up than DVC, where a terminal or a login may end at any moment.
ENDS_ABOVE = """
def parent(self, parent=psutil.Process.parent):
    if self.pid == dvc:
        raise psutil.NoSuchProcess(dvc)
    return parent(self)

dvc = psutil.Process().parent().ppid()
psutil.Process.parent = parent
"""


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")


@pytest.mark.parametrize(
    ("prepare", "begin", "above"),
    [
        pytest.param("", "", ABOVE, id="a shell between"),
        pytest.param(ENDS_ABOVE, "", ABOVE, id="who started DVC ends"),
        pytest.param("", NO_PROC, "", id="no /proc", marks=on_linux),
    ],
)
def test_a_process_does_not_end_before_those_that_started_it(prepare, begin, above):
    child = CHILD.format(prepare=prepare, begin=begin, above=above)
    words = ["/bin/sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", child]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


ENDLESS = """
import time
from stages.shared.base.guard import PARENT, end_with
end_with([PARENT])
print("started", flush=True)
time.sleep(60)
"""
KILLED = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {ENDLESS!r}], stdout=subprocess.PIPE, stderr=sys.stderr)
child.stdout.readline()
os.kill(os.getpid(), 9)
"""


def test_a_process_ends_with_the_one_that_started_it():
    # Of the child's, the parent's errors stay open until the child ends too: this waits for both.
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (-9, b"")


@pytest.fixture
def command(tmp_path, monkeypatch):
    """A function that makes this process run a command, in a project of DVC."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", ModuleSpec("probe", None))
    return lambda *words: monkeypatch.setattr(sys, "argv", ["probe.py", *words])


FILE = "a" * 200


@pytest.mark.parametrize(
    ("first", "second"),
    [(["a_b", "c"], ["a", "b_c"]), ([f"{FILE}1.csv"], [f"{FILE}2.csv"]), (["a\udcff"], ["a"])],
)
def test_the_same_command_is_refused_and_another_one_is_not(command, first, second):
    command(*first)
    with guard._alone():
        with pytest.raises(InputError, match=r"`python -m probe .* runs here already"), guard._alone():
            pass
        command(*second)
        with guard._alone():
            pass


STAGE = "from stages.shared.base.command import run\nrun(lambda: print('ran'), lambda: {rank})"


# The second task of a job, which may also train a model of its own.
TASK = {"SLURM_PROCID": "1", "SLURM_NTASKS": "2"}


@pytest.mark.parametrize(
    ("rank", "code", "said"), [(0, 1, "error: `python -m probe` runs here already"), (1, 0, "ran\n")]
)
def test_further_processes_of_one_run_are_not_the_same_command_twice(command, tmp_path, rank, code, said):
    (tmp_path / "probe.py").write_text(STAGE.format(rank=rank))
    environment = os.environ | TASK | {"PYTHONPATH": f"{ROOT}{os.pathsep}."}
    command()
    with guard._alone():
        words = [sys.executable, "-m", "probe"]
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
