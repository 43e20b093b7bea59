"""Runs a parser on mutated files in a child process, which may hang, crash or take all memory it is given."""

import multiprocessing
import os
import resource
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from benchmarks.fuzz.mutations import mutate
from benchmarks.fuzz.parsers import Parser
from i2moe.base.errors import InputError

HANG = 5.0  # seconds of the processor that a file may take: other programs do not count
MEMORY = 200_000_000  # bytes that a file may take besides ten times its size
ADDRESSES = 6_000_000_000  # bytes more than the child has at first: what protects the machine
READ, REFUSED, FAILED, HUNG, CRASHED, FAT, UNNAMED = "read", "refused", "failed", "hung", "crashed", "memory", "no name"


@dataclass(frozen=True)
class Outcome:
    """What became of one mutated file."""

    case: int
    kind: str  # of the seven above
    what: str  # an error's type, message and place
    seconds: float
    memory: int  # bytes beyond what the process held before
    allowed: int = MEMORY  # bytes that the file may take


def fuzz(parser: Parser, seed: int, cases: range) -> Iterator[Outcome]:
    """Yield what becomes of each case; a case's file depends on parser, seed and number alone."""
    start = cases.start
    while start < cases.stop:
        for outcome in _until_killed(parser, seed, range(start, cases.stop)):
            start = outcome.case + 1
            yield outcome


def _until_killed(parser: Parser, seed: int, cases: range) -> Iterator[Outcome]:
    """Run cases in one child, up to one that hangs or crashes."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="i2moe-fuzz-") as folder:
        child = context.Process(target=_work, args=(parser, seed, cases, folder, sender))
        child.start()
        sender.close()
        try:
            if not receiver.poll(120) or receiver.recv() != "ready":
                raise RuntimeError(f"{parser.name}: the files that are to be mutated cannot be read")
            for case in cases:
                begin, before = time.perf_counter(), _spent(child.pid)
                while not receiver.poll(HANG):
                    if _is_idle(child.pid) or _spent(child.pid) - before > HANG:
                        yield Outcome(case, HUNG, f"after {HANG:g} s", time.perf_counter() - begin, 0)
                        return
                try:
                    outcome: Outcome = receiver.recv()
                except EOFError:
                    child.join()
                    yield Outcome(case, CRASHED, f"exit code {child.exitcode}", time.perf_counter() - begin, 0)
                    return
                yield outcome
        except EOFError:
            raise RuntimeError(f"{parser.name}: the files that are to be mutated cannot be read") from None
        finally:
            child.kill()
            child.join()


def _family(pid: int | None) -> Iterator[list[str]]:
    """Yield what Linux says of a process and of those that it started: state, and further on ticks of the processor."""
    with suppress(FileNotFoundError):  # it has ended
        yield Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from _family(int(child))


def _spent(pid: int | None) -> float:
    """Return the seconds of the processor that a process and those that it started, ended ones too, have taken."""
    ticks = sum(int(ticks) for own in _family(pid) for ticks in own[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _is_idle(pid: int | None) -> bool:
    """Return whether a process and all that it started wait for something else than the processor."""
    return all(own[0] == "S" for own in _family(pid))


def _work(parser: Parser, seed: int, cases: range, folder: str, sender: Connection) -> None:
    """Read the files as they are, which must succeed; then with one of them mutated, case by case."""
    os.chdir(folder)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        if "FUZZ_STDERR" not in os.environ:
            os.dup2(nowhere.fileno(), 2)
        parser.write()
        kept = {path: path.read_bytes() for path in parser.files()}
        parser.read()
        limit = _status("VmSize") + ADDRESSES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        sender.send("ready")
        for case in cases:
            sender.send(run_case(parser, seed, case, kept))


def changed_file(parser: Parser, seed: int, case: int, kept: dict[Path, bytes]) -> tuple[Path, bytes]:
    """Return the file that a case mutates, and its new content."""
    random = Random(f"{parser.name} {seed} {case}")  # noqa: S311 (nothing is secret)
    path = random.choice(list(kept))
    return path, mutate(path.name, kept[path], random)


def run_case(parser: Parser, seed: int, case: int, kept: dict[Path, bytes]) -> Outcome:
    """Mutate one of the files, let the parser read, and put the file back."""
    path, content = changed_file(parser, seed, case, kept)
    path.write_bytes(content)
    outcome = measure(parser, case, len(content))
    path.write_bytes(kept[path])
    return outcome


def measure(parser: Parser, case: int, size: int) -> Outcome:
    """Let the parser read a file of so many bytes; return what became of it, and what that took."""
    Path("/proc/self/clear_refs").write_text("5")  # the process's peak begins anew
    before, begin = _status("VmRSS"), time.perf_counter()
    kind, what = judge(parser)
    seconds, memory = time.perf_counter() - begin, _status("VmHWM") - before
    allowed = 10 * size + MEMORY
    if kind in (READ, REFUSED) and memory > allowed:
        kind, what = FAT, f"{memory / 1e6:.0f} MB for a file of {size} bytes"
    return Outcome(case, kind, what, seconds, memory, allowed)


def judge(parser: Parser) -> tuple[str, str]:
    """Let the parser read; return what kind of end that was, and what an error says."""
    try:
        parser.read()
    except InputError as error:
        message = str(error)
        is_named = any(path.name in message for path in parser.files()) or any(key in message for key in parser.keys)
        return (REFUSED if is_named else UNNAMED), message[:300]
    except BaseException as error:  # noqa: BLE001 (what else there is, is what is looked for)
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "site-packages" not in frame.filename]
        place = own[-1] if own else frames[-1]
        return FAILED, f"{type(error).__name__} at {place.filename}:{place.lineno} {place.name}: {str(error)[:200]}"
    return READ, ""


def _status(name: str) -> int:
    """Return a figure of this process that Linux keeps, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise KeyError(name)
