"""Text is UTF-8 whatever the locale: whoever reads or writes a text file in the code says so."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = [path for folder in ("i2moe", "stages", "own") for path in sorted((ROOT / folder).rglob("*.py"))]


def leaves_it_to_the_locale(node):
    """Return whether a call opens a text file, or reads what a program says, without an encoding."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    options = {option.arg for option in node.keywords}
    is_text = node.func.attr in ("read_text", "write_text") or "text" in options
    if node.func.attr == "open" and node.args and isinstance(node.args[0], ast.Constant):
        is_text = "b" not in node.args[0].value
    return is_text and "encoding" not in options


def test_no_text_file_has_the_encoding_of_the_locale():
    assert any(leaves_it_to_the_locale(node) for node in ast.walk(ast.parse("path.open('w')")))
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if leaves_it_to_the_locale(node)
    ]
    assert not found
