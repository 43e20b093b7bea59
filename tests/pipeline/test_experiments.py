"""Experiments of one dataset beside another's results, in the real DVC: whatever is run, and fails, nothing is lost."""

import hashlib
import io
import json
import time

import pandas as pd
import pytest

from tests.pipeline.datasets import set_params
from tests.pipeline.test_pipeline import DVC, clone, environment, run

__all__ = ["environment"]  # a fixture

BOTH = {
    "run.datasets": "[wdbc,digits]",
    "run.models": "[mult]",
    "run.seeds": "[0]",
    "run.max_epochs": "1",
    "models.defaults.encoder_dim": "8",
    "models.defaults.num_patches": "2",
    "models.wdbc.defaults.hidden_dim": "8",
    "models.digits.defaults.hidden_dim": "8",
}
GRID = {"run.datasets": "[wdbc]", "models.wdbc.defaults.hidden_dim": "12,16", "+models.wdbc.mult.dropout": "0.1,0.5"}
ONE = {"run.datasets": "[wdbc]", "models.wdbc.defaults.hidden_dim": "12"}
UNKNOWN = {"run.datasets": "[wdbx]"}
FOLDERS = ("data", "results/models", "results/curves", "results/predictions", "results/explanations", "results/cards")
FOLDERS = (*FOLDERS, "results/differences", "results/inputs", "results/metrics")


