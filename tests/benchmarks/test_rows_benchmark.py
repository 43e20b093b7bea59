"""The benchmark of a large table: its stages' memory, and that its plain loop does the same work."""

from pathlib import Path

import pytest
import torch

from benchmarks.rows.__main__ import FEW, STAGES, measured, write_rows
from benchmarks.rows.steps import DATASET, MODEL, looped, training_step
from i2moe.base.errors import InputError
from i2moe.data import FeatureSet
from i2moe.inference import build_for
from i2moe.training import TrainingModule
from stages.shared.base import paths
from stages.shared.runs import read_model

ROOT = Path(__file__).parents[2]
ROWS = 40_000  # a CSV of 15 MB


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Run the stages on a large and a small table; return both folders, by stage the MB between, and the table's MB."""
    folder = tmp_path_factory.mktemp("rows")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        size = write_rows(folder / "large", ROWS, 50)
        write_rows(folder / "small", FEW, 50)
        above = {}
        for stage in ("settings", "cohort", "features"):
            small, large = (measured(folder / name, STAGES[stage]).peak for name in ("small", "large"))
            above[stage] = large - small
    return folder, above, size


def test_no_stage_takes_more_than_three_times_a_large_table(folders):
    _, above, size = folders
    assert above["cohort"] < 3 * size
    assert size < above["features"] < 3 * size


def test_a_stage_that_fails_says_why(folders, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(InputError, match=r"unknown dataset 'none' under data\.tables"):
        measured(folders[0] / "small", [STAGES["features"][0], "none"])


def test_the_plain_loop_has_the_same_losses_and_trains_every_expert(folders, monkeypatch):
    monkeypatch.chdir(folders[0] / "small")
    features = FeatureSet(paths.features(DATASET), paths.cohort(DATASET))
    config = read_model(DATASET, MODEL).model_copy(update={"hidden_dim": 8, "encoder_dim": 8})
    names = []
    for is_ours in (True, False):
        torch.manual_seed(0)
        module = TrainingModule(build_for(features, config), features, config, seed=0)
        module = module if is_ours else looped(module, features, config)
        before = [parameter.detach().clone() for parameter in module.parameters()]
        training_step(module.train(), features, config.batch_size, fused=is_ours)()
        assert all((own != old).any() for own, old in zip(module.parameters(), before, strict=True))
        names.append(sorted(module.train_losses))
    assert names[0] == names[1]
