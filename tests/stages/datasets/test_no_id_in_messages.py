"""Broken files of datasets whose files, keys or arrays are named by ids: no error and nothing printed shows one.

See test_no_value_in_messages.py. The files are hand-written (synthetic).
"""

import json
import zipfile

import h5py
import numpy as np
import pytest

from stages.datasets.imdb.cohort import cohort as imdb_cohort
from stages.datasets.imdb.movies import movies
from stages.datasets.imdb.poster import poster
from stages.datasets.mmhs.cohort import cohort as mmhs_cohort
from stages.datasets.mmhs.image import image as mmhs_image
from stages.datasets.mmhs.tweets import tweets
from stages.datasets.mosi.cohort import cohort as mosi_cohort
from tests.stages.datasets.canary import NUMBER, WORD, nothing_shown
from tests.stages.datasets.imdb import conftest as imdb_files
from tests.stages.datasets.imdb.conftest import project as imdb
from tests.stages.datasets.mmhs.conftest import project as mmhs
from tests.stages.datasets.mosi import conftest as mosi_files
from tests.stages.datasets.mosi.conftest import project as mosi

__all__ = ["imdb", "mmhs", "mosi"]  # fixtures

# MM-IMDb: ids are in the names of files.

MOVIE = f"00{NUMBER}"


def movie_is(content):
    return lambda raw: (raw / "dataset" / f"{MOVIE}.json").write_text(content)


def poster_is(content):
    def change(raw):
        (raw / "dataset/0000002.json").rename(raw / "dataset" / f"{MOVIE}.json")
        (raw / "dataset/0000002.jpeg").unlink()
        (raw / "dataset" / f"{MOVIE}.jpeg").write_bytes(content)

    return change


IMDB = {
    "no JSON": (movie_is("{"), [movies]),
    "no object": (movie_is("[]"), [movies]),
    "a plot that is no text": (movie_is(json.dumps({"genres": [WORD], "plot": [54321]})), [movies]),
    "no image": (poster_is(f"{WORD}".encode()), [movies, imdb_cohort, poster]),
    "an image cut off": (poster_is(b"\x89PNG\r\n\x1a\n\0\0\0\rqzcanary"), [movies, imdb_cohort, poster]),
}


@pytest.mark.parametrize(("change", "stages"), IMDB.values(), ids=IMDB)
def test_imdb(change, stages, imdb, capfd):
    change(imdb())
    assert "raw/dataset: file " in nothing_shown(capfd, stages)


def test_a_movie_in_two_folds(imdb, capfd):
    raw = imdb(split="official")
    (raw / "split.json").write_text(json.dumps({"train": ["1", MOVIE], "dev": [MOVIE], "test": []}))
    assert "movie 1 of dev" in nothing_shown(capfd, [movies])


def test_genres_that_are_no_label(imdb, capfd):
    raw = imdb()
    movie_is(json.dumps({"genres": ["Drama", WORD], "plot": ["war"]}))(raw)
    imdb_files.write_posters(raw / "dataset", [MOVIE])
    assert "2 genres, named 2 times, are none of the 23" in nothing_shown(capfd, [movies, imdb_cohort], error=False)


def test_an_hdf5_with_a_movie_twice(imdb, tmp_path, capfd):
    imdb_files.write_hdf5(tmp_path / "multimodal_imdb.hdf5", imdb_ids=np.array([f"00{NUMBER}"] * 12, "S7"))
    imdb(raw="multimodal_imdb.hdf5")
    nothing_shown(capfd, [movies])


# CMU-MOSI: ids are in the arrays, and in other files of the data the names of arrays.


def by_video(path, _):
    with h5py.File(path, "w") as file:
        file[f"{WORD}{NUMBER}/features"] = np.zeros((2, 3))


def two_of_an_id(content):
    content["train"]["id"][:] = [WORD.encode(), NUMBER.encode(), b"1"]
    return content


MOSI = {
    "pickle by video": ("mosi_data.pkl", lambda _: {f"{WORD}{NUMBER}": {"features": [1]}}, mosi_files.write_pickle),
    "HDF5 by video": ("own.hdf5", lambda own: own, by_video),
    "ids alike": ("mosi_data.pkl", two_of_an_id, mosi_files.write_pickle),
    "a label too large": ("mosi_data.pkl", mosi_files.put("train", "labels", 1, int(NUMBER)), mosi_files.write_pickle),
    "an id that is empty": (
        "own.npz",
        lambda own: mosi_files.put("train", "id", (0, 0), b"")(two_of_an_id(own)),
        mosi_files.write_npz,
    ),
    "text for numbers": (
        "own.npz",
        mosi_files.change("test", "audio", lambda own: np.full(own.shape, WORD, "S8")),
        mosi_files.write_npz,
    ),
}


@pytest.mark.parametrize(("name", "change", "write"), MOSI.values(), ids=MOSI)
def test_mosi(name, change, write, mosi, capfd):
    mosi(change(mosi_files.folds()), name, write)
    nothing_shown(capfd, [mosi_cohort])


def test_an_npz_of_mosi_whose_header_is_data(mosi, capfd):
    folder = mosi(name="own.npz", write=mosi_files.write_npz)
    path = folder / "raw/own.npz"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(b"'descr': '<f8'", b"'qzcanary': 12"))
    nothing_shown(capfd, [mosi_cohort])


# MMHS150K: ids are keys and the names of files.

TWEET, GROUND_TRUTH = f"12{NUMBER}", "MMHS150K_GT.json"


def tweet_has(**values):
    def change(raw):
        path = raw / GROUND_TRUTH
        records = json.loads(path.read_text())
        path.write_text(json.dumps(records | {TWEET: records["11"] | values}))

    return change


AGAIN = f'{{"{TWEET}": {{"labels": [0]}}, "{TWEET}": {{"labels": [1]}}}}'
MMHS = {
    "an unknown label": tweet_has(labels=[0, int(NUMBER)]),
    "a text that is none": tweet_has(tweet_text=[WORD]),
    "a tweet twice": lambda raw: (raw / GROUND_TRUTH).write_text(AGAIN),
    "an unknown id in a split": lambda raw: (raw / "splits/val_ids.txt").write_text(f"14\n{TWEET}\n"),
    "no text in an image": lambda raw: (
        tweet_has()(raw),
        (raw / "img_txt" / f"{TWEET}.json").write_text(f'{{"{WORD}": 3}}'),
    ),
    "a text of an image cut off": lambda raw: (
        tweet_has()(raw),
        (raw / "img_txt" / f"{TWEET}.json").write_text(f'{{"{WORD}'),
    ),
}


@pytest.mark.parametrize("change", MMHS.values(), ids=MMHS)
def test_mmhs(change, mmhs, capfd):
    change(mmhs(split="official"))
    nothing_shown(capfd, [tweets])


def test_an_image_of_mmhs_that_is_none(mmhs, capfd):
    raw = mmhs()
    tweet_has()(raw)
    (raw / "img_resized" / f"{TWEET}.jpg").write_bytes(WORD.encode())
    assert "raw/img_resized: file 3 of 10 by name" in nothing_shown(capfd, [tweets, mmhs_cohort, mmhs_image])
