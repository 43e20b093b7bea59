"""Files that are written whole or not at all, and hashes of their contents."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file next to the path, and move it there once it is complete; a failure leaves nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    try:
        write(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def hash_files(files: Iterable[Path], text: str = "") -> str:
    """Hash files' contents and a text: the name of what depends on exactly these."""
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    for path in files:
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "blake2b").digest())
    return digest.hexdigest()
