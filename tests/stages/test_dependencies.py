"""What the graph must know of the code: whatever decides on a run's weights makes it train again."""

import ast
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
# Settings reach `train` as values, in results/settings; these only read and refuse.
DECIDE_NOTHING = {"i2moe/__init__.py", "i2moe/cohort.py", "i2moe/config.py", "i2moe/errors.py"}


def imported(path):
    """Return the library's files that a file of the project imports, directly."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    candidates = [name.replace(".", "/") for name in names if name.split(".")[0] == "i2moe"]
    files = [f"{name}{ending}" for name in candidates for ending in (".py", "/__init__.py")]
    return {name for name in files if (ROOT / name).exists()}


def test_training_depends_on_all_of_the_library_that_it_imports():
    reached, todo = set(), {"stages/train.py"}
    while todo:
        reached |= todo
        todo = set().union(*(imported(path) for path in todo)) - reached
    stage = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]["train"]
    known = tuple(stage["deps"])
    missing = {path for path in reached if not path.startswith(known)}
    assert missing - DECIDE_NOTHING == set()