class Project:
    """A clone whose datasets both have results, which are committed."""

    def __init__(self, folder, environment):
        self.folder, self.environment = clone(folder, environment), environment
        locks = ["dvc.lock", "pipelines/*/dvc.lock", "stages/datasets/*/dvc.lock", "results/metrics/*"]
        self.run("git", "rm", "--quiet", *locks)  # of the default run, most of whose datasets are not here
        self.run("dvc", "exp", "run", "report", *set_params(BOTH))
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "both")
        self.before = self.results()

    def run(self, *words, check=True):
        return run([str(DVC) if word == "dvc" else word for word in words], self.folder, self.environment, check=check)

    def fails(self, *words):
        code, output = self.run(*words, check=False)
        assert code != 0
        return output

    def results(self, part=""):
        """Return the digest of every result, by its path from the root; of those whose path has a part."""
        found = [path for folder in FOLDERS for path in sorted((self.folder / folder).rglob("*")) if path.is_file()]
        names = {str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
        return {name: digest for name, digest in names.items() if part in name}

    def kept(self, part=""):
        return {name: digest for name, digest in self.before.items() if part in name}

    def changes(self):
        """Return what differs from the commit, as git sees it."""
        return self.run("git", "status", "--short").split()


@pytest.fixture(scope="module")
def shared(tmp_path_factory, environment):
    return Project(tmp_path_factory.mktemp("experiments") / "project", environment)


@pytest.fixture
def project(shared):
    """Give the project with all of its results; afterwards they are there again, without a training."""
    assert shared.results() == shared.before
    yield shared
    (shared.folder / "params.yaml").write_text(shared.run("git", "show", "HEAD:params.yaml"))
    shared.run("git", "restore", ".")
    assert "> python -m stages.train" not in shared.run("dvc", "repro")
    assert shared.results() == shared.before
    assert set(shared.changes()) <= {"M", "dvc.lock"}  # the report's page names the commit it was made from


def test_an_experiment_of_one_dataset_keeps_the_others_results(project):
    assert {"digits", "wdbc"} <= {name.split("/")[2].split(".")[0] for name in project.kept("results/")}
    project.run("dvc", "exp", "run", "report", *set_params(ONE))
    assert project.results("digits") == project.kept("digits")
    weights = "results/models/wdbc/mult/0.ckpt"
    assert project.results(weights) != project.kept(weights)
    project.run("dvc", "exp", "run", "report", *set_params({"run.datasets": "[digits]"}))
    assert project.results("digits") == project.kept("digits")
    assert set(project.results("wdbc")) == set(project.kept("wdbc"))


@pytest.mark.parametrize("wrong", [UNKNOWN, {"run.models": "[mult,mutl]"}, {"split.test": "0.25"}])
def test_an_experiment_with_wrong_settings_costs_nothing(project, wrong):
    assert "error: params.yaml" in project.fails("dvc", "exp", "run", "report", *set_params(wrong))
    assert project.results() == project.before


def test_an_experiment_whose_training_fails_costs_no_other_dataset(project):
    path = project.folder / "stages/train.py"
    path.write_text(f"raise SystemExit('no luck')\n{path.read_text()}")
    assert "no luck" in project.fails("dvc", "exp", "run", "report", *set_params(ONE))
    assert project.results("digits") == project.kept("digits")


def test_experiments_beside_the_workspace_change_nothing_in_it(project):
    changes = project.changes()
    project.run("dvc", "exp", "run", "--temp", "--name", "small", *set_params(ONE))
    project.fails("dvc", "exp", "run", "--temp", "--name", "wrong", *set_params(UNKNOWN))
    project.run("dvc", "exp", "run", "--queue", "--name", "grid", *set_params(GRID), "pipelines/evaluate/dvc.yaml")
    project.run("dvc", "exp", "run", "--queue", "--name", "queued-wrong", *set_params(UNKNOWN))
    project.run("dvc", "queue", "start", "-j", "2")
    deadline = time.monotonic() + 400
    while any(state in (status := project.run("dvc", "queue", "status")) for state in ("Queued", "Running")):
        assert time.monotonic() < deadline, status
        time.sleep(2)
    ended = {line.split()[1]: line.split()[-1] for line in status.splitlines() if "grid" in line or "wrong" in line}
    grid = [f"grid-{number}" for number in range(1, 5)]
    assert ended == dict.fromkeys(grid, "Success") | {"queued-wrong": "Failed"}
    assert project.results() == project.before
    assert project.changes() == changes
    project.run("dvc", "exp", "branch", "small", "small-model")
    (project.folder / "params.yaml").write_text(project.run("git", "show", "small-model:params.yaml"))
    assert "> python -m stages.train" not in project.run("dvc", "repro")
    model = json.loads((project.folder / "results/settings/wdbc/mult.json").read_text())
    assert model["config"]["hidden_dim"] == 12
    weights = "results/models/wdbc/mult/0.ckpt"
    assert project.results(weights).keys() == project.kept(weights).keys()
    assert project.results(weights) != project.kept(weights)
    assert project.results("digits") == project.kept("digits")
    check_grid(project, grid)


def check_grid(project, grid):
    """Look whether a grid is shown by its validation scores alone, and whether the best's training is there to take."""
    score = "results/metrics/wdbc/mult.json:validation.auroc"
    options = ["--only-changed", "--sort-by", score, "--sort-order", "desc"]
    options += ["--drop", f"(?!Experiment|models|{score}$)"]
    shown = project.run("env", "COLUMNS=1000", "dvc", "exp", "show", *options)
    assert max(map(len, shown.splitlines())) <= 200
    assert [word for word in shown.split() if ".json:" in word] == [score]
    rows = [line.split()[2:] for line in shown.splitlines() if "[grid-" in line]
    assert sorted(row[0].strip("[]") for row in rows) == grid
    scores = [validation_auroc(project, row[0].strip("[]")) for row in rows]
    assert [float(row[1]) for row in rows] == pytest.approx(scores, abs=1e-5)
    assert scores == sorted(scores, reverse=True)
    best = dict(zip([key for key, value in GRID.items() if "," in value], rows[0][2:], strict=True))
    assert "> python -m stages.train" not in project.run("dvc", "exp", "run", "report", *set_params(best))
    assert project.results("digits") == project.kept("digits")


def validation_auroc(project, experiment):
    """Return what an experiment's table has."""
    commit = project.run("git", "for-each-ref", "--format=%(objectname)", f"refs/exps/*/*/{experiment}").strip()
    table = pd.read_csv(io.StringIO(project.run("git", "show", f"{commit}:results/metrics/wdbc/mult.csv")))
    return table.set_index(["split", "metric"])["mean"]["validation", "auroc"]


def test_an_experiment_without_a_target_takes_results_away_but_not_for_good(project):
    """What DVC does so; the documents say to name `report`, and the way back, which the fixture takes."""
    project.fails("dvc", "exp", "run", *set_params(UNKNOWN))
    assert project.results("models") == {}
