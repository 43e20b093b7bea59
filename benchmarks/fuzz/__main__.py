"""What every parser makes of mutated files: `python -m benchmarks.fuzz` prints a table, a row per parser.

A file must be read, or refused with an InputError that names a file or setting; within 5 s of the processor, and in no
more memory than ten times its size and 200 MB. Everything else is printed with the number of its case: `--case` runs
one again. With TMPDIR in memory it takes half the time.
"""

import sys
from collections import Counter
from typing import Annotated

import typer
from tqdm import tqdm

from benchmarks.fuzz.parsers import all_parsers
from benchmarks.fuzz.worker import CRASHED, FAILED, HUNG, READ, REFUSED, UNNAMED, Outcome, fuzz
from i2moe.base.errors import InputError
from i2moe.base.strict import nearest
from stages.shared.base.command import run

SHOWN = 12  # kinds of failures that are printed of a parser
COLUMNS = (
    "parser",
    "files",
    "read",
    "refused",
    "unnamed",
    "hangs",
    "slowest, s",
    "most memory, MB",
    "of what is allowed",
)
HEADER = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"


def main(
    names: Annotated[list[str] | None, typer.Argument(help="parsers, by the beginning of their names; all")] = None,
    count: Annotated[int, typer.Option(min=1, help="mutated files for each parser")] = 10_000,
    seed: Annotated[int, typer.Option(help="of all mutations")] = 0,
    case: Annotated[int | None, typer.Option(help="run this one alone")] = None,
) -> None:
    """Mutate files of every parser, and print what became of them."""
    known = all_parsers()
    chosen = [parser for name, parser in known.items() if not names or any(name.startswith(own) for own in names)]
    if not chosen:
        raise InputError(f"{names}: no such parser; {nearest(names and names[0], known)}")
    cases = range(count) if case is None else range(case, case + 1)
    rows, failed = [], 0
    for parser in chosen:
        bar = tqdm(fuzz(parser, seed, cases), total=len(cases), desc=parser.name, unit="file", mininterval=5)
        outcomes = list(bar)
        failures = [outcome for outcome in outcomes if outcome.kind not in (READ, REFUSED)]
        say(parser.name, failures if case is None else outcomes)
        rows.append(row(parser.name, outcomes))
        failed += len(failures)
    print("\n".join([HEADER, *rows]))
    sys.exit(1 if failed else 0)


def say(name: str, outcomes: list[Outcome]) -> None:
    """Print each kind of failure with its first case."""
    kinds = Counter(_kind(outcome) for outcome in outcomes)
    for kind, number in kinds.most_common(SHOWN):
        first = next(outcome for outcome in outcomes if _kind(outcome) == kind)
        print(f"{name}: {number} x {first.kind}, first in case {first.case}: {first.what}", flush=True)


def _kind(outcome: Outcome) -> tuple[str, str]:
    return outcome.kind, outcome.what.partition(": ")[0][:120]


def row(name: str, outcomes: list[Outcome]) -> str:
    """Return a parser's row of the table."""
    kinds = Counter(outcome.kind for outcome in outcomes)
    unnamed = kinds[FAILED] + kinds[CRASHED] + kinds[UNNAMED]
    cells = [name, *(f"{number:,}" for number in (len(outcomes), kinds[READ], kinds[REFUSED], unnamed, kinds[HUNG]))]
    cells.append(f"{max(own.seconds for own in outcomes):.1f}")
    cells.append(f"{max(own.memory for own in outcomes) / 1e6:.0f}")
    cells.append(f"{max(own.memory / own.allowed for own in outcomes):.0%}")
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    run(main)
