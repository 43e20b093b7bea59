"""Importing the library costs nothing, and imports point one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = sorted((ROOT / "i2moe").rglob("*.py"))


def test_importing_the_library_imports_nothing_heavy():
    code = (
        "import sys, i2moe; print(sorted({'torch', 'pandas', 'sklearn', 'matplotlib', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_applying_a_model_does_not_import_the_training_library():
    code = "import sys, i2moe.inference, i2moe.explain.coalitions; print('pytorch_lightning' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_never_imports_the_workflow_nor_prints(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        assert not [name for name in names if name.split(".")[0] in ("stages", "dvc", "dvclive")]
        assert not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print")


# What each room of the library may import of the others: arrows point one way.
MAY_IMPORT = {
    "base": set(),
    "contract": {"base"},
    "selection": {"base"},
    "metrics": {"selection"},
    "resampling": {"selection"},
    "signature": {"base", "contract"},
    "preparation": {"base", "contract.reading"},
    "prepared": {"base", "contract", "signature"},
    "data": {"prepared"},
    "fusion": {"base", "model.fusion", "model.fusion_config", "model.tokens"},  # what a method must be
    "model": {"base", "data", "fusion"},  # finds the methods' settings
    "inference": {"base", "contract.unpacking", "data", "model", "signature"},
    "trained": {"base", "contract", "data", "inference", "model", "preparation", "selection", "signature"},
    "estimator": {
        "base",
        "checkpoints",
        "contract",
        "data",
        "explain",
        "inference",
        "model",
        "preparation",
        "resampling",
        "signature",
        "trained",
        "training",
    },
    "explain": {"base", "contract.reading", "data", "inference", "metrics", "model", "resampling", "selection"},
    "checkpoints": {"base", "contract.unpacking", "inference"},
    "progress": set(),
    "training": {"base", "checkpoints", "data", "inference", "model", "progress", "selection"},
}


def rooms_of(path):
    """Return the parts of the library that a file imports, such as model or model.fusion."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("i2moe."):
            yield node.module.removeprefix("i2moe.")
        elif isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("i2moe.") for alias in node.names if alias.name.startswith("i2moe."))


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_rooms_of_the_library_import_one_way(path):
    room = path.relative_to(ROOT / "i2moe").parts[0].removesuffix(".py")
    for name in rooms_of(path):
        assert room == name.split(".")[0] or {name, name.split(".")[0]} & MAY_IMPORT[room], name


def test_settings_are_checked_without_torch():
    code = "import sys, i2moe.model.config, stages.settings.__main__; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
