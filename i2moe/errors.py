"""The one exception a user is meant to read."""


class InputError(ValueError):
    """Bad input or settings: the message names the file or key, what is wrong with it, and the remedy."""
