"""The real `dvc repro` in a temporary clone, on the smallest settings: everything a user does, end to end."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DVC = Path(sys.executable).with_name("dvc")
TINY = {
    "run.datasets": "[wdbc]",
    "run.seeds": "[0,1]",
    "run.max_epochs": "2",
    "models.wdbc.defaults.hidden_dim": "8",
    "models.defaults.encoder_dim": "8",
    "models.defaults.num_patches": "2",
}


@pytest.fixture(scope="module")
def environment():
    scripts = f"{DVC.parent}{os.pathsep}{os.environ['PATH']}"
    identity = {"NAME": "test", "EMAIL": "test@example.org"}
    git = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in identity.items()}
    return os.environ | git | {"PATH": scripts, "PYTHONPATH": "."}


def run(command, folder, environment, *, check=True, timeout=560):
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=timeout
    )
    output = done.stdout + done.stderr
    assert not check or done.returncode == 0, output[-3000:]
    return output if check else (done.returncode, output)


def clone(folder, environment):
    """Clone the project as it stands, uncommitted changes included."""
    run(["git", "clone", "--quiet", str(ROOT), str(folder)], ROOT, environment)
    changed = run(["git", "diff", "--name-only", "--no-renames", "HEAD"], ROOT, environment)
    new = run(["git", "ls-files", "--others", "--exclude-standard"], ROOT, environment)
    for name in [*changed.splitlines(), *new.splitlines()]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).unlink(missing_ok=True)
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)
    run(["git", "add", "--all"], folder, environment)
    run(["git", "commit", "--quiet", "--allow-empty", "--message", "as it stands"], folder, environment)
    return folder


def settings(**more):
    return [part for key, value in (TINY | more).items() for part in ("--set-param", f"{key}={value}")]


def experiment(folder, environment, *, check=True, **more):
    return run([str(DVC), "exp", "run", *settings(**more)], folder, environment, check=check)


@pytest.fixture(scope="module")
def project(tmp_path_factory, environment):
    """A clone in which the tiny pipeline ran once."""
    folder = clone(tmp_path_factory.mktemp("pipeline") / "project", environment)
    experiment(folder, environment)
    return folder


def test_the_pipeline_leaves_what_the_readme_promises(project):
    metrics = json.loads((project / "results/metrics/wdbc/i2moe-mult.json").read_text())
    assert {"accuracy", "accuracy_std", "auroc", "macro_f1"} <= set(metrics)
    assert 0.4 < metrics["accuracy"] <= 1
    predictions = pd.read_parquet(project / "results/predictions/wdbc/i2moe-mult.parquet")
    experts = ["uniqueness_mean", "uniqueness_error", "uniqueness_worst", "synergy", "redundancy"]
    assert {"seed", "sample_id", "split", "label", "logit_benign", "logit_malignant"} <= set(predictions)
    assert {f"{expert}.weight" for expert in experts} <= set(predictions)
    assert {f"{expert}.logit_malignant" for expert in experts} <= set(predictions)
    assert len(predictions) == 2 * 569
    weights = predictions[[f"{expert}.weight" for expert in experts]].sum(axis=1)
    assert weights.to_numpy() == pytest.approx(1, abs=1e-5)
    assert {path.name for path in (project / "results/.training").rglob("*.ckpt")} == {"weights.ckpt"}
    times = [json.loads(path.read_text()) for path in (project / "results").rglob("seconds.json")]
    assert [len(one["epochs"]) for one in times] == [2, 2, 2, 2]  # two models, two seeds, two epochs
    assert all(min(*one["epochs"], one["inference"]) > 0 for one in times)
    for name in ("performance", "differences", "experts", "expert_seeds", "gate", "agreement", "example", "coalitions"):
        assert (project / f"reports/tables/{name}.csv").exists()
        assert (project / f"reports/tables/{name}.md").read_text().startswith("| dataset ")
    for name in ("weights", "alone", "curves", "example", "modalities"):
        assert (project / f"reports/figures/wdbc-i2moe-mult-{name}.svg").exists()


def test_the_page_is_self_contained_and_shows_every_expert_with_what_it_does_alone(project):
    page = (project / "reports/index.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert '<svg role="img"' in page
    experts = pd.read_csv(project / "reports/tables/experts.csv")
    for row in experts.to_dict("records"):
        assert f"</span>{row['expert']}</th>" in page
        assert f"{row['alone']:.3f} [" in page
        counts = [row["knows_seeds"], row["chance_seeds"], row["unclear_seeds"]]
        assert sum(counts) == 2
        for words, count in zip(("knows something", "at chance", "cannot tell"), counts, strict=True):
            assert (f"{words} in {count} of 2 seeds" in page) or count == 0


def test_the_bootstrap_table_holds_every_seed(project):
    scores = pd.read_csv(project / "results/metrics/wdbc/mult.csv")
    row = scores[(scores["split"] == "test") & (scores["metric"] == "accuracy")].iloc[0]
    assert row["mean"] == pytest.approx((row["seed_0"] + row["seed_1"]) / 2, abs=1e-6)
    assert row["low"] <= row["mean"] <= row["high"]


def test_nothing_runs_when_nothing_changed(project, environment):
    output = run([str(DVC), "repro"], project, environment)
    assert "Running stage" not in output
    assert "Data and pipelines are up to date" in output


@contextlib.contextmanager
def edited(project, change):
    """Change params.yaml with a function; afterwards it is what it was."""
    path = project / "params.yaml"
    before = path.read_text()
    params = YAML(typ="safe", pure=True).load(before)
    change(params)
    path.write_text(json.dumps(params, indent=2))  # JSON is YAML, and keeps the modalities' order
    try:
        yield path
    finally:
        path.write_text(before)


def planned(project, environment):
    """Write the models' settings anew; return the stages that would run after that."""
    run([str(DVC), "repro", "settings"], project, environment)
    output = run([str(DVC), "repro", "--dry"], project, environment)
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}


