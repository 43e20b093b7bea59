"""Every stage of MM-IMDb against files whose outputs are worked out by hand (synthetic)."""

import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchvision import models
from torchvision.transforms import functional

from i2moe.data import FeatureSet
from stages.datasets.imdb.cohort import cohort
from stages.datasets.imdb.movies import movies
from stages.datasets.imdb.plot import plot
from stages.datasets.imdb.poster import poster
from stages.datasets.imdb.table import read_movies
from stages.shared.base import paths
from stages.shared.words import tokenise
from tests.stages.datasets.imdb.conftest import GENRES, SPLIT, VECTORS, write_folds, write_hdf5, write_settings

WAR, LOVE, SEA, NUMBER, URL = (np.array(VECTORS[word], float) for word in ("war", "love", "sea", "N", "L"))
MEANS = {
    "0000001": (2 * WAR + LOVE) / 3,  # the longest plot; `and`, `zzz` and punctuation have no vector
    "0000002": LOVE,
    "0000003": (NUMBER + WAR) / 2,
    "0000004": SEA,
    "0000005": (URL + SEA) / 2,
    "0000006": (LOVE + SEA + WAR) / 3,
}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("In 1984, <br />two cops* meet.", ["in", "N", ",", "two", "cops", "meet", "."]),
        ("https://a.example/b?c=1 seen\nHe said: no-one", ["L", "he", "said", ":", "no", "-", "one"]),
        ("see https://a.example", ["see", "https", ":", "/", "/", "a", ".", "example"]),
        ("it's 3D `x` [y]|{z}", ["it", "'", "s", "N", "d", "x", "y", "{z}"]),
        ("   ", []),
    ],
)
def test_plots_are_cut_into_words_as_the_authors_do(text, words):
    assert tokenise(text) == words


def run_folder(project, **settings):
    project(**settings)
    movies()
    cohort()


def flow():
    return {step["filter"]: step["movies_removed"] for step in described()["flow"]}


def described():
    return json.loads(paths.cohort("imdb").with_suffix(".json").read_text())


def test_the_movies_stage_averages_the_vectors_of_the_words_that_have_one(project):
    run_folder(project)
    table, means = read_movies(), np.load(paths.interim("imdb") / "plots.npy")
    by_movie = table.set_index("movie_id")
    for row, movie in enumerate(table["movie_id"]):
        if movie in MEANS:
            assert means[row] == pytest.approx(MEANS[movie], abs=1e-6)
    assert by_movie.loc["0000001", ["words", "known_words"]].tolist() == [7, 3]  # two marks of punctuation, and, zzz
    assert by_movie.loc["0000011", ["words", "known_words"]].tolist() == [2, 0]
    assert (means[table["movie_id"] == "0000011"] == 0).all()


def test_the_cohort_counts_what_each_filter_removes(project, capsys):
    run_folder(project)
    assert flow() == {
        "without a JSON file": 1,
        "without a poster": 1,
        "without genres": 1,
        "of none of the 23 genres": 1,
        "without a plot": 1,
        "without a plot word that has a vector": 1,
    }
    table = pd.read_csv(paths.cohort("imdb"), dtype={"sample_id": str})
    assert table["sample_id"].tolist() == sorted(MEANS)
    assert table["label_Drama"].tolist() == [1, 1, 0, 1, 1, 1]
    assert table["label_Comedy"].tolist() == [0, 1, 1, 1, 0, 1]
    assert described()["classes"] == ["Drama", "Comedy"]
    assert described()["samples_in_raw_data"] == 12
    assert "1 genres, named 1 times, are none of the 23: not labels" in capsys.readouterr().out


def test_filters_follow_the_modalities(project):
    run_folder(project, modalities=["poster"])
    assert "0000011" in pd.read_csv(paths.cohort("imdb"), dtype=str)["sample_id"].tolist()
    assert "without a plot" not in flow()
    run_folder(project, modalities=["plot"])
    assert "0000007" in pd.read_csv(paths.cohort("imdb"), dtype=str)["sample_id"].tolist()
    assert "without a poster" not in flow()


