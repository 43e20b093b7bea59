"""The real `dvc exp run` on the synthetic MMHS150K, in a clone: from files to a report."""

import json

import pandas as pd

from tests.pipeline.datasets import planned, set_params
from tests.pipeline.test_pipeline import DVC, clone, environment, run

__all__ = ["environment"]  # a fixture

TINY = {
    "run.datasets": "[mmhs]",
    "run.models": "[i2moe-mult]",
    "run.seeds": "[0]",
    "run.max_epochs": "1",
    "synthetic.mmhs.tweets": "80",
    "models.mmhs.mult.hidden_dim": "8",
    "models.mmhs.defaults.encoder_dim": "16",
}


def test_mmhs_runs_from_files_to_a_report_and_no_log_shows_a_tweet_and_other_labels_read_no_text_again(
    tmp_path, environment
):
    folder = clone(tmp_path / "project", environment)
    output = run([str(DVC), "exp", "run", *set_params(TINY)], folder, environment)
    metrics = json.loads((folder / "results/metrics/mmhs/i2moe-mult.json").read_text())
    assert {"auroc", "accuracy", "macro_f1"} <= set(metrics)
    experts = pd.read_csv(folder / "reports/tables/experts.csv")["expert"].tolist()
    assert experts == ["uniqueness_tweet", "uniqueness_image", "uniqueness_ocr", "synergy", "redundancy"]
    page = (folder / "reports/index.html").read_text()
    assert ">mmhs (synthetic)</h2>" in page
    assert "of the images have a text" in page
    assert "image: untrained image features (VGG-16 with random weights, seed 0)" in page
    assert '<th scope="col">tweets removed</th>' in page
    records = json.loads((folder / "data/synthetic/mmhs/MMHS150K_GT.json").read_text())
    words = {word for record in records.values() for word in record["tweet_text"].split() if word.isalpha()}
    assert not [word for word in words - {"RT"} if f" {word} " in output]
    assert not [tweet for tweet in records if tweet in output]
    changed = planned(folder, environment, **{"data.mmhs.labels": "classes"})
    assert "cohort" in changed
    assert not {"synthesize", "tweets"} & changed
