"""Modules that a library imports for what nothing here uses, and that take seconds: imported when first used."""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NamedTuple


class Taken(NamedTuple):
    """What others take from a module when they are imported."""

    # Classes and decorators. Here a class is empty, so that nothing is an instance of it; a decorator returns the
    # function as it is.
    unused: Sequence[str] = ()
    forwarded: Sequence[str] = ()  # functions and objects: the module is imported when one is called or looked into


# Together they take five seconds to import.
LATER = {
    "torchmetrics": Taken(["Metric", "MetricCollection"]),  # by Lightning, which handles such objects if there are any
    # By Lightning, and by PyTorch's optimisers for its compiler, to which they say nothing where nothing is compiled.
    "torch._dynamo": Taken(["OptimizedModule", "disable", "graph_break"]),
    "scipy.stats": Taken(forwarded=["chi2", "gmean", "rankdata", "spearmanr"]),  # by parts of scikit-learn
}


def put_off(modules: dict[str, Taken]) -> None:
    """Let `import` of some modules return at once; each is imported when something of it is first used.

    Args:
        modules: by name, what others take from each.
    """
    sys.meta_path.insert(0, _Submodules())
    for module, taken in modules.items():
        if module not in sys.modules:
            sys.modules[module] = _Later(module, taken)


class _Later(ModuleType):
    """Stands for a module until anything but what others take is asked of it, or that is used."""

    def __init__(self, name: str, taken: Taken) -> None:
        super().__init__(name)
        self.__path__: list[str] = []  # a package, as Python sees one
        self.__dict__.update({unused: type(unused, (_Placeholder,), {}) for unused in taken.unused})
        self.__dict__.update({forwarded: _Forward(name, forwarded) for forwarded in taken.forwarded})

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (anything may be there)
        if name.startswith("__"):  # what Python itself asks of a module, such as where its file is
            raise AttributeError(name)
        return getattr(_imported(self.__name__), name)


class _Placeholder:
    def __new__(cls, function: Any = None, *_: object, **__: object) -> Any:  # noqa: ANN401 (any function)
        return function


class _Forward:
    def __init__(self, module: str, name: str) -> None:
        self._place = module, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (as the function's)
        module, name = self._place
        return getattr(_imported(module), name)(*args, **kwargs)

    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401 (as the object's)
        module, name = self._place
        return getattr(getattr(_imported(module), name), attribute)


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
