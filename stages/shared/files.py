"""Files that are written whole or not at all, and hashes of their contents."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file next to the path, and move it there once it is complete; a failure leaves nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    try:
        with naming(path):
            write(partial)
        partial.replace(path)
    finally:
        with suppress(OSError):  # in a read-only folder, where there is none
            partial.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an error of the disk name the file that was written; what opens a file names it, what fills it does not."""
    try:
        yield
    except OSError as error:
        if error.errno is None and "requested and" in str(error):  # NumPy's words for a write that was cut short
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        if error.errno is not None and error.filename in (None, f"{path}.partial"):
            error.filename = str(path)
        raise


def hash_files(files: Iterable[Path], text: str = "") -> str:
    """Hash files' contents and a text: the name of what depends on exactly these."""
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for path in files:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()
