"""New movies of MM-IMDb without genres: exactly the features of the same movies, and what is left out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet, SampleSet
from stages.datasets.imdb import poster as poster_stage
from stages.datasets.imdb.cohort import cohort
from stages.datasets.imdb.movies import movies
from stages.datasets.imdb.new import prepare
from stages.datasets.imdb.plot import plot
from stages.datasets.imdb.poster import poster
from stages.shared.base import paths
from tests.stages.shared.test_images import extractor


@pytest.fixture
def trained(project, monkeypatch):
    """Run the stages with a tiny network; return the dataset, and a folder with its test movies, without genres."""
    monkeypatch.setattr(poster_stage, "build_extractor", lambda _: extractor())
    project()
    movies()
    cohort()
    plot()
    poster()
    found = FeatureSet(paths.features("imdb"), paths.cohort("imdb"))
    folder = Path("new/dataset")
    folder.mkdir(parents=True)
    for row in found.rows("test"):
        name = found.sample_ids[row]
        content = json.loads(Path(f"raw/dataset/{name}.json").read_text())
        (folder / f"{name}.json").write_text(json.dumps({"plot": content["plot"]}))
        shutil.copy(f"raw/dataset/{name}.jpeg", folder)
    return found


def test_the_test_movies_without_genres_have_exactly_their_features(trained, tmp_path):
    new = prepare("imdb", Path("new"), tmp_path / "arrays")
    rows = trained.rows("test")
    assert new.sample_ids == [trained.sample_ids[row] for row in rows]
    samples = SampleSet(tmp_path / "arrays", trained.modalities, new.sample_ids)
    for name in trained.modalities:
        np.testing.assert_array_equal(samples.arrays[name], trained.arrays[name][rows], err_msg=name)


def test_movies_without_a_poster_or_a_known_word_are_left_out_and_counted(trained, tmp_path):
    rows = trained.rows("test")
    first = trained.sample_ids[rows[0]]
    shutil.copy(f"new/dataset/{first}.jpeg", "new/dataset/9999999.jpeg")
    Path("new/dataset/9999999.json").write_text(json.dumps({"plot": ["zzzz qqqq"]}))
    Path("new/dataset/8888888.json").write_text(json.dumps({"plot": ["war"]}))
    new = prepare("imdb", Path("new"), tmp_path / "arrays")
    assert new.removed == {"without a plot of known words, or a poster": 2}
    assert len(new.sample_ids) == len(rows)
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("incomplete: drop", "incomplete: keep"))
    new = prepare("imdb", Path("new"), tmp_path / "arrays")
    assert new.removed == {"without plot and poster": 0}
    samples = SampleSet(tmp_path / "arrays", trained.modalities, new.sample_ids)
    assert samples.presence[[new.sample_ids.index(name) for name in ("8888888", "9999999")]].tolist() == [
        [True, False],
        [False, True],
    ]


def test_plots_that_are_no_means_are_refused(project, tmp_path):
    project(plot={"tokens": True})
    with pytest.raises(InputError, match="new plots are prepared as means of word vectors alone"):
        prepare("imdb", Path("raw"), tmp_path / "arrays")


def test_movies_that_lack_a_plot_or_a_poster_are_kept_where_that_is_wanted(project, monkeypatch):
    monkeypatch.setattr(poster_stage, "build_extractor", lambda _: extractor())
    project()
    movies()
    cohort()
    dropped = json.loads(paths.cohort("imdb").with_suffix(".json").read_text())["samples"]
    raw = project(incomplete="keep")
    movies()
    cohort()
    plot()
    poster()
    found = FeatureSet(paths.features("imdb"), paths.cohort("imdb"))
    assert len(found) > dropped
    assert sorted(found.present) == ["plot", "poster"]
    for name, is_there in zip(found.sample_ids, found.presence[:, 1], strict=True):
        assert (raw / "dataset" / f"{name}.jpeg").exists() == is_there
    for name, present in found.present.items():
        assert not found.arrays[name][~present].any()
    about = json.loads(paths.cohort("imdb").with_suffix(".json").read_text())
    assert sum(about["presence"].values()) == len(found)
    assert about["presence"]["plot + poster"] == dropped
