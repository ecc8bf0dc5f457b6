"""Where the authors' code departs from their text: one named switch for each departure.

`described` does what the paper says and a careful reader expects; `published` does what the authors'
code does and so what their printed numbers come from.
"""

PRESETS: dict[str, dict[str, str | bool]] = {
    "described": {
        # the eraser is fitted on training representations and must be applied to the test ones too
        "erase_test_representations": True,
        # coefficients are a choice, and choices are made on dev
        "select_coefficients_on": "dev",
    },
    "published": {
        "erase_test_representations": False,
        "select_coefficients_on": "test",
    },
}


def switches(preset: str, departures: dict[str, str | bool]) -> dict[str, str | bool]:
    """Return every switch of a preset, with the single `departures` from it applied."""
    return PRESETS[preset] | departures
