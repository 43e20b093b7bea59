"""Mutations of files, each drawn from one stream of random numbers.

Half are of bytes, whatever the file is: what a broken disk, a cut download or a hostile hand makes of it. The other
half know the format by the file's ending (`structures.py`), and reach what stands behind a checksum.
"""

import gzip
import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import PurePath
from random import Random

from benchmarks.fuzz import structures
from benchmarks.fuzz.parquet import mutate_parquet

Mutation = Callable[[bytes, Random], bytes]

WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}  # bytes of a number, and struct's name of it
NUMBERS = (
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    32767,
    32768,
    65535,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**64 - 1,
)
TOKENS = (b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\x80", b"-1", b"1e999", b"nan", b"9" * 25, b'"', b"\r", b"\n", b" ")
HEADER = 256  # bytes at the beginning, where formats say what they hold
MOST_EDITS = 4
MOST_BYTES = 2**22  # of an unpacked member: more would test the machine


def mutate(name: str, content: bytes, random: Random) -> bytes:
    """Return a file's content with one to four mutations.

    Args:
        name: of the file; its ending tells the format.
        content: of the file.
        random: from which everything is drawn.
    """
    for _ in range(random.choice((1, 1, 1, 2, MOST_EDITS))):
        content = _mutate_once(name, content, random)
    return content


def _mutate_once(name: str, content: bytes, random: Random) -> bytes:
    structured = STRUCTURED.get(PurePath(name).suffix)
    if structured is not None and random.random() < 0.5:  # noqa: PLR2004
        try:
            return structured(name, content, random)
        except structures.BROKEN:  # by an earlier mutation
            pass
    return random.choice(BYTES)(content, random)


def _place(content: bytes, random: Random) -> int:
    """Draw a place, as often in the header as anywhere."""
    return random.randrange(min(len(content), HEADER if random.random() < 0.5 else len(content)) + 1)  # noqa: PLR2004


def _block(content: bytes, random: Random) -> tuple[int, int]:
    start = _place(content, random)
    return start, min(len(content), start + random.choice((1, 4, 16, 64, 512)))


def truncate(content: bytes, random: Random) -> bytes:
    """Cut the file off."""
    return content[: _place(content, random)]


def flip_bits(content: bytes, random: Random) -> bytes:
    """Flip one to eight bits."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 2, 8)) if content else 0):
        changed[_place(content, random) % len(content)] ^= 1 << random.randrange(8)
    return bytes(changed)


def insert(content: bytes, random: Random) -> bytes:
    """Insert bytes, or what text formats know."""
    place = _place(content, random)
    new = random.choice(TOKENS) if random.random() < 0.5 else random.randbytes(random.choice((1, 2, 8, 64)))  # noqa: PLR2004
    return content[:place] + new + content[place:]


def delete(content: bytes, random: Random) -> bytes:
    """Take a block out."""
    start, stop = _block(content, random)
    return content[:start] + content[stop:]


def duplicate(content: bytes, random: Random) -> bytes:
    """Write a block twice, or many times."""
    start, stop = _block(content, random)
    return content[:stop] + content[start:stop] * random.choice((1, 1, 100)) + content[stop:]


def move(content: bytes, random: Random) -> bytes:
    """Copy a block over another."""
    start, stop = _block(content, random)
    place = _place(content, random)
    return content[:place] + content[start:stop] + content[place + stop - start :]


def blank(content: bytes, random: Random) -> bytes:
    """Set a block to 0 or 255."""
    start, stop = _block(content, random)
    return content[:start] + random.choice((b"\x00", b"\xff")) * (stop - start) + content[stop:]


def splice_number(content: bytes, random: Random) -> bytes:
    """Write a number at which formats break over what is there."""
    width = random.choice(tuple(WIDTHS))
    packed = struct.pack(random.choice("<>") + WIDTHS[width], random.choice(NUMBERS) % 2 ** (8 * width))
    place = _place(content, random)
    return content[:place] + packed + content[place + width :]


BYTES: tuple[Mutation, ...] = (truncate, flip_bits, insert, delete, duplicate, move, blank, splice_number)


def _inside_gzip(name: str, content: bytes, random: Random) -> bytes:
    """Mutate what is compressed."""
    inner = _unpack(content)
    return gzip.compress(mutate(name.removesuffix(".gz"), inner, random), compresslevel=1, mtime=0)


def _unpack(content: bytes) -> bytes:
    with gzip.open(io.BytesIO(content)) as stream:
        return stream.read(MOST_BYTES)


def _inside_zip(name: str, content: bytes, random: Random) -> bytes:  # noqa: ARG001 (of all structured mutations)
    """Mutate a member, or leave it out, rename it or write it twice; checksums are right afterwards."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist() if info.file_size < MOST_BYTES]
    if not members:
        return content
    place = random.randrange(len(members))
    own, inner = members[place]
    ending = "data.pkl" if own.endswith(".pkl") else own
    members[place : place + 1] = random.choice(
        (
            lambda: [(own, mutate(ending, inner, random))],
            lambda: [(own, mutate(ending, inner, random))],
            lambda: [(own, mutate(ending, inner, random))],
            list,
            lambda: [(own + "x", inner)],
            lambda: [(own, inner), (random.choice(members)[0], inner)],
        )
    )()
    stream = io.BytesIO()
    with (
        warnings.catch_warnings(),
        zipfile.ZipFile(stream, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive,
    ):
        warnings.simplefilter("ignore")  # that a name is there twice is meant
        for member, inside in members:
            archive.writestr(zipfile.ZipInfo(member), inside)
    return stream.getvalue()


STRUCTURED: dict[str, Callable[[str, bytes, Random], bytes]] = {
    ".gz": _inside_gzip,
    **dict.fromkeys((".npz", ".ckpt", ".zip"), _inside_zip),
    ".npy": structures.mutate_array,
    ".json": structures.mutate_json,
    **dict.fromkeys((".yaml", ".lock"), structures.mutate_yaml),
    ".dir": structures.mutate_json,
    ".parquet": mutate_parquet,
    ".pkl": structures.mutate_pickle,
    ".png": structures.mutate_png,
    **dict.fromkeys((".csv", ".tsv", ".txt", ".bim", ".fam"), structures.mutate_table),
}
