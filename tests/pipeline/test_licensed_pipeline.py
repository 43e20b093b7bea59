"""What derives from restricted data, after real runs: none is sent to a remote, and none is left once forgotten."""

import json
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from stages.forget import EXPERIMENTS
from tests.pipeline.canaries import holding
from tests.pipeline.test_page_pipeline import CANARIES, small, write_restricted
from tests.pipeline.test_pipeline import DVC, clone, edited, environment, run

__all__ = ["environment"]  # a fixture

WORDS = [f"{word}0".encode() for word in CANARIES[:2]]  # of the first rows; in no source of these tests
TABLES = "stages/datasets/tables/dvc.yaml"
SHARE = [sys.executable, "-m", "stages.share"]
FORGET = [sys.executable, "-m", "stages.forget", "restricted"]
ROWS = 3  # of features, whose bytes are searched for: no other data have the same
SAID = "said.log"  # all that the runs printed
KILLED = EXPERIMENTS / "tmp7d_x"  # the folder of an experiment that was killed
OF_WDBC = [
    *(f"pipelines/{stage}/dvc.yaml:{stage}@wdbc-i2moe-mult" for stage in ("evaluate", "explain")),
    *(f"{stage}@wdbc" for stage in ("reference", "inputs", "compare")),
]


def both(params):
    small(params)
    params["run"] |= {"datasets": ["wdbc", "restricted"], "models": ["i2moe-mult"], "seeds": [0], "max_epochs": 2}


def restricted_alone(params):
    both(params)
    params["run"]["datasets"] = ["restricted"]
    params["split"]["seed"] = 1


def write_params(folder, change):
    """Change params.yaml for good."""
    path = folder / "params.yaml"
    params = YAML(typ="safe", pure=True).load(path.read_text())
    change(params)
    path.write_text(json.dumps(params, indent=2))


