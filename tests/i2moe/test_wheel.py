"""The wheel holds the library alone, and that is enough to train and explain with what it asks for and nothing else."""

import ast
import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
# Of the workflow's, those that nothing of the library's brings: torch asks for jinja2, and matplotlib for pillow.
WORKFLOW = {"dvc", "duckdb", "nibabel", "bed_reader", "gensim", "h5py", "pyarrow", "torchvision", "typer", "stages"}
PROGRAM = """
import importlib.util, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import numpy as np
import i2moe
from i2moe import I2MoEClassifier
assert i2moe.__file__.startswith(sys.argv[1]), i2moe.__file__
for name in sys.argv[3].split():
    importlib.import_module(name)
for name in sys.argv[4].split():
    assert importlib.util.find_spec(name) is None, name
labels = np.arange(20) % 2
model = I2MoEClassifier(epochs=1, hidden_dim=8, random_state=0, verbose=True).fit(np.eye(20), labels)
assert model.predict_proba(np.eye(20)).shape == (20, 2)
explanation = model.explain(np.eye(20), labels)
assert len(explanation.weights) == 20
explanation.plot(sample=explanation.weights.index[0]).savefig("sample.png")
explanation.to_html("explanation.html")
model.save("model.i2moe")
assert (I2MoEClassifier.load("model.i2moe").predict(np.eye(20)) == model.predict(np.eye(20))).all()
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


@pytest.fixture(scope="module")
def asked(wheel):
    """Return what the wheel asks for without any extra."""
    with zipfile.ZipFile(wheel) as archive:
        path = next(name for name in archive.namelist() if name.endswith("METADATA"))
        lines = archive.read(path).decode().splitlines()
    return own_requirements(line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist"))


def own_requirements(lines):
    """Return the names of those that no extra asks for."""
    found = map(Requirement, lines)
    return {
        canonicalize_name(own.name) for own in found if own.marker is None or own.marker.evaluate({"extra": "none"})
    }


def closure(names):
    """Return distributions and all that they ask for in turn, of those that are installed."""
    found, left = set(), set(names)
    while left:
        name = left.pop()
        try:
            needed = own_requirements(importlib.metadata.requires(name) or [])
        except importlib.metadata.PackageNotFoundError:  # for another system
            continue
        found.add(name)
        left |= needed - found
    return found


def link(names, folder):
    """Fill a folder with links to installed distributions, and nothing else that is installed."""
    folder.mkdir()
    for name in names:
        for file in importlib.metadata.files(name):
            top = folder / file.parts[0]
            if file.parts[0] not in ("..", "__pycache__") and not top.exists():
                top.symlink_to(importlib.metadata.distribution(name).locate_file(file.parts[0]))
    return folder


def modules_of_the_library():
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "i2moe").rglob("[!_]*.py")]


def test_the_wheel_holds_the_library_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"i2moe"}
    assert "i2moe/py.typed" in names
    written = {str(path.relative_to(ROOT)) for path in (ROOT / "i2moe").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == written


def test_it_asks_for_exactly_what_the_library_imports(asked):
    trees = [ast.parse(path.read_text()) for path in (ROOT / "i2moe").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    # _typeshed is there for type checkers alone.
    others = {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"i2moe", "_typeshed"}
    owners = importlib.metadata.packages_distributions()
    assert asked == {canonicalize_name(owners[name][0]) for name in others}


def test_it_imports_trains_and_explains_with_what_it_asks_for_alone(wheel, asked, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    site = link(closure(asked), tmp_path / "site")
    words = [str(tmp_path / "installed"), str(site), " ".join(modules_of_the_library()), " ".join(WORKFLOW)]
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, *words]  # without this environment's packages
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
