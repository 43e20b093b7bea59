"""New movies of MM-IMDb without genres: exactly the features of the same movies in each form, and what is left out."""

import json
import shutil
from pathlib import Path

import h5py
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
from tests.stages.datasets.imdb.conftest import write_hdf5, write_posters, write_vectors
from tests.stages.shared.test_images import extractor
from tests.tiny_encoders import write_text_encoder, write_vision_encoder


def run_stages(*stages):
    """Run the stages; return the dataset."""
    for stage in stages or (movies, cohort, plot, poster):
        stage()
    return FeatureSet(paths.features("imdb"), paths.cohort("imdb"))


def write_more_movies(number=12):
    """Add movies (synthetic) to the raw folder, so that every split has some."""
    generator = np.random.default_rng(0)
    names = [f"02000{row:02d}" for row in range(number)]
    for row, name in enumerate(names):
        words = generator.choice(["war", "love", "sea", "storm", "the"], 3 + row % 5)
        content = {"genres": ["Drama"] if row % 2 else ["Comedy"], "plot": [f"sea {' '.join(words)}"]}
        Path(f"raw/dataset/{name}.json").write_text(json.dumps(content))
    write_posters(Path("raw/dataset"), names)


def write_test_movies(found):
    """Write a folder with the test movies, without genres."""
    folder = Path("new/dataset")
    folder.mkdir(parents=True)
    for row in found.rows("test"):
        name = found.sample_ids[row]
        content = json.loads(Path(f"raw/dataset/{name}.json").read_text())
        (folder / f"{name}.json").write_text(json.dumps({"plot": content["plot"]}))
        shutil.copy(f"raw/dataset/{name}.jpeg", folder)


def assert_exactly_the_test_samples(found, new, arrays):
    """New samples are the test split's, bit for bit."""
    rows = found.rows("test")
    assert len(rows) > 1
    assert new.sample_ids == [found.sample_ids[row] for row in rows]
    samples = SampleSet(arrays, found.modalities, new.sample_ids)
    assert (samples.kinds, samples.shapes) == (found.kinds, found.shapes)
    for name in found.modalities:
        np.testing.assert_array_equal(samples.arrays[name], found.arrays[name][rows], err_msg=name)
        assert samples.arrays[name].dtype == found.arrays[name].dtype
        assert np.asarray(samples.arrays[name], float).std() > 0
    for name, lengths in found.lengths.items():
        np.testing.assert_array_equal(samples.lengths[name], lengths[rows])
    return samples


@pytest.fixture
def trained(project, monkeypatch):
    """Run the stages with a tiny network; return the dataset, and a folder with its test movies, without genres."""
    monkeypatch.setattr(poster_stage, "build_extractor", lambda _: extractor())
    project()
    found = run_stages()
    write_test_movies(found)
    return found


def test_the_test_movies_without_genres_have_exactly_their_features(trained, tmp_path):
    assert_exactly_the_test_samples(trained, prepare("imdb", Path("new"), tmp_path / "arrays"), tmp_path / "arrays")


@pytest.mark.parametrize("max_tokens", [1, 100])
def test_plots_as_sequences_of_words_are_exactly_those_of_test(project, tmp_path, max_tokens):
    project(modalities=["plot"], plot={"tokens": True, "max_tokens": max_tokens})
    write_more_movies()
    found = run_stages(movies, cohort, plot)
    write_test_movies(found)
    new = prepare("imdb", Path("new"), tmp_path / "arrays")
    samples = assert_exactly_the_test_samples(found, new, tmp_path / "arrays")
    assert samples.kinds == {"plot": "sequence"}


@pytest.mark.parametrize("tokens", [False, True])
def test_what_hugging_face_encoders_see_is_exactly_that_of_test(project, tmp_path, tokens):
    pytest.importorskip("transformers", reason="needs the extra 'transformers'")
    text = write_text_encoder(tmp_path / "bert", window=128)
    vision = write_vision_encoder(tmp_path / "vit")
    project(plot={"encoder": str(text), "tokens": tokens}, poster={"encoder": str(vision), "batch_size": 4})
    write_more_movies()
    found = run_stages()
    write_test_movies(found)
    samples = assert_exactly_the_test_samples(
        found, prepare("imdb", Path("new"), tmp_path / "arrays"), tmp_path / "arrays"
    )
    assert samples.kinds == {"plot": "sequence" if tokens else "vector", "poster": "image"}
    shutil.rmtree(paths.text_features(""))  # what was computed of the same texts
    shutil.rmtree(tmp_path / "arrays")
    prepare("imdb", Path("new"), tmp_path / "arrays")
    anew = SampleSet(tmp_path / "arrays", found.modalities, samples.sample_ids)
    np.testing.assert_allclose(
        np.asarray(anew.arrays["plot"], float), np.asarray(found.arrays["plot"], float)[found.rows("test")], atol=1e-2
    )


