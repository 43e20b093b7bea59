"""The file params.yaml: what YAML is read, and what is refused under its name."""

import pytest

from i2moe.base.errors import InputError
from stages.settings.params import load_params
from stages.shared.base.params import read_params
from tests.stages.conftest import GOOD


@pytest.mark.parametrize("text", ["a: [1\n", "a: 1\na: 2\n", "\ta: 1\n", "a: b: c\n"])
def test_broken_yaml_is_refused_with_its_place(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"params.yaml is not valid YAML: [\s\S]*line 1, column"):
        load_params(path)


BOMB = "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: " + "[" * 100_000, "it has more than 100 levels"),
        (BOMB, "its aliases make it more than 1000000 values"),
        (f"{BOMB}run: 1\nrun: *a11\n", "its aliases make it more than 1000000 values"),
        ("a: " + "9" * 5000, "Exceeds the limit"),
        ("a: 2001-99-99", "month must be in 1..12"),
        ("x:\n  " + "? " * 20_000, "it has more than 100 levels"),
        ("x:\n  " + "- " * 20_000, "it has more than 100 levels"),
    ],
    ids=[
        "open brackets",
        "aliases",
        "aliases in a key that is there twice",
        "digits",
        "date",
        "nested keys",
        "nested lists",
    ],
)
def test_yaml_that_would_take_forever_or_is_no_value_is_refused(tmp_path, text, problem):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"params.yaml is not valid YAML: {problem}") as caught:
        load_params(path)
    assert len(str(caught.value)) < 1000


def test_a_value_without_end_is_shown_in_short(tmp_path):
    path = tmp_path / "params.yaml"
    for text in ("x: &x [*x]", "x: " + "a" * 100_000, "x: [" + "1, " * 10_000 + "1]"):
        path.write_text(text)
        with pytest.raises(InputError, match="unknown key 'x' ") as caught:
            load_params(path)
        assert len(str(caught.value)) < 1000


def test_aliases_as_people_write_them_are_read(tmp_path):
    (tmp_path / "params.yaml").write_text("a: &a {b: 1}\nc: [*a, *a]\nd: {<<: *a, e: 2}\n")
    assert read_params(tmp_path / "params.yaml")["d"] == {"b": 1, "e": 2}


def test_broken_yaml_is_told_in_one_line(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("a: [1\n")
    with pytest.raises(InputError) as caught:
        load_params(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "- run\n", "run\n"], ids=["empty", "a list", "a word"])
def test_a_file_without_keys_is_refused_under_its_name(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_params(path)
    assert "params.yaml: " in str(caught.value)
    assert ": : " not in str(caught.value)


def test_a_missing_file_is_refused_with_where_to_run(tmp_path):
    with pytest.raises(InputError, match=r"params.yaml is missing: run this in the project's root"):
        load_params(tmp_path / "params.yaml")


def test_a_number_in_scientific_notation_is_a_number(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(GOOD)
    assert "learning_rate: 1e-3" in GOOD
    assert load_params(path).model("tiny", "mult").learning_rate == 0.001
