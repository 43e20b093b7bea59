"""The real `dvc exp run` on the synthetic MM-IMDb, in a clone: from files to a report."""

import json

import pandas as pd

from tests.pipeline.datasets import planned, set_params
from tests.pipeline.test_pipeline import DVC, clone, environment, run

__all__ = ["environment"]  # a fixture

TINY = {
    "run.datasets": "[imdb]",
    "run.models": "[mult,i2moe-mult]",
    "run.seeds": "[0]",
    "run.max_epochs": "1",
    "synthetic.imdb.movies": "70",
    "models.imdb.mult.hidden_dim": "8",
    "models.imdb.defaults.encoder_dim": "16",
}


def test_imdb_runs_from_files_to_a_report_and_another_split_or_word_vectors_compute_no_poster_again(
    tmp_path, environment
):
    folder = clone(tmp_path / "project", environment)
    run([str(DVC), "exp", "run", *set_params(TINY)], folder, environment)
    metrics = json.loads((folder / "results/metrics/imdb/i2moe-mult.json").read_text())
    assert {"micro_f1", "macro_f1"} <= set(metrics)
    assert not [name for name in metrics if name.startswith("auroc_of_")]
    scores = pd.read_csv(folder / "results/metrics/imdb/i2moe-mult.csv")["metric"].tolist()
    assert {"auroc_of_Drama", "auroc_of_Crime"} <= set(scores)
    experts = pd.read_csv(folder / "reports/tables/experts.csv")["expert"].tolist()
    assert experts == ["uniqueness_plot", "uniqueness_poster", "synergy", "redundancy"]
    page = (folder / "reports/index.html").read_text()
    assert ">imdb (synthetic)</h2>" in page
    assert "of the plots&#39; words have no vector" in page
    assert "poster: untrained image features (VGG-16 with random weights, seed 0)" in page
    assert "<summary>AUROC of each label</summary>" in page
    assert '<th scope="row">Drama</th>' in page
    assert '<th scope="col">movies removed</th>' in page
    assert not planned(folder, environment)

    assert planned(folder, environment, **{"data.imdb.plot.vectors": "other.bin"}) >= {"movies", "features@plot"}
    assert planned(folder, environment, **{"data.imdb.plot.tokens": True}) >= {"movies", "features@plot"}
    of_poster = planned(folder, environment, **{"data.imdb.poster.layer": "convolution"})
    assert of_poster & {"movies", "cohort", "features@plot", "features@poster"} == {"features@poster"}
    store = next((folder / "data/.images").glob("vgg16-*/keys.txt"))
    before = store.read_text()
    path = folder / "params.yaml"
    path.write_text(path.read_text().replace("  seed: 0\n\nsynthetic:", "  seed: 1\n\nsynthetic:"))
    output = run([str(DVC), "repro", "stages/datasets/imdb/dvc.yaml:features@poster"], folder, environment)
    assert "stages.datasets.imdb.poster" in output
    assert "stages.datasets.imdb.movies" not in output
    assert store.read_text() == before  # the same images, computed once
