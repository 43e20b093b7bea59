"""Every parser of the project, with small files that it reads (synthetic)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Parser:
    """A parser: both functions work in the current folder."""

    name: str
    write: Callable[[], object]  # writes files that are right
    read: Callable[[], object]  # reads them
    mutated: tuple[str, ...]  # patterns of the files that are mutated, one at a time
    keys: tuple[str, ...] = ()  # of settings, which an error may name in place of a file

    def files(self) -> list[Path]:
        """Return the files that are mutated, in order of their names."""
        return sorted({path for pattern in self.mutated for path in Path().glob(pattern)})


def all_parsers() -> dict[str, Parser]:
    """Return every parser by name."""
    from benchmarks.fuzz import contract, interim, page, raw, tables, written

    found = [*contract.PARSERS, *raw.PARSERS, *tables.PARSERS, *written.PARSERS, *interim.PARSERS, *page.PARSERS]
    return {parser.name: parser for parser in found}