def test_one_models_settings_retrain_that_model_only(project, environment):
    def change(params):
        params["models"]["wdbc"]["i2moe-mult"]["interaction"]["loss_weight"] = 0.25

    with edited(project, change):
        stages = planned(project, environment)
    assert {name for name in stages if ":train@" in name} == {"pipelines/train/dvc.yaml:train@wdbc-i2moe-mult"}
    assert not [name for name in stages if "wdbc-mult" in name or "cohort" in name or "features" in name]


def test_other_settings_of_explanations_explain_again_and_train_nothing(project, environment):
    def change(params):
        params["explain"]["agreement_tolerance"] = 0.5

    with edited(project, change):
        stages = planned(project, environment)
    assert {name.split(":")[-1].split("@")[0] for name in stages} == {"explain", "report"}  # which shows all settings


def test_nothing_retrains_for_a_comment_equal_values_or_another_datasets_settings(project, environment):
    def change(params):
        models = params["models"]
        models["defaults"]["dropout"] = 5e-1  # as it was
        models["shared"]["mult"]["batch_size"] = models["defaults"]["batch_size"]  # as it was, said elsewhere
        models["digits"]["mult"]["batch_size"] = 16
        models["adni"]["mult"]["epochs"] = 3
        models["shared"]["lrmf"]["fusion"]["rank"] = 5

    with edited(project, change) as path:  # which drops all comments too
        path.write_text("# another comment\n" + path.read_text())
        stages = planned(project, environment)
    assert not [name for name in stages if not name.startswith(("settings", "report"))]


OWN_FUSION = """
import torch
from torch import nn


class Product(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.head = nn.Linear(sizes.hidden_dim, sizes.num_outputs)

    def forward(self, tokens):
        return self.head(torch.stack([modality.mean(dim=1) for modality in tokens]).prod(dim=0))
"""


def test_a_fusion_of_ones_own_has_other_settings_when_its_file_changes(project, environment):
    def change(params):
        params["models"]["wdbc"]["product"] = {"fusion": {"method": "own.product:Product"}}
        params["run"] |= {"models": ["product"], "seeds": [0]}

    sources = []
    with edited(project, change):
        for text in (OWN_FUSION, OWN_FUSION.replace("prod(", "mean(")):
            (project / "own/product.py").write_text(text)
            run([str(DVC), "repro", "settings"], project, environment)
            settings = json.loads((project / "results/settings/wdbc/product.json").read_text())
            sources.append(settings["fusion_source"])
    assert sources[0] != sources[1]  # which `train` depends on


