"""How the benchmark of faults judges what it sees."""

import pytest

from benchmarks.faults.outcomes import Outcome, judge, message
from benchmarks.faults.project import Done, Project

LINES = "seed 0:  33%|### | 13/39 [00:01<00:02]ERROR: failed to run\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (f"error: own.csv is wrong\n{LINES}", "error: own.csv is wrong"),
        (f"Running\n{LINES}", "ERROR: failed to run"),
        ("stopped by Ctrl-C: run again\nERROR: failed", "stopped by Ctrl-C: run again"),
        ("'./dvc.lock' validation failed.\n\nrequired key", "'./dvc.lock' validation failed."),
        ("Traceback\nKeyError: 'a'\n", ""),
    ],
)
def test_a_message_is_ours_or_else_dvcs(said, words):
    assert message(Done(1, said), "nowhere") == words


class Ran(Project):
    """A project whose stages ran; its repetition ends with an exit code, and may mend a file."""

    def __init__(self, folder, text="whole", done=("whole",), code=0):
        super().__init__(folder)
        self.__dict__ |= {"own": dict(enumerate(done)), "code": code}
        (folder / "data/cohorts").mkdir(parents=True)
        (folder / "data/cohorts/own.csv").write_text(text)

    def done(self):
        return self.own

    def repro(self, *_):
        return Done(self.code, "ERROR: again")


@pytest.mark.parametrize(
    ("differs", "done", "note"),
    [
        ({}, Done(1, "error: own.csv"), ""),
        ({"text": "half"}, Done(1, "error: own.csv"), "1 files differ, such as data/cohorts/own.csv"),
        ({"done": ["half"]}, Done(1, "error: own.csv"), ""),
        ({"code": 1}, Done(1, "error: own.csv"), "the repetition ended with 1: ERROR: again"),
        ({}, Done(1, "error: own.csv\nTraceback (most recent call last)"), "a traceback"),
        ({}, Done(1, "KeyError"), "no message"),
        ({}, Done(0, "error: own.csv"), "it did not fail"),
    ],
)
def test_a_fault_is_survived_only_with_a_message_and_the_same_bytes(tmp_path, differs, done, note):
    outcome = judge("fault", Ran(tmp_path / "one", **differs), Ran(tmp_path / "two"), done)
    assert isinstance(outcome, Outcome)
    assert outcome.note == note
    assert outcome.accepted == ("done" in differs)
    assert outcome.survived == (not differs and not note)


ENTRY = """schema: '2.0'
stages:
  only:
    cmd: run
    deps:
    - path: raw
      md5: b026324c6904b2a9cb4b88d6d61c81d1
    outs:
    - path: first
      md5: 26ab0db90d72e28ad0ba1e22ee510510.dir
    - path: second
      md5: 6d7fce9fee471194aa8b5b6e47267f03
"""


def test_what_a_cut_lock_file_still_names_is_never_another_hash_and_a_wrong_one_is(tmp_path):
    project = Project(tmp_path)
    (tmp_path / "dvc.lock").write_text(ENTRY)
    whole = project.done()
    assert list(whole) == [f"dvc.lock:only:{name}" for name in ("raw", "first", "second")]
    counts = []
    for end in range(len(ENTRY)):
        (tmp_path / "dvc.lock").write_text(ENTRY[:end])
        assert project.done().items() <= whole.items()
        counts.append(len(project.done()))
    assert set(counts) == {0, 1, 2, 3}
    (tmp_path / "dvc.lock").write_text(ENTRY.replace("6d7f", "aaaa"))
    assert project.done().items() - whole.items() == {("dvc.lock:only:second", "aaaace9fee471194aa8b5b6e47267f03")}
