"""Values at which formats break: of JSON and YAML, of cells, of the headers of arrays, of pickles."""

from typing import Any

# Values of JSON and YAML: of every type, and those at which numbers, texts and containers break.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 0.5, -0.0, 1e308, float("nan")),
    *(
        float("inf"),
        "",
        " ",
        "a",
        "1",
        "nan",
        "é",
        "\x00",
        "\ud800",
        "a" * 70_000,
        "../../etc/passwd",
        "a\nb",
        "9" * 25,
    ),
    *([], {}, [None], [[]], {"": None}, [1] * 5000, {"a": {"a": {}}}, [[1, 2], [3]]),
)
# Values that no program writes, in place of a mark that json.dumps wrote.
MARK = "\x01mark\x01"
RAW: tuple[str, ...] = (
    "[" * 100_000,
    "[" * 900 + "]" * 900,
    '{"a":' * 900 + "1" + "}" * 900,
    "1e999",
    "-1e999",
    "9" * 5000,
)
RAW += ("-", "0x10", "1_000", "'a'", "1.", "01", "NaN", "1e-5000", "", "{,}", "[1,]", "\t", '"\\u12"', '"\\ud800"')
CELLS: tuple[str, ...] = (
    "",
    " ",
    "NaN",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1e308",
    "-1",
    "-0",
    "0",
    "1.5",
    "9" * 25,
    "-" + "9" * 25,
)
CELLS += ("9" * 5000, "9223372036854775807", "9223372036854775808", "18446744073709551616", "1e19", "-1e19", "1e400")
CELLS += ("a", "é", "\x00", "\ufeff", '"', '""', '"a', "a" * 140_000, "<200", ">", "0000-00-00", "9999-12-31", "True")
CELLS += ("2150-13-01", "1e5000-01-01", "99999-01-01", "2006-01-10T25:00", "1677-01-01", "1,5", "0x10", "1_0", "٣", "½")
CELLS += ("None", "NA", "-4", "=1+1", "a\nb", "\r", "\u2028", "٣" * 30, "1e-400", "0.1" + "0" * 400)
DTYPES: tuple[str, ...] = (
    "<f8",
    ">f8",
    "<f4",
    "<f2",
    ">f4",
    "<f16",
    "|b1",
    "?",
    "<i8",
    "<u8",
    "|u1",
    "<c16",
    "|O",
    "<U4",
    "<U1000000",
)
DTYPES += ("|S4", "|S0", "<U0", "|V0", "|V8", "<M8[ns]", "<m8[s]", "<f3", "", "f", "object", "a" * 1000, "(2,)f4", "O8")
DTYPES += ("<f4,<f4", "f4," * 2000, "<f9999999999", "T", "void", "é")
SHAPES: tuple[str, ...] = (
    "()",
    "(0,)",
    "(-1,)",
    "(1,)",
    "(3)",
    "[3]",
    "None",
    "(3.0,)",
    "(True,)",
    "('a',)",
    "(2**40,)",
    "(10**30,)",
)
SHAPES += ("(9223372036854775807,)", "(9223372036854775808,)", "(4611686018427387904, 4)", "(1099511627776, 1)", "()()")
SHAPES += ("(0, 9223372036854775807)", "(" + "1," * 70 + ")", "(" + "2," * 60 + ")", "(" * 3000, "(1L, 2L)", "{}", "-")
SHAPES += ("(1000000000000,)", "(4294967296,)", "(65536, 65536)", "((1,),)", "(999999, 999999, 999999)", "lambda: 0")
OPCODES: tuple[bytes, ...] = (
    b"r\xff\xff\xff\x03",
    b"j\xff\xff\xff\x03",
    b"r\xff\xff\xff\xff",
    b"\x8e" + b"\xff" * 8,
    b"\x8d\xff\xff\xff\x7f" + b"\0" * 4,
)
OPCODES += (
    b"cos\nsystem\n",
    b"\x8c\x02os\x8c\x06system\x93",
    b"R",
    b"b",
    b"(",
    b"0",
    b".",
    b"N",
    b"K\x01",
    b"I99\n",
    b"a",
    b"e",
)
OPCODES += (
    b"\x8b\xff\xff\xff\x7f",
    b"\x95" + b"\xff" * 8,
    b"s",
    b"u",
    b"}",
    b"]",
    b")",
    b"\x81",
    b"\x92",
    b"\x98",
    b"P1\n",
    b"Q",
)
OPCODES += (
    b"p99999999\n",
    b"L" + b"9" * 5000 + b"L\n",
    b"S'\\x'\n",
    b"V\\ud800\n",
    b"\x94",
    b"2",
    b"q\xff",
    b"h\xff",
    b"t",
    b"\x85",
)

_BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 12)
)
YAML_ENDS: tuple[bytes, ...] = (
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
    b"\nx:\n  " + b"- " * 20_000,
    b"\nx:\n  " + b"? " * 20_000,
    b"\n1: 2\nnull: 3\n2001-01-01: 4\n",
    b"\n%YAML 1.1\n",
    b"\nx: \xff\xfe\n",
    b"\nx: 1:30:00\ny: .inf\nz: " + b"9" * 5000 + b"\n",
    f"\n{_BOMB}".encode(),
    f"\nmodels: {{defaults: {{epochs: &e 1}}}}\n{_BOMB}run: *a11\n".encode(),
)
