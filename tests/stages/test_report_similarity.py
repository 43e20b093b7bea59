"""The figure of how alike experts are."""

import pandas as pd

from stages.report.figures import similarity_figure


def test_the_figure_shows_the_mean_over_seeds_of_each_pair_in_the_experts_order():
    names = ["uniqueness_b", "synergy", "redundancy"]
    rows = [
        {"seed": seed, "expert": one, "other": other, "cka": 1.0 if one == other else 0.1 * (seed + 1)}
        for seed in (0, 2)
        for one in names
        for other in names
    ]
    (axes,) = similarity_figure(pd.DataFrame(rows)).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["uniqueness\nb", "synergy", "redundancy"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["uniqueness\nb", "synergy", "redundancy"]
    shown = [text.get_text() for text in axes.texts]
    assert shown == ["1.00", "0.20", "0.20", "0.20", "1.00", "0.20", "0.20", "0.20", "1.00"]
