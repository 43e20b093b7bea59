"""The benchmark of incomplete samples: who lacks what, what is scaled with whom, and what a small run prints."""

import numpy as np

from benchmarks.incomplete import ARMS, MISSING, incomplete, planted, presence_of, write


def test_a_share_of_the_samples_lacks_one_modality_each():
    data = planted(600)
    presence = presence_of(data, test_too=False)
    is_test = data.splits == "test"
    assert presence[is_test].all()
    assert presence.any(axis=1).all()
    assert abs((~presence[~is_test].all(axis=1)).mean() - MISSING) < 0.05
    assert presence_of(data, test_too=True)[~is_test].tolist() == presence[~is_test].tolist()


def test_complete_cases_leave_the_others_out_of_train_and_of_all_scales(tmp_path):
    data = planted(60)
    presence = presence_of(data, test_too=True)
    kept, complete = (write(tmp_path / arm, data, presence, arm) for arm in ("token", "complete"))
    rows = complete.rows("train")
    assert len(rows) == presence[data.splits == "train"].all(axis=1).sum() < len(kept.rows("train")) == 60
    np.testing.assert_allclose(complete.arrays["first"][rows].mean(axis=0), 0, atol=1e-6)
    own = kept.rows("train")[kept.presence[kept.rows("train"), 0]]
    np.testing.assert_allclose(kept.arrays["first"][own].mean(axis=0), 0, atol=1e-6)
    assert len(complete.rows("test")) == len(kept.rows("test")) == 1500


def test_a_small_run_prints_a_row_for_each_way_to_train(capsys):
    incomplete(seeds=2, epochs=1, num_train=60)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("| planted", "| digits"))]
    assert len(lines) == 2 * 2 * 2 * len(ARMS)
    assert sum("[" in line for line in lines) == 2 * 2 * 2 * 2
