"""The real `dvc exp run` on a table with a planted interaction, in a clone: from nothing to a report."""

import pandas as pd

from tests.pipeline.datasets import planned, set_params
from tests.pipeline.test_pipeline import DVC, clone, environment, run

__all__ = ["environment"]  # a fixture

TINY = {
    "run.datasets": "[planted-synergy]",
    "run.models": "[i2moe-mult]",
    "run.seeds": "[0]",
    "run.max_epochs": "1",
    "synthetic.planted.samples": "150",
    "models.planted-synergy.defaults.hidden_dim": "8",
}


def test_a_planted_table_runs_from_nothing_to_a_report_and_is_called_synthetic(tmp_path, environment):
    folder = clone(tmp_path / "project", environment)
    run([str(DVC), "exp", "run", *set_params(TINY)], folder, environment)
    page = (folder / "reports/index.html").read_text()
    assert ">planted-synergy (synthetic)</h2>" in page
    assert set(pd.read_csv(folder / "reports/tables/performance.csv")["dataset"]) == {"planted-synergy (synthetic)"}
    assert "synthesize@planted-synergy" in planned(folder, environment, **{"synthetic.planted.noise": 1.0})
