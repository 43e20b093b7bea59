"""Where a page comes from, in a git repository of its own."""

import os
import subprocess

import pytest

from stages.report.provenance import changed_parameters, provenance
from stages.shared.base import paths
from stages.shared.runs import Run

RUN = Run(
    datasets={"tiny": "tiny"}, models=["mult"], seeds=[0], max_epochs=None, max_batch_size=None, stand_ins=[],
    split_seed=0, vanilla={}, bases={},
)  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths.PARAMS.write_text("run: {seeds: [0, 1]}\nsplit: {seed: 0}\n")
    curves = paths.curves("tiny", "mult", 0)
    curves.parent.mkdir(parents=True)
    curves.write_text("epoch\n")
    os.utime(curves, (86400, 86400))
    return tmp_path


def git(*arguments):
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True, capture_output=True)


@pytest.mark.usefixtures("folder")
def test_the_commit_what_differs_from_it_and_the_day_of_the_run():
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    found = provenance(RUN)
    assert len(found.commit) == 12
    assert (found.changed, found.parameters, found.date) == ([], [], "1970-01-02")
    paths.PARAMS.write_text("run: {seeds: [0]}\nsplit: {seed: 0}\n")
    paths.curves("tiny", "mult", 0).write_text("epoch\n1\n")  # written by the run
    found = provenance(RUN)
    assert found.changed == ["params.yaml"]
    assert found.parameters == [("run.seeds", "[0, 1]", "[0]")]


def test_without_git_there_is_a_date_alone(folder, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(folder / "none"))
    found = provenance(RUN)
    assert (found.commit, found.changed, found.parameters) == ("", [], [])
    assert found.date == "1970-01-02"


def test_parameters_that_are_new_or_gone_are_shown_with_a_dash():
    assert changed_parameters("a: {b: 1, c: 2}", "a: {b: 1, d: 3}") == [("a.c", "2", "–"), ("a.d", "–", "3")]
    assert changed_parameters("a: [", "a: 1") == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("null", "1"), ("1", "1.0"), ("1", "true"), ("1", "'1'"), ("[a, 'b: c']", "{}"), ("0.001", "[x, [null]]")],
)
def test_parameters_are_shown_as_they_are_written(old, new):
    assert changed_parameters(f"a: {old}", f"a: {new}") == [("a", old, new)]
    assert changed_parameters("a: .nan", "a: .nan") == []
    assert changed_parameters(f"a: {old}", f"a: [{', '.join(['word'] * 200)}]")[0][2].count("\n") == 0
