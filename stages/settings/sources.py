"""The source files behind a fusion method: its own, and those it imports from its folder."""

import ast
import importlib.util
from pathlib import Path

from i2moe.base.errors import InputError


def source_files(module: str) -> list[Path]:
    """Return the files of a module and of all it imports, directly or not, from the package it is in, sorted.

    They are read, not run. What lies in other packages is not followed: the graph watches the library by itself, and
    an installed package by its name in the settings.

    Raises:
        InputError: when there is no such module, or it has no source.

    Examples:
        >>> [path.name for path in source_files("i2moe.fusion.early")]
        ['dropout.py', 'early.py', 'transformer.py']
    """
    package = module.rpartition(".")[0]
    path = _file(module)
    if path is None:
        raise InputError(f"fusion.method: cannot find the source of {module!r}: put its file into the folder own/")
    found, todo = {path}, [path]
    while todo:
        names = {name for name in _imported(todo.pop(), package) if package and name.startswith(f"{package}.")}
        new = {file for name in names if (file := _file(name))} - found
        found |= new
        todo += new
    return sorted(found)


def _file(module: str) -> Path | None:
    """Return a module's source file, where it has one."""
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def _imported(path: Path, package: str) -> set[str]:
    """Return the names that a file of the package imports: modules, and what may be one."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            module = importlib.util.resolve_name(relative, package) if node.level else relative
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names
