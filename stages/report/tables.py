"""The report's tables, as CSV in full and as Markdown for people."""

import re

import pandas as pd

from stages.shared.base import paths

# What Markdown would take for its own; an underscore inside a word, as in metrics' names, it leaves alone.
SPECIAL = re.compile(r"[\\`*\[\]<&|~]|(?<!\w)_|_(?!\w)")
Tables = dict[str, list[pd.DataFrame]]  # by name, the parts of each


def add_table(tables: Tables, name: str, dataset: str, model: str, table: pd.DataFrame) -> None:
    """Append rows to a table, with dataset and model in front."""
    labelled = table.copy()
    labelled.insert(0, "dataset", dataset)
    labelled.insert(1, "model", model)
    tables[name].append(labelled)


def write_tables(tables: Tables, labels: dict[str, str]) -> None:
    """Write each table as CSV in full and as Markdown with three decimals, datasets by their labels."""
    folder = paths.REPORTS / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    for name, parts in tables.items():
        if parts:
            table = pd.concat(parts, ignore_index=True).replace({"dataset": labels})
            table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
            (folder / f"{name}.md").write_text(markdown(table), encoding="utf-8")


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown, its columns aligned for readers of the plain text.

    Names of classes and samples are the user's, and may hold what Markdown would take for its own.

    Examples:
        >>> print(markdown(pd.DataFrame({"model": ["mult", "late"], "accuracy": [0.5, 0.25]})), end="")
        | model | accuracy |
        | ----- | -------- |
        | mult  | 0.500    |
        | late  | 0.250    |
    """
    cells = [[_cell(value) for value in row] for row in table.to_numpy(object)]
    lines = [[_literal(str(name)) for name in table.columns], *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(table.shape[1])]
    lines.insert(1, ["-" * width for width in widths])
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in padded)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3f}"
    return _literal(str(value))


def _literal(words: str) -> str:
    return SPECIAL.sub(r"\\\g<0>", " ".join(words.splitlines()))
