"""The one exception for input that a user can put right, and what it says of other errors."""


class InputError(ValueError):
    """Bad input, told in one sentence: what is wrong, where, and what to do about it."""


def first_line(error: Exception) -> str:
    """Return the first line of what an error says, or its type if it says nothing: libraries write whole pages."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
