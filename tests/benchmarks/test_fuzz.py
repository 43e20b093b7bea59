"""Every parser on mutated files: it reads them, or refuses them by name; and what the benchmark counts as a failure."""

import itertools
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_bombs import lower_limits

from benchmarks.fuzz import bombs, worker
from benchmarks.fuzz.mutations import mutate
from benchmarks.fuzz.parsers import Parser, all_parsers
from i2moe.base.errors import InputError

PARSERS = all_parsers()
FAST = [name for name in PARSERS if name != "report page"]  # which `python -m benchmarks.fuzz` mutates, too


@pytest.mark.parametrize("name", FAST)
def test_a_mutated_file_is_read_or_refused_by_name(name, tmp_path, monkeypatch):
    parser = PARSERS[name]
    monkeypatch.chdir(tmp_path)
    parser.write()
    parser.read()
    kept = {path: path.read_bytes() for path in parser.files()}

    @settings(max_examples=10, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(path=st.sampled_from(list(kept)), random=st.randoms(use_true_random=False))
    def property_holds(path, random):
        path.write_bytes(mutate(path.name, kept[path], random))
        kind, what = worker.judge(parser)
        path.write_bytes(kept[path])
        assert kind in (worker.READ, worker.REFUSED), what

    property_holds()


def read_and(act):
    """Return a parser that reads a file, and acts where it is not what was written."""

    def read():
        if Path("own.txt").read_bytes() != b"1,2\n3,4\n":
            act()

    return Parser("own", lambda: Path("own.txt").write_bytes(b"1,2\n3,4\n"), read, ("own.txt",))


def raise_error(error):
    raise error


HELD = []


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (partial(raise_error, InputError("own.txt is wrong")), worker.REFUSED),
        (partial(raise_error, InputError("something is wrong")), worker.UNNAMED),
        (partial(raise_error, KeyError("a")), worker.FAILED),
        (partial(raise_error, SystemExit(1)), worker.FAILED),
        (lambda: os.kill(os.getpid(), signal.SIGSEGV), worker.CRASHED),
        (lambda: time.sleep(60), worker.HUNG),
        (lambda: sum(itertools.repeat(0)), worker.HUNG),
        (lambda: HELD.append(b"\x01" * 300_000_000), worker.FAT),
    ],
)
def test_what_counts_as_a_failure(act, kind, monkeypatch):
    monkeypatch.setattr(worker, "HANG", 1.0 if kind == worker.HUNG else 60.0)
    outcomes = list(worker.fuzz(read_and(act), 0, range(2)))
    assert [outcome.case for outcome in outcomes] == [0, 1]
    assert {outcome.kind for outcome in outcomes} <= {kind, worker.READ}
    assert kind in {outcome.kind for outcome in outcomes}


def test_a_case_is_the_same_file_whenever_it_is_run():
    kept = {Path("a.json"): b'{"a": [1, 2, 3]}', Path("b.npy"): b"\x93NUMPY"}
    files = [worker.changed_file(read_and(id), 7, case, kept) for case in range(50)]
    assert files == [worker.changed_file(read_and(id), 7, case, kept) for case in range(50)]
    assert len({content for _, content in files}) > 25


def test_files_that_cannot_be_read_as_they_are_stop_the_benchmark(capfd):
    parser = Parser("own", lambda: Path("own.txt").write_bytes(b""), lambda: raise_error(KeyError("a")), ("own.txt",))
    with pytest.raises(RuntimeError, match="own: the files that are to be mutated cannot be read"):
        list(worker.fuzz(parser, 0, range(1)))
    capfd.readouterr()


def test_files_that_unpack_to_much_are_refused(monkeypatch):
    monkeypatch.setattr(bombs, "BLOCK", 10**5)
    lower_limits(monkeypatch, most=10, spare=10**6)
    small = [
        bomb for bomb in bombs.BOMBS if bomb.name.startswith(("CSV (tables)", "CSV (ADNI)", "NIfTI", "word", "NPZ"))
    ]
    assert {bomb.name: bombs.outcome(bomb).kind for bomb in small} == {bomb.name: worker.REFUSED for bomb in small}
