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
    if node.func.attr == "open":
        mode = node.args[0] if node.args else ast.Constant("r")
        is_text = isinstance(mode, ast.Constant) and "b" not in mode.value
    return is_text and "encoding" not in options


def test_no_text_file_has_the_encoding_of_the_locale():
    for call in ("path.open()", "path.open('w')", "path.read_text()", "subprocess.run(words, text=True)"):
        assert any(map(leaves_it_to_the_locale, ast.walk(ast.parse(call))))
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if leaves_it_to_the_locale(node)
    ]
    assert not found
