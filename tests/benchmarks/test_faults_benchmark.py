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
