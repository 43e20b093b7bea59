"""What runs again after a change, asked of the real DVC: all that the change reaches, and nothing else."""

import contextlib
import json
import shutil
import sys

import pytest
from ruamel.yaml import YAML

from tests.pipeline.test_pipeline import DVC, ROOT, clone, edited, environment, experiment, planned, run

__all__ = ["environment"]  # a fixture

TRAIN, EVALUATE = (f"pipelines/{name}/dvc.yaml:{name}" for name in ("train", "evaluate"))


@pytest.fixture(scope="module")
def project(tmp_path_factory, environment):
    """A clone in which a vanilla model and an I2MoE ran for one epoch, with two seeds."""
    folder = clone(tmp_path_factory.mktemp("graph") / "project", environment)
    experiment(folder, environment, **{"run.max_epochs": "1", "run.models": "[early,mult]"})
    return folder


@contextlib.contextmanager
def changed(path, change=lambda text: text + "\n# a comment\n"):
    """Change a file's text; afterwards it is what it was."""
    before = path.read_text()
    path.write_text(change(before))
    try:
        yield
    finally:
        path.write_text(before)


def names(stages):
    """Return the kinds of stages, without dataset, model and seed."""
    return {name.split(":")[-1].split("@")[0] for name in stages}


# A file of each room, and the kinds of stages that an edit of it runs again, of the one dataset that runs; what follows
# them runs where their outputs change.
EDITS = {
    "stages/report/charts.py": {"report"},
    "stages/explain/methods.py": {"explain"},
    "i2moe/explain/coalitions.py": {"explain"},
    "stages/compare.py": {"compare"},
    "stages/inputs/draw.py": {"inputs"},
    "i2moe/metrics.py": {"reference", "evaluate", "explain", "compare", "report"},
    "i2moe/training.py": {"train"},
    "i2moe/checkpoints.py": {"train"},
    "stages/datasets/tables/features.py": {"features"},
    "stages/datasets/adni/genetic/pruning.py": set(),
    "i2moe/fusion/switchgate.py": set(),
    "own/gated_sum.py": set(),
}


@pytest.mark.parametrize("path", EDITS)
def test_an_edit_runs_what_it_reaches(project, environment, path):
    with changed(project / path):
        assert names(planned(project, environment)) - {"settings"} == EDITS[path]
    if path.startswith(("i2moe/fusion", "own")):
        run([str(DVC), "repro", "settings"], project, environment)


def test_a_comment_in_a_fusion_method_trains_that_method_alone(project, environment):
    with changed(project / "i2moe/fusion/early.py"):
        stages = planned(project, environment)
    trained = {name for name in stages if ":train@" in name}
    assert trained == {f"{TRAIN}@wdbc-early"}
    assert not [name for name in stages if "wdbc-mult" in name]
    run([str(DVC), "repro", "settings"], project, environment)


def test_another_number_of_workers_runs_nothing(project, environment):
    with edited(project, lambda params: params["train"].update(num_workers=2)):
        assert names(planned(project, environment)) <= {"settings"}
    run([str(DVC), "repro", "settings"], project, environment)


def test_a_mended_model_is_evaluated_again_though_its_weights_stay(project, environment):
    """The logits of evaluation are negated: the weights of the one epoch stay, and the score must not."""
    weights = project / "results/models/wdbc/mult/0.ckpt"
    metrics = project / "results/metrics/wdbc/mult.json"
    before, score = weights.read_bytes(), json.loads(metrics.read_text())["auroc"]

    def negate(text):
        own = "Prediction(output.logits"
        assert own in text
        return text.replace(own, f"{own} if self.training else -output.logits")

    with changed(project / "i2moe/model/multimodal.py", negate):
        run([str(DVC), "repro", f"{EVALUATE}@wdbc-mult"], project, environment)
        assert weights.read_bytes() == before
        assert json.loads(metrics.read_text())["auroc"] == pytest.approx(1 - score, abs=1e-5)
    run([str(DVC), "repro", f"{EVALUATE}@wdbc-mult"], project, environment)
    assert json.loads(metrics.read_text())["auroc"] == score


