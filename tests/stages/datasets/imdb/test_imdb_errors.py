"""Every mistake with MM-IMDb's files: one error that names file, row or key and remedy, and nothing written."""

import gzip
import json
import re
import shutil

import h5py
import numpy as np
import pytest

from i2moe.base.errors import InputError
from stages.datasets.imdb.cohort import cohort
from stages.datasets.imdb.movies import movies
from stages.datasets.imdb.plot import plot
from stages.datasets.imdb.poster import poster
from stages.shared.base import paths
from tests.stages.datasets.imdb.conftest import VECTORS, write_folds, write_hdf5, write_settings, write_vectors


def fails(message, *stages):
    for stage in stages[:-1]:
        stage()
    with pytest.raises(InputError, match=message):
        stages[-1]()


def test_a_folder_that_is_neither_archive_nor_hdf5(project):
    raw = project()
    (raw / "dataset").rename(raw / "elsewhere")
    fails(r"^raw holds no folder dataset/: unpack mmimdb.tar.gz there, or set data.imdb.raw to the file", movies)
    assert not paths.interim("imdb").exists()


def test_archive_and_hdf5_in_one_folder(project):
    write_hdf5(project() / "multimodal_imdb.hdf5")
    fails(r"raw holds both dataset/ and multimodal_imdb.hdf5: set data.imdb.raw to the HDF5, or move it away", movies)


def test_a_folder_without_json(project):
    for path in (project() / "dataset").glob("*.json"):
        path.unlink()
    fails(r"raw/dataset holds no <id>.json: unpack mmimdb.tar.gz there", movies)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"^raw/dataset: file 4 of \d+ by name is not a JSON file: unpack the archive again"),
        (b"\xff\xfe", r"^raw/dataset: file 4 of \d+ by name is not a JSON file"),
        ("[" * 100_000, r"^raw/dataset: file 4 of \d+ by name is not a JSON file"),
        ("[]", r"^raw/dataset: file 4 of \d+ by name holds no JSON object"),
        ('{"genres": 3, "plot": ["war"]}', r"^raw/dataset: file 4 of \d+ by name: key 'genres' is not a list of texts"),
        (
            '{"genres": ["Drama"], "plot": [1]}',
            r"^raw/dataset: file 4 of \d+ by name: key 'plot' is not a list of te",
        ),
    ],
)
def test_a_broken_json(project, content, message):
    path = project() / "dataset" / "0000002.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    fails(message, movies)
    assert not paths.interim("imdb").exists()


def test_vectors_that_are_missing(project):
    (project() / "vectors.bin").unlink()
    fails(r"raw/vectors.bin is missing: put word vectors there, such as .* set data.imdb.plot.vectors to", movies)


@pytest.mark.parametrize("cut", [3, 20, -4])
def test_vectors_that_are_cut_off(project, cut):
    path = project() / "vectors.bin"
    path.write_bytes(path.read_bytes()[:cut])
    fails(r"raw/vectors.bin is not a complete file in word2vec's binary format .*: download it again", movies)


def test_compressed_vectors_that_are_cut_off(project):
    raw = project(plot={"vectors": "vectors.bin.gz"})
    (raw / "vectors.bin.gz").write_bytes(gzip.compress((raw / "vectors.bin").read_bytes())[:-12])
    fails(r"vectors.bin.gz is not a complete file in word2vec's binary format", movies)


def test_vectors_whose_header_asks_for_more_memory_than_there_is(project):
    (project() / "vectors.bin").write_bytes(b"9000000000 900000\nwar ")
    fails(r"vectors.bin is not a complete file in word2vec's binary format", movies)


def test_vectors_of_no_word_of_the_plots(project):
    write_vectors(project() / "vectors.bin", {"Krieg": (1, 0)})
    fails(r"vectors.bin has a vector for none of the texts' words: is it in their language\?", movies)


def test_vectors_that_are_not_finite(project):
    write_vectors(project() / "vectors.bin", VECTORS | {"war": (np.nan, 0)})
    fails(r"vectors.bin: vectors of 1 of the texts' words are not finite: download it again", movies)


