"""The words that steps of sequences stand for, and names after which files are named."""

import json

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from i2moe.base.errors import InputError
from i2moe.base.strict import FileStem
from i2moe.prepared import read_words

LENGTHS = np.array([2, 1, 1])


@pytest.mark.parametrize("words", [[], [["tea", "é"], ["b"], []]])
def test_each_step_has_a_word_or_a_sample_none_or_there_are_none(tmp_path, words):
    path = tmp_path / "plot.words.json"
    path.write_text(json.dumps(words))
    assert read_words(path, LENGTHS) == words


def test_no_file_is_no_words(tmp_path):
    assert read_words(tmp_path / "plot.words.json", LENGTHS) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "plot.words.json is not a JSON file: run the feature stage that writes it"),
        ("{}", "plot.words.json does not hold lists of words: run the feature stage"),
        ('[["a", 1], ["b"], []]', "plot.words.json does not hold lists of words"),
        ('["ab", "b", ""]', "plot.words.json does not hold lists of words"),
        ('[["a"], ["b"], []]', "plot.words.json does not have a word for each step of each sample"),
        ('[["a", "b"], ["b"]]', "plot.words.json does not have a word for each step of each sample"),
    ],
)
def test_words_that_are_broken(tmp_path, content, message):
    path = tmp_path / "plot.words.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_words(path, LENGTHS)


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a\\b", "a\0b"])
def test_what_names_a_file_has_no_folder_in_it(name):
    with pytest.raises(ValidationError):
        TypeAdapter(FileStem).validate_python(name)
    assert TypeAdapter(FileStem).validate_python("mean blood.pressure é") == "mean blood.pressure é"
