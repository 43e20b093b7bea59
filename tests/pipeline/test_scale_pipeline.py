"""`python -m stages.train` on two devices, as it is used: one process's results, however it is started or killed."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import psutil
import pytest

from tests.pipeline.test_pipeline import ROOT, run
from tests.small_settings import HARDWARE

TABLE = {"raw": "data/examples/wdbc.csv", "id": "sample", "label": "diagnosis", "task": "binary", "licence": "open"}
# Nothing is drawn in training, so that two processes draw nothing else than one.
MODEL = {
    "encoder": "mlp",
    "encoder_dim": 8,
    "num_patches": 2,
    "hidden_dim": 8,
    "dropout": 0.0,
    "fusion": {"method": "mult", "num_layers": 1, "num_heads": 2},
    "interaction": {"loss_weight": 0.1, "replacement": "zero"},
    "reweighting": {"hidden_dim": 8, "num_layers": 2, "temperature": 1.0},
    "class_weights": [0.2, 0.8],
    "learning_rate": 1e-3,
    "batch_size": 32,
    "epochs": 6,
}
TRAIN = [sys.executable, "-m", "stages.train", "wdbc", "small"]


def write_params(folder, *, seeds=(0,), **hardware):
    """Write the settings of a tiny project."""
    params = {
        "run": {
            "datasets": ["wdbc"],
            "models": ["small"],
            "seeds": list(seeds),
            "max_epochs": None,
            "max_batch_size": None,
        },
        "split": {"train": 0.7, "validation": 0.15, "test": 0.15, "seed": 0},
        "data": {
            "tables": {
                "wdbc": TABLE | {"modalities": {"mean": {"prefix": "mean "}, "error": {"regex": ".* error"}}},
            }
        },
        "train": HARDWARE | hardware,
        "explain": {"agreement_tolerance": None, "tokens": {"samples": 4, "top": 2, "draws": 2, "tolerance": 0.1}},
        "models": {"wdbc": {"small": MODEL}},
    }
    (folder / "params.yaml").write_text(json.dumps(params))


@pytest.fixture(scope="module")
def environment():
    own = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    return own | {"PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def project(tmp_path_factory, environment):
    """A folder with prepared features, in which `stages` runs from here."""
    folder = tmp_path_factory.mktemp("scale")
    write_params(folder)
    program = (
        "from stages.settings.__main__ import settings\n"
        "from stages.datasets.tables.examples import examples\n"
        "from stages.datasets.tables.cohort import cohort\n"
        "from stages.datasets.tables.features import features\n"
        "examples('wdbc'); settings(); cohort('wdbc'); features('wdbc')\n"
    )
    run([sys.executable, "-c", program], folder, environment)
    return folder


def train(project, environment, **settings):
    """Train by these settings; return the predictions and the curves of each seed."""
    write_params(project, **settings)
    run([sys.executable, "-m", "stages.settings"], project, environment)
    run(TRAIN, project, environment)
    return results(project)


def results(project):
    predictions = pd.read_parquet(project / "results/predictions/wdbc/small.parquet")
    return predictions, {path.name: path.read_bytes() for path in sorted(project.glob("results/curves/wdbc/small/*"))}


@pytest.fixture(scope="module")
def one(project, environment):
    """Two seeds' predictions of one process with whole batches."""
    return train(project, environment, seeds=(0, 1))


@pytest.fixture(scope="module")
def two(project, environment):
    """The same of two processes."""
    return train(project, environment, seeds=(0, 1), devices=2, strategy="ddp")


def assert_near(one, other):
    (expected, expected_curves), (found, found_curves) = one, other
    logits = [name for name in expected if "logit" in name or name.endswith(".weight")]
    assert found.drop(columns=logits).equals(expected.drop(columns=logits))
    assert np.abs(found[logits] - expected[logits]).to_numpy().max() < 2e-3
    assert found_curves.keys() == expected_curves.keys()


def test_two_devices_predict_what_one_predicts_with_each_seed(project, one, two):
    assert_near(one, two)
    assert set(two[1]) == {"0.csv", "1.csv"}
    times = [json.loads(path.read_text()) for path in project.glob("results/.training/wdbc/small/*/*/seconds.json")]
    assert [own["trained_on"].startswith("2 × CPU") for own in times] == [True, True]


def test_two_nodes_of_slurm_give_the_same_bytes_and_the_first_one_writes(project, environment, two):
    write_params(project, devices=1, num_nodes=2)
    run([sys.executable, "-m", "stages.settings"], project, environment)
    code, said = run(TRAIN, project, environment, check=False)
    assert code == 1
    assert said.strip() == "error: train.num_nodes 2: start 1 processes on each node by srun or torchrun: docs/scale.md"
    job = {"SLURM_JOB_ID": str(os.getpid()), "SLURM_JOB_NAME": "train", "SLURM_NODELIST": "localhost"}
    job |= {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "2"}
    nodes = [environment | job | {"SLURM_PROCID": rank, "SLURM_NODEID": rank, "SLURM_LOCALID": "0"} for rank in "01"]
    tasks = [
        subprocess.Popen(TRAIN, cwd=project, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for own in nodes
    ]
    said = [task.communicate(timeout=300)[0].decode() for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], said
    assert said[1] == ""
    assert results(project)[1]["0.csv"] == two[1]["0.csv"]


def test_one_lost_process_ends_all_with_one_message_and_a_repetition_gives_the_same_bytes(project, environment, two):
    write_params(project, devices=2, strategy="ddp")
    run([sys.executable, "-m", "stages.settings"], project, environment)
    folders = list(project.glob("results/.training/wdbc/small/0/*"))
    for path in (path for folder in folders for path in folder.iterdir()):
        path.unlink()
    first = subprocess.Popen(TRAIN, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_until(lambda: list(project.glob("results/.training/wdbc/small/0/*/last.ckpt")))
    second = max(psutil.Process(first.pid).children(), key=lambda process: process.create_time())
    second.kill()
    said = first.communicate(timeout=60)[0].decode()
    assert first.returncode == 1
    message = "a process of a training on several devices was lost (exit status -9): run again, it goes on where it was"
    assert said.endswith(f"\nerror: {message}\n")
    assert said.count("error") == 1
    assert "Traceback" not in said
    assert "epoch 1/6" not in run(TRAIN, project, environment)
    assert results(project)[1]["0.csv"] == two[1]["0.csv"]


def wait_until(condition, timeout=120):
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
