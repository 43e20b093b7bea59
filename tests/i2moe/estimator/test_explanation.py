"""What an explanation shows: the text of its page as a browser reads it, and its figures as they are drawn."""

import io
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from i2moe.base.errors import InputError
from i2moe.estimator.explanation import Explanation

NAMES = ["<b>A & B</b>", "$5-$10"]  # as HTML and as mathematics they would be something else
LAB = "lab <i>&amp; é|$x^$"


def explanation(ids=("p0", "p1")):
    """Return two samples' explanation, with names that look like HTML and like mathematics."""
    shares = pd.DataFrame([[0.75, 0.25], [0.5, 0.5]], columns=NAMES)
    index = pd.Index(ids, name="sample_id")

    def by_sample(key, names):
        tables = [shares.assign(**{"sample_id": ids, key: name}) for name in names]
        return pd.concat(tables, ignore_index=True)

    experts = [f"uniqueness_{LAB}", "synergy"]
    return Explanation(
        predictions=shares.set_index(index),
        weights=pd.DataFrame([[0.5, 0.5], [1, 0]], index=index, columns=experts),
        experts=by_sample("expert", experts),
        subsets=by_sample("intact", ["none", LAB]),
        alone=pd.DataFrame({"expert": experts, "auroc": [0.5, np.nan]}),
        roles=pd.DataFrame({"expert": experts, "behaves_as": [LAB, "idle"], LAB: [0.5, np.nan]}),
    )


class Cells(HTMLParser):
    """Collects what a page's cells say."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def handle_starttag(self, tag, _):
        if tag in ("td", "th"):
            self.texts.append("")

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data.strip()


def test_a_page_shows_every_name_as_it_is(tmp_path):
    explanation().to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    cells = Cells()
    cells.feed(page)
    for name in (*NAMES, LAB, f"uniqueness_{LAB}"):
        assert name in cells.texts
    assert "<b>" not in page
    assert "<i>" not in page
    assert "NaN" not in cells.texts


def drawn(figure):
    """Draw a figure, and return its text, none of which is taken for mathematics."""
    figure.savefig(io.BytesIO())
    texts = [text for axes in figure.axes for text in (axes.title, *axes.get_yticklabels())]
    assert not any(text.get_parse_math() for text in [*texts, figure._suptitle])
    return [text.get_text() for text in texts]


def test_a_figure_shows_every_name_as_it_is():
    texts = drawn(explanation().plot("p1"))
    assert f"uniqueness_{LAB} (1.00)" in texts
    assert f"{NAMES[0]}, from the modalities" in texts
    assert LAB in texts


def test_a_model_without_experts_has_no_empty_panel():
    figure = replace(explanation(), weights=None, experts=None).plot("p0")
    assert [axes.get_title() for axes in figure.axes] == [f"{NAMES[0]}, from the modalities"]


def test_an_id_of_several_samples_names_none():
    with pytest.raises(InputError, match="2 samples have the id 'p': give each its own to `explain`, as `sample_ids`"):
        explanation(("p", "p")).plot("p")


def test_no_name_lies_on_another_or_outside_the_figure():
    names = [f"{row}: a modality with such a long name as people write in a table" for row in range(32)]
    bars = pd.DataFrame({"sample_id": "p0", "intact": names, NAMES[0]: 0.5, NAMES[1]: 0.5})
    figure = replace(explanation(), subsets=bars).plot("p0")
    figure.savefig(io.BytesIO())
    left, right = figure.axes
    boxes = [label.get_window_extent() for label in right.get_yticklabels()]
    assert all(upper.y0 >= lower.y1 for upper, lower in pairwise(boxes))
    assert min(box.x0 for box in boxes) >= left.get_window_extent().x1
    assert min(label.get_window_extent().x0 for label in left.get_yticklabels()) >= 0
