"""Movies of MM-IMDb for people to look at."""

from pathlib import Path

import pytest

from i2moe.base.errors import InputError
from stages.datasets.imdb.inputs import raw_inputs
from tests.stages.datasets.imdb.conftest import write_hdf5

SAMPLES = {"plot": ["0000003", "0000001"], "poster": ["0000006"]}


def test_plots_are_the_longest_without_line_breaks_and_posters_the_files(project):
    project()
    found = raw_inputs("imdb", SAMPLES)
    assert found["plot"].texts == [" 1984 *war*", "War, war and love zzz."]
    assert found["poster"].paths == [Path("raw/dataset/0000006.jpeg")]


def test_a_plot_that_is_a_sequence_is_left_to_its_features_and_words(project):
    project(plot={"tokens": True})
    assert list(raw_inputs("imdb", SAMPLES)) == ["poster"]


def test_one_modality_alone_is_read_where_the_other_is_not_wanted(project):
    project()
    assert list(raw_inputs("imdb", {"poster": ["0000006"]})) == ["poster"]


def test_an_hdf5_has_neither_texts_nor_images(project, tmp_path):
    project()
    write_hdf5(tmp_path / "multimodal_imdb.hdf5")
    project(raw="multimodal_imdb.hdf5")
    assert raw_inputs("imdb", SAMPLES) == {}


def test_a_movie_that_is_not_there_anymore_is_refused(project):
    project()
    with pytest.raises(InputError, match="raw has no text of 1 samples of the cohort: rerun the cohort stage"):
        raw_inputs("imdb", {"plot": ["0000001", "0000099"]})


def test_raw_files_that_are_not_there_are_named(project):
    project(raw="other")
    with pytest.raises(InputError, match="other holds no folder dataset"):
        raw_inputs("imdb", SAMPLES)
