"""Files are whole or not there, and their hash is that of their content."""

import pytest

from stages.shared.files import hash_files, write_whole


def test_the_hash_changes_with_content_and_text_only(tmp_path):
    path, other = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text("a,1")
    other.write_text("a,1")
    first = hash_files([path], "{}")
    assert hash_files([other], "{}") == first
    assert hash_files([path], '{"seed": 1}') != first
    path.write_text("other")
    assert hash_files([path], "{}") != first


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_whole(path, lambda partial: partial.write_text("first"))

    def fail(partial):
        partial.write_text("second, in pa")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert path.read_text() == "first"
    assert [one.name for one in path.parent.iterdir()] == ["a.txt"]
