"""Fill the documents with the results, between two comments that mark the place."""

import re
from pathlib import Path

import pandas as pd

from benchmarks.planted.bars import DISTANCE, Bar, bars, tasks_table, truth_table
from benchmarks.planted.cases import PLAIN, SEALED

ROOT = Path(__file__).parents[2]
RESULTS, READING, README = ROOT / "benchmarks/RESULTS.md", ROOT / "docs/readings.md", ROOT / "README.md"
SHORT = ("weight", "leave-one-out", "shapley", "lattice mean", "partial information", "parts")  # in the README
WORDS = {
    "weight": "weights",
    "leave-one-out": "without each expert",
    "shapley": "experts' Shapley values",
    "lattice mean": "model on subsets of modalities",
    "partial information": "partial information of encodings",
    "parts": f"parts of `{SEALED}`",
}


COUNTS = {"winners": "a winner", "differences": "a difference", "living_experts": "a living expert"}


def markdown(table: pd.DataFrame) -> str:
    """Return a table of texts in Markdown."""
    head = f"| {' | '.join(map(str, table.columns))} |\n|{'---|' * table.shape[1]}\n"
    return head + "".join(f"| {' | '.join(map(str, row))} |\n" for row in table.to_numpy(object))


def bars_table(found: list[Bar]) -> pd.DataFrame:
    """Return the bars as a table."""
    return pd.DataFrame(
        [
            {"": bar.name, "check": bar.check, "wanted": bar.wanted, "measured": bar.measured, "verdict": bar.verdict}
            for bar in found
        ]
    )


def short_table(truth: pd.DataFrame) -> pd.DataFrame:
    """Return the README's table: a line per reading, on the model that it is of."""
    rows = truth.set_index("reading")
    return pd.DataFrame(
        [
            {
                "reading": WORDS[name],
                "one: found": rows.loc[name, SEALED if name == "parts" else PLAIN],
                "two: distance": rows.loc[name, DISTANCE],
            }
            for name in SHORT
        ]
    )


def null_lines(pages: pd.DataFrame) -> str:
    """Say how many pages about nothing claim something."""
    lines = []
    for data, own in pages.groupby("data", sort=False):
        parts = (f"{what} {int((own[count] > 0).sum())}" for count, what in COUNTS.items())
        lines.append(f"- {data}: {int(own['claims_something'].sum())} of {len(own)} pages ({', '.join(parts)})\n")
    return "".join(lines)


def fill(table: pd.DataFrame, pages: pd.DataFrame | None) -> None:
    """Write the results into benchmarks/RESULTS.md, docs/readings.md and README.md."""
    truth = truth_table(table)
    hours = f"{len(table)} models, {table['seconds'].sum() / 3600:.2f} hours of one thread in all"
    report = f"`python -m benchmarks.planted`: {hours}.\n\n{markdown(bars_table(bars(table)))}"
    if pages is not None:
        what = "pages that claim something though labels follow from nothing"
        report += f"\n`python -m benchmarks.planted --null`, {what}:\n\n{null_lines(pages)}"
    put(RESULTS, "planted", report)
    put(READING, "planted", f"{markdown(truth)}\nBy task:\n\n{markdown(tasks_table(table))}")
    put(README, "planted", markdown(short_table(truth)))


def put(path: Path, name: str, text: str) -> None:
    """Replace what stands between a document's comments `name` and `end of name`."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    whole = path.read_text()
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(whole)) != 1:
        raise ValueError(f"{path}: {begin} and {end} must stand there once")
    path.write_text(pattern.sub(lambda _: f"{begin}\n\n{text}\n{end}", whole))
