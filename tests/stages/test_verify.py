"""What DVC does not see: objects of its cache and outputs that are not as they were written."""

import sys

import pytest

from benchmarks.faults.files import cut, flip
from stages.forget import EXPERIMENTS
from tests.stages.shared.test_command import DVC, finish, project, start

__all__ = ["project"]  # a fixture

VERIFY = [sys.executable, "-m", "stages.verify"]
CONTENT = "a line of text\n" * 50


@pytest.fixture
def ran(project):
    (project / "raw.txt").write_text(CONTENT)
    assert finish(start([DVC, "repro"], project))[0] == 0
    return project


def cached(folder):
    (found,) = folder.glob(".dvc/cache/files/md5/??/*")
    return found


def test_what_is_whole_stays(ran):
    assert finish(start(VERIFY, ran)) == (0, "1 objects in DVC's cache, 1 outputs\n")
    assert cached(ran).read_text() == CONTENT


@pytest.mark.parametrize("spoil", [flip, cut])
def test_a_broken_object_is_found_where_dvc_trusts_it_and_made_again(ran, spoil):
    broken = cached(ran)
    spoil(broken)
    (ran / "out.txt").unlink()
    assert finish(start([DVC, "checkout", "out.txt"], ran))[0] == 0
    assert (ran / "out.txt").read_text() != CONTENT
    assert "up to date" in finish(start([DVC, "repro"], ran))[1]  # else this command would not be needed
    code, said = finish(start(VERIFY, ran))
    assert code == 1
    assert f"{broken.relative_to(ran)}: not what its name says: removed" in said
    assert "out.txt: not what its lock file says" in said
    assert "error: 1 objects and 1 outputs were not as written: `dvc repro` makes them again" in said
    assert finish(start([DVC, "repro"], ran))[0] == 0
    assert (ran / "out.txt").read_text() == CONTENT
    assert finish(start(VERIFY, ran))[0] == 0


@pytest.mark.parametrize("link", ["symlink", "hardlink"])
def test_an_output_that_is_a_link_into_the_cache_is_made_again_too(project, link):
    assert finish(start([DVC, "config", "cache.type", link], project))[0] == 0
    (project / "raw.txt").write_text(CONTENT)
    assert finish(start([DVC, "repro"], project))[0] == 0
    broken = cached(project)
    flip(broken)
    code, said = finish(start(VERIFY, project))
    assert (code, said.count("Traceback")) == (1, 0), said
    assert not broken.exists()
    assert finish(start([DVC, "repro"], project))[0] == 0
    assert (project / "out.txt").read_text() == CONTENT
    assert finish(start(VERIFY, project))[0] == 0


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (
            EXPERIMENTS.with_name("rwlock"),
            "{",
            f"error: Unable to read RWLock-file '{EXPERIMENTS.with_name('rwlock')}'",
        ),
        ("dvc.lock", "stages:\n  only:\n    cmd: a\n    de", "error: dvc.lock is not valid YAML: `git restore` it"),
    ],
)
def test_what_a_kill_cut_off_of_dvcs_own_files_is_named(ran, path, content, message):
    (ran / path).write_text(content)
    code, said = finish(start(VERIFY, ran))
    assert code == 1
    assert said.strip().startswith(message)
    assert "Traceback" not in said
