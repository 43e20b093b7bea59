"""The estimate: what is to be trained and what was, what it measures, and sums by hand."""

import shutil

import pytest

from stages.estimate.__main__ import estimate
from stages.estimate.measure import Measured, measure, side_by_side
from stages.estimate.plan import Job, done_seeds, jobs, missing_features, stages_of
from stages.settings.__main__ import settings
from stages.settings.params import load_params
from stages.shared.base import paths
from stages.shared.runs import Numerics
from stages.train import run_key
from tests.stages.conftest import GOOD

NUMERICS = Numerics(
    accelerator="cpu",
    devices=1,
    num_nodes=1,
    strategy="auto",
    precision="32-true",
    compile=False,
    accumulate_grad_batches=1,
)


@pytest.fixture
def project(synthetic_dataset, tmp_path, monkeypatch):
    """A project with three seeds of a model, and the features of synthetic samples of its dataset."""
    folder = tmp_path / "project"
    features, cohort = synthetic_dataset("binary")
    shutil.copytree(features, folder / "data/features/tiny")
    (folder / "data/cohorts").mkdir()
    for end in (".csv", ".json"):
        shutil.copy(cohort.with_suffix(end), folder / f"data/cohorts/tiny{end}")
    (folder / "params.yaml").write_text(GOOD.replace("seeds: [0]", "seeds: [0, 1, 2]"))
    monkeypatch.chdir(folder)
    settings()
    return folder


def train(seed):
    """Leave what a training leaves."""
    folder = paths.training("tiny", "mult", seed, run_key(NUMERICS, "tiny", "mult", seed))
    folder.mkdir(parents=True)
    (folder / "weights.ckpt").write_bytes(b"")


def test_a_trained_seed_is_done_until_its_settings_change(project):
    assert done_seeds(load_params(), "tiny", "mult") == []
    train(1)
    (job,) = jobs(load_params())
    assert (job.dataset, job.model, job.seeds, job.done) == ("tiny", "mult", [0, 2], [1])
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("dropout: 0.5", "dropout: 0.4"))
    assert done_seeds(load_params(), "tiny", "mult") == []


@pytest.mark.parametrize("changed", ["data/features/tiny/first.npy", "results/settings/tiny/mult.json"])
def test_a_seed_is_not_done_without_the_files_that_it_was_trained_on(project, changed):
    train(1)
    assert done_seeds(load_params(), "tiny", "mult") == [1]
    (project / changed).unlink()
    assert done_seeds(load_params(), "tiny", "mult") == []


@pytest.mark.usefixtures("project")
def test_stages_are_counted():
    one = dict.fromkeys(("train", "evaluate", "explain", "reference", "inputs", "compare", "settings", "report"), 1)
    assert stages_of(load_params()) == one


def test_the_plan_comes_first_and_names_seeds(project, capsys):
    train(1)
    estimate(steps=2)
    said = capsys.readouterr().out
    assert "trainings: 3, of which 1 were done before" in said
    assert "  seeds to train: 0, 2; done before: 1; of mult" in said
    assert "tiny: 60 samples" in said
    assert "  mult: seeds 2 × epochs 15 × steps 6 × " in said  # 42 train samples, 8 in a batch
    assert said.index("trainings: 3") < said.index("training, an estimate: ")
    assert not list((project / "results").rglob("*.partial"))


def test_nothing_is_measured_where_all_is_done(project, capsys):
    for seed in range(3):
        train(seed)
    estimate(steps=2)
    assert "nothing is to be trained" in capsys.readouterr().out
    assert (project / "params.yaml").exists()


def test_missing_features_are_named(project, capsys):
    (project / "data/features/tiny/first.npy").unlink()
    estimate(steps=2)
    said = capsys.readouterr().out
    assert "tiny: no estimate without its features: " in said
    assert "first.npy" in said
    assert "dvc repro reference" in said
    assert "an estimate" not in said.replace("no estimate", "")


@pytest.mark.usefixtures("project")
def test_what_is_measured_is_of_the_size_of_what_training_leaves():
    """MulT of two vectors of 5: a weight is 4 bytes; two checkpoints hold each weight three times, with Adam's."""
    from i2moe.data import FeatureSet
    from i2moe.training import Hardware

    features = FeatureSet(paths.features("tiny"), paths.cohort("tiny"))
    assert missing_features("tiny") == ""
    (job,) = jobs(load_params())
    found = measure(features, job, Hardware(accelerator="cpu"), 3)
    assert found.steps == 6
    assert found.predictions == 60 * 2 * 4  # samples, classes, bytes
    assert 2 * 3 * 0.7 < found.checkpoints / found.weights < 2 * 3 * 1.3
    assert min(found.step, found.rest, found.once, found.inference) > 0


@pytest.mark.usefixtures("project")
def test_each_piece_of_a_batch_counts_where_pieces_are_measured():
    from i2moe.data import FeatureSet
    from i2moe.training import Hardware

    (job,) = jobs(load_params())
    hardware = Hardware(accelerator="cpu", accumulate_grad_batches=2)
    found = measure(FeatureSet(paths.features("tiny"), paths.cohort("tiny")), job, hardware, 3)
    assert found.steps == 12  # of 42 samples, six batches of 8 or less


@pytest.mark.usefixtures("project")
def test_a_seed_takes_its_epochs():
    """3 epochs of 10 steps of 0.5 s and 1 s for validation, 2 s before and 4 s after: 24 s, give or take 3."""
    one = Measured(0.5, 0.1, steps=10, rest=1.0, once=2.0, inference=4.0, weights=0, checkpoints=0, predictions=0)
    config = load_params().model("tiny", "mult").model_copy(update={"epochs": 3})
    assert one.seconds(Job("tiny", "mult", config, [0], [])) == pytest.approx((24.0, 3.0))


def test_seeds_side_by_side_share_the_cores(monkeypatch):
    """Three seeds of one thread on two cores take half as long again; on four, as long as one; five need two rounds."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert side_by_side(10.0, 3, on_cpu=True, threads=1) == 15.0
    assert side_by_side(10.0, 2, on_cpu=True, threads=1) == 10.0
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert side_by_side(10.0, 3, on_cpu=True, threads=1) == 10.0
    assert side_by_side(10.0, 5, on_cpu=True, threads=1) == 20.0
