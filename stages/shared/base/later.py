"""Modules that a library imports for what nothing here uses, and that take seconds: imported when first used."""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# By module, what is taken of it without being used. Together they take five seconds to import.
LATER = {
    "torchmetrics": ["Metric", "MetricCollection"],  # by Lightning, which handles such objects where there are any
    # By Lightning, and by PyTorch's optimisers for its compiler, to which they say nothing where nothing is compiled.
    "torch._dynamo": ["OptimizedModule", "disable", "graph_break"],
    "scipy.stats": [],  # by scikit-learn's checks
}


def put_off(placeholders: dict[str, list[str]]) -> None:
    """Let `import` of some modules return at once; each is imported when something of it is first used.

    Args:
        placeholders: by module, the names of classes and decorators that others take from it without using them. A
            class is empty, so that nothing is an instance of it; a decorator returns the function as it is.
    """
    sys.meta_path.insert(0, _Submodules())
    for module, names in placeholders.items():
        if module not in sys.modules:
            sys.modules[module] = _Later(module, names)


class _Later(ModuleType):
    """Stands for a module until anything but its placeholders is asked of it."""

    def __init__(self, name: str, placeholders: Sequence[str]) -> None:
        super().__init__(name)
        self.__path__: list[str] = []  # a package, as Python sees one
        self.__dict__.update({placeholder: type(placeholder, (_Placeholder,), {}) for placeholder in placeholders})

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (anything may be there)
        if name.startswith("__"):  # what Python itself asks of a module, such as where its file is
            raise AttributeError(name)
        return getattr(_imported(self.__name__), name)


class _Placeholder:
    def __new__(cls, function: Any = None, *_: object, **__: object) -> Any:  # noqa: ANN401 (any function)
        return function


def _imported(module: str) -> ModuleType:
    if isinstance(sys.modules.get(module), _Later):
        del sys.modules[module]
    return importlib.import_module(module)


class _Submodules(MetaPathFinder, Loader):
    """Imports a module that was put off when one of its submodules is imported."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:  # noqa: ARG002 (Python's signature)
        """Find a submodule of a module that was put off."""
        parent = fullname.rpartition(".")[0]
        if not isinstance(sys.modules.get(parent), _Later):
            return None
        _imported(parent)
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the submodule, which its parent may have imported."""
        return importlib.import_module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: it was imported."""
