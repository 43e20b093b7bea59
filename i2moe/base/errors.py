"""The one exception a user is meant to read, and what its message may say of data that not everyone may see.

A message names a file, a row, a column, and how many; never a value, the id of a sample, or a file's name that is one.
"""

import bisect
import re
from pathlib import Path

QUOTE = re.compile(r"(?<![A-Za-z]{2})b?['\"]")  # not the apostrophe of a word


class InputError(ValueError):
    """Bad input or settings: the message names the file or key, what is wrong with it, and the remedy."""


def first_line(error: Exception) -> str:
    """Return the first line of another library's message, for a message of ours."""
    return str(error).strip().split("\n", 1)[0][:200] or type(error).__name__


def unquoted(error: Exception) -> str:
    """Return the first line of a library's message up to where it quotes: what follows may be a value of the data.

    Examples:
        >>> unquoted(ValueError("could not convert string to float: 'anna'"))
        'could not convert string to float: …'
        >>> unquoted(ValueError("object doesn't exist"))
        "object doesn't exist"
    """
    words = first_line(error)
    start = QUOTE.search(words)
    return f"{words[: start.start()]}…" if start else words


def numbered(path: Path) -> str:
    """Name a file by its place in its folder, hidden files aside: its own name may be the id of a sample."""
    inside = path.parent.iterdir() if path.parent.is_dir() else ()
    names = sorted(own.name for own in inside if not own.name.startswith("."))
    number = bisect.bisect_left(names, path.name) + 1
    if path.name in names:
        return f"{path.parent}: file {number} of {len(names)} by name"
    return f"{path.parent}: a file that would be number {number} by name"
