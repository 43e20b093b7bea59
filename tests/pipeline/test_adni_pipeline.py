"""The real `dvc exp run` on the synthetic ADNI, in a clone: from files to a report."""

import json

import pandas as pd

from tests.pipeline.datasets import planned, set_params
from tests.pipeline.test_pipeline import DVC, clone, environment, run

__all__ = ["environment"]  # a fixture

TINY = {
    "run.datasets": "[adni]",
    "run.models": "[i2moe-mult]",
    "run.seeds": "[0]",
    "run.max_epochs": "1",
    "synthetic.adni.subjects": "60",
    "synthetic.adni.variants": "300",
    "models.adni.mult.hidden_dim": "8",
    "models.adni.mult.num_patches": "2",
    "models.defaults.encoder_dim": "8",
}


def test_adni_runs_from_files_to_a_report_and_a_dropped_modality_drops_its_stage(tmp_path, environment):
    folder = clone(tmp_path / "project", environment)
    run([str(DVC), "exp", "run", *set_params(TINY)], folder, environment)
    metrics = json.loads((folder / "results/metrics/adni/i2moe-mult.json").read_text())
    assert {"accuracy", "auroc"} <= set(metrics)
    experts = pd.read_csv(folder / "reports/tables/experts.csv")["expert"].tolist()
    names = ["image", "genetic", "clinical", "biospecimen"]
    assert experts == [f"uniqueness_{name}" for name in names] + ["synergy", "redundancy"]
    page = (folder / "reports/index.html").read_text()
    assert ">adni (synthetic)</h2>" in page
    assert set(pd.read_csv(folder / "reports/tables/performance.csv")["dataset"]) == {"adni (synthetic)"}
    assert '<th scope="col">subjects removed</th>' in page
    assert '<th scope="row">diagnosis changes between visits</th>' in page
    assert 'data-label="adni (synthetic)"' in page  # its samples, since they are synthetic
    assert not planned(folder, environment)
    stages = planned(folder, environment, **{"data.adni.modalities": ["image", "clinical"]})
    assert "cohort" in stages
    assert not stages & {"synthesize", "features@genetic", "features@biospecimen"}
