"""Arrays and plain containers from a pickle, of which nothing is run.

A pickle is a program: whoever loads it calls what it names. Here a name leads to one of the few stand-ins below, or to
an error. The stand-ins build arrays from bytes on their own: NumPy's functions of the same names trust the sizes and
flags that a pickle brings, and a wrong one can crash or take over the process.
"""

import mmap
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from i2moe.base.errors import InputError

DTYPE = re.compile(r"^([biuf][1-8]|[SU]\d{1,6}|O[48])$")
BYTE_ORDERS = ("<", ">", "|", "=")
DTYPE_FIELDS = slice(2, 5)  # of a dtype's state: subarray, names and fields, which only structured types have
DTYPE_STATE, ARRAY_STATE = 5, 5  # entries of a state that are read
MEMO = ("PUT", "BINPUT", "LONG_BINPUT")  # instructions that keep an object under a number of their own
MAX_NAME = 100  # characters of a refused name that a message quotes


class Dtype:
    """A dtype: numbers, byte strings, text or objects, in any byte order."""

    __slots__ = ("dtype",)

    def __init__(self, code: str) -> None:
        if not DTYPE.match(code):
            raise ValueError("a dtype that is neither numbers, strings nor objects")
        self.dtype = np.dtype("O" if code.startswith("O") else code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the byte order: (version, byte order, subarray, names, fields, …)."""
        if len(state) < DTYPE_STATE or state[1] not in BYTE_ORDERS or any(state[DTYPE_FIELDS]):
            raise ValueError("a structured dtype")
        self.dtype = self.dtype.newbyteorder(state[1])


class Array:
    """An array, complete once its state has come."""

    __slots__ = ("array",)

    def __init__(self) -> None:
        self.array: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take (version, shape, dtype, whether in Fortran order, bytes or list of objects)."""
        _, shape, dtype, is_fortran, content = state
        self.array = _build(content, dtype, shape, "F" if is_fortran else "C")


class StandIn:
    """A function that a pickle may call; state that the pickle brings for it is refused."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:  # noqa: ANN401 (of a pickle)
        """Call the function."""
        return self._function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise TypeError("state for a function")


def _build(content: Any, dtype: Dtype, shape: tuple[int, ...], order: Any) -> NDArray[Any]:  # noqa: ANN401
    """Return an array over bytes (as text from Python 2), or of a list of objects."""
    if any(size < 0 for size in shape):
        raise ValueError("a negative size")
    if dtype.dtype == object:
        flat = np.fromiter(content, dtype=object, count=len(content))
    else:
        flat = np.frombuffer(content.encode("latin1") if isinstance(content, str) else content, dtype.dtype)
    return flat.reshape(shape, order=order)


def _reconstruct(*_arguments: object) -> Array:
    """Stand in for NumPy's _reconstruct, whose arguments tell nothing that does not come again as state."""
    return Array()


def _frombuffer(
    content: bytes, dtype: Dtype, shape: tuple[int, ...], order: str, axes: tuple[int, ...] | None = None
) -> Array:
    """Stand in for NumPy's _frombuffer; axes: of an array that is C-contiguous but for their order."""
    complete = Array()
    complete.array = _build(content, dtype, shape, "C" if axes else order)
    if axes:
        complete.array = complete.array.transpose(axes)
    return complete


def _scalar(dtype: Dtype, content: bytes | str) -> Any:  # noqa: ANN401 (a number, bytes or text)
    """Stand in for NumPy's scalar: return it as Python's own type."""
    return _build(content, dtype, (), "C").item()


def _dtype(code: str, *_flags: object) -> Dtype:
    return Dtype(code)


def _latin1(text: str, encoding: str) -> bytes:
    """Stand in for _codecs.encode, with which old protocols write bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError("an encoding other than latin1")
    return text.encode("latin1")


def _empty_bytes() -> bytes:
    """Stand in for bytes: old protocols write empty bytes as a call without arguments."""
    return b""


def _refuse_call(*_arguments: object) -> None:
    raise TypeError("a call of numpy.ndarray itself")


ALLOWED: dict[tuple[str, str], StandIn] = {
    ("numpy", "ndarray"): StandIn(_refuse_call),  # only ever an argument of _reconstruct
    ("numpy", "dtype"): StandIn(_dtype),
    ("_codecs", "encode"): StandIn(_latin1),
    ("builtins", "bytes"): StandIn(_empty_bytes),
    ("__builtin__", "bytes"): StandIn(_empty_bytes),
}
for core in ("numpy.core", "numpy._core"):  # before NumPy 2, and since
    ALLOWED[f"{core}.multiarray", "_reconstruct"] = StandIn(_reconstruct)
    ALLOWED[f"{core}.multiarray", "scalar"] = StandIn(_scalar)
    ALLOWED[f"{core}.numeric", "_frombuffer"] = StandIn(_frombuffer)


class _Unpickler(pickle.Unpickler):
    """Looks every name up in `ALLOWED`; imports nothing."""

    def find_class(self, module: str, name: str) -> StandIn:
        if (module, name) not in ALLOWED:
            raise InputError(f"it names {f'{module}.{name}'[:MAX_NAME]!r}")
        return ALLOWED[module, name]


def _check_memo(stream: BinaryIO) -> None:
    """Refuse a pickle that keeps an object under a higher number than there are instructions before it.

    The unpickler takes 16 bytes for each number up to it: gigabytes, for an instruction of five bytes.
    """
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        instructions = pickletools.genops(cast("BinaryIO", content))  # which reads as a file does
        for count, (instruction, number, _) in enumerate(instructions):
            if instruction.name in MEMO and cast("int", number) > count:
                raise ValueError("a number of an object that is far too high")


def unpickle(path: Path) -> Any:  # noqa: ANN401 (whatever the pickle holds)
    """Return what a pickle of Python 2 or 3 holds; its arrays are `Array`s, read-only where they share its bytes.

    Raises:
        InputError: for a pickle that names anything but NumPy arrays and plain containers, of which nothing is then
            imported or called; for one that is cut off or broken.
    """
    try:
        with path.open("rb") as stream:
            _check_memo(stream)
            return _Unpickler(stream, encoding="latin1").load()
    except InputError as error:
        raise InputError(
            f"{path} is refused, and nothing in it was run: {error}, where only NumPy arrays and plain containers are "
            "allowed: download it again from where it was published, or bring the arrays as .npz or .hdf5"
        ) from error
    except Exception as error:  # a broken pickle raises many kinds
        raise InputError(
            f"{path} is not a complete pickle of NumPy arrays and plain containers ({type(error).__name__}): download "
            "it again, or bring the arrays as .npz or .hdf5"
        ) from error
