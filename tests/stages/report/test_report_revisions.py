"""The other of two runs at a Git revision: read from DVC's cache, and what is refused."""

import shutil

import pytest
from small_runs import Written, write_run

from i2moe.base.errors import InputError
from stages.report.against import compare_runs, write_against
from stages.report.other_run import ComparedRun, other_run


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository whose tag `before` is a run with other settings than the one in the working directory."""
    from dvc.repo import Repo
    from scmrepo.git import Git

    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "test")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
    root = tmp_path / "project"
    root.mkdir()
    git = Git.init(str(root))
    monkeypatch.chdir(root)
    repo = Repo.init()
    write_run(root, Written(right=0.7, dropout=0.1))
    repo.add(["data", "results"])
    git.add([".dvc", "params.yaml", "data.dvc", "results.dvc", ".gitignore"])
    git.commit("before")
    git.tag("before")
    write_run(root, Written())
    repo.close()
    git.close()
    return root


def test_a_revision_is_read_from_the_cache(project):
    this = ComparedRun.read("this run", project)
    with other_run("before", this) as other:
        found = compare_runs(this, other)
    assert found.scores.set_index("metric").loc["accuracy", "difference"] == pytest.approx(0.2)
    assert found.other == "before"
    assert found.settings["other"].tolist() == ["0.1"]
    assert len(found.readings) == 3
    assert not other.root.exists()


def test_what_is_not_in_the_cache_any_more_is_named_with_a_remedy(project):
    shutil.rmtree(project / ".dvc/cache")
    with pytest.raises(
        InputError, match=r"results/predictions/tiny/i2moe.parquet of before is not in DVC's cache: .*git checkout"
    ):
        write_against("before", project / "against.html")
    assert not (project / "against.html").exists()


def test_what_is_neither_a_folder_nor_a_revision_is_refused(project):
    with pytest.raises(InputError, match=r"nowhere is neither a folder with params.yaml, nor a Git revision"):
        write_against("nowhere", project / "against.html")