def test_no_plot_at_all(project):
    for path in (project() / "dataset").glob("*.json"):
        path.write_text(json.dumps({"genres": ["Drama"]}))
    fails(r"no text has a word: are these the right files\?", movies)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"raw/split.json is missing: take it from the archive, or set data.imdb.split to shares"),
        ("{", r"raw/split.json is not a JSON file: take it from the archive"),
        ("[" * 100_000, r"raw/split.json is not a JSON file"),
        ("[]", r"raw/split.json does not hold the lists train, dev, test"),
        ('{"train": [], "dev": []}', r"raw/split.json does not hold the lists train, dev, test"),
        ('{"train": ["1"], "dev": ["1"], "test": []}', r"raw/split.json: movie 1 of dev is in it twice"),
    ],
)
def test_a_wrong_split_json(project, content, message):
    path = project(split="official") / "split.json"
    path.unlink() if content is None else path.write_text(content)
    fails(message, movies)


def test_an_official_split_that_is_empty(project):
    raw = project(split="official")
    (raw / "split.json").write_text(json.dumps({"train": ["0000002"], "dev": ["0000001"], "test": []}))
    fails(r"imdb: the test split is empty", movies, cohort)
    assert not paths.cohort("imdb").exists()


def test_a_genre_that_official_train_never_shows(project):
    raw = project(split="official")
    folds = {"train": ["0000001"], "dev": ["0000002"], "test": ["0000003"]}
    (raw / "split.json").write_text(json.dumps(folds))
    fails(r"imdb: class 'Comedy' is absent from the train split: split by shares, bring more samples", movies, cohort)


def test_posters_of_other_movies(project):
    raw = project()
    shutil.rmtree(raw / "dataset")
    (raw / "dataset").mkdir()
    (raw / "dataset" / "1.json").write_text('{"genres": ["Drama"], "plot": ["war"]}')
    (raw / "dataset" / "2.jpeg").write_bytes(b"")
    fails(r"raw: no movie is left after 'without a poster': is the archive complete\?", movies, cohort)


@pytest.mark.parametrize("content", [b"", b"GIF89a", None])
def test_a_poster_that_cannot_be_decoded(project, content):
    path = project() / "dataset" / "0000002.jpeg"
    path.write_bytes(path.read_bytes()[:-300] if content is None else content)
    fails(
        r"raw/dataset: file 3 of \d+ by name (cannot be decoded .*|is not a JPEG .*): unpack the archive again, or",
        movies,
        cohort,
        poster,
    )
    assert not (paths.features("imdb") / "poster.npy").exists()
    assert not list(paths.features("imdb").glob("*.partial"))


def test_a_poster_that_went_away_after_the_cohort(project):
    raw = project()
    movies()
    cohort()
    (raw / "dataset" / "0000002.jpeg").unlink()
    fails(
        r"raw/dataset: a file that would be number 3 by name cannot be read \(No such file .*\): put it there",
        poster,
    )


def test_stages_out_of_order(project):
    project()
    fails(r"data/interim/imdb/movies.json is missing: run the movies stage", cohort)
    movies()
    fails(r"data/cohorts/imdb.csv is missing: run the dataset's cohort stage", plot)


def test_a_cohort_of_other_movies(project):
    raw = project()
    movies()
    cohort()
    (raw / "dataset" / "0000002.json").unlink()
    (raw / "dataset" / "0000002.jpeg").unlink()
    fails(r"data/cohorts/imdb.csv has other movies than data/interim/imdb: rerun the cohort stage", movies, plot)


