"""Two processes, or batches in pieces, take the steps of one process with whole batches.

In float64, where they differ by rounding alone; class weights, mean tokens and sealed mixtures need float32. Without
dropout, and with replacements that nothing is drawn for: what processes draw differs. The cases are trained in the same
two processes, for to start these takes longest.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_training import ALONE, METHODS, config
from two_processes import train

from i2moe.checkpoints import curves_of
from i2moe.data import EpochShuffle, FeatureSet, SharedBatches, Sharing
from tests.conftest import write_synthetic
from tests.i2moe.model.test_presence import leave_out

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ZERO = {"loss_weight": 0.1, "replacement": "zero"}
SEALED = ALONE | {"sealed": {"loss_weight": 0.5, "min_gain": 0.0}}
WEIGHTS = {"class_weights": [0.05, 0.95]}  # of parts of a batch, the weighted means are far from those of the whole
SINGLE = {"precision": "32-true"}
# By name: the task, settings of the model, and of the hardware. There are 42 train samples.
CASES = {
    "vanilla with class weights": ("binary", ALONE | WEIGHTS, SINGLE),
    "class weights": ("binary", {"interaction": ZERO} | WEIGHTS, SINGLE),
    "regression": ("regression", {"interaction": ZERO}, {}),
    "mean vector": ("multiclass", {"interaction": ZERO | {"replacement": "mean"}}, SINGLE),
    "latents": ("multiclass", {"interaction": ZERO | {"compare": "latent"}}, {}),
    "decorrelated": ("multiclass", {"interaction": ZERO | {"decorrelate": {"kind": "cka", "weight": 1.0}}}, {}),
    "batch normalisation": ("multilabel", {"interaction": ZERO, "encoder": "maxout"}, {}),
    "modality dropout": ("binary", {"interaction": ZERO, "modality_dropout": 0.5}, {}),
    "modality dropout, incomplete": ("binary", {"interaction": ZERO, "modality_dropout": 0.5}, {}),
    "one sample in the last batch, in pieces": (
        "multiclass",
        {"interaction": ZERO, "batch_size": 41},
        {"accumulate_grad_batches": 3},
    ),
    "roles, incomplete": ("multiclass", {"interaction": ZERO | {"objective": "role-supervised"}}, {}),
    "incomplete": ("multiclass", {"interaction": ZERO}, {}),
    "sealed": ("binary", SEALED | WEIGHTS, SINGLE),
    "sealed, incomplete": ("multiclass", SEALED, SINGLE),
    "one sample in the last batch": ("multiclass", {"interaction": ZERO, "batch_size": 41}, {}),
    "uneven shares": ("multiclass", {"interaction": ZERO, "batch_size": 5}, {}),
    "pieces": ("multiclass", {"interaction": ZERO, "batch_size": 17}, {"accumulate_grad_batches": 3}),
}
RESUMED = "resumed"
SPARSE = ("switchgate", "moepp", "gshard")


def case(root, name, where, task="multiclass", model=None, hardware=None, **own):
    """Return what to train, where it leaves its checkpoints, and on which data."""
    data = root / "data" / task / ("incomplete" if "incomplete" in name else "complete")
    if not data.exists():
        folder, _ = write_synthetic(make(data), task)
        if "incomplete" in name:
            leave_out(folder, "second", list(range(0, 60, 3)))
            leave_out(folder, "first", list(range(1, 60, 6)))
    return {
        "features": str(data / "features"),
        "cohort": str(data / "cohorts/synthetic.csv"),
        "folder": str(root / where / name),
        "config": config(**({"epochs": 2, "dropout": 0.0, "interaction": ZERO} | (model or {}) | own)).model_dump(),
        "hardware": {"accelerator": "cpu", "precision": "64-true"} | (hardware or {}),
    }


def make(folder):
    folder.mkdir(parents=True)
    return folder


def on_two(given):
    return given | {"hardware": given["hardware"] | {"devices": 2, "strategy": "ddp"}}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder in which two processes trained all cases, and half of one before the rest of it."""
    root = tmp_path_factory.mktemp("scale")
    cases = [on_two(case(root, name, "two", *rest)) for name, rest in CASES.items()]
    cases += [on_two(case(root, RESUMED, "two", hardware=SINGLE, epochs=epochs)) for epochs in (1, 2)]
    for name in SPARSE:
        model = {"fusion": {"method": name, **METHODS[name]}}
        cases.append(on_two(case(root, name, "two", model=model, hardware={"precision": "bf16-mixed"})))
    train_on_two(root, cases)
    return root


