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

# What a mutation raises where an earlier one has broken the file.
BROKEN = (ValueError, SyntaxError, LookupError, TypeError, RecursionError, MemoryError)
BROKEN += (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, struct.error)

# Values of JSON and YAML: of every type, and those at which numbers, texts and containers break.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 0.5, -0.0, 1e308, float("nan")),
    *(float("inf"), "", " ", "a", "1", "nan", "é", "\x00", "\ud800", "a" * 70_000, "../../etc/passwd", "a\nb", "9" * 25),
    *([], {}, [None], [[]], {"": None}, [1] * 5000, {"a": {"a": {}}}, [[1, 2], [3]]),
)
# Values that no program writes, in place of a mark that json.dumps wrote.
MARK = "\x01mark\x01"
RAW = ("[" * 100_000, "[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, "1e999", "-1e999", "9" * 5000)
RAW += ("-", "0x10", "1_000", "'a'", "1.", "01", "NaN", "1e-5000", "", "{,}", "[1,]", "\t", '"\\u12"', '"\\ud800"')
CELLS = ("", " ", "NaN", "nan", "inf", "-inf", "1e999", "1e308", "-1", "-0", "0", "1.5", "9" * 25, "-" + "9" * 25)
CELLS += ("9" * 5000, "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e19", "-1e19", "1e400")
CELLS += ("a", "é", "\x00", "\ufeff", '"', '""', '"a', "a" * 140_000, "<200", ">", "0000-00-00", "9999-12-31", "True")
CELLS += ("2150-13-01", "1e5000-01-01", "99999-01-01", "2006-01-10T25:00", "1677-01-01", "1,5", "0x10", "1_0", "٣", "½")
CELLS += ("None", "NA", "-4", "=1+1", "a\nb", "\r", "\u2028", "٣" * 30, "1e-400", "0.1" + "0" * 400)
DTYPES = ("<f8", ">f8", "<f4", "<f2", ">f4", "<f16", "|b1", "?", "<i8", "<u8", "|u1", "<c16", "|O", "<U4", "<U1000000")
DTYPES += ("|S4", "|S0", "<U0", "|V0", "|V8", "<M8[ns]", "<m8[s]", "<f3", "", "f", "object", "a" * 1000, "(2,)f4", "O8")
DTYPES += ("<f4,<f4", "f4," * 2000, "<f9999999999", "T", "void", "é")
SHAPES = ("()", "(0,)", "(-1,)", "(1,)", "(3)", "[3]", "None", "(3.0,)", "(True,)", "('a',)", "(2**40,)", "(10**30,)")
SHAPES += ("(9223372036854775807,)", "(9223372036854775808,)", "(4611686018427387904, 4)", "(1099511627776, 1)", "()()")
SHAPES += ("(0, 9223372036854775807)", "(" + "1," * 70 + ")", "(" + "2," * 60 + ")", "(" * 3000, "(1L, 2L)", "{}", "-")
SHAPES += ("(1000000000000,)", "(4294967296,)", "(65536, 65536)", "((1,),)", "(999999, 999999, 999999)", "lambda: 0")
OPCODES = (b"r\xff\xff\xff\x03", b"j\xff\xff\xff\x03", b"r\xff\xff\xff\xff", b"\x8e" + b"\xff" * 8, b"\x8d\xff\xff\xff\x7f" + b"\0" * 4)
OPCODES += (b"cos\nsystem\n", b"\x8c\x02os\x8c\x06system\x93", b"R", b"b", b"(", b"0", b".", b"N", b"K\x01", b"I99\n", b"a", b"e")
OPCODES += (b"\x8b\xff\xff\xff\x7f", b"\x95" + b"\xff" * 8, b"s", b"u", b"}", b"]", b")", b"\x81", b"\x92", b"\x98", b"P1\n", b"Q")
OPCODES += (b"p99999999\n", b"L" + b"9" * 5000 + b"L\n", b"S'\\x'\n", b"V\\ud800\n", b"\x94", b"2", b"q\xff", b"h\xff", b"t", b"\x85")


def mutate_json(name: str, content: bytes, random: Random) -> bytes:  # noqa: ARG001 (of all structured mutations)
    """Change a value or key of a JSON file, or its encoding."""
    return _dump(json.loads(content), random)


def mutate_yaml(name: str, content: bytes, random: Random) -> bytes:  # noqa: ARG001
    """Change a value or key of a YAML file, or add what only YAML has."""
    from ruamel.yaml import YAML

    if random.random() < 0.3:  # noqa: PLR2004
        return content + random.choice(YAML_ENDS)
    return _dump(YAML(typ="safe").load(io.BytesIO(content)), random)


_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)
YAML_ENDS = (
    b"\n? [a, b]\n: 1\n",
    b"\nx: !!python/object/apply:os.system [ls]\n",
    b"\nx: !own {a: 1}\n",
    b"\nx: *nowhere\n",
    b"\nrun: 1\n",
    b"\n---\na: 1\n",
    b"\n\tx: 1\n",
    b"\nx: &x [*x]\n",
    b"\n<<: {run: 1}\n",
    b"\nx: 2001-99-99\n",
    b"\nx: !!binary '###'\n",
    b"\nx: !!int a\n",
    b"\nx: !!timestamp a\n",
    b"\nx: " + b"[" * 20_000,
    b"\n1: 2\nnull: 3\n2001-01-01: 4\n",
    b"\n%YAML 1.1\n",
    b"\nx: \xff\xfe\n",
    b"\nx: 1:30:00\ny: .inf\nz: " + b"9" * 5000 + b"\n",
    f"\n{_BOMB}".encode(),
    f"\nmodels: {{defaults: {{epochs: &e 1}}}}\n{_BOMB}run: *a11\n".encode(),
)


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
    text = json.dumps(holder.get("", None), ensure_ascii=random.random() < 0.5)  # noqa: PLR2004
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
            "descr": (*(repr(own) for own in DTYPES), "[('a', '<f4')]", "[('a', '|O')]", "[]", "None", "1", "{}", "('<f4', (2,))"),
            "shape": SHAPES,
            "fortran_order": ("True", "False", "1", "None", "'a'"),
        }[key]
    )
    if random.random() < 0.15:  # noqa: PLR2004
        parts.pop(random.choice(tuple(parts)))
    if random.random() < 0.1:  # noqa: PLR2004
        parts["more"] = "1"
    text = "{" + ", ".join(f"{own!r}: {value}" for own, value in parts.items()) + random.choice(("}",) * 8 + ("", "}}", "\x00"))
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
    extremes = (np.nan, np.inf, -np.inf, 0.0, -1.0) if kind.kind == "f" else (0, 1)
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
    joined = (struct.pack(">I", len(own)) + kind + own + struct.pack(">I", zlib.crc32(kind + own)) for kind, own in chunks)
    return content[:8] + b"".join(joined)
