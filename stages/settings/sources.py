"""The source files behind a fusion method: its own, and those it imports from its folder."""

import ast
import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from i2moe.base.errors import InputError

LIBRARY = "i2moe.fusion"


def source_files(module: str) -> list[Path]:
    """Return the files of a module and of all it imports, directly or not, from the folder it is in, sorted.

    They are read, not run. Of the library's own methods the folder is `i2moe.fusion`, for the graph watches the rest of
    the library by itself; of any other module it is its whole top-level package.

    Raises:
        InputError: when there is no such module, or it has no source.

    Examples:
        >>> [path.name for path in source_files("i2moe.fusion.early")]
        ['dropout.py', 'early.py', 'layers.py', 'transformer.py']
    """
    folder = LIBRARY if module.startswith(f"{LIBRARY}.") else module.partition(".")[0]
    first = _file(module)
    if first is None:
        raise InputError(f"fusion.method: cannot find the source of {module!r}: put its file into the folder own/")
    found, todo = {module: first}, [module]
    while todo:
        name = todo.pop()
        for other in _imported(found[name], name.rpartition(".")[0]):
            if other.startswith(f"{folder}.") and other not in found and (path := _file(other)):
                found[other] = path
                todo.append(other)
    return sorted(set(found.values()))


def _file(module: str) -> Path | None:
    """Return a module's file, where it has one; neither it nor the packages around it are imported."""
    name, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    for part in rest:
        folders: Any = getattr(sys.modules.get(name), "__path__", spec and spec.submodule_search_locations)
        if folders is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, folders)
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


def _imported(path: Path, package: str) -> set[str]:
    """Return the names that a file of the package imports: modules, and what may be one."""
    names: set[str] = set()
    tree = ast.parse(path.read_bytes()) if path.suffix == ".py" else ast.Module([], [])
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            module = importlib.util.resolve_name(relative, package) if node.level else relative
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names
