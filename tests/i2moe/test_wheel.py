"""The wheel holds the library alone, and that is enough to train."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
sys.path[:] = [sys.argv[1], *(path for path in sys.path if path != sys.argv[2])]
import numpy as np
import i2moe
from i2moe import I2MoEClassifier
assert i2moe.__file__.startswith(sys.argv[1]), i2moe.__file__
model = I2MoEClassifier(epochs=1, hidden_dim=8, random_state=0).fit(np.eye(20), np.arange(20) % 2)
assert model.predict_proba(np.eye(20)).shape == (20, 2)
assert not [name for name in sys.modules if name.split(".")[0] in ("stages", "dvc", "own")]
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel of a copy, without network, and return its path."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "project"
    shutil.copytree(ROOT / "i2moe", copy / "i2moe", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    (copy / "stages").mkdir()
    (copy / "stages" / "__init__.py").write_text("")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run([*command, "-w", folder, copy], capture_output=True, text=True, check=False)
    if done.returncode and "setuptools" in done.stderr:
        pytest.skip(f"setuptools is not installed: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("i2moe-*.whl"))


def test_the_wheel_holds_the_library_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"i2moe"}
    assert "i2moe/py.typed" in names
    written = {str(path.relative_to(ROOT)) for path in (ROOT / "i2moe").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == written


def test_what_the_wheel_installs_trains_where_the_project_is_not(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "installed"), str(ROOT)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
