"""Real word vectors, where they are next to the project: GloVe's as binary, and gensim's own files."""

import json
from pathlib import Path

import numpy as np
import pytest

from i2moe.base.errors import InputError
from stages.datasets.imdb.cohort import cohort
from stages.datasets.imdb.movies import movies
from stages.datasets.imdb.plot import plot
from stages.datasets.imdb.table import read_movies
from stages.shared.base import paths
from stages.shared.words import load_vectors, mean_vectors, tokenise
from tests.stages.datasets.imdb.conftest import ROOT, write_posters, write_settings

VECTORS = ROOT.parent / "shared/data/wordvectors"
GLOVE = "glove.6B.50d.top20k.word2vec.bin"
pytestmark = pytest.mark.skipif(not VECTORS.exists(), reason="real word vectors are not next to the project")

PLOTS = {
    "0000001": "The soldiers march to war, and the army burns the town. A battle follows.",
    "0000002": "An army and its general lose a battle; soldiers die in the war.",
    "0000003": "A singer and her band record an album; their songs and concerts make them famous.",
    "0000004": "The band's first album and its songs: a concert, a guitar and a singer.",
    "0000005": "In 1944 troops fight an enemy, qwrtzpx attack and retreat.",
    "0000006": "She plays the piano, he plays jazz; an orchestra, music and dance.",
}


def run_stages(tmp_path, **plot_settings):
    """Run the stages of the plots on these plots and GloVe, in the folder where the test stands."""
    dataset = Path("raw/dataset")
    dataset.mkdir(parents=True)
    for number, (movie, text) in enumerate(PLOTS.items()):
        genres = [["War"], ["Music"]][number in (2, 3, 5)]
        (dataset / f"{movie}.json").write_text(json.dumps({"genres": [*genres, "Drama"], "plot": [text]}))
    write_posters(dataset, PLOTS)
    (Path("raw") / GLOVE).symlink_to(VECTORS / GLOVE)
    write_settings(tmp_path, raw="raw", plot={"vectors": GLOVE, **plot_settings})
    for stage in (movies, cohort, plot):
        stage()


def test_the_plot_stage_reads_glove_and_finds_which_plots_are_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_stages(tmp_path)
    assert np.load(paths.features("imdb") / "plot.npy").shape == (6, 50)
    unknown = read_movies().set_index("movie_id").eval("words - known_words")
    assert unknown["0000005"] >= 1  # qwrtzpx
    about = json.loads((paths.features("imdb") / "plot.json").read_text())
    assert 0 < about["share_of_words_without_vector"] < 0.2
    means = np.load(paths.interim("imdb") / "plots.npy")
    centred = means - means.mean(axis=0)
    likeness = np.corrcoef(centred)
    np.fill_diagonal(likeness, -1)
    assert likeness.argmax(axis=1).tolist() == [1, 0, 3, 2, likeness[4].argmax(), likeness[5].argmax()]
    assert likeness[4].argmax() in (0, 1)
    assert likeness[5].argmax() in (2, 3)


def test_a_sequence_is_gloves_vectors_of_the_words_in_order_scaled_with_the_train_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_stages(tmp_path, tokens=True)
    vectors = load_vectors(VECTORS / GLOVE, "vectors")
    folder = paths.features("imdb")
    words, about = (json.loads((folder / f"plot.{name}").read_text()) for name in ("words.json", "json"))
    assert words == [[word for word in tokenise(text) if word in vectors] for text in PLOTS.values()]
    assert words[0][:6] == ["the", "soldiers", "march", "to", "war", ","]
    assert "qwrtzpx" not in words[4]
    assert np.load(folder / "plot.lengths.npy").tolist() == list(map(len, words))
    array = np.load(folder / "plot.npy")
    assert array.shape == (6, max(map(len, words)), 50)
    split = [line.split(",")[2] for line in paths.cohort("imdb").read_text().splitlines()[1:]]
    train = np.concatenate([vectors[own] for own, part in zip(words, split, strict=True) if part == "train"])
    assert about["fitted"]["steps"] == len(train)
    for row, own in zip(array, words, strict=True):
        expected = (vectors[own] - train.mean(axis=0)) / train.std(axis=0)
        assert row[: len(own)] == pytest.approx(expected, abs=5e-3)


def test_means_are_those_of_gensims_own_vectors():
    vectors = load_vectors(VECTORS / GLOVE, "vectors")
    found = mean_vectors(list(PLOTS.values()), VECTORS / GLOVE, "vectors")
    for row, text in enumerate(PLOTS.values()):
        words = [word for word in tokenise(text) if word in vectors]
        assert found.known[row] == len(words)
        assert found.means[row] == pytest.approx(np.mean([vectors[word] for word in words], axis=0), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("gensim_euclidean_vectors.bin", (2747, 10)),
        ("gensim_EN.1-10.cbow1_wind5_hs0_neg10_size300_smpl1e-05.txt", (20, 300)),
    ],
)
def test_other_files_of_the_format_are_read(name, shape):
    assert load_vectors(VECTORS / name, "vectors").vectors.shape == shape


def test_text_vectors_without_their_first_line_are_refused():
    with pytest.raises(InputError, match=r"20k.txt is not a complete file in word2vec's text format"):
        load_vectors(VECTORS / "glove.6B.50d.top20k.txt", "vectors")