def train_on_two(root, cases):
    """Train cases in the same two processes."""
    (root / "cases.json").write_text(json.dumps(cases))
    main = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    common = os.environ | main | {"NODE_RANK": "0", "WORLD_SIZE": "2", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, HERE / "two_processes.py", root / "cases.json"]
    processes = [
        subprocess.Popen(command, env=common | {"LOCAL_RANK": rank}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for rank in ("0", "1")
    ]
    said = [process.communicate(timeout=300)[0].decode() for process in processes]
    assert not any(process.returncode for process in processes), said[0][-3000:]


def free_port():
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        return own.getsockname()[1]


def trained(root, where, name):
    """Return curves and weights after the last epoch."""
    last = root / where / name / "last.ckpt"
    return curves_of(last), torch.load(last, weights_only=True)["state_dict"]


def assert_same(one, other, tolerance):
    (curves, weights), (other_curves, other_weights) = one, other
    assert len(curves) == len(other_curves) == 2
    for row, other_row in zip(curves, other_curves, strict=True):
        assert row == pytest.approx(other_row, rel=tolerance, abs=tolerance, nan_ok=True)
    if tolerance < 1e-6:  # Adam makes whole steps of gradients that are 0 but for the rounding of float32
        for name, value in weights.items():
            assert torch.allclose(value, other_weights[name], rtol=1e-7, atol=1e-7), name


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one(root, name):
    task, model, hardware = CASES[name]
    given = {key: value for key, value in hardware.items() if key == "precision"}
    train(case(root, name, "one", task, model, given))
    tolerance = 1e-5 if given else 1e-9
    assert_same(trained(root, "two", name), trained(root, "one", name), tolerance)


def test_two_processes_resume_as_one(root):
    train(case(root, RESUMED, "one", hardware=SINGLE))
    assert_same(trained(root, "two", RESUMED), trained(root, "one", RESUMED), 1e-5)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_train_as_one(tmp_path):
    hardware = {"accelerator": "gpu"}
    train_on_two(tmp_path, [on_two(case(tmp_path, "gpus", "two", hardware=hardware))])
    train(case(tmp_path, "gpus", "one", hardware=hardware))
    assert_same(trained(tmp_path, "two", "gpus"), trained(tmp_path, "one", "gpus"), 1e-9)


@pytest.mark.parametrize("name", SPARSE)
def test_fusions_that_route_tokens_train_in_two_processes_in_half_precision(root, name):
    curves, weights = trained(root, "two", name)
    assert len(curves) == 2
    assert curves[-1]["train_task_loss"] < curves[0]["train_task_loss"]
    assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.parametrize(("batch_size", "pieces"), [(16, 2), (17, 3), (41, 3)])
@pytest.mark.parametrize(("task", "model"), [("multiclass", {}), ("regression", ALONE)])
def test_batches_in_pieces_take_the_steps_of_whole_ones(tmp_path, task, model, batch_size, pieces):
    train(case(tmp_path, "whole", "one", task, model, batch_size=batch_size))
    train(case(tmp_path, "pieces", "one", task, model, {"accumulate_grad_batches": pieces}, batch_size=batch_size))
    assert_same(trained(tmp_path, "one", "pieces"), trained(tmp_path, "one", "whole"), 1e-9)


@pytest.mark.parametrize("batch_size", [1, 2, 5, 16, 100])
@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_processes_share_each_piece_of_each_batch_in_the_order_of_one(batch_size, pieces):
    size, processes = 23, 4
    order = EpochShuffle(size, seed=0)
    shared = [SharedBatches(order, batch_size, Sharing(pieces, processes, rank)) for rank in range(processes)]
    found, counts = [], []
    for (piece, batch), *parts in zip(shared[0].pieces, *shared, strict=True):
        sizes = Sharing(pieces, processes).sizes(piece)
        assert sum(sizes) == piece
        assert max(sizes) - min(sizes) <= 1
        assert all(parts)  # a process without a sample is given another's
        found += [index for part, own in zip(parts, sizes, strict=True) for index in part[:own]]
        counts.append((piece, batch))
    assert found == list(order)
    assert len(shared[0]) == len(counts)
    assert sum(piece for piece, _ in counts) == size
    whole, rest = divmod(size, batch_size)
    assert len(counts) == whole * min(pieces, batch_size) + min(pieces, rest)


def test_a_loader_of_one_process_returns_whole_batches(synthetic_dataset):
    features = FeatureSet(*synthetic_dataset())
    assert [len(batch.rows) for batch in features.loader("train", 16)] == [16, 16, 10]
