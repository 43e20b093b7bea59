"""The form of params.yaml: what `dvc exp run -S` makes of the file."""

import difflib
import shutil
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides

PARAMS = Path(__file__).parents[3] / "params.yaml"


@pytest.mark.parametrize(
    ("setting", "removed", "added"),
    [
        ("run.max_epochs=5", 1, 1),
        ("models.wdbc.i2moe-mult.interaction.loss_weight=0.5", 1, 1),
        ("run.datasets=[wdbc]", 6, 0),  # of seven names, one a line
        ("+models.wdbc.mult.dropout=0.2", 1, 1),
    ],
)
def test_an_experiment_changes_the_lines_that_it_sets_and_no_other(tmp_path, setting, removed, added):
    copy = Path(shutil.copy(PARAMS, tmp_path))
    apply_overrides(copy, [setting])
    lines = list(difflib.unified_diff(PARAMS.read_text().splitlines(), copy.read_text().splitlines(), n=0))[2:]
    assert [sum(line.startswith(sign) for line in lines) for sign in "-+"] == [removed, added], lines


def test_the_file_is_in_the_form_that_dvc_writes(tmp_path):
    copy = Path(shutil.copy(PARAMS, tmp_path))
    apply_overrides(copy, [])
    assert copy.read_text() == PARAMS.read_text(), "run `make format`"
