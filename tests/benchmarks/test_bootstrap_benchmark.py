"""The benchmark of the bootstrap at a small size."""

import re

from benchmarks.bootstrap import bootstrap


def test_all_resamples_at_once_give_what_one_after_another_gives(capsys):
    bootstrap(num_samples=80, num_labels=3, num_seeds=2, plain=5)
    printed = capsys.readouterr().out
    assert re.search(r"^3 AUROCs: [\d.]+ s$", printed, re.MULTILINE)
    assert float(printed.split("difference ")[1]) <= 1e-12