def standardised(values, is_fitted):
    mean, std = values[is_fitted].mean(axis=0), values[is_fitted].std(axis=0)
    return (values - mean) / np.where(std == 0, 1, std)


def test_plots_are_standardised_with_the_train_split(project, capsys):
    run_folder(project)
    plot()
    is_train = (pd.read_csv(paths.cohort("imdb"))["split"] == "train").to_numpy()
    expected = standardised(np.stack([MEANS[movie] for movie in sorted(MEANS)]), is_train)
    assert np.load(paths.features("imdb") / "plot.npy") == pytest.approx(expected, abs=1e-5)
    about = json.loads((paths.features("imdb") / "plot.json").read_text())
    assert about["share_of_words_without_vector"] == 4 / 16  # a comma, a stop, and, zzz
    assert "of the plots' words have no vector" in capsys.readouterr().out


def test_a_plot_without_a_known_word_is_0_where_that_is_asked(project):
    run_folder(project, plot={"unknown": "zero"})
    plot()
    table = pd.read_csv(paths.cohort("imdb"), dtype=str)
    array = np.load(paths.features("imdb") / "plot.npy")
    assert (array[table["sample_id"] == "0000011"] == 0).all()
    assert np.abs(array).max() > 0
    assert json.loads((paths.features("imdb") / "plot.json").read_text())["plots_without_known_word"] == 1


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz", "vectors.bin.gz"])
def test_vectors_in_other_forms_give_the_same(project, name):
    raw = project(plot={"vectors": name})
    text = f"{len(VECTORS)} 2\n" + "".join(f"{word} {own[0]} {own[1]}\n" for word, own in VECTORS.items())
    content = (raw / "vectors.bin").read_bytes() if ".bin" in name else text.encode()
    (raw / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    movies()
    table, means = read_movies(), np.load(paths.interim("imdb") / "plots.npy")
    for row, movie in enumerate(table["movie_id"]):
        if movie in MEANS:
            assert means[row] == pytest.approx(MEANS[movie], abs=1e-6)


def test_the_official_split_is_that_of_split_json(project):
    run_folder(project, split="official", plot={"unknown": "zero"})
    table = pd.read_csv(paths.cohort("imdb"), dtype=str)
    assert dict(zip(table["sample_id"], table["split"], strict=True)) == {
        "0000001": "train",
        "0000002": "train",
        "0000003": "train",
        "0000011": "train",
        "0000004": "validation",
        "0000005": "test",
    }
    assert flow()["in no official split"] == 1  # 0000006
    assert described()["split"] == "official"
    assert {name for names in SPLIT.values() for name in names} == set(table["sample_id"])


def test_posters_go_through_vgg_16_and_the_features_meet_the_contract(project, capsys):
    run_folder(project, poster={"batch_size": 4})
    plot()
    poster()
    features = FeatureSet(paths.features("imdb"), paths.cohort("imdb"))
    assert features.shapes == {"plot": (2,), "poster": (4096,)}
    assert features.arrays["poster"].dtype == np.float16
    assert features.arrays["poster"].std() > 0.1
    assert features.notes == {
        "plot": "25.0% of the plots' words have no vector",  # 4 of 16
        "poster": "untrained image features (VGG-16 with random weights, seed 0)",
    }
    assert "imdb poster: untrained image features" in capsys.readouterr().out
    is_train = (features.table["split"] == "train").to_numpy()
    train = features.arrays["poster"][is_train].astype(float)
    assert train.mean() == pytest.approx(0, abs=1e-2)
    assert train.std() == pytest.approx(1, abs=1e-2)


def second_4096_after_relu(path):
    """Do by hand what torchvision's VGG-16 and its weights' own scaling make of the middle square of 30 x 40 pixels."""
    torch.manual_seed(0)
    vgg = models.vgg16(weights=None).eval()
    ours = models.VGG16_Weights.IMAGENET1K_V1.transforms()
    square = Image.open(path).resize((224, 224), Image.Resampling.BILINEAR, box=(0, 5, 30, 35))
    pixels = functional.normalize(functional.to_tensor(square), ours.mean, ours.std)
    first, second = vgg.classifier[0], vgg.classifier[3]
    with torch.inference_mode():
        return second(first(vgg.avgpool(vgg.features(pixels[None])).flatten(1)).relu()).relu()[0].numpy()


def test_poster_features_are_vgg_16s_second_layer_of_4096_after_relu(project):
    raw = project(poster={"batch_size": 4})
    for stage in (movies, cohort, poster):
        stage()
    table = pd.read_csv(paths.cohort("imdb"), dtype=str)
    features = np.stack([second_4096_after_relu(raw / "dataset" / f"{movie}.jpeg") for movie in table["sample_id"]])
    train = features[(table["split"] == "train").to_numpy()].astype(float)
    centred = train - train.mean(axis=0)
    expected = (features - train.mean(axis=0)) / np.sqrt(np.square(centred).mean())
    found = np.load(paths.features("imdb") / "poster.npy").astype(float)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99999
    assert np.abs(found - expected).max() < 0.02


def test_the_hdf5_gives_its_features_in_cohort_order(project, tmp_path):
    path = tmp_path / "multimodal_imdb.hdf5"
    arrays = write_hdf5(path)
    write_folds(path, {"train": (0, 6), "dev": (6, 8), "test": (8, 12)})
    project(raw=str(path), split="official")
    for stage in (movies, cohort, plot, poster):
        stage()
    table = pd.read_csv(paths.cohort("imdb"), dtype=str)
    ids = [name.decode() for name in arrays["imdb_ids"]]
    has_genre = arrays["genres"].any(axis=1)
    assert table["sample_id"].tolist() == [ids[row] for row in range(11, -1, -1) if has_genre[row]]  # ids fall by row
    rows = np.array([ids.index(name) for name in table["sample_id"]])
    assert table["split"].tolist() == ["train" if row < 6 else "validation" if row < 8 else "test" for row in rows]
    is_train = (table["split"] == "train").to_numpy()
    plots = np.load(paths.features("imdb") / "plot.npy")
    assert plots == pytest.approx(standardised(arrays["features"][rows].astype(float), is_train), abs=1e-5)
    train = arrays["vgg_features"][rows][is_train].astype(float)
    expected = (arrays["vgg_features"][rows] - train.mean(axis=0)) / (train - train.mean(axis=0)).std()
    assert np.load(paths.features("imdb") / "poster.npy") == pytest.approx(expected, abs=2e-3)
    assert (
        table[[f"label_{name}" for name in GENRES]].astype(int).to_numpy().tolist() == arrays["genres"][rows].tolist()
    )


@pytest.mark.parametrize("missing", [np.nan, 0])
def test_a_row_of_the_hdf5_without_vectors_is_dropped_or_0(project, tmp_path, missing):
    path = tmp_path / "multimodal_imdb.hdf5"
    arrays = write_hdf5(path)
    write_hdf5(path, features=np.concatenate([np.full((1, 3), missing), arrays["features"][1:]]).astype("f4"))
    lost = arrays["imdb_ids"][0].decode()
    project(raw=str(path))
    movies()
    cohort()
    assert lost not in pd.read_csv(paths.cohort("imdb"), dtype=str)["sample_id"].tolist()
    write_settings(tmp_path, raw=str(path), plot={"unknown": "zero"})
    cohort()
    plot()
    table = pd.read_csv(paths.cohort("imdb"), dtype=str)
    assert (np.load(paths.features("imdb") / "plot.npy")[table["sample_id"] == lost] == 0).all()


def test_the_hdf5_is_found_in_a_folder_too(project):
    raw = project()
    shutil.rmtree(raw / "dataset")
    write_hdf5(raw / "multimodal_imdb.hdf5")
    movies()
    assert len(read_movies()) == 12
