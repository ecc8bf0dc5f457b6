"""The one exception for input that a user can put right."""


class InputError(ValueError):
    """Bad input, told in one sentence: what is wrong, where, and what to do about it."""
