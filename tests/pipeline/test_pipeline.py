"""The real `dvc repro` in a temporary clone, on the smallest settings: everything a user does, end to end."""

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
    "models.defaults.hidden_dim": "8",
    "models.defaults.encoder_dim": "8",
    "models.defaults.num_patches": "2",
}


@pytest.fixture(scope="module")
def environment():
    scripts = f"{DVC.parent}{os.pathsep}{os.environ['PATH']}"
    identity = {"NAME": "test", "EMAIL": "test@example.org"}
    git = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in identity.items()}
    return os.environ | git | {"PATH": scripts, "PYTHONPATH": ".", "DVC_NO_ANALYTICS": "1"}


def run(command, folder, environment, *, check=True):
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=560
    )
    output = done.stdout + done.stderr
    assert not check or done.returncode == 0, output[-3000:]
    return output if check else (done.returncode, output)


def clone(folder, environment):
    """Clone the project as it stands, uncommitted changes included."""
    run(["git", "clone", "--quiet", str(ROOT), str(folder)], ROOT, environment)
    changed = run(["git", "ls-files", "--modified", "--others", "--exclude-standard"], ROOT, environment).splitlines()
    for name in changed:
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
    assert not list((project / "results/.resume").rglob("*.ckpt"))
    for name in ("performance", "experts", "agreement", "coalitions"):
        assert (project / f"reports/tables/{name}.csv").exists()
        assert (project / f"reports/tables/{name}.md").read_text().startswith("| dataset ")
    for name in ("weights", "alone", "curves", "example", "modalities"):
        assert (project / f"reports/figures/wdbc-i2moe-mult-{name}.svg").exists()


def test_the_page_is_self_contained_and_shows_every_expert_with_what_it_does_alone(project):
    page = (project / "reports/index.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert 'src="data:image/svg+xml;base64,' in page
    experts = pd.read_csv(project / "reports/tables/experts.csv")
    for row in experts.to_dict("records"):
        assert f"<td>{row['expert']}" in page
        assert f"{row['alone']:.3f} [" in page
        assert (f"dead in {row['dead_seeds']} of 2 seeds" in page) or row["dead_seeds"] == 0


def test_the_bootstrap_table_holds_every_seed(project):
    scores = pd.read_csv(project / "results/metrics/wdbc/mult.csv")
    row = scores[(scores["split"] == "test") & (scores["metric"] == "accuracy")].iloc[0]
    assert row["mean"] == pytest.approx((row["seed_0"] + row["seed_1"]) / 2, abs=1e-6)
    assert row["low"] <= row["mean"] <= row["high"]


def test_nothing_runs_when_nothing_changed(project, environment):
    output = run([str(DVC), "repro"], project, environment)
    assert "Running stage" not in output
    assert "Data and pipelines are up to date" in output


def test_one_models_value_reruns_only_what_depends_on_it(project, environment):
    before = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(before.replace("loss_weight: 0.1", "loss_weight: 0.25", 1))
    planned = run([str(DVC), "repro", "--dry"], project, environment)
    (project / "params.yaml").write_text(before)
    stages = {line.split("'")[1] for line in planned.splitlines() if line.startswith("Running stage")}
    assert stages >= {"check", "train@wdbc-i2moe-mult-0", "train@wdbc-i2moe-mult-1"}
    assert not [name for name in stages if "wdbc-mult" in name or "cohort" in name or "features" in name]


def test_dvc_shows_metrics_params_plots_and_experiments(project, environment):
    shown = run([str(DVC), "metrics", "show"], project, environment)
    assert "results/metrics/wdbc/i2moe-mult.json" in shown
    assert "accuracy" in shown
    difference = json.loads(run([str(DVC), "params", "diff", "--json"], project, environment))
    assert difference["params.yaml"]["run.max_epochs"]["new"] == 2
    plots = run([str(DVC), "plots", "show", "--out", "plots"], project, environment)
    page = Path(plots.strip().removeprefix("file://")).read_text()
    assert "validation_loss" in page
    assert "wdbc/i2moe-mult.json:accuracy" in run([str(DVC), "exp", "show", "--csv"], project, environment)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run.models": "[mult,i2moe-mut]"}, "unknown model 'i2moe-mut' for dataset wdbc"),
        ({"split.test": "0.25"}, "allowed: shares that sum to 1"),
        ({"models.defaults.fusion.num_heads": "3"}, "fusion.num_heads 3 does not divide hidden_dim 8"),
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
}


def test_own_data_without_code_synthetic_regression_by_family(project, environment):
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
    before = (project / "params.yaml").read_text()
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(before)
    params["run"] |= {"datasets": ["own"], "models": ["i2moe-mult"], "seeds": [0]}
    params["data"]["tables"]["own"] = OWN_DATA
    params["models"]["own"] = {"i2moe-mult": OWN_MODEL}
    yaml.dump(params, project / "params.yaml")
    run([str(DVC), "repro"], project, environment)
    cohort = pd.read_csv(project / "data/cohorts/own.csv")
    assert len(cohort[["group_id", "split"]].drop_duplicates()) == 30  # families, each in one split
    assert json.loads((project / "data/features/own/body.json").read_text())["missing_values"] == {"age": 10}
    assert set(json.loads((project / "results/metrics/own/i2moe-mult.json").read_text())) == {"mae", "r2"}
    page = (project / "reports/index.html").read_text()
    assert "No single sample is shown: the dataset's licence is restricted" in page
    assert not (project / "results/explanations/own/i2moe-mult/example.json").exists()
    assert not [person for person in people["person"] if person in page]
    (project / "params.yaml").write_text(before)


def test_a_killed_training_resumes_and_ends_with_the_metrics_of_an_undisturbed_one(project, tmp_path, environment):
    """Kill -9 the whole process group in mid-training, in a second clone in another folder; compare bytes."""
    folder = clone(tmp_path / "elsewhere" / "clone", environment)
    shutil.copy(project / "params.yaml", folder / "params.yaml")
    command = [str(DVC), "repro", "evaluate@wdbc-i2moe-mult"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True, **quiet) as killed:
        deadline = time.monotonic() + 300
        while not list((folder / "results/.resume").rglob("last.ckpt")):
            assert time.monotonic() < deadline
            assert killed.poll() is None
            time.sleep(0.02)
        os.killpg(killed.pid, signal.SIGKILL)
    assert list((folder / "results/.resume").rglob("last.ckpt"))
    run(command, folder, environment)
    for name in ("i2moe-mult.json", "i2moe-mult.csv"):
        same = [(one / "results/metrics/wdbc" / name).read_bytes() for one in (project, folder)]
        assert same[0] == same[1], name
    for seed in (0, 1):
        curves = [pd.read_csv(one / f"results/curves/wdbc/i2moe-mult/{seed}.csv") for one in (project, folder)]
        pd.testing.assert_frame_equal(*curves)
