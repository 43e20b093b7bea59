"""From files to scores by a block of settings alone: on a planted exclusive or of pictures and texts (synthetic)."""

from pathlib import Path

import pytest

from benchmarks.files import measure, write_files

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)  # whose params.yaml gets a block
    write_files(tmp_path / "synthetic-files", 300)
    return tmp_path


def test_a_picture_and_a_text_say_together_what_neither_says_alone(folder):
    assert measure(folder, ["picture", "report", "person"], 15) > 0.9
    assert measure(folder, ["report"], 15) < 0.75  # 45 test samples