ABLATIONS = ["no-interaction-loss", "synergy-redundancy", "mean-vector"]


def run_ablations(params):
    params["run"] |= {"models": ABLATIONS, "seeds": [0], "max_epochs": 3}


@pytest.fixture(scope="module")
def ablations(project, tmp_path_factory, environment):
    """What the project leaves when it runs the ablations, whose report is of these alone; copied, for others follow."""
    with edited(project, run_ablations):
        run([str(DVC), "repro"], project, environment)
    folder = tmp_path_factory.mktemp("ablations")
    for name in ("curves", "metrics", "predictions"):
        shutil.copytree(project / "results" / name, folder / "results" / name)
    shutil.copytree(project / "reports", folder / "reports")
    return folder


@pytest.mark.parametrize("model", ABLATIONS)
def test_ablations_train_and_their_report_renders(ablations, model):
    experts = pd.read_csv(ablations / "reports/tables/experts.csv")
    names = ["uniqueness_mean", "uniqueness_error", "uniqueness_worst", "synergy", "redundancy"]
    if model == "synergy-redundancy":
        names = names[3:]
    assert experts.loc[experts["model"] == model, "expert"].tolist() == names
    predictions = pd.read_parquet(ablations / f"results/predictions/wdbc/{model}.parquet")
    assert {f"{name}.weight" for name in names} == {name for name in predictions if name.endswith(".weight")}
    curves = pd.read_csv(ablations / f"results/curves/wdbc/{model}/0.csv")
    losses = set() if model == "no-interaction-loss" else {f"train_{name}_loss" for name in names}
    assert {name for name in curves if name.startswith("train_")} == {"train_total_loss", "train_task_loss", *losses}
    for name in ("weights", "alone", "curves", "example", "modalities"):
        assert (ablations / f"reports/figures/wdbc-{model}-{name}.svg").exists()
    assert f"{model}" in (ablations / "reports/index.html").read_text()


def test_dvc_shows_metrics_params_plots_and_experiments(project, environment):
    shown = run([str(DVC), "metrics", "show"], project, environment)
    assert "results/metrics/wdbc/i2moe-mult.json" in shown
    assert "accuracy" in shown
    difference = json.loads(run([str(DVC), "params", "diff", "--json"], project, environment))
    assert difference["params.yaml"]["run.max_epochs"]["new"] == 2
    plots = run([str(DVC), "plots", "show", "--out", "plots"], project, environment)
    page = Path(plots.strip().removeprefix("file://")).read_text()
    for title in ("Task loss by epoch", "Test predictions by class", "Mean weight of each expert"):
        assert title in page
    shown = json.loads(run([str(DVC), "plots", "show", "--json"], project, environment))
    assert "errors" not in shown
    rows = [len(pd.read_csv(project / f"results/plots/{name}.csv")) for name in ("losses", "confusion", "weights")]
    assert [len(plot[0]["content"]["data"]["values"]) for plot in shown["data"].values()] == rows
    assert min(rows) > 0
    assert "wdbc/i2moe-mult.json:accuracy" in run([str(DVC), "exp", "show", "--csv"], project, environment)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run.models": "[mult,i2moe-mut]"}, "unknown model 'i2moe-mut' for dataset wdbc"),
        ({"split.test": "0.25"}, "allowed: shares that sum to 1"),
        ({"models.shared.mult.fusion.num_heads": "3"}, "fusion.num_heads 3 does not divide hidden_dim 8"),
    ],
)
def test_wrong_settings_stop_before_anything_trains(project, environment, change, message):
    before = (project / "params.yaml").read_bytes()
    code, output = experiment(project, environment, check=False, **change)
    (project / "params.yaml").write_bytes(before)
    assert code != 0
    assert message in output
    assert "Traceback" not in output
    assert "stages.train" not in output


