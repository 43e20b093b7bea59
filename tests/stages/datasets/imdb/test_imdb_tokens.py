"""Plots as sequences of words or of an encoder's tokens, and posters as maps, on hand-written files (synthetic)."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from i2moe.base.errors import InputError
from i2moe.data import FeatureSet
from stages.datasets.imdb.cohort import cohort
from stages.datasets.imdb.movies import movies
from stages.datasets.imdb.plot import plot
from stages.datasets.imdb.poster import build_extractor, poster
from stages.datasets.imdb.settings import PosterSettings
from stages.shared.base import paths
from tests.stages.datasets.imdb.conftest import MOVIES, VECTORS, write_hdf5, write_settings
from tests.tiny_encoders import write_text_encoder, write_vision_encoder

WORDS = {
    "0000001": ["war", "war", "love"],  # the longest plot; `and`, `zzz` and punctuation have no vector
    "0000002": ["love"],
    "0000003": ["N", "war"],
    "0000004": ["sea"],
    "0000005": ["L", "sea"],
    "0000006": ["love", "sea", "war"],
}


def run_plot(project, modalities=("plot",), **settings):
    """Run the stages of the plots; return the cohort and what lies in the folder of features."""
    project(modalities=list(modalities), plot=settings)
    for stage in (movies, cohort, plot):
        stage()
    folder = paths.features("imdb")
    table = pd.read_csv(paths.cohort("imdb"), dtype=str)
    words, about = (json.loads((folder / f"plot.{name}").read_text()) for name in ("words.json", "json"))
    return table, np.load(folder / "plot.npy"), np.load(folder / "plot.lengths.npy"), words, about


def expected_steps(table, words):
    """Return the words' vectors, scaled by mean and deviation over the train split's words."""
    steps = [np.array([VECTORS[word] for word in own], float) for own in words]
    train = np.concatenate([own for own, split in zip(steps, table["split"], strict=True) if split == "train"])
    std = train.std(axis=0)
    return [(own - train.mean(axis=0)) / np.where(std == 0, 1, std) for own in steps]


def test_a_plot_is_the_sequence_of_its_words_that_have_a_vector(project, capsys):
    table, array, lengths, words, about = run_plot(project, ("plot", "poster"), tokens=True)
    assert words == [WORDS[movie] for movie in table["sample_id"]]
    assert lengths.tolist() == [3, 1, 2, 1, 2, 3]
    assert (array.shape, array.dtype) == ((6, 3, 2), np.float16)
    for own, expected, length in zip(array, expected_steps(table, words), lengths, strict=True):
        assert own[:length] == pytest.approx(expected, abs=2e-3)
        assert (own[length:] == 0).all()
    assert about["kind"] == "sequence"
    assert (about["plots_cut_off"], about["plots_without_known_word"]) == (0, 0)
    assert about["share_of_words_without_vector"] == 4 / 16
    assert "0 plots have more than 100 tokens" in capsys.readouterr().out


def test_a_long_plot_is_cut_off_and_counted(project):
    table, array, lengths, words, about = run_plot(project, ("plot", "poster"), tokens=True, max_tokens=2)
    assert words == [WORDS[movie][:2] for movie in table["sample_id"]]
    assert (lengths.max(), array.shape[1]) == (2, 2)
    assert about["plots_cut_off"] == 2
    cut_off = "2 plots have more than 2 tokens and are cut off there"
    assert about["note"] == f"25.0% of the plots' words have no vector; {cut_off}"


def test_sequences_meet_the_contract(project):
    run_plot(project, tokens=True)
    features = FeatureSet(paths.features("imdb"), paths.cohort("imdb"))
    assert features.kinds == {"plot": "sequence"}
    assert features.lengths["plot"].tolist() == np.load(paths.features("imdb") / "plot.lengths.npy").tolist()


def test_a_plot_without_a_known_word_is_left_out_or_one_step_of_0(project):
    table, *_ = run_plot(project, tokens=True)
    assert "0000011" not in table["sample_id"].tolist()
    table, array, lengths, words, about = run_plot(project, tokens=True, unknown="zero")
    row = table["sample_id"].tolist().index("0000011")
    assert lengths[row] == 1
    assert (array[row] == 0).all()
    assert words[row] == []
    assert about["plots_without_known_word"] == 1


def test_means_have_the_files_of_sequences_but_nothing_in_them(project):
    _, array, lengths, words, _ = run_plot(project)
    assert array.ndim == 2
    assert (len(lengths), words) == (0, [])


def test_words_that_only_test_plots_hold_change_no_train_row(project, tmp_path):
    modalities = ("plot", "poster")
    table, before, *_, about = run_plot(project, modalities, tokens=True)
    test = table["sample_id"][table["split"] == "test"].tolist()
    for movie in test:
        content = MOVIES[movie] | {"plot": [" ".join("1" for _ in WORDS[movie])]}
        (tmp_path / "raw" / "dataset" / f"{movie}.json").write_text(json.dumps(content))
    again, after, *_, about_again = run_plot(project, modalities, tokens=True)
    assert again["split"].tolist() == table["split"].tolist()
    assert about_again["fitted"] == about["fitted"]
    others = (table["split"] != "test").to_numpy()
    np.testing.assert_array_equal(after[others], before[others])
    assert (after[~others] != before[~others]).any()


# A Hugging Face encoder


@pytest.fixture
def bert(tmp_path):
    pytest.importorskip("transformers", reason="needs the extra 'transformers'")
    return str(write_text_encoder(tmp_path / "bert", window=128))


def test_a_plot_is_the_sequence_of_an_encoders_states(project, bert):
    table, array, lengths, words, about = run_plot(project, tokens=True, encoder=bert)
    by_movie = dict(zip(table["sample_id"], words, strict=True))
    assert by_movie["0000001"][:6] == ["War", ",", "war", "and", "love", "zzz"]
    assert by_movie["0000003"] == ["1984", "*", "war", "*"]  # without the mark of a line's end
    assert by_movie["0000011"] == ["zzz", "yyy"]  # an encoder knows every word
    assert lengths.tolist() == [len(own) for own in words]
    assert (array.shape[2], about["encoder"]) == (8, bert)
    train = array[(table["split"] == "train").to_numpy()].astype(float)
    steps = train[np.arange(array.shape[1]) < lengths[(table["split"] == "train").to_numpy(), None]]
    assert steps.mean(axis=0) == pytest.approx(0, abs=1e-2)
    assert steps.std(axis=0) == pytest.approx(1, abs=1e-2)
    filters = json.loads(paths.cohort("imdb").with_suffix(".json").read_text())["removed"]
    assert "without a plot word that has a vector" not in filters


def test_without_tokens_a_plot_is_the_mean_of_an_encoders_states(project, bert):
    table, steps, lengths, _, sequence = run_plot(project, tokens=True, encoder=bert)
    _, array, *_ = run_plot(project, encoder=bert)
    states = steps * np.array(sequence["fitted"]["scale"]) + sequence["fitted"]["mean"]
    means = np.stack([own[:length].mean(axis=0) for own, length in zip(states, lengths, strict=True)])
    train = means[(table["split"] == "train").to_numpy()]
    assert array == pytest.approx((means - train.mean(axis=0)) / train.std(axis=0), rel=0.01, abs=0.05)


def test_another_split_computes_no_text_again(project, bert, capsys, tmp_path):
    run_plot(project, tokens=True, encoder=bert)
    assert "new texts" in capsys.readouterr().out
    text = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("seed: 0, test: 0.33", "seed: 1, test: 0.33"))
    cohort()
    plot()
    assert "new texts" not in capsys.readouterr().out


# Posters


def test_a_poster_is_a_map_of_vgg_16s_last_convolution(project):
    project(modalities=["poster"], poster={"layer": "convolution", "batch_size": 4})
    for stage in (movies, cohort, poster):
        stage()
    features = FeatureSet(paths.features("imdb"), paths.cohort("imdb"))
    assert (features.kinds, features.shapes) == ({"poster": "image"}, {"poster": (512, 7, 7)})
    settings = {"encoder": "vgg", "layer": "convolution", "weights": "none", "seed": 0, "batch_size": 4}
    own = build_extractor(PosterSettings.model_validate(settings))
    with torch.inference_mode():
        assert own.network(torch.zeros(1, 3, 224, 224)).shape == (1, 512, 7, 7)
    assert features.arrays["poster"].astype(float).std() > 0.1


def test_a_poster_is_a_map_of_a_vision_models_patches(project, tmp_path):
    pytest.importorskip("transformers", reason="needs the extra 'transformers'")
    folder = write_vision_encoder(tmp_path / "clip", "CLIPModel")
    project(modalities=["poster"], poster={"encoder": str(folder), "batch_size": 4})
    for stage in (movies, cohort, poster):
        stage()
    features = FeatureSet(paths.features("imdb"), paths.cohort("imdb"))
    assert (features.kinds, features.shapes) == ({"poster": "image"}, {"poster": (8, 4, 4)})
    assert features.notes == {}  # trained weights, as far as is known
    assert features.arrays["poster"].dtype == np.float16
    assert len(np.unique(features.arrays["poster"][:, 0, 0, 0])) > 5


# Errors


def fails(message, stage):
    with pytest.raises(InputError, match=message):
        stage()


@pytest.mark.parametrize("settings", [{"tokens": True}, {"encoder": "bert"}])
def test_an_hdf5_has_no_texts(project, tmp_path, settings):
    write_hdf5(tmp_path / "multimodal_imdb.hdf5")
    project(raw=str(tmp_path / "multimodal_imdb.hdf5"), plot=settings)
    fails(
        r"hdf5 holds means of word vectors and no texts: set data.imdb.raw to the archive's folder, or data.imdb",
        movies,
    )
    assert not paths.interim("imdb").exists()


@pytest.mark.parametrize("settings", [{"layer": "convolution"}, {"encoder": "clip"}])
def test_an_hdf5_has_no_images(project, tmp_path, settings):
    write_hdf5(tmp_path / "multimodal_imdb.hdf5")
    project(raw=str(tmp_path / "multimodal_imdb.hdf5"), poster=settings)
    movies()
    cohort()
    fails(r"hdf5 holds features of VGG's layer classifier and no images: set data.imdb.raw to the archive's", poster)
    assert not paths.features("imdb").exists()


def test_sequences_wanted_of_movies_that_were_read_for_means(project, tmp_path):
    project()
    movies()
    cohort()
    write_settings(tmp_path, raw="raw", plot={"tokens": True})
    fails(r"data/interim/imdb/words.json is missing: run the movies stage", plot)


def test_an_encoder_that_is_missing(project):
    project(plot={"encoder": "nowhere", "tokens": True}, poster={"encoder": "nowhere"})
    movies()
    cohort()
    fails(r"data.imdb.plot.encoder: there is no folder nowhere", plot)
    fails(r"data.imdb.poster.encoder: there is no folder nowhere", poster)
    assert not paths.features("imdb").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"plot": {"tokens": 1}}, r"data.imdb.plot.tokens: .*not 1"),
        ({"plot": {"max_tokens": 0}}, r"data.imdb.plot.max_tokens: .*not 0"),
        ({"poster": {"layer": "last"}}, r"data.imdb.poster.layer: .*not 'last'; allowed: classifier, convolution"),
    ],
)
def test_settings_that_cannot_be(project, settings, message):
    project(**settings)
    fails(message, movies)
