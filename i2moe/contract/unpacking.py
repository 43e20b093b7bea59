"""Compressed files: one that unpacks to far more than a real file can hold is refused before it takes the memory."""

import gzip
import io
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from i2moe.base.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Bytes of arrays for each byte of a file, and besides. Floating-point numbers hardly compress; a brain map that is a
# seventh of its volume packs to a twentieth, and has less than what there is besides.
MOST_UNPACKED, SPARE = 10, 200_000_000
# The same of tables, as text. Numbers of four digits pack to a third; zeros with a one in a hundred places to a 113th,
# in a thousand to a 442nd. gzip itself can pack to a 1032nd, which only a file that is made for it comes near.
MOST_TABLE, SPARE_TEXT = 600, 2**20
# And in columns, where a column of one value takes nothing; pandas has the table twice for a moment.
SPARE_COLUMNS = SPARE // 2
# Signs of JSON that Python takes 72 bytes for, an empty list or object each.
CONTAINER = 72
# Signs of a line of text: 850,000 columns of a methylation array, each with a number of 18 digits, have fewer.
MOST_LINE = 2**24
BLOCK = 2**20  # bytes that are read at a time
REMEDY = "make it again, or unpack it yourself if it is meant to be so"


def allowed(stored: int) -> int:
    """Return how many bytes of memory a file may take that has so many."""
    return MOST_UNPACKED * stored + SPARE


def check_unpacked(path: Path, size: int, name: str = "") -> None:
    """Refuse a file that says it holds far more bytes than it has: to read them would take the machine's memory.

    Args:
        path: of the file.
        size: that its arrays have in memory.
        name: what an error calls the file; empty for its path.

    Raises:
        InputError: naming both sizes.
    """
    stored = path.stat().st_size
    if size > allowed(stored):
        raise _too_large(
            name or str(path), stored, f"arrays of {size / 1e6:.0f} MB: save it again, without compression"
        )


def check_columns_size(path: Path, size: int) -> None:
    """Refuse a table in columns, such as Parquet, that has far more bytes in memory than on disk.

    Raises:
        InputError: naming both sizes.
    """
    stored = path.stat().st_size
    if size > MOST_TABLE * stored + SPARE_COLUMNS:
        raise _too_large(str(path), stored, f"a table of {size / 1e6:.0f} MB: save numbers in smaller types")


def _too_large(name: str, stored: int, held: str) -> InputError:
    return InputError(f"{name} has {stored / 1e6:.0f} MB, and {held}")


def check_containers(text: str) -> None:
    """Refuse JSON that has far more lists and objects than its length can fill.

    Raises:
        ValueError: saying so.
    """
    if CONTAINER * (text.count("[") + text.count("{")) > allowed(len(text)):
        raise ValueError("it has little but empty lists and objects")


def check_members(path: Path) -> None:
    """Refuse a ZIP archive, such as .npz, whose members say that they hold far more bytes than it has.

    What is no archive, its reader refuses.

    Raises:
        InputError: naming both sizes.
        zipfile.BadZipFile: for an archive that is broken.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            check_unpacked(path, sum(member.file_size for member in archive.infolist()))


def open_bytes(path: Path) -> BinaryIO:
    """Open a file of text as bytes, unpacked where its name ends in .gz.

    Raises:
        InputError: while it is read, once it has given more than a table of its size can hold.
    """
    return open_gzip(path, MOST_TABLE) if path.suffix == ".gz" else path.open("rb")


def open_gzip(path: Path, most: int) -> BinaryIO:
    """Open a gzip file of text.

    Args:
        path: of the file.
        most: bytes that it may unpack to, for each of its own.

    Raises:
        InputError: while it is read, once it has given more.
    """
    limit = most * path.stat().st_size + SPARE_TEXT
    return cast("BinaryIO", io.BufferedReader(_Limited(path, limit), buffer_size=2**18))


def check_gzip(path: Path, most: int) -> None:
    """Read through a file whose name ends in .gz, before a reader holds it. Arguments and errors as in `open_gzip`."""
    if path.suffix == ".gz":
        with open_gzip(path, most) as stream:
            while stream.read(BLOCK):
                pass


def open_text(path: Path, encoding: str, errors: str = "strict") -> TextIO:
    """Open a file of text, unpacked where its name ends in .gz; its line ends stay. Errors as in `open_bytes`."""
    return io.TextIOWrapper(open_bytes(path), encoding=encoding, errors=errors, newline="")


def lines(stream: TextIO, path: Path) -> Iterator[str]:
    """Yield the lines of a text.

    Raises:
        InputError: for a line that is longer than any table's.
    """
    for line in iter(partial(stream.readline, MOST_LINE), ""):
        if len(line) == MOST_LINE:
            raise InputError(f"{path} has a line of more than {MOST_LINE} signs: is it a table? {REMEDY}")
        yield line


class _Limited(io.RawIOBase):
    """What a gzip file unpacks to, up to a limit."""

    def __init__(self, path: Path, limit: int) -> None:
        self.inner = gzip.GzipFile(path)
        self.path, self.limit, self.count = path, limit, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        number = self.inner.readinto1(buffer)
        self.count += number
        if self.count > self.limit:
            raise InputError(f"{self.path} unpacks to more than {self.limit / 1e6:.0f} MB: {REMEDY}")
        return number

    def close(self) -> None:
        self.inner.close()
        super().close()
