"""Messages that docs/faults.md quotes of ours are those of the code."""

import ast
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OF_THE_SYSTEM = {os.strerror(number) for number in range(1, 140)}
QUOTED = re.findall(r"`((?:error|stopped by)[^`]*)`", (ROOT / "docs/faults.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def texts():
    """All texts of the code, those between the values of an f-string too."""
    paths = [path for folder in ("i2moe", "stages") for path in (ROOT / folder).rglob("*.py")]
    nodes = (node for path in paths for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def parts(message):
    """Yield what a message says, without paths and what stands for a value."""
    for part in re.split(r"…|: |\(|\)", message):
        words = part.strip(" :,")
        if len(words) > 5 and "/" not in words and words not in OF_THE_SYSTEM | {"error"}:
            yield words


def test_there_are_messages():
    assert len(QUOTED) > 8
    assert sum(len(list(parts(message))) for message in QUOTED) > 12


@pytest.mark.parametrize("message", QUOTED)
def test_a_message_is_one_of_the_code(message, texts):
    assert [words for words in parts(message) if words not in texts] == []