def folders_in(lock):
    """Return how many files DVC counted in each folder that a stage depends on, by stage and folder."""
    stages = YAML(typ="safe", pure=True).load(lock)["stages"]
    return {
        (name, dep["path"]): dep["nfiles"] for name, stage in stages.items() for dep in stage["deps"] if "nfiles" in dep
    }


def files_of(*seeds):
    """Return the names of what a training leaves."""
    return {"model.json", *(f"{seed}{end}" for seed in seeds for end in (".ckpt", ".means.npz"))}


def test_fewer_seeds_leave_nothing_stale_and_more_train_nothing_that_was_trained(project, environment):
    run([str(DVC), "repro"], project, environment)
    # Of each seed the last training is kept, which may be that of a test before.
    trainings = [f"{TRAIN}@wdbc-mult", f"{TRAIN}@wdbc-early"]
    run([str(DVC), "repro", "--force", "--single-item", *trainings], project, environment)
    with edited(project, lambda params: params["run"].update(seeds=[0])):
        output = run([str(DVC), "repro"], project, environment)
        assert "wdbc mult: seed 0 was trained before" in output
        assert "batch/s" not in output
        assert {path.name for path in (project / "results/models/wdbc/mult").iterdir()} == files_of(0)
        counted = folders_in(project / "pipelines/explain/dvc.lock")
        assert counted["explain@wdbc-mult", "results/models/wdbc/mult"] == len(files_of(0))
        for name in ("models", "curves", "predictions", "explanations", "differences", "cards"):
            shutil.rmtree(project / "results" / name)
        run([str(DVC), "checkout"], project, environment, check=False)  # other datasets never ran here
        assert not planned(project, environment)
    output = run([str(DVC), "repro"], project, environment)
    trained = [line for line in output.splitlines() if line.startswith("> python -m stages.train")]
    assert trained == []
    assert f"Stage '{TRAIN}@wdbc-mult' is cached - skipping run" in output
    weights = project / "results/models/wdbc/mult"
    before = {path.name: path.read_bytes() for path in weights.iterdir()}
    assert set(before) == files_of(0, 1)
    with edited(project, lambda params: params["run"].update(seeds=[0, 1, 2])):
        output = run([str(DVC), "repro", f"{TRAIN}@wdbc-mult"], project, environment)
        assert "seed 0 was trained before" in output
        assert "seed 1 was trained before" in output
        assert "seed 2, epoch 1/1" in output
        assert {path.name: path.read_bytes() for path in weights.iterdir() if path.name in before} == before
    run([str(DVC), "repro", f"{TRAIN}@wdbc-mult"], project, environment)


def test_the_papers_graph_is_shown_before_anything_has_run(tmp_path, environment):
    """18 models on five datasets; a plan that is not forced ends at the first file that no stage has written."""
    folder = clone(tmp_path / "project", environment)
    run([sys.executable, "-m", "stages.profile", "paper", "paper-smoke"], folder, environment)
    output = run([str(DVC), "repro", "--dry", "--force"], folder, environment)
    stages = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert (stages[0], stages[-1]) == ("settings", "report")
    for name in ("train", "evaluate", "explain"):
        assert len([stage for stage in stages if f":{name}@" in stage]) == 18 * 5
    assert len(stages) == len(set(stages)) >= 300
    assert not (folder / "results/settings").exists()


def test_the_lock_holds_no_stage_that_is_not_in_the_graph():
    pipelines = sorted(ROOT.glob("pipelines/*/dvc.yaml"))
    for pipeline in [ROOT / "dvc.yaml", *pipelines, *sorted(ROOT.glob("stages/datasets/*/dvc.yaml"))]:
        known = set(YAML(typ="safe", pure=True).load(pipeline)["stages"])
        assert pipeline.with_suffix(".lock").exists(), f"run {pipeline}, commit the lock beside it"
        locked = YAML(typ="safe", pure=True).load(pipeline.with_suffix(".lock"))["stages"]
        assert {name.split("@")[0] for name in locked} == known, pipeline
