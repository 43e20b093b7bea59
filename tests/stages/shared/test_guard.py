"""A process that ends with those that started it lives as long as they do, whatever else ends."""

import subprocess
import sys

import pytest

# Its parent is a shell, the shell's is the test.
CHILD = """
import os, sys, time
import psutil
from stages.shared.base import guard

guard.WATCH_SECONDS = 0.01
{prepare}
locks = {{"read": {{}}, "write": {{"data": {{psutil.Process().parent().ppid()}}}}}}
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
