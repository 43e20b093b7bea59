"""Small files that unpack to far more than they have, and lower limits by which they are refused."""

import gzip
import zipfile
from pathlib import Path

from i2moe.contract import unpacking

ZEROS = bytes(2**20)


def lower_limits(monkeypatch, most=10, spare=0):
    """Let nothing unpack to more than `most` times its size and `spare` bytes."""
    for name in ("MOST_UNPACKED", "MOST_TABLE"):
        monkeypatch.setattr(unpacking, name, most)
    for name in ("SPARE", "SPARE_TEXT", "SPARE_COLUMNS"):
        monkeypatch.setattr(unpacking, name, spare)


def repacked(path, target):
    """Write a ZIP archive's members with compression."""
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)


def gzipped(path, content=ZEROS):
    """Write a gzip file."""
    path = Path(path)
    path.write_bytes(gzip.compress(content, mtime=0))
    return path
