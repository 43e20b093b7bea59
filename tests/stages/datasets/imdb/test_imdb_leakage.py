"""What only test movies' files hold reaches no fitted object and no train row (synthetic data)."""

import json

import numpy as np
import pandas as pd
import pytest

from stages.datasets.imdb.cohort import cohort
from stages.datasets.imdb.movies import movies
from stages.datasets.imdb.plot import plot
from stages.datasets.imdb.poster import poster
from stages.shared.base import paths
from tests.stages.datasets.imdb.conftest import write_hdf5

STAGES = (movies, cohort, plot, poster)
NUM = 40


def run(project, path, features, posters):
    """Run all stages on an HDF5 with these features; return the cohort, the arrays and what was fitted."""
    write_hdf5(path, NUM, features=features, vgg_features=posters)
    project(raw=str(path))
    for stage in STAGES:
        stage()
    folder = paths.features("imdb")
    fitted = {name: json.loads((folder / f"{name}.json").read_text())["fitted"] for name in ("plot", "poster")}
    arrays = {name: np.load(folder / f"{name}.npy") for name in ("plot", "poster")}
    return pd.read_csv(paths.cohort("imdb"), dtype=str), arrays, fitted


@pytest.mark.parametrize(("split", "leaks"), [("test", False), ("validation", False), ("train", True)])
def test_other_values_of_a_split_change_train_rows_and_fitted_objects_only_where_it_is_train(
    project, tmp_path, split, leaks
):
    path = tmp_path / "multimodal_imdb.hdf5"
    arrays = write_hdf5(path, NUM)
    ids = [name.decode() for name in arrays["imdb_ids"]]
    table, before, fitted = run(project, path, arrays["features"], arrays["vgg_features"])
    rows = np.array([ids.index(name) for name in table["sample_id"]])
    changed = rows[(table["split"] == split).to_numpy()]
    features, posters = arrays["features"].copy(), arrays["vgg_features"].copy()
    features[changed] = 5 - 3 * features[changed]
    posters[changed] = 5 - 3 * posters[changed]
    again, after, fitted_again = run(project, path, features, posters)
    pd.testing.assert_frame_equal(table, again)
    assert (fitted != fitted_again) == leaks
    others = (table["split"] != split).to_numpy()
    for name, array in before.items():
        assert (after[name][others].tobytes() != array[others].tobytes()) == leaks
        assert (after[name][~others] != array[~others]).any()
