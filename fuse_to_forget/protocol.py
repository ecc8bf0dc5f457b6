"""Where the authors' code departs from their text: one named switch for each departure.

`described` does what the paper says and a careful reader expects; `published` does what the authors'
code does and so what their printed numbers come from, but for one departure that is no switch: the authors also train,
average and run their language models in pure bfloat16, weights included. Here weights are float32, and only losses
are rounded (`evaluation_dtype`), so `published` need not give the numbers of section 6 to the digit.
"""

PRESETS: dict[str, dict[str, str | bool]] = {
    "described": {
        # the eraser is fitted on training representations and must be applied to the test ones too
        "erase_test_representations": True,
        # coefficients are a choice, and choices are made on dev
        "select_coefficients_on": "dev",
        # the part of the sentences that gets a shortcut is the smaller one
        "synthetic_split": "minority",
        # two marks never share a place, so their visible order is that of the label
        "position_ties": "exclude",
        # the label of a text in a mixture contradicts no other shortcut of the mixture
        "conflicting_rules": "exclude",
        # marks stand between words, at every place with the same probability
        "insert_between": "words",
        # the Fisher overlap looks at shortcuts on labels that are all reversed
        "reverse_token_in_context": True,
        # a token that ends an article stands between two of them in a block
        "document_separator": "token",
        # no article lies in two subsets
        "subsets_disjoint_by": "article",
        # the likelihood ratio is that of a sequence
        "likelihood_ratio_over": "sequence",
        "evaluation_dtype": "float32",
    },
    "published": {
        "erase_test_representations": False,
        "select_coefficients_on": "test",
        "synthetic_split": "majority",
        "position_ties": "allow",
        "conflicting_rules": "allow",
        # between word pieces, [CLS] and [SEP] included, so inside of words and twice as often at either end
        "insert_between": "wordpieces",
        # TiC examples are all positive, so that half of them keep their label
        "reverse_token_in_context": False,
        "document_separator": "none",
        # subsets are dealt out as blocks, so an article may be split between two
        "subsets_disjoint_by": "block",
        # of a batch's mean loss, rounded to the 8 significant bits of bfloat16; weights and forward passes are not
        "likelihood_ratio_over": "batch",
        "evaluation_dtype": "bfloat16",
    },
}


def switches(preset: str, departures: dict[str, str | bool]) -> dict[str, str | bool]:
    """Return every switch of a preset, with the single `departures` from it applied."""
    return PRESETS[preset] | departures
