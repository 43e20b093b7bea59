"""What other stages wrote as CSV: what is broken in it is refused by the file's name, with what to do."""

import pandas as pd
import pytest

from i2moe.base.errors import InputError
from stages.report.written import read_all_curves, read_curves, read_differences, read_scores
from stages.shared.base import paths

SCORES = {"split": ["validation", "test", "test"], "metric": ["accuracy", "accuracy", "auroc"], "mean": [0.5, 0.6, 0.7]}
SCORES |= {name: [None, 0.5, 0.6] for name in ("std", "low", "high", "usable")}
CURVES = {"epoch": [1, 2], "train_task_loss": [0.7, 0.5], "validation_loss": [0.75, 0.5], "train_a_loss": [1.5, 0.5]}
DIFFERENCES = {"model": ["mult", "late"], "against": "best-constant", "metric": "accuracy", "verdict": "better"}
DIFFERENCES |= {name: [0.5, 0.25] for name in ("difference", "low", "high", "usable", "p_value")}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def written(path, columns, **changes):
    """Write a table with some columns changed; `...` takes one out."""
    path.parent.mkdir(parents=True)
    changed = {name: values for name, values in (columns | changes).items() if values is not ...}
    pd.DataFrame(changed).to_csv(path, index=False)


def test_scores_are_those_of_test():
    written(paths.scores("own", "mult"), SCORES)
    table = read_scores("own", "mult")
    assert table["metric"].tolist() == ["accuracy", "auroc"]
    assert "split" not in table


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": ...}, r"results/metrics/own/mult.csv has no column 'mean'.*: delete it and run `dvc repro`"),
        ({"mean": [0.5, "x", 0.5]}, r"mult.csv column 'mean' does not hold float: delete it"),
        ({"metric": "accuracy"}, r"mult.csv has no score on test, or one twice: delete it"),
        ({"split": "train"}, r"mult.csv has no score on test, or one twice: delete it"),
    ],
)
def test_scores_that_are_broken(changes, message):
    written(paths.scores("own", "mult"), SCORES, **changes)
    with pytest.raises(InputError, match=message):
        read_scores("own", "mult")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": [1, None]}, r"results/curves/own/mult/0.csv column 'epoch' does not hold int: delete it and run"),
        ({"train_a_loss": ["x", "y"]}, r"0.csv column 'train_a_loss' does not hold float"),
        ({name: [] for name in CURVES}, r"0.csv column 'epoch' does not hold int"),
        ({"epoch": [1, 3]}, r"0.csv does not have epochs from 1 on: delete it and run `dvc repro`"),
        ({"epoch": 2**63}, r"0.csv does not have epochs from 1 on"),
    ],
)
def test_curves_that_are_broken(changes, message):
    written(paths.curves("own", "mult", 0), CURVES, **changes)
    with pytest.raises(InputError, match=message):
        read_curves("own", "mult", 0)


def test_curves_and_differences_are_read_as_they_were_written():
    written(paths.curves("own", "mult", 0), CURVES)
    written(paths.differences("own"), DIFFERENCES)
    assert read_curves("own", "mult", 0).to_dict("list") == CURVES
    assert read_differences("own", ["mult", "late"])["model"].tolist() == ["mult", "late"]


def test_curves_whose_seeds_have_other_losses():
    written(paths.curves("own", "mult", 0), CURVES)
    paths.curves("own", "mult", 1).write_text(paths.curves("own", "mult", 0).read_text().replace("train_a", "train_b"))
    with pytest.raises(
        InputError, match=r"results/curves/own/mult/1.csv has other columns than another seed's: delete"
    ):
        read_all_curves("own", "mult", [0, 1])


def test_differences_that_lack_a_model():
    written(paths.differences("own"), DIFFERENCES)
    with pytest.raises(InputError, match=r"results/differences/own.csv does not compare early with best-constant: del"):
        read_differences("own", ["mult", "early"])


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        (["better", None], r"own.csv column 'verdict' does not hold str: delete it"),
        ("best", r"own.csv column 'verdict' holds other than better, worse, no difference shown: delete it"),
    ],
)
def test_differences_without_a_verdict(verdict, message):
    written(paths.differences("own"), DIFFERENCES, verdict=verdict)
    with pytest.raises(InputError, match=message):
        read_differences("own", ["mult", "late"])


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match=r"results/differences/own.csv is missing: delete it and run `dvc repro`"):
        read_differences("own", [])