OWN_DATA = {
    "raw": "data/raw",
    "files": ["people.csv", "scan.npy"],
    "id": "person",
    "group": "family",
    "label": "score",
    "task": "regression",
    "modalities": {"body": {"columns": ["age", "sex"]}, "scan": {"prefix": "scan."}},
}
OWN_MODEL = {
    "interaction": {"loss_weight": 0.1},
    "reweighting": {"hidden_dim": 8, "num_layers": 1, "temperature": 1},
    "selection": "mae",
    "hidden_dim": 8,
    "num_patches": 2,
}


def test_own_data_without_code_synthetic_regression_by_family_under_a_sparse_i2moe(project, environment):
    generator = np.random.default_rng(0)
    (project / "data/raw").mkdir()
    scan = generator.normal(size=(90, 6))
    people = pd.DataFrame(
        {
            "person": [f"p{row:02d}" for row in range(90)],
            "family": [f"f{row // 3}" for row in range(90)],
            "age": [np.nan if row % 9 == 0 else 20 + row for row in range(90)],
            "sex": ["f" if row % 2 else "m" for row in range(90)],
            "score": 10 * scan[:, 0],
        }
    )
    people.to_csv(project / "data/raw/people.csv", index=False)
    np.save(project / "data/raw/scan.npy", scan)

    def change(params):
        params["run"] |= {"datasets": ["own"], "models": ["i2moe-switchgate"], "seeds": [0]}
        params["data"]["tables"]["own"] = OWN_DATA
        params["models"]["own"] = {"i2moe-switchgate": OWN_MODEL}

    with edited(project, change):
        run([str(DVC), "repro"], project, environment)
    cohort = pd.read_csv(project / "data/cohorts/own.csv")
    assert len(cohort[["group_id", "split"]].drop_duplicates()) == 30  # families, each in one split
    assert json.loads((project / "data/features/own/body.json").read_text())["missing_values"] == {"age": 10}
    metrics = json.loads((project / "results/metrics/own/i2moe-switchgate.json").read_text())
    assert set(metrics) == {"mae", "pearson", "r2", "acc2_neutral_negative", "acc2_neutral_excluded", "validation"}
    page = (project / "reports/index.html").read_text()
    assert "No single sample is shown: the dataset's licence is restricted" in page
    assert not (project / "results/explanations/own/i2moe-switchgate/example.parquet").exists()
    assert not [person for person in people["person"] if person in page]
    curves = pd.read_csv(project / "results/curves/own/i2moe-switchgate/0.csv")
    experts = ("uniqueness_body", "uniqueness_scan", "synergy", "redundancy")
    assert {"train_balance_loss", *(f"train_{name}_loss" for name in experts)} <= set(curves)
    assert np.isfinite(curves.to_numpy()).all()


def test_a_killed_training_resumes_and_ends_with_the_metrics_of_an_undisturbed_one(
    project, ablations, tmp_path, environment
):
    """Kill -9 the whole process group in mid-training, in a second clone in another folder; compare bytes."""
    folder = tmp_path / "elsewhere" / "clone"
    run(["git", "clone", "--quiet", str(project), str(folder)], project, environment)
    shutil.copy(project / "params.yaml", folder / "params.yaml")
    command = [str(DVC), "repro", "pipelines/evaluate/dvc.yaml:evaluate@wdbc-mean-vector"]
    with edited(folder, run_ablations):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **quiet) as killed:
            deadline = time.monotonic() + 300
            while not list((folder / "results/.training").rglob("last.ckpt")):
                assert time.monotonic() < deadline
                assert killed.poll() is None
                time.sleep(0.02)
            os.killpg(killed.pid, signal.SIGKILL)
        assert list((folder / "results/.training").rglob("last.ckpt"))
        run(command, folder, environment)
        for name in ("mean-vector.json", "mean-vector.csv"):
            same = [(one / "results/metrics/wdbc" / name).read_bytes() for one in (ablations, folder)]
            assert same[0] == same[1], name
        curves = [pd.read_csv(one / "results/curves/wdbc/mean-vector/0.csv") for one in (ablations, folder)]
        pd.testing.assert_frame_equal(*curves)
