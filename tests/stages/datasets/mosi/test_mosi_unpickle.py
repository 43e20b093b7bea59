"""Pickles: what Python 2 and 3 wrote is read; one that names anything else is refused, and nothing of it runs."""

import builtins
import collections
import datetime as dt
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from i2moe.base.errors import InputError
from stages.datasets.mosi.cohort import cohort
from stages.datasets.mosi.unpickle import ALLOWED, Array, unpickle
from tests.stages.datasets.mosi.conftest import folds

MARKER = "the-pickle-ran"


class Call:
    """Is pickled as a call of a function with arguments."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def make_marker():
    return Call(os.system, f"touch {MARKER}")


def evaluate():
    return Call(builtins.eval, f"open({MARKER!r}, 'w').close()")


def text(value):
    """Return a pickle's opcodes that push a text."""
    return b"\x8c" + struct.pack("<B", len(value)) + value.encode()


def named(module, name, arguments=b")", after=b"R."):
    """Return a pickle of protocol 4 that calls what it names, by default without arguments."""
    return b"\x80\x04" + text(module) + text(name) + b"\x93" + arguments + after


def in_a_list_of_objects(payload):
    values = np.empty(2, dtype=object)
    values[:] = [b"a", payload]
    return {"train": {"id": values}}


MALICIOUS = {
    "system": (lambda: pickle.dumps(make_marker()), "posix.system"),
    "system by protocol 0": (lambda: pickle.dumps(make_marker(), protocol=0), "posix.system"),
    "eval": (lambda: pickle.dumps(evaluate()), "builtins.eval"),
    "eval under Python 2's name": (lambda: pickle.dumps(evaluate(), protocol=2), "__builtin__.eval"),
    "in an array of objects": (lambda: pickle.dumps(in_a_list_of_objects(make_marker())), "posix.system"),
    "as a key": (lambda: pickle.dumps({make_marker(): 1}), "posix.system"),
}


