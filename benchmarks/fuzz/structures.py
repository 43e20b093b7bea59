"""Mutations that know a format: JSON, YAML, tables of text, NPY headers, pickles, PNG."""

import ast
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from benchmarks.fuzz.values import CELLS, DTYPES, MARK, OPCODES, RAW, SHAPES, VALUES, YAML_ENDS

# What a mutation raises where an earlier one has broken the file.
BROKEN: tuple[type[Exception], ...] = (
    *(ValueError, SyntaxError, LookupError, TypeError, AttributeError, RuntimeError, MemoryError, EOFError, OSError),
    *(struct.error, zlib.error, zipfile.BadZipFile),
)


LONGEST_YAML = 20_000  # bytes; longer ones are nested by an earlier mutation


def mutate_json(name: str, content: bytes, random: Random) -> bytes:  # noqa: ARG001 (of all structured mutations)
    """Change a value or key of a JSON file, or its encoding."""
    return _dump(json.loads(content), random)


def mutate_yaml(name: str, content: bytes, random: Random) -> bytes:  # noqa: ARG001
    """Change a value or key of a YAML file, or add what only YAML has."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if random.random() < 0.3:  # noqa: PLR2004
        return content + random.choice(YAML_ENDS)
    if b"&" in content or len(content) > LONGEST_YAML:
        raise ValueError("the parser takes minutes for it")
    try:
        tree = YAML(typ="safe").load(io.BytesIO(content))
    except YAMLError as error:
        raise ValueError from error
    return _dump(tree, random)


def _dump(tree: Any, random: Random) -> bytes:  # noqa: ANN401 (anything that JSON holds)
    """Write a tree as JSON with one change."""
    raw = None
    holder: dict[str, Any] = {"": tree}
    parent, key = random.choice(_places(holder))
    edit = random.random()
    if edit < 0.6:  # noqa: PLR2004
        parent[key] = random.choice(VALUES)
    elif edit < 0.8:  # noqa: PLR2004
        parent[key], raw = MARK, random.choice(RAW)
    elif isinstance(parent, dict) and parent is not holder:
        value = parent.pop(key)
        if edit > 0.9:  # noqa: PLR2004
            parent[random.choice(("", "a", "é", key + "x", key.upper(), "a" * 5000))] = value
    elif parent is not holder:
        del parent[key]
    text = json.dumps(holder.get(""), ensure_ascii=random.random() < 0.5)  # noqa: PLR2004
    if raw is not None:
        text = text.replace(json.dumps(MARK), raw)
    if random.random() < 0.1 and "{" in text:  # noqa: PLR2004 (a key twice)
        place = random.choice([index for index, sign in enumerate(text) if sign == "{"][:100])
        first = text[place + 1 :].partition(":")[0]
        text = f"{text[: place + 1]}{first}: 1, {text[place + 1 :]}" if first.startswith('"') else text
    encoding = random.choice(("utf-8",) * 8 + ("utf-16", "latin-1", "utf-8-sig", "utf-32"))
    return text.encode(encoding, "replace" if encoding == "latin-1" else "surrogatepass")


def _places(tree: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401
    """Return every container of a tree with each of its keys."""
    found: list[tuple[Any, Any]] = []
    todo = [tree]
    while todo:
        own = todo.pop()
        pairs = own.items() if isinstance(own, dict) else enumerate(own) if isinstance(own, list) else ()
        for key, value in pairs:
            found.append((own, key))
            todo.append(value)
    return found


def mutate_table(name: str, content: bytes, random: Random) -> bytes:  # noqa: ARG001
    """Change cells, rows or columns of a table of text, or its encoding."""
    text = content.decode("utf-8", "surrogateescape")
    sign = next((sign for sign in ("\t", ",", ";") if sign in text[:1000]), " ")
    rows = [line.split(sign) for line in text.split("\n")]
    random.choice(ROW_EDITS)(rows, random)
    text = random.choice(("\n",) * 8 + ("\r\n", "\r")).join(sign.join(row) for row in rows)
    encoding = random.choice(("utf-8",) * 12 + ("utf-16", "latin-1", "utf-8-sig"))
    return text.encode(encoding, "replace" if encoding == "latin-1" else "surrogateescape")


Rows = list[list[str]]


def _edit_cells(rows: Rows, random: Random) -> None:
    for _ in range(random.choice((1, 1, 2))):
        row = random.choice(rows)
        row[random.randrange(len(row))] = random.choice(CELLS)


def _edit_column(rows: Rows, random: Random) -> None:
    """Give all cells of a column the same value, or take them out; the header may stay."""
    column, value, first = random.randrange(len(rows[0])), random.choice(CELLS), random.choice((0, 1))
    is_deleted = random.random() < 0.3  # noqa: PLR2004
    for row in rows[first:]:
        if column < len(row) and is_deleted:
            del row[column]
        elif column < len(row):
            row[column] = value


def _edit_length(rows: Rows, random: Random) -> None:
    row = random.choice(rows)
    if random.random() < 0.5:  # noqa: PLR2004
        row.insert(random.randrange(len(row) + 1), random.choice(CELLS))
    else:
        del row[random.randrange(len(row))]


def _repeat_header(rows: Rows, random: Random) -> None:
    rows[0][random.randrange(len(rows[0]))] = random.choice(rows[0])


def _edit_rows(rows: Rows, random: Random) -> None:
    place = random.randrange(len(rows))
    random.choice(
        (
            lambda: rows.insert(place, list(random.choice(rows))),
            lambda: rows.pop(place),
            lambda: rows.__delitem__(slice(1, None)),
            lambda: rows.insert(place, [""]),
            lambda: rows.extend([list(rows[-2 if len(rows) > 1 else -1])] * 200),
            lambda: random.shuffle(rows),
        )
    )()


ROW_EDITS: tuple[Callable[[Rows, Random], object], ...] = (
    *(_edit_cells, _edit_cells, _edit_cells, _edit_cells),
    *(_edit_column, _edit_length, _repeat_header, _edit_rows),
)


def mutate_array(name: str, content: bytes, random: Random) -> bytes:  # noqa: ARG001
    """Change the header of an NPY file, or its numbers."""
    if content[:6] != b"\x93NUMPY":
        raise ValueError("no NPY file")
    size = struct.unpack("<H", content[8:10])[0] if content[6] == 1 else struct.unpack("<I", content[8:12])[0]
    start = 10 if content[6] == 1 else 12
    header, data = content[start : start + size].decode("latin1"), content[start + size :]
    if random.random() < 0.3:  # noqa: PLR2004
        return content[: start + size] + _edit_numbers(header, data, random)
    about = ast.literal_eval(header.strip())
    parts = {key: repr(value) for key, value in about.items()}
    key = random.choice(("descr", "shape", "fortran_order"))
    parts[key] = random.choice(
        {
            "descr": (
                *(repr(own) for own in DTYPES),
                "[('a', '<f4')]",
                "[('a', '|O')]",
                "[]",
                "None",
                "1",
                "{}",
                "('<f4', (2,))",
            ),
            "shape": SHAPES,
            "fortran_order": ("True", "False", "1", "None", "'a'"),
        }[key]
    )
    if random.random() < 0.15:  # noqa: PLR2004
        parts.pop(random.choice(tuple(parts)))
    if random.random() < 0.1:  # noqa: PLR2004
        parts["more"] = "1"
    text = (
        "{"
        + ", ".join(f"{own!r}: {value}" for own, value in parts.items())
        + random.choice(("}",) * 8 + ("", "}}", "\x00"))
    )
    return _npy(text, data, random)


def _npy(text: str, data: bytes, random: Random) -> bytes:
    """Write a header of any version before the data."""
    version = random.choice(((1, 0),) * 6 + ((2, 0), (3, 0), (9, 9)))
    encoded = text.encode("utf-8") + b"\n"
    length = len(encoded) if random.random() < 0.9 else random.choice((0, 65535, len(encoded) - 5, 2**31))  # noqa: PLR2004
    packed = struct.pack("<H", length % 2**16) if version == (1, 0) else struct.pack("<I", max(0, length) % 2**32)
    return b"\x93NUMPY" + bytes(version) + packed + encoded + data


def _edit_numbers(header: str, data: bytes, random: Random) -> bytes:
    """Write a number that is none, or at the end of its range, into an array."""
    descr = ast.literal_eval(header.strip())["descr"]
    kind = np.dtype(descr)
    if kind.kind not in "fiub" or not data:
        return data[: random.randrange(len(data) + 1)]
    extremes: tuple[float, ...] = (np.nan, np.inf, -np.inf, 0.0, -1.0) if kind.kind == "f" else (0, 1)
    if kind.kind in "iu":
        extremes = (np.iinfo(kind).min, np.iinfo(kind).max, 0, 1)
    place = random.randrange(len(data) // kind.itemsize) * kind.itemsize
    return data[:place] + np.array(random.choice(extremes), kind).tobytes() + data[place + kind.itemsize :]


def mutate_pickle(name: str, content: bytes, random: Random) -> bytes:  # noqa: ARG001
    """Insert an instruction of pickle's machine before another one."""
    import pickletools

    places = []
    try:
        for _, _, place in pickletools.genops(content):
            places.append(place or 0)
    except ValueError:  # up to where an earlier mutation broke it
        pass
    place = random.choice(places)
    return content[:place] + random.choice(OPCODES) + content[place:]


def mutate_png(name: str, content: bytes, random: Random) -> bytes:  # noqa: ARG001
    """Change a chunk of a PNG file, with a right checksum."""
    chunks, place = [], 8
    while place + 12 <= len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + size]))
        place += 12 + size
    index = random.randrange(len(chunks))
    kind, own = chunks[index]
    if random.random() < 0.2:  # noqa: PLR2004
        kind = random.choice((b"tEXt", b"zTXt", b"iCCP", b"tRNS", b"PLTE", b"acTL", b"fdAT", b"eXIf", b"IHDR", b"IEND"))
    changed = bytearray(own)
    for _ in range(random.choice((1, 2, 4)) if own else 0):
        changed[random.randrange(len(own))] = random.choice((0, 1, 3, 16, 127, 128, 255))
    own = bytes(changed)
    if kind == b"zTXt" and random.random() < 0.5:  # noqa: PLR2004 (what unpacks to a thousand times its size)
        own = b"a\x00\x00" + zlib.compress(b"\x00" * 2**26)
    chunks[index] = (kind, own)
    joined = (
        struct.pack(">I", len(own)) + kind + own + struct.pack(">I", zlib.crc32(kind + own)) for kind, own in chunks
    )
    return content[:8] + b"".join(joined)
