"""The primitives of the page's drawings, by hand."""

import re

import numpy as np
import pytest

from stages.report.drawing import PLAIN, SYNERGY, Scale, bar, expert_colours, interval, svg, text


def test_a_scale_maps_its_ends_and_middle():
    scale = Scale(10, 20, 100, 0)
    assert [scale(value) for value in (10, 15, 20)] == [100, 50, 0]


@pytest.mark.parametrize("values", [[0.2, 0.9], [5.0, 5.0], [0.0], [], [np.nan, 1.0], [-3e-7, 2e-7], [1e9, 2e9]])
def test_a_scale_holds_all_finite_values_and_has_ticks_inside(values):
    scale = Scale.around(values, 0, 100)
    assert all(0 <= scale(value) <= 100 for value in values if np.isfinite(value))
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 7
    assert all(scale.low - 1e-9 <= tick <= scale.high + 1e-9 for tick in ticks)


def test_words_are_escaped_in_a_drawing():
    drawn = svg(10, 10, 'a "b" <c>', [text(0, 0, "x < y & z")])
    assert "<c>" not in drawn
    assert "x &lt; y &amp; z" in drawn
    assert 'aria-label="a &#34;b&#34; &lt;c&gt;"' in drawn


def test_bars_grow_to_both_sides_and_intervals_without_an_end_are_not_drawn():
    assert re.search(r'x="5.0" y="0.0" width="10.0"', bar(15, 0, -10, 4, "red"))
    scale = Scale(0, 1, 0, 100)
    assert "M20.0 5.0L60.0 5.0" in interval(scale, 0.2, 0.6, 5, "red")
    assert interval(scale, float("nan"), 0.6, 5, "red") == ""


def test_experts_have_the_same_colour_whatever_else_there_is():
    few, many = expert_colours(["synergy", "odd"]), expert_colours(["uniqueness_a", "uniqueness_b", "synergy"])
    assert few["synergy"] == many["synergy"] == SYNERGY
    assert few["odd"] == PLAIN
    assert many["uniqueness_a"] != many["uniqueness_b"]


def test_experts_of_eight_modalities_have_ten_colours():
    experts = [*(f"uniqueness_{number}" for number in range(8)), "synergy", "redundancy"]
    assert len(set(expert_colours(experts).values())) == 10
