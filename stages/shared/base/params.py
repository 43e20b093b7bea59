"""Blocks of params.yaml as typed, checked settings: each stage reads its own and no other."""

import functools
import io
import itertools
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from i2moe.base.errors import InputError
from i2moe.base.strict import nearest, shorten
from stages.shared.base import paths

Block = TypeVar("Block")
# What pydantic adds to a key to say which of several types it tried.
UNION_PART = re.compile(r"^(\[.*\]|str|list\[.*\]|constrained-.*)$")
MAX_DEPTH, MAX_VALUES = 100, 1_000_000  # levels, values of a file
NESTED = re.compile(rf"(?:[-?] +){{{MAX_DEPTH},}}")  # so many lists or keys that begin in one line
MAX_MESSAGE = 500  # characters of a message of the parser
MODEL_DEPTH = 3  # models.DATASET.MODEL


def load_block(key: str, kind: type[Block]) -> Block:
    """Read and check one block of params.yaml.

    Args:
        key: where it is, such as `data.adni`.
        kind: what it must be.

    Raises:
        InputError: naming each wrong key, its value, what is allowed and the nearest valid name.
    """
    value: Any = read_params()
    for name in key.split("."):
        if not isinstance(value, dict) or name not in value:
            raise InputError(f"{paths.PARAMS}: {key} is missing: take the block from the project's own params.yaml")
        value = value[name]
    return check(value, kind, paths.PARAMS, key)


def read_params(path: Path = paths.PARAMS) -> dict[str, Any]:
    """Read a file of parameters as it is.

    Raises:
        InputError: for a file that is missing, is not YAML, or holds no keys.
    """
    from ruamel.yaml.error import YAMLError

    try:
        raw = parse_yaml(path.read_text(encoding="utf-8"), path.name)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: run this in the project's root") from error
    # ValueError: not UTF-8, or a number or date that is none.
    except (YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())[:MAX_MESSAGE]}") from error
    if not isinstance(raw, dict):
        raise InputError(f"{path}: no keys found; take the file from the project's repository")
    return raw


def _depth(content: str) -> int:
    """Return in how many levels brackets are open at most; the parser's time grows with the square of it."""
    steps = (1 if sign in "[{" else -1 for sign in re.findall(r"[\[\]{}]", content))
    return max(itertools.accumulate(steps), default=0)


def _num_values(content: str) -> int:
    """Return how many values YAML has once each alias (`*name`) is replaced by what it stands for (`&name`)."""
    from ruamel.yaml import YAML
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

    sizes: dict[str, int] = {}
    open_nodes: list[list[Any]] = [["", 0]]  # anchor and size
    for event in YAML(typ="safe").parse(io.StringIO(content)):
        if isinstance(event, AliasEvent):
            open_nodes[-1][1] += sizes.get(event.anchor, 1)
        elif isinstance(event, CollectionStartEvent):
            open_nodes.append([event.anchor, 1])
        elif isinstance(event, CollectionEndEvent):
            anchor, size = open_nodes.pop()
            sizes[anchor] = size
            open_nodes[-1][1] += size
        elif isinstance(event, ScalarEvent):
            sizes[event.anchor] = 1
            open_nodes[-1][1] += 1
    return int(open_nodes[0][1])


@functools.lru_cache(maxsize=1)
def parse_yaml(content: str, name: str) -> Any:  # noqa: ANN401 (anything may be there)
    """Return what a text in YAML says, parsed once though a stage reads several blocks.

    The parser, in C, does not survive too many levels.

    Args:
        content: the text.
        name: of its file, for the parser's messages.

    Raises:
        YAMLError: for what is not YAML.
        ValueError: for YAML of too many levels or values.
    """
    from ruamel.yaml import YAML

    if _depth(content) > MAX_DEPTH or NESTED.search(content):
        raise ValueError(f"it has more than {MAX_DEPTH} levels")
    if "&" in content and _num_values(content) > MAX_VALUES:
        raise ValueError(f"its aliases make it more than {MAX_VALUES} values")
    stream = io.StringIO(content)
    stream.name = name
    return YAML(typ="safe").load(stream)


def dataset_block(dataset: str) -> tuple[str, dict[str, Any]]:
    """Return the folder of a dataset's code under stages/datasets, and the dataset's settings as they are.

    Raises:
        InputError: for a dataset that is not under `data`.
    """
    data = read_params().get("data", {})
    tables = data.get("tables", {})
    if dataset in tables:
        return "tables", tables[dataset]
    if dataset not in data or dataset == "tables":
        raise InputError(f"unknown dataset {dataset!r}; {nearest(dataset, [*tables, *data])}")
    return dataset, data[dataset]


def check(value: Any, kind: type[Block], path: Path, key: str = "") -> Block:  # noqa: ANN401 (anything may be there)
    """Turn what a file holds into typed settings.

    Args:
        value: what is there.
        kind: what it must be.
        path: of the file, for errors.
        key: where in the file the value is; nothing for the whole.

    Raises:
        InputError: naming each wrong key, its value, what is allowed and the nearest valid name.
    """
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise InputError(f"{path}: " + "; ".join(_problems(error, key))) from error


def _problems(error: ValidationError, key: str) -> list[str]:
    """Say each problem once, though every model that inherits a wrong value has it."""
    places = defaultdict(list)
    for detail in error.errors():
        place, problem = _describe(detail, key)
        places[problem].append(place)
    problems = []
    for problem, where in places.items():
        more = f" (and {len(where) - 1} more)" if len(where) > 1 and where[0].startswith("models.") else ""
        problems.append(f"{where[0]}{more}{problem}")
    return list(dict.fromkeys(problems))


def _describe(error: ErrorDetails, key: str) -> tuple[str, str]:
    """Say where something is wrong, and what: key, value, what is allowed, nearest valid name.

    Of a model's setting, the place is the model (`models.DATASET.MODEL`), so that what models share can be told.
    """
    inside = [str(part) for part in error["loc"] if not UNION_PART.match(str(part))]
    parts = [*key.split("."), *inside] if key else inside
    depth = MODEL_DEPTH if parts[:1] == ["models"] else len(parts)
    place, rest = ".".join(parts[:depth]), "".join(f".{part}" for part in parts[depth:])
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error":
        return place, f"{rest}: {message}" if place else message
    if error["type"] == "missing":
        return place, f"{rest} is missing"
    hint = ""
    if error["type"] == "literal_error":
        valid = [choice.strip(" '") for choice in error["ctx"]["expected"].replace(" or ", ",").split(",")]
        hint = f"; {nearest(error['input'], valid)}"
    return place, f"{rest}: {message}, not {shorten(error['input'])}{hint}"
