"""A worker of DVC's queue for each device: what is run in it sees this device alone."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from i2moe.base.errors import InputError
from stages import workers as module

ROOT = Path(__file__).parents[2]
# Each experiment writes its device, once the other one has started too.
PROGRAM = """
import json, os, pathlib, sys, time
seen, own = pathlib.Path(sys.argv[1]), os.environ["CUDA_VISIBLE_DEVICES"]
(seen / own).touch()
end = time.monotonic() + 250
while len(list(seen.iterdir())) < 2 and time.monotonic() < end:
    time.sleep(0.1)
json.dump({"device": own}, open("device.json", "w"))
"""
STAGE = {"cmd": "python program.py ${seen} ${x}", "metrics": [{"device.json": {"cache": False}}]}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """Return a function that runs a program in a small project of DVC, and what it says."""
    folder = tmp_path_factory.mktemp("project")
    (folder.parent / "seen").mkdir(exist_ok=True)
    (folder / "program.py").write_text(PROGRAM)
    (folder / "params.yaml").write_text(json.dumps({"x": 0, "seen": str(folder.parent / "seen")}))
    (folder / "dvc.yaml").write_text(json.dumps({"stages": {"device": STAGE}}))
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    identity = {f"GIT_{role}_{key}": "t" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    environment = os.environ | identity | {"PATH": scripts, "PYTHONPATH": str(ROOT)}

    def call(*words, code=0):
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    call("git", "init", "--quiet")
    call("dvc", "init", "--quiet")
    call("git", "add", "--all")
    call("git", "commit", "--quiet", "--message", "a project")
    yield call
    call("dvc", "queue", "stop", "--kill")


# Says that an experiment waits, and starts nothing.
NO_QUEUE = """
import sys
if "status" not in sys.argv:
    sys.exit("ERROR: no room for a worker")
print("1f2e3d4  small  08:00 AM  Queued\\n\\nWorker status: 0 active, 0 idle")
"""


def test_a_queue_that_does_not_start_is_said_without_a_traceback(monkeypatch):
    monkeypatch.setattr(module, "DVC", [sys.executable, "-c", NO_QUEUE])
    with pytest.raises(InputError, match=r"worker 1 of the queue does not start"):
        module.workers(["0"])


def test_without_experiments_there_is_nothing_to_start(here):
    message = here(sys.executable, "-m", "stages.workers", "0", "1", code=1)
    assert message == "error: no experiment is queued: queue some with `dvc exp run --queue`\n"


def test_each_worker_has_a_device_of_its_own(here):
    here("dvc", "exp", "run", "--queue", "--set-param", "x=1,2")
    said = here(sys.executable, "-m", "stages.workers", "3", "5,6")
    assert "worker 1 of the queue has CUDA_VISIBLE_DEVICES=3" in said
    assert "worker 2 of the queue has CUDA_VISIBLE_DEVICES=5,6" in said
    end = time.monotonic() + 300
    while here("dvc", "queue", "status").count("Success") < 2:
        assert time.monotonic() < end
        time.sleep(1)
    shown = json.loads(here("dvc", "exp", "show", "--json"))
    found = [
        metrics["data"]["device"]
        for revision in shown
        for group in revision["experiments"] or []
        for experiment in group["revs"]
        for metrics in experiment["data"]["metrics"].values()
    ]
    assert sorted(found) == ["3", "5,6"]
