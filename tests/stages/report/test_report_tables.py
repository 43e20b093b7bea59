from html.parser import HTMLParser

import pandas as pd
from markdown_it import MarkdownIt

from stages.report.tables import markdown

NAMES = [
    "a | b",
    "<b>",
    "A & B",
    "&amp;",
    "a\\|b",
    "ends in \\",
    "*p*",
    "`x`",
    "_x_",
    "~~x~~",
    "[a](b)",
    "Köln, Süd",
    "macro_f1",
    "two\nlines",
    "uniqueness_first",
    "<!-- x",
]


class Cells(HTMLParser):
    """Every cell's words; tags inside of cells are kept as words, which none of them has."""

    def __init__(self):
        super().__init__()
        self.cells = []

    def handle_starttag(self, tag, attrs):
        if tag in ("td", "th"):
            self.cells.append("")
        elif tag not in ("table", "thead", "tbody", "tr"):
            self.cells[-1] += f"({tag} {attrs})"

    def handle_data(self, data):
        if data.strip():
            self.cells[-1] += data


def test_a_reader_of_markdown_sees_names_as_they_are():
    table = pd.DataFrame({"class": NAMES, "of | a": NAMES[::-1], "share": 0.25})
    cells = Cells()
    cells.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown(table)))
    shown = [name.replace("\n", " ") for name in NAMES]
    expected = [cell for pair in zip(shown, shown[::-1], strict=True) for cell in (*pair, "0.250")]
    assert cells.cells == ["class", "of | a", "share", *expected]


def test_the_plain_text_of_metrics_and_experts_has_no_escapes():
    assert "\\" not in markdown(pd.DataFrame({"expert": ["uniqueness_first"], "metric": ["macro_f1 ↑"]}))
