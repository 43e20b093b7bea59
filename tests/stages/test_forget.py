"""`stages.forget` on a small folder with a cache made by hand."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from i2moe.base.errors import InputError
from stages import forget
from stages.shared.outputs import Objects, locked_stages

CACHE = Path(".dvc/cache")
DVC = Path(sys.executable).with_name("dvc")


def stored(content, cache=CACHE):
    """Put bytes, or files by name, into the cache; return their hash."""
    end = ""
    if isinstance(content, dict):
        inside = [{"md5": stored(own, cache), "relpath": name} for name, own in content.items()]
        content, end = json.dumps(inside).encode(), ".dir"
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + end
    path = cache / "files/md5" / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5


def locked(**stages):
    """Return a lock file's text: a stage for each name, with outputs by path, hash or content."""
    own = {
        name: {"cmd": name, "outs": [{"path": path, "md5": md5} for path, md5 in outputs.items()]}
        for name, outputs in stages.items()
    }
    return json.dumps({"schema": "2.0", "stages": own})


def there(md5, cache=CACHE):
    return md5 in Objects(cache).files


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A project of git and DVC without a file."""
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run([DVC, "init", "--quiet"], cwd=folder, check=True)
    return folder


@pytest.fixture
def project(empty, tmp_path, monkeypatch):
    """A project of git and DVC with parameters alone."""
    folder = shutil.copytree(empty, tmp_path / "project")
    monkeypatch.chdir(folder)
    for key in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{key}_NAME", "test")
        monkeypatch.setenv(f"GIT_{key}_EMAIL", "test@example.org")
    Path("params.yaml").write_text(json.dumps({"run": {"datasets": ["a"]}, "data": {"tables": {"a": {"raw": "raw"}}}}))
    return folder


def write(name, content=b"x"):
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def commit():
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "--quiet", "--message", "one more"], check=True)


@pytest.mark.usefixtures("project")
def test_files_of_a_dataset_go_and_those_of_others_whose_names_begin_alike_stay():
    own = [write(f"data/cohorts/a{end}") for end in (".csv", ".json", ".visits.csv", ".csv.partial")]
    own += [
        write("data/interim/a/plots.npy"),
        write("results/.training/a/mult/0/key/last.ckpt"),
        write("data/.images/k/f"),
    ]
    own += [write("data/synthetic/a/table.csv"), write("results/models/a/mult/0.ckpt")]
    kept = [write(name) for name in ("data/cohorts/ab.csv", "data/features/a-b/x.npy", "data/raw/a/x.csv", "raw")]
    kept += [write(name) for name in ("results/settings/a/mult.json", "results/models/b/a/0.ckpt", "results/checked")]
    forget.forget("a", yes=True)
    assert not [path for path in own if path.exists()]
    assert all(path.exists() for path in kept)


@pytest.mark.usefixtures("project")
def test_an_object_that_another_dataset_has_too_stays_and_is_counted(capsys):
    same, mine, others = b"labels", b"of a", b"of b"
    hashes = {
        "data/features/a": stored({"label.npy": same, "x.npy": mine}),
        "data/features/b": stored({"label.npy": same, "x.npy": others}),
    }
    write("dvc.lock", locked(**{path: {path: md5} for path, md5 in hashes.items()}).encode())
    forget.forget("a", yes=True)
    assert there(stored_hash(same))
    assert there(stored_hash(others))
    assert there(hashes["data/features/b"])
    assert not there(stored_hash(mine))
    assert not there(hashes["data/features/a"])
    assert "2 objects of DVC's cache; 1 more stay, for other datasets have the same" in capsys.readouterr().out
    assert set(locked_stages(Path("dvc.lock").read_text())) == {"data/features/b"}


@pytest.mark.usefixtures("project")
def test_a_whole_output_that_another_dataset_has_too_stays():
    same = stored(b"a header alone")
    files = dict.fromkeys(("results/differences/a.gains.csv", "results/differences/b.gains.csv"), same)
    write("dvc.lock", locked(**{path: {path: md5} for path, md5 in files.items()}).encode())
    forget.forget("a", yes=True)
    assert there(same)
    assert set(locked_stages(Path("dvc.lock").read_text())) == {"results/differences/b.gains.csv"}


def stored_hash(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def test_objects_that_only_a_commit_or_the_run_cache_names_go_and_others_of_these_stay(project):
    old = {name: stored(f"old {name}".encode()) for name in "ab"}
    write("dvc.lock", locked(**{name: {f"data/cohorts/{name}.csv": md5} for name, md5 in old.items()}).encode())
    commit()
    subprocess.run(["git", "rm", "--quiet", "dvc.lock"], check=True)
    commit()
    for name in "ab":
        old[f"run {name}"] = stored(f"run {name}".encode())
        entry = {"cmd": "x", "outs": [{"path": f"data/cohorts/{name}.csv", "md5": old[f"run {name}"]}]}
        write(f".dvc/cache/runs/ab/abc/{name}", json.dumps(entry).encode())
    forget.forget("a", yes=True)
    assert {name: there(md5) for name, md5 in old.items()} == {"a": False, "b": True, "run a": False, "run b": True}
    assert [path.name for path in (project / ".dvc/cache/runs/ab/abc").iterdir()] == ["b"]


@pytest.mark.usefixtures("project")
def test_a_report_goes_when_it_shows_the_dataset_and_stays_when_not():
    shows, other = stored({"index.html": b"<p>mimic"}), stored({"index.html": b"<p>wdbc"})
    write("results/models/mimic/mult/0.ckpt")
    for name, md5 in (("shows", shows), ("other", other)):
        write(f".dvc/cache/runs/ab/abc/{name}", json.dumps({"outs": [{"path": "reports", "md5": md5}]}).encode())
    write("reports/index.html", b"<p>wdbc")
    write("against.html", b"<p>mimic")
    forget.forget("mimic", yes=True)
    assert not there(shows)
    assert there(other)
    assert Path("reports/index.html").exists()
    assert not Path("against.html").exists()


@pytest.mark.usefixtures("project")
def test_what_no_lock_file_names_goes_from_the_projects_own_cache_but_not_raw_data_that_dvc_tracks():
    write("data/cohorts/a.csv")
    left, raw = stored(b"left behind by a kill"), stored(b"raw")
    half = write(".dvc/cache/files/md5/ab/.x8.tmp")
    write("data/raw/table.csv.dvc", json.dumps({"outs": [{"path": "table.csv", "md5": raw}]}).encode())
    forget.forget("a", yes=True)
    assert not there(left)
    assert not half.exists()
    assert there(raw)


@pytest.mark.usefixtures("project")
def test_what_no_lock_file_names_stays_in_a_shared_cache_and_is_counted(tmp_path_factory, capsys):
    cache = tmp_path_factory.mktemp("shared")
    subprocess.run([DVC, "config", "--local", "cache.dir", str(cache)], check=True)
    mine, theirs = stored(b"mine", cache), stored(b"theirs", cache)
    write("dvc.lock", locked(cohort={"data/cohorts/a.csv": mine}).encode())
    forget.forget("a", yes=True)
    assert not there(mine, cache)
    assert there(theirs, cache)
    assert "1 objects of the shared cache that this project does not know" in capsys.readouterr().out


@pytest.mark.usefixtures("project")
def test_raw_files_among_the_derived_ones_are_an_error():
    write("data/features/a/table.csv")
    Path("params.yaml").write_text(json.dumps({"data": {"tables": {"a": {"raw": "data/features/a/table.csv"}}}}))
    with pytest.raises(InputError, match=r"data/features/a is named as .* but holds raw files: move them to data/raw"):
        forget.forget("a", yes=True)
    assert Path("data/features/a/table.csv").exists()


@pytest.mark.usefixtures("project")
def test_a_stand_in_is_no_raw_data():
    write("data/synthetic/mimic/hosp/patients.csv")
    Path("params.yaml").write_text(json.dumps({"data": {"mimic": {"raw": "data/synthetic/mimic"}}}))
    forget.forget("mimic", yes=True)
    assert not Path("data/synthetic/mimic").exists()


def test_nothing_is_removed_while_a_stage_runs(project):
    path = write("data/cohorts/a.csv")
    running = {"write": {str(project / "data/cohorts/b.csv"): {"pid": os.getppid(), "cmd": "dvc repro"}}}
    write(forget.EXPERIMENTS.with_name("rwlock"), json.dumps(running).encode())
    with pytest.raises(InputError, match="DVC runs, here or in an experiment: try again when it has ended"):
        forget.forget("a", yes=True)
    assert path.exists()


def test_outside_of_a_project_there_is_nothing_to_forget(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="run this in the project's root"):
        forget.forget("a", yes=True)


LOCK = """schema: '2.0'
stages:
  cohort@a:
    cmd: python -m stages.cohort a
    outs:
    - path: data/cohorts/a.csv
      hash: md5
      md5: 0cc175b9c0f1b6a831c399e269772661
      size: 1
  cohort@b:
    cmd: python -m stages.cohort b
    outs:
    - path: data/cohorts/b.csv
      hash: md5
      md5: 92eb5ffee6ae2fec3ad71c777531578f
      size: 1
"""


@pytest.mark.usefixtures("project")
def test_the_lock_file_keeps_the_form_that_dvc_gives_it():
    first, second = LOCK.index("  cohort@a"), LOCK.index("  cohort@b")
    write("dvc.lock", LOCK.encode())
    forget.forget("a", yes=True)
    assert Path("dvc.lock").read_text() == LOCK[:first] + LOCK[second:]


def test_an_experiment_whose_parameters_cannot_be_read_is_named(monkeypatch):
    monkeypatch.setattr("dvc.repo.experiments.utils.exp_refs", lambda _: [SimpleNamespace(name="odd-name")])
    for shown in (b"run: [", b"- a list", b"\xff"):
        monkeypatch.setattr(forget, "git", lambda *_, shown=shown: shown)
        with pytest.raises(InputError, match=r"of experiment odd-name cannot be read.*`dvc exp remove odd-name`"):
            forget.experiments("a", SimpleNamespace(scm=None))
