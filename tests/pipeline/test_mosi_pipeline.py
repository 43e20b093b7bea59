"""The real `dvc exp run` on the synthetic CMU-MOSI, in a clone: from one file to a report."""

import json

import pandas as pd

from tests.pipeline.datasets import planned, set_params
from tests.pipeline.test_pipeline import DVC, clone, environment, run

__all__ = ["environment"]  # a fixture

TINY = {
    "run.datasets": "[mosi]",
    "run.models": "[i2moe-mult]",
    "run.seeds": "[0]",
    "run.max_epochs": "1",
    "synthetic.mosi.videos": "20",
    "models.mosi.mult.hidden_dim": "8",
    "models.defaults.encoder_dim": "8",
    "models.defaults.num_patches": "2",
}


def test_mosi_runs_from_one_file_to_a_report_and_changes_run_what_they_touch(tmp_path, environment):
    folder = clone(tmp_path / "project", environment)
    run([str(DVC), "exp", "run", *set_params(TINY)], folder, environment)
    metrics = json.loads((folder / "results/metrics/mosi/i2moe-mult.json").read_text())
    assert {"mae", "pearson", "acc2_neutral_negative", "acc2_neutral_excluded"} <= set(metrics)
    experts = pd.read_csv(folder / "reports/tables/experts.csv")["expert"].tolist()
    assert experts == ["uniqueness_vision", "uniqueness_audio", "uniqueness_text", "synergy", "redundancy"]
    page = (folder / "reports/index.html").read_text()
    assert ">mosi (synthetic)</h2>" in page
    assert set(pd.read_csv(folder / "reports/tables/performance.csv")["dataset"]) == {"mosi (synthetic)"}
    assert '<th scope="col">utterances removed</th>' in page
    assert '<th scope="row">without text</th>' in page
    assert 'data-label="mosi (synthetic)"' in page  # its samples, since they are synthetic
    assert not planned(folder, environment)
    # Explanations follow from what `settings` writes, which a plan does not know yet.
    assert planned(folder, environment, **{"explain.agreement_tolerance": 0.5}) == {"settings"}
    of_the_rule = planned(folder, environment, **{"data.mosi.non_finite": "median"})
    assert of_the_rule >= {"features@vision", "features@audio", "features@text"}
    assert not of_the_rule & {"synthesize", "cohort"}
    of_two = planned(folder, environment, **{"data.mosi.modalities": ["audio", "text"]})
    assert "cohort" in of_two
    assert not of_two & {"synthesize", "features@vision"}
    assert "cohort" in planned(folder, environment, **{"data.mosi.split": "official"})
