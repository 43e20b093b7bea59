"""Which process is the first one, by the environment in which torchrun, SLURM or Lightning start it."""

import os

import pytest

from i2moe.base.errors import InputError
from stages.shared import ranks
from stages.shared.ranks import check_start, lost_process, rank_of


@pytest.fixture
def started(monkeypatch):
    """Return a function that gives this process the environment of one that was started so."""
    for name in [*os.environ]:
        if name.startswith(("SLURM_", "TORCHELASTIC_")) or name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "NODE_RANK"):
            monkeypatch.delenv(name)

    def start(**environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))

    return start


def slurm(rank, size, name="train"):
    return {"SLURM_JOB_NAME": name, "SLURM_NTASKS": size, "SLURM_PROCID": rank, "SLURM_LOCALID": 0}


def torchrun(rank, size):
    return {"TORCHELASTIC_RUN_ID": "none", "RANK": rank, "WORLD_SIZE": size, "LOCAL_RANK": 0, "GROUP_RANK": rank}


@pytest.mark.parametrize(
    ("environment", "devices", "num_nodes", "rank"),
    [
        ({}, 1, 1, 0),
        ({}, 2, 1, 0),
        ({"LOCAL_RANK": 1}, 2, 1, 1),
        ({"LOCAL_RANK": 0, "NODE_RANK": 1}, 4, 2, 4),  # the first one of a node is not the first one of all
        (slurm(1, 2), 1, 2, 1),
        (torchrun(1, 2), 1, 2, 1),
        (slurm(3, 4) | torchrun(1, 2), 1, 2, 1),  # torchrun in a job of SLURM
        (slurm(1, 4), 1, 1, 0),  # tasks that each train another model
        (slurm(0, 1, "interactive"), 4, 1, 0),
        (slurm(0, 1, "interactive") | {"LOCAL_RANK": 2}, 4, 1, 2),
    ],
)
def test_the_number_of_a_process_is_that_among_all_nodes(started, environment, devices, num_nodes, rank):
    started(**environment)
    assert rank_of(devices, num_nodes) == rank


@pytest.mark.parametrize(
    ("environment", "devices", "num_nodes", "message"),
    [
        (torchrun(0, 4), 1, 1, "torchrun started 4 processes, but the training has 1, one for each device"),
        (
            slurm(0, 4),
            2,
            1,
            r"SLURM started 4 processes, but the training has 2.* \(train.devices 2 × train.num_nodes 1",
        ),
    ],
)
def test_another_number_of_processes_than_devices_is_refused(started, environment, devices, num_nodes, message):
    started(**environment)
    with pytest.raises(InputError, match=message):
        rank_of(devices, num_nodes)


def test_several_nodes_on_which_nothing_was_started_are_refused(started):
    started()
    check_start(2, 1)
    with pytest.raises(InputError, match=r"train.num_nodes 2: start 4 processes on each node by srun or torchrun"):
        check_start(4, 2)
    started(**slurm(0, 8))
    check_start(4, 2)


def test_a_lost_process_is_said_with_what_was_heard_of_it(monkeypatch):
    monkeypatch.setattr(ranks, "PATIENCE", 0)
    heard = RuntimeError("[/gloo/transport/tcp/device.cc:83] unable to resolve the name of this machine\nmore")
    said = lost_process(heard, 0)
    assert isinstance(said, InputError)
    assert "was lost ([/gloo/transport/tcp/device.cc:83] unable to resolve the name of this machine): run" in str(said)


def test_an_error_of_a_process_itself_is_not_taken_for_a_lost_one():
    own = RuntimeError("CUDA out of memory")
    assert lost_process(own, 0) is own