@pytest.fixture
def hdf5(project, tmp_path):
    """Return a function that writes an HDF5 with some arrays changed."""

    def write(**arrays):
        path = tmp_path / "multimodal_imdb.hdf5"
        write_hdf5(path, **arrays)
        project(raw=str(path))
        return path

    return write


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"genres": None}, r"has no array 'genres' with 2 axes: is this multimodal_imdb.hdf5\?"),
        ({"vgg_features": np.zeros(12)}, r"has no array 'vgg_features' with 2 axes"),
        ({"features": np.zeros((11, 3))}, r"'features' has 11 rows, 'genres' 12: download it again"),
        ({"imdb_ids": np.array([b"1"] * 12)}, r"row 1 of 'imdb_ids' repeats an earlier id"),
        ({"genres": np.full((12, 2), 2)}, r"'genres' is not 0 and 1, or its attribute 'target_names' does not name"),
        ({"genres": np.ones((12, 3))}, r"'genres' is not 0 and 1, or its attribute 'target_names' does not name"),
        ({"features": np.full((12, 3), np.inf)}, r"row 0 of 'features' is not finite: download it again"),
    ],
)
def test_a_wrong_hdf5(hdf5, arrays, message):
    hdf5(**arrays)
    fails(message, movies)
    assert not paths.interim("imdb").exists()


def test_an_hdf5_that_is_cut_off(hdf5):
    path = hdf5()
    path.write_bytes(path.read_bytes()[:1000])
    fails(re.escape(f"{path} is not a complete HDF5 file: download it again"), movies)


@pytest.mark.parametrize("mark", [b"HEAP", b"GCOL", b"SNOD", b"TREE"])  # of the tables of links and texts
def test_an_hdf5_whose_tables_are_broken(hdf5, mark):
    path = hdf5()
    write_folds(path, {"train": (0, 8), "dev": (8, 10), "test": (10, 12)})
    content = path.read_bytes()
    assert mark in content
    path.write_bytes(content.replace(mark, bytes(len(mark))))
    fails(r"is not a complete HDF5 file: download it again|attribute 'target_names' does not name", movies)


def test_an_hdf5_that_the_library_never_returns_from(hdf5):
    path = hdf5()
    content = bytearray(path.read_bytes())
    content[content.index(b"GCOL") + 24] = 255  # the size of a text's place in the heap
    path.write_bytes(content)
    fails(
        re.escape(
            f"{path} is broken: it crashes the HDF5 library, keeps it busy for more than 1 s, or needs more than"
        ),
        movies,
    )


def test_an_hdf5_that_claims_more_than_it_holds(hdf5):
    path = hdf5(features=None)
    with h5py.File(path, "a") as file:
        file.create_dataset("features", (12, 10**8), "f4")  # nothing is stored of it
    fails(re.escape(f"{path} has 0 MB, and arrays of 4800 MB: save it again, without compression"), movies)


def test_an_hdf5_with_ids_of_no_text_or_a_group_for_an_array(hdf5):
    path = hdf5(imdb_ids=np.array([b"\x80%d" % row for row in range(12)]))
    fails(re.escape(f"{path} is not a complete HDF5 file: download it again"), movies)
    with h5py.File(path, "a") as file:
        del file["features"]
        file.create_group("features")
    fails(r"has no array 'features' with 2 axes", movies)


def test_genre_names_that_are_no_json(hdf5):
    with h5py.File(hdf5(), "a") as file:
        file["genres"].attrs["target_names"] = "Drama"
    fails(r"its attribute 'target_names' does not name its columns", movies)


def test_features_of_posters_that_are_not_finite(hdf5):
    hdf5(vgg_features=np.full((12, 5), np.nan))
    fails(r"multimodal_imdb.hdf5: the train images' features are all alike, or not finite", movies, cohort, poster)


def test_an_hdf5_without_folds(hdf5, tmp_path):
    path = hdf5()
    write_settings(tmp_path, raw=str(path), split="official")
    fails(r"has 12 rows and no attribute 'split' that tells their folds: set data.imdb.split to shares", movies)
    write_folds(path, {"train": (0, 8), "dev": (8, 10), "test": (10, 12)})
    movies()
    cohort()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("IMAGENET1K_V2", r"data.imdb.poster.weights: 'IMAGENET1K_V2' is not a file; allowed: none, IMAGENET1K_V1, "),
        ("raw/split.json", r"data.imdb.poster.weights: raw/split.json is not a state dict of torchvision's vgg16"),
    ],
)
def test_weights_that_are_none(project, weights, message):
    project(poster={"weights": weights})
    fails(message, movies, cohort, poster)
