"""Lock files of DVC and listings of its cache that are broken are refused by name."""

from pathlib import Path

import pytest

from i2moe.base.errors import InputError
from stages.shared.outputs import Objects, Output, locked_stages

GOOD = "stages: {train: {outs: [{path: a, md5: '01'}, {path: b}]}, frozen: {}}"


def test_the_outputs_that_have_a_hash_are_found():
    assert locked_stages(GOOD) == {"train": [Output(Path("a"), "01")], "frozen": []}
    assert locked_stages("") == {}


@pytest.mark.parametrize(
    "text",
    [
        "stages: [",
        "stages: " + "[" * 100_000,
        "stages: " + "- " * 100_000,
        "stages: 1",
        "1",
        "stages: {train: 1}",
        "stages: {train: {outs: 1}}",
        "stages: {train: {outs: [{md5: 1}]}}",
    ],
)
def test_what_is_no_lock_file_is_named(text):
    with pytest.raises(InputError, match=r"^dvc.lock is (no lock file of DVC|not valid YAML): `git restore` it, or"):
        locked_stages(text, Path("dvc.lock"))


@pytest.mark.parametrize("content", ["[", "1", "[1]", '[{"md5": "01"}]'])
def test_what_is_no_listing_of_a_folder_is_named(tmp_path, content):
    path = tmp_path / "files/md5/01/23.dir"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(
        InputError, match=r"23.dir (is not a JSON file|does not list a folder): delete it, and run `dvc"
    ):
        Objects(tmp_path).inside("0123.dir")