@pytest.mark.parametrize("case", MALICIOUS)
def test_a_pickle_that_runs_code_elsewhere_is_refused_and_runs_nothing(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    make, name = MALICIOUS[case]
    path = tmp_path / "own.pkl"
    path.write_bytes(make())
    with pytest.raises(InputError, match=rf"own.pkl is refused, and nothing in it was run: it names '{name}'"):
        unpickle(path)
    assert not (tmp_path / MARKER).exists()
    if case != "as a key":  # None cannot be the array's key: it runs, and fails afterwards
        pickle.loads(path.read_bytes())  # noqa: S301 (the point: it is a live one)
        assert (tmp_path / MARKER).exists()


REFUSED = {
    "dotted name": (named("os", "path.os.system", text(f"touch {MARKER}") + b"\x85"), "it names 'os.path.os.system'"),
    "dotted name of NumPy": (named("numpy", "ndarray.__class__.__subclasses__"), "it names 'numpy.ndarray.__class__"),
    "NumPy that unpickles": (named("numpy", "load", text("other.npy") + b"\x85"), "it names 'numpy.load'"),
    "another module's stand-in": (named("numpy.core.numeric", "_reconstruct"), "'numpy.core.numeric._reconstruct'"),
    "getattr": (named("builtins", "getattr"), "it names 'builtins.getattr'"),
    "a module that is not there": (named("no_such_module", "x"), "it names 'no_such_module.x'"),
    "old instance": (b"(ios\nsystem\n.", "it names 'os.system'"),
    "a long name": (named("os", "x" * 200), r"it names 'os\.x{97}'"),
    "date": (pickle.dumps(dt.date(2020, 1, 1)), "it names 'datetime.date'"),
    "ordered dictionary": (pickle.dumps(collections.OrderedDict()), "it names 'collections.OrderedDict'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_any_other_name_is_refused_by_its_name(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    content, message = REFUSED[case]
    path = tmp_path / "own.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        unpickle(path)
    assert list(tmp_path.iterdir()) == [path]


def array_of(dtype, state, content=b"b" * 8, shape=b"K\x01\x85"):
    """Return a pickle of an array whose dtype, its state and content are as given."""
    own_dtype = text("numpy") + text("dtype") + b"\x93" + text(dtype) + b"\x85R" + state
    built = b"(K\x01" + shape + own_dtype + b"\x89" + b"C" + struct.pack("<B", len(content)) + content + b"tb."
    return named("numpy.core.multiarray", "_reconstruct", b")", b"R" + built)


NATIVE = b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
BROKEN = {
    "structured dtype": array_of("V8", NATIVE),
    "fields": array_of("f8", NATIVE.replace(b"NNN", b"N" + text("a") + b"\x85}")),
    "date dtype": array_of("M8", NATIVE),
    "complex dtype": array_of("c16", NATIVE),
    "byte order": array_of("f8", NATIVE.replace(text("<"), text("?"))),
    "dtype without state": array_of("f8", b"Nb"),
    "bytes for objects": array_of("O8", NATIVE),  # addresses of one's choice, were they taken for objects
    "too few bytes": array_of("f8", NATIVE, b"1234567"),
    "larger than its bytes": array_of("f8", NATIVE, shape=b"J\xff\xff\xff\x7f\x85"),
    "negative shape": array_of("f8", NATIVE, shape=b"J\xfe\xff\xff\xff\x85"),
    "call of ndarray": named("numpy", "ndarray", b"K\x08\x85"),
    "class made new": named("numpy", "ndarray", b")", b"\x81."),
    "state for a function": named("_codecs", "encode", b"N}" + text("__defaults__") + b"Ns\x86", b"b."),
    "another encoding": named("_codecs", "encode", text("a") + text("rot13") + b"\x86"),
    "bytes of a size": named("builtins", "bytes", b"J\xff\xff\xff\x7f\x85"),
    "reference to an object elsewhere": b"\x80\x04" + text("own") + b"Q.",
    "extension": b"\x80\x04\x82\x01.",
    "buffer elsewhere": b"\x80\x05\x97.",
    "no pickle": b"hello",
    "empty": b"",
    "cut off": pickle.dumps(folds())[:-200],
    "too large for memory": b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_pickles_are_one_clear_error(tmp_path, case):
    path = tmp_path / "own.pkl"
    path.write_bytes(BROKEN[case])
    match = r"own.pkl is not a complete pickle of NumPy arrays and plain containers \(\w+\): download it again"
    with pytest.raises(InputError, match=match):
        unpickle(path)


def test_the_opcodes_above_are_right(tmp_path):
    path = tmp_path / "own.pkl"
    path.write_bytes(array_of("f8", NATIVE, np.float64(1.5).tobytes()))
    assert unpickle(path).array.tolist() == [1.5]
    assert pickle.loads(named("_codecs", "encode", text("a") + text("rot13") + b"\x86")) == "n"  # noqa: S301


def test_a_refused_pickle_leaves_the_stand_ins_as_they_were(tmp_path):
    path = tmp_path / "own.pkl"
    for module, name in ALLOWED:
        path.write_bytes(named(module, name, b"N}" + text("_function") + b"Ns\x86", b"b."))
        with pytest.raises(InputError, match="TypeError"):
            unpickle(path)
    path.write_bytes(pickle.dumps(folds()))
    assert unpickle(path)["train"]["text"].array.shape == (3, 4, 2)


def test_numbers_texts_and_containers_come_out_as_they_went_in(tmp_path):
    content = {"a": [1, 2.5, None, True], "b": ("ü", b"\x00\xff", {1, 2}), "c": np.float32(0.5), "d": np.bytes_(b"x")}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        if protocol < 4:  # sets are calls in older protocols
            content["b"] = ("ü", b"\x00\xff")
        path = tmp_path / f"{protocol}.pkl"
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        assert unpickle(path) == content


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_any_order_and_type_come_out_as_they_went_in(tmp_path, protocol):
    values = np.arange(24.0).reshape(2, 3, 4)
    arrays = {
        "C": values,
        "Fortran": np.asfortranarray(values),
        "transposed": values.transpose(2, 0, 1),
        "strided": values[:, ::2],
        "big-endian": values.astype(">f4"),
        "integers": values.astype(np.int16),
        "bytes": np.array([b"ab", b"c"]),
        "text": np.array(["ü", "cd"]),
        "nothing": values[:0],
    }
    path = tmp_path / "own.pkl"
    path.write_bytes(pickle.dumps(arrays, protocol=protocol))
    for name, own in unpickle(path).items():
        assert isinstance(own, Array)
        assert own.array.dtype == arrays[name].dtype
        assert own.array.tolist() == arrays[name].tolist()


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 did, as text of 8 bits, and NumPy's functions under their old names."""

    dispatch = dict(pickle._Pickler.dispatch)  # noqa: RUF012 (of the base class)

    def save_bytes(self, content):
        self.write(b"T" + struct.pack("<i", len(content)) + content)
        self.memoize(content)

    def save_text(self, content):
        self.save_bytes(content.encode("latin1"))

    def save_global(self, own, name=None):
        name = name or own.__name__
        module = own.__module__.replace("numpy._core", "numpy.core")
        self.write(b"c" + f"{module}\n{name}\n".encode())
        self.memoize(own)

    dispatch[bytes] = save_bytes
    dispatch[str] = save_text


def test_a_pickle_of_python_2_gives_the_same_cohort(project):
    folder = project()
    cohort()
    expected = (folder / "data/cohorts/mosi.csv").read_bytes()

    def write(path, content):
        with path.open("wb") as stream:
            Python2Pickler(stream, protocol=2).dump(content)
        assert b"numpy._core" not in path.read_bytes()
        assert b"_codecs" not in path.read_bytes()

    project(write=write)
    cohort()
    assert (folder / "data/cohorts/mosi.csv").read_bytes() == expected


@pytest.mark.parametrize(
    "instruction",
    [b"r\xff\xff\xff\x03", b"p99999999\n", b"q\xff", b"r\xff\xff\xff\xff"],
    ids=["LONG_BINPUT", "PUT", "BINPUT", "as high as can be"],
)
def test_a_high_number_in_the_memo_takes_no_memory(tmp_path, instruction):
    path = tmp_path / "own.pkl"
    path.write_bytes(b"\x80\x02}" + instruction + b".")  # for which the unpickler alone takes up to 64 GB
    tracemalloc.start()
    with pytest.raises(InputError, match=r"own.pkl is not a complete pickle .*\(ValueError\)"):
        unpickle(path)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_memo_numbers_as_python_writes_them_are_read(tmp_path):
    path, names = tmp_path / "own.pkl", [f"name {number}" for number in range(300)]  # more than BINPUT can number
    for protocol in range(3):
        path.write_bytes(pickle.dumps(names, protocol=protocol))
        assert unpickle(path) == names
