"""The real `dvc exp run` on the synthetic MIMIC-IV, in a clone: from tables to a report."""

import json

import pandas as pd

from tests.pipeline.datasets import planned, set_params
from tests.pipeline.test_pipeline import DVC, clone, environment, run

__all__ = ["environment"]  # a fixture

TINY = {
    "run.datasets": "[mimic]",
    "run.models": "[i2moe-mult]",
    "run.seeds": "[0]",
    "run.max_epochs": "2",
    "synthetic.mimic.patients": "200",
    "data.mimic.code.min_patients": "5",
    "data.mimic.note.dim": "16",
    "models.mimic.mult.hidden_dim": "8",
    "models.defaults.encoder_dim": "16",
}


def test_mimic_runs_from_tables_to_a_report_and_a_dropped_modality_drops_its_stage(tmp_path, environment):
    folder = clone(tmp_path / "project", environment)
    run([str(DVC), "exp", "run", *set_params(TINY)], folder, environment)
    metrics = json.loads((folder / "results/metrics/mimic/i2moe-mult.json").read_text())
    assert {"accuracy", "auroc"} <= set(metrics)
    experts = pd.read_csv(folder / "reports/tables/experts.csv")["expert"].tolist()
    assert experts == ["uniqueness_lab", "uniqueness_note", "uniqueness_code", "synergy", "redundancy"]
    page = (folder / "reports/index.html").read_text()
    assert ">mimic (synthetic)</h2>" in page
    assert set(pd.read_csv(folder / "reports/tables/performance.csv")["dataset"]) == {"mimic (synthetic)"}
    assert '<th scope="col">admissions removed</th>' in page
    assert '<th scope="row">death at or before discharge</th>' in page
    assert 'data-label="mimic (synthetic)"' in page  # its samples, since they are synthetic
    assert not planned(folder, environment)
    stages = planned(folder, environment, **{"data.mimic.modalities": ["lab", "code"]})
    assert "cohort" in stages
    assert not stages & {"synthesize", "measurements", "features@note"}