def test_a_new_plot_that_is_longer_than_all_others_is_cut_off(project, tmp_path, capsys):
    project(modalities=["plot"], plot={"tokens": True})
    longest = run_stages(movies, cohort, plot).shapes["plot"][0]
    Path("new/dataset").mkdir(parents=True)
    for name, words in (("1", ["sea"] * longest), ("2", ["sea"] * longest + ["war"] * 3)):
        Path(f"new/dataset/{name}.json").write_text(json.dumps({"plot": [" ".join(words)]}))
    new = prepare("imdb", Path("new"), tmp_path / "arrays")
    samples = SampleSet(tmp_path / "arrays", ["plot"], new.sample_ids)
    assert samples.lengths["plot"].tolist() == [longest] * 2
    np.testing.assert_array_equal(samples.arrays["plot"][0], samples.arrays["plot"][1])
    assert f"1 samples have more than {longest} steps, of which the first are kept" in capsys.readouterr().out


def write_new_hdf5(found, arrays):
    """Write an HDF5 with the test movies, without genres, in another order."""
    names = [found.sample_ids[row].encode() for row in found.rows("test")]
    rows = np.flatnonzero(np.isin(arrays["imdb_ids"], names))
    with h5py.File("new.hdf5", "w") as file:
        for name in ("imdb_ids", "features", "vgg_features"):
            file[name] = arrays[name][rows]
    return Path("new.hdf5")


@pytest.fixture
def ready_made(project, tmp_path):
    """Run the stages on an HDF5; return its arrays and the dataset."""
    arrays = write_hdf5(tmp_path / "multimodal_imdb.hdf5")
    project(raw="multimodal_imdb.hdf5")
    return arrays, run_stages()


def test_movies_of_an_hdf5_without_genres_have_exactly_their_features(ready_made, tmp_path):
    arrays, found = ready_made
    new = prepare("imdb", write_new_hdf5(found, arrays), tmp_path / "arrays")
    assert_exactly_the_test_samples(found, new, tmp_path / "arrays")
    assert new.removed == {"without a plot of known words, or a poster": 0}


def test_a_movie_of_an_hdf5_without_a_vector_is_left_out(ready_made, tmp_path):
    arrays, found = ready_made
    path = write_new_hdf5(found, arrays)
    with h5py.File(path, "a") as file:
        file["features"][0] = np.nan
        lost = file["imdb_ids"][0].decode()
    new = prepare("imdb", path, tmp_path / "arrays")
    assert new.removed == {"without a plot of known words, or a poster": 1}
    assert lost not in new.sample_ids
    assert len(new.sample_ids) == len(found.rows("test")) - 1


def test_new_movies_of_the_other_form_are_refused(project, tmp_path):
    write_hdf5(tmp_path / "multimodal_imdb.hdf5")
    project(raw="multimodal_imdb.hdf5")
    with pytest.raises(InputError, match=r"raw holds a folder dataset/, and data.imdb.raw, .*hdf5, an HDF5: new mov"):
        prepare("imdb", Path("raw"), tmp_path / "arrays")
    project()
    with pytest.raises(InputError, match=r"hdf5 holds an HDF5, and data.imdb.raw, raw, a folder dataset/: new movies"):
        prepare("imdb", Path("multimodal_imdb.hdf5"), tmp_path / "arrays")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": np.zeros((12, 4)) + 1}, r"new plots have vectors of 4 numbers, those of train had 3"),
        ({"vgg_features": np.ones((12, 6))}, r"other.hdf5: \(6,\) features, and 5 of train in .*poster.fitted.npz"),
        ({"vgg_features": np.full((12, 5), np.nan)}, r"other.hdf5: an image's features are not finite"),
        ({"imdb_ids": np.array([b"1"] * 12)}, r"other.hdf5: row 1 of 'imdb_ids' repeats an earlier id"),
        ({"features": np.ones((11, 3))}, r"other.hdf5: 'features' has 11 rows, 'imdb_ids' 12: download it again"),
    ],
)
def test_a_new_hdf5_that_does_not_fit_is_refused(ready_made, tmp_path, arrays, message):  # noqa: ARG001 (it has run)
    write_hdf5(Path("other.hdf5"), genres=None, **arrays)
    with pytest.raises(InputError, match=message):
        prepare("imdb", Path("other.hdf5"), tmp_path / "arrays")


def test_word_vectors_of_another_width_are_refused(project, tmp_path):
    project(modalities=["plot"], plot={"tokens": True})
    run_stages(movies, cohort, plot)
    shutil.copytree("raw/dataset", "new/dataset")
    write_vectors(Path("new/vectors.bin"), {"war": (1, 0, 0), "sea": (0, 1, 1)})
    with pytest.raises(InputError, match=r"new plot: a step has 3 features, and train had others in .*plot.fitted.npz"):
        prepare("imdb", Path("new"), tmp_path / "arrays")


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