def leave_behind(folder, environment):
    """Leave what kills leave: half a file, half an object, and an experiment's folder with a copy of the raw files."""
    secret = (folder / "data/raw/restricted.csv").read_bytes()
    for name in (
        "data/cohorts/restricted.csv.partial",
        ".dvc/cache/files/md5/ab/.8fJkd.tmp",
        f"{KILLED}/data/raw/restricted.csv",
        "data/.texts/bert-0/keys.txt",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(secret)
    run([str(DVC), "init", "--no-scm", "--quiet"], folder / KILLED, environment)


@pytest.fixture(scope="module")
def ran(tmp_path_factory, environment):
    """A clone in which the pipeline ran on an open and a restricted table, the second split in two ways."""
    folder = clone(tmp_path_factory.mktemp("forget") / "project", environment)
    write_restricted(folder)
    write_params(folder, both)
    shutil.rmtree(folder / ".git")  # DVC looks at each commit for a second
    run(["git", "init", "--quiet"], folder, environment)
    run(["git", "add", "--all"], folder, environment)
    run(["git", "commit", "--quiet", "--message", "two datasets"], folder, environment)
    said = [run([str(DVC), "exp", "run", "--name", "together"], folder, environment)]
    with edited(folder, restricted_alone):
        target = f"{TABLES}:features@restricted"
        said.append(run([str(DVC), "exp", "run", "--name", "alone", target], folder, environment))
    said.append(run([str(DVC), "repro"], folder, environment))
    (folder / SAID).write_text("\n".join(said))
    leave_behind(folder, environment)
    return folder


@pytest.fixture(scope="module")
def secrets(ran):
    """Words of the table, and numbers that were made of it."""
    features = np.load(ran / "data/features/restricted/second.npy")
    predictions = pd.read_parquet(ran / "results/predictions/restricted/i2moe-mult.parquet")
    logits = predictions.filter(like="logit_").to_numpy()
    assert len(np.unique(features[:ROWS, 0])) == ROWS
    return [*WORDS, features[:ROWS].tobytes(), str(logits[0, 0]).encode()]


@pytest.fixture(scope="module")
def before(ran, secrets):
    return {secret: holding(ran, [secret]) for secret in secrets}


def test_the_search_finds_what_is_there(before):
    for found in before.values():
        assert any(name.startswith(("data/", "results/")) for name in found)
        assert any(name.startswith(".dvc/cache/") for name in found)
    names = set().union(*before.values())
    assert {
        "data/cohorts/restricted.csv",
        "data/features/restricted/second.npy",
        "data/cohorts/restricted.csv.partial",
        "results/predictions/restricted/i2moe-mult.parquet",
        f"{KILLED}/data/raw/restricted.csv",
        ".dvc/cache/files/md5/ab/.8fJkd.tmp",
    } <= names


def test_no_byte_of_it_is_outside_of_data_results_and_the_cache_nor_in_metrics_plots_or_what_runs_print(before, ran):
    names = set().union(*before.values())
    assert not [name for name in names if not name.startswith(("data/", "results/", ".dvc/cache/", f"{KILLED}/"))]
    assert not [name for name in names if name.startswith(("results/metrics", "results/plots"))]
    said = (ran / SAID).read_text()
    assert "Running stage 'pipelines/train/dvc.yaml:train@restricted-i2moe-mult'" in said
    assert (ran / "reports/index.html").exists()


@pytest.fixture(scope="module")
def remote(ran, before, environment, tmp_path_factory):  # noqa: ARG001 (found before)
    """A remote of DVC and one of git; the run is committed."""
    folder = tmp_path_factory.mktemp("remotes")
    run([str(DVC), "remote", "add", "--default", "team", str(folder / "dvc")], ran, environment)
    run(["git", "init", "--quiet", "--bare", str(folder / "git")], ran, environment)
    run(["git", "remote", "add", "team", str(folder / "git")], ran, environment)
    run(["git", "add", "--all"], ran, environment)
    run(["git", "commit", "--quiet", "--message", "a run"], ran, environment)
    return folder / "dvc"


def sent(remote):
    return {path.relative_to(remote) for path in remote.rglob("*") if path.is_file()}


def test_no_push_of_dvcs_own_sends_data(ran, remote, environment):
    for options in (
        [],
        ["--remote", "team"],
        ["--all-commits"],
        ["--run-cache"],
        ["reports", "data/features/restricted", "results/models/restricted/i2moe-mult"],
    ):
        run([str(DVC), "push", *options], ran, environment, check=False)
    run([str(DVC), "exp", "push", "team", "together", "alone", "--remote", "team"], ran, environment, check=False)
    assert {path.parts[0] for path in sent(remote)} <= {"runs"}  # parameters and hashes


def refuses(ran, environment):
    """Return why the restricted table stays here."""
    output = run([*SHARE, "push", "team"], ran, environment)
    (line,) = [line for line in output.splitlines() if line.startswith("restricted: ")]
    return line.removeprefix("restricted: stays here: ")


def test_what_is_open_is_sent_and_what_is_restricted_stays_whatever_one_changes(ran, remote, secrets, environment):
    output = run([*SHARE, "push", "team"], ran, environment)
    assert "restricted: stays here: its licence is restricted" in output
    assert "report: stays here: it shows restricted" in output
    count = len(sent(remote / "files"))
    assert f"wdbc: the remote has all {count} files, {count} of them new" in output
    cohort = ran / "data/cohorts/restricted.json"
    before = cohort.read_text()
    cohort.unlink()  # a link to the cache, maybe
    cohort.write_text(before.replace('"restricted"', '"open"'))
    assert refuses(ran, environment).endswith("is not up to date: run `dvc repro`")
    cohort.write_text(before)
    with edited(ran, lambda params: params["data"]["tables"]["restricted"].update(licence="open")):
        assert refuses(ran, environment).endswith("is not up to date: run `dvc repro`")
    assert refuses(ran, environment) == "its licence is restricted"
    assert len(sent(remote / "files")) == count
    assert holding(remote, secrets) == set()


def test_a_clone_that_pulls_has_all_of_the_open_dataset_and_computes_none_of_it(ran, remote, environment, tmp_path):  # noqa: ARG001
    run([*SHARE, "push", "team"], ran, environment)
    folder = tmp_path / "clone"
    run(["git", "clone", "--quiet", str(ran), str(folder)], ran, environment)
    output = run([*SHARE, "pull", "team"], folder, environment)
    assert "wdbc: 13 of 13 outputs are here" in output
    # The one: no model here starts from another, so that both tables of gains are the same header.
    assert "restricted: 1 of 12 outputs are here; nobody pushed the rest" in output
    output = run([str(DVC), "repro", *OF_WDBC], folder, environment)
    assert [line for line in output.splitlines() if line.startswith("Running stage")] == ["Running stage 'settings':"]
    for name in ("models", "predictions", "metrics", "explanations"):
        files = [path for path in (folder / "results" / name / "wdbc").rglob("*") if path.is_file()]
        assert files
        assert all(path.read_bytes() == (ran / path.relative_to(folder)).read_bytes() for path in files)


def test_a_clone_with_the_same_cache_trains_nothing_twice(ran, remote, environment, tmp_path):  # noqa: ARG001
    folder = tmp_path / "clone"
    run(["git", "clone", "--quiet", str(ran), str(folder)], ran, environment)
    run([str(DVC), "cache", "dir", "--local", str(ran / ".dvc/cache")], folder, environment)
    output = run([str(DVC), "repro", *OF_WDBC], folder, environment)
    ran_again = {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")}
    assert ran_again <= {"settings", "reference@wdbc"}
    assert "train@wdbc-i2moe-mult' is cached - skipping run, checking out outputs" in output
    assert (folder / "results/models/wdbc/i2moe-mult/0.ckpt").exists()


def test_a_remote_that_was_never_named_is_an_error(ran, environment):
    code, output = run([*SHARE, "push", "teem"], ran, environment, check=False)
    assert code == 1
    assert (
        "error: teem: config file error: remote 'teem' doesn't exist: `dvc remote add teem URL` names a remote"
        in output
    )


def test_it_asks_before_it_removes(ran, before, secrets, environment):
    code, output = run(FORGET, ran, environment, check=False)
    assert code == 1
    assert "Remove them? [y/N]" in output
    assert {secret: holding(ran, [secret]) for secret in secrets} == before


@pytest.fixture(scope="module")
def others(ran, before):  # noqa: ARG001 (first)
    """The files of the other dataset."""
    return {path: path.read_bytes() for path in ran.rglob("*wdbc*/**/*") if path.is_file() and ".git" not in path.parts}


@pytest.fixture(scope="module")
def said(ran, others, environment):  # noqa: ARG001 (first)
    return run([*FORGET, "--yes"], ran, environment)


def test_no_byte_of_it_is_left(ran, said, secrets):  # noqa: ARG001 (after it)
    assert holding(ran, secrets) == set()
    assert (ran / "data/raw/restricted.csv").exists()


def test_it_says_what_it_removed_and_what_stays(said):
    assert "data/features/restricted" in said
    assert "1 experiments on it alone" in said
    assert "1 experiments on further datasets, with its scores: together" in said
    assert "run.datasets still names restricted" in said
    assert int(said.split("\nremoved ")[1].split()[0]) > 100


def test_no_lock_file_and_no_entry_of_the_run_cache_names_it(ran, said, environment):  # noqa: ARG001
    locks = [*ran.glob("dvc.lock"), *ran.glob("*/*/dvc.lock"), *ran.glob("*/*/*/dvc.lock")]
    runs = [path for path in (ran / ".dvc/cache/runs").rglob("*") if path.is_file()]
    assert len(locks) > 8
    assert runs
    for path in [*locks, *runs]:
        stages = YAML(typ="safe").load(path.read_text())
        for stage in stages["stages"].values() if "stages" in stages else [stages]:
            assert not [out for out in stage["outs"] if "restricted" in out["path"]]
    assert run([str(DVC), "exp", "list", "--all", "--name-only"], ran, environment).split() == ["together"]


@pytest.fixture(scope="module")
def open_alone(ran, said, environment):  # noqa: ARG001 (after it)
    """What a run says that has the open dataset alone, after a look that nothing of this one runs."""
    assert "Running stage" not in run([str(DVC), "repro", *OF_WDBC], ran, environment)
    write_params(ran, lambda params: params["run"].update(datasets=["wdbc"]))
    return run([str(DVC), "repro"], ran, environment)


def test_the_other_dataset_is_as_it_was_and_nothing_of_it_runs(ran, said, others, open_alone):  # noqa: ARG001
    assert len(others) > 20
    stages = {line.split("'")[1] for line in open_alone.splitlines() if line.startswith("Running stage")}
    assert stages == {"settings", "compare@wdbc", "report"}  # which depend on run.datasets
    assert (ran / "reports/index.html").exists()
    assert {path: path.read_bytes() for path in others} == others


def test_a_report_of_open_datasets_is_sent_and_pulled(ran, remote, open_alone, environment, tmp_path):  # noqa: ARG001
    assert "report: the remote has all" in run([*SHARE, "push", "team"], ran, environment)
    run(["git", "add", "--all"], ran, environment)
    run(["git", "commit", "--quiet", "--message", "open alone"], ran, environment)
    folder = tmp_path / "clone"
    run(["git", "clone", "--quiet", str(ran), str(folder)], ran, environment)
    assert "report: 1 of 1 outputs are here" in run([*SHARE, "pull", "team"], folder, environment)
    assert (folder / "reports/index.html").read_bytes() == (ran / "reports/index.html").read_bytes()


def test_a_dataset_of_which_there_is_nothing_is_an_error(ran, said, environment):  # noqa: ARG001
    code, output = run([*FORGET[:-1], "mimicc", "--yes"], ran, environment, check=False)
    assert code == 1
    assert "error: there is nothing of 'mimicc'; allowed: " in output
    assert "did you mean 'mimic'?" in output
