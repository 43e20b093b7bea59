"""The synthetic MM-IMDb: real formats, the same every time, and terms where planted.json says."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from stages.datasets.imdb.source import GENRES, read_folder, read_folds
from stages.datasets.imdb.synthetic.movies import RULES
from stages.datasets.imdb.synthetic.synthesize import write_files
from stages.shared.words import mean_vectors

NUM = 300


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "imdb"
    write_files(folder, NUM, seed=0)
    return folder


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_files(tmp_path / name, 12, seed)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_the_files_have_the_archives_layout_and_its_gaps(raw):
    movies = read_folder(str(raw), official=True)
    assert len(movies.table) == NUM
    assert set(read_folds(raw / "split.json")) == set(movies.table["movie_id"])
    assert movies.table["fold"].value_counts().to_dict() == {"train": 180, "test": 90, "validation": 30}
    assert 0 < (~movies.table["has_poster"]).sum() < NUM / 10
    assert (movies.table["genres"].map(len) == 0).sum() > 0
    assert any("News" in own for own in movies.table["genres"])
    assert "" in movies.plots
    assert set(RULES) <= set(GENRES)
    with Image.open(next((raw / "dataset").glob("*.jpeg"))) as poster:
        assert poster.format == "JPEG"


def test_planted_json_says_that_it_is_synthetic_and_what_decides(raw):
    rule = json.loads((raw / "planted.json").read_text())
    assert rule["synthetic"] is True
    assert rule["genres"]["Crime"] == {"term": "exclusive_or", "sign": 1.0}
    planted = pd.read_csv(raw / "planted.csv")
    for genre, (term, sign) in RULES.items():
        assert roc_auc_score(planted[genre], sign * planted[term]) > 0.85
    assert planted[["plot_bit", "Crime"]].corr().iloc[0, 1] == pytest.approx(0, abs=0.15)  # alone it says nothing


def learned(features, planted, rows):
    """Return the AUROC on the second half of each genre, of a linear model fitted on the first."""
    half = len(rows) // 2
    scores = {}
    for genre in RULES:
        truth = planted[genre].to_numpy()[rows]
        model = LogisticRegression(C=0.1, max_iter=2000).fit(features[:half], truth[:half])
        scores[genre] = roc_auc_score(truth[half:], model.decision_function(features[half:]))
    return scores


def test_plots_tell_the_shared_genres_and_not_the_others(raw):
    movies, planted = read_folder(str(raw), official=False), pd.read_csv(raw / "planted.csv")
    vectors = mean_vectors(movies.plots, raw / "vectors.bin", "vectors")
    rows = np.flatnonzero(vectors.known > 5)
    scores = learned(vectors.means[rows] / vectors.means[rows].std(), planted, rows)
    assert min(scores[genre] for genre in ("Horror", "Family")) > 0.7
    assert max(scores[genre] for genre in ("Drama", "Action", "Romance", "Crime", "Musical")) < 0.65
    assert len(rows) < NUM


def thumbnails(raw, planted, size):
    """Return the movies that have a poster, and their posters as vectors."""
    files = [raw / "dataset" / f"{movie}.jpeg" for movie in planted["movie_id"]]
    rows = np.flatnonzero([path.exists() for path in files])
    return rows, np.stack([np.asarray(Image.open(files[row]).resize(size)).ravel() for row in rows]) / 50


def test_posters_tell_their_own_and_the_shared_genres_and_not_the_others(raw):
    planted = pd.read_csv(raw / "planted.csv", dtype={"movie_id": str})
    rows, small = thumbnails(raw, planted, (4, 6))
    scores = learned(small, planted, rows)
    assert min(scores[genre] for genre in ("Drama", "Action", "Romance", "Horror", "Family")) > 0.7
    assert max(scores[genre] for genre in ("Crime", "Musical")) < 0.65


def test_plot_and_poster_together_tell_the_genres_of_the_exclusive_or(raw):
    planted = pd.read_csv(raw / "planted.csv", dtype={"movie_id": str})
    movies = read_folder(str(raw), official=False)
    vectors = mean_vectors(movies.plots, raw / "vectors.bin", "vectors")
    with_poster, small = thumbnails(raw, planted, (16, 24))
    rows = np.intersect1d(with_poster, np.flatnonzero(vectors.known > 5))
    half = len(rows) // 2
    signs = []
    for term, features in (
        ("plot_bit", vectors.means[rows] / vectors.means[rows].std()),
        ("poster_bit", small[np.searchsorted(with_poster, rows)]),
    ):
        bits = planted[term].to_numpy()[rows]
        model = LogisticRegression(C=0.1, max_iter=2000).fit(features[:half], bits[:half])
        signs.append(model.decision_function(features[half:]))
    exclusive_or = -signs[0] * signs[1]
    assert roc_auc_score(planted["Crime"].to_numpy()[rows[half:]], exclusive_or) > 0.75
    assert roc_auc_score(planted["Musical"].to_numpy()[rows[half:]], -exclusive_or) > 0.75
