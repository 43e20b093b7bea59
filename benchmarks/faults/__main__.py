"""Faults on a small pipeline: `python -m benchmarks.faults` prints a table, a row per fault.

Each must end in one message of ours or of DVC's, or be a kill, which can say nothing; nothing that differs from an
undisturbed run may be taken for done; and `dvc repro` once more must give the bytes of an undisturbed run.
Mounts need root: without it, full disks and read-only folders are left out.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.faults import disks, files, processes, sharing
from benchmarks.faults.kills import durations, kills
from benchmarks.faults.outcomes import HEADER, Outcome
from benchmarks.faults.project import Project, new_project
from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from stages.shared.base.command import run

Fault = Callable[[Project, Path], Iterator[Outcome]]


class Bench:
    """A project that never ran, one that ran undisturbed, and room for copies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.new = new_project(folder / "new")
        self.undisturbed = self.new.copy(folder / "undisturbed")
        self.seconds = durations(self.undisturbed)


def _kills(bench: Bench) -> Iterator[Outcome]:
    return kills(bench.new, bench.undisturbed, bench.folder, bench.seconds)


def _on(fault: Fault, *, ran: bool = True) -> Callable[[Bench], Iterator[Outcome]]:
    return lambda bench: fault(bench.undisturbed if ran else bench.new, bench.folder)


FAULTS: dict[str, Callable[[Bench], Iterator[Outcome]]] = {
    "kills": _kills,
    "two-at-once": _on(processes.two_at_once),
    "interrupts": _on(processes.interrupts),
    "ended": _on(processes.ended_by_the_system),
    "memory": _on(processes.too_large),
    "broken": _on(files.broken),
    "by-hand": _on(files.cut_features_by_hand),
    "cut-stores": _on(files.cut_stores),
    "changed": _on(files.changed_meanwhile, ran=False),
    "transfers": _on(sharing.transfers),
    "full": lambda bench: disks.full_disks(bench.new, bench.undisturbed, bench.folder),
    "read-only": _on(disks.read_only_folders),
}
MOUNTED = ("full", "read-only")


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"of {', '.join(FAULTS)}; all")] = None,
) -> None:
    """Let faults happen, and print what became of them."""
    for name in names or ():
        if name not in FAULTS:
            raise InputError(f"unknown fault {name!r}; {nearest(name, FAULTS)}")
    chosen = [name for name in names or FAULTS if disks.can_mount() or name not in MOUNTED]
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder).resolve())
        for name in chosen:
            for outcome in FAULTS[name](bench):
                print(outcome.row, flush=True)
                outcomes.append(outcome)
    survived = sum(outcome.survived for outcome in outcomes)
    print("\n".join(["", HEADER, *(outcome.row for outcome in outcomes), ""]))
    print(f"faults survived: {survived} of {len(outcomes)}")
    if left := [name for name in names or FAULTS if name not in chosen]:
        print(f"left out, for want of root: {', '.join(left)}")
    sys.exit(survived < len(outcomes))


if __name__ == "__main__":
    run(main)
