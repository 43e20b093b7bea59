"""The one exception a user is meant to read."""


class InputError(ValueError):
    """Bad input or settings: the message names the file or key, what is wrong with it, and the remedy."""


def first_line(error: Exception) -> str:
    """Return the first line of another library's message, for a message of ours."""
    return str(error).strip().split("\n", 1)[0][:200] or type(error).__name__
