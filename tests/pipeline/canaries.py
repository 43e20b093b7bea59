"""A search for bytes in folders, also in what is compressed."""

import gzip
import io
import zipfile
import zlib

import pandas as pd


def views(content):
    """Yield a file's bytes as they are, and what is compressed in them."""
    yield content
    if content.startswith(b"PAR1"):
        yield pd.read_parquet(io.BytesIO(content)).to_csv().encode()
    elif content.startswith(b"PK"):
        archive = zipfile.ZipFile(io.BytesIO(content))
        yield from (archive.read(name) for name in archive.namelist())
    elif content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    elif content.startswith(b"x\x01"):  # an object of git
        yield zlib.decompress(content)


def holding(folder, words):
    """Return the files below a folder, but for raw ones and the tests, in which one of the words is found."""
    skipped = [folder / "data/raw", folder / "tests"]
    files = [path for path in folder.rglob("*") if path.is_file() and not any(map(path.is_relative_to, skipped))]
    return {
        path.relative_to(folder).as_posix()
        for path in files
        if any(word in view for view in views(path.read_bytes()) for word in words)
    }
