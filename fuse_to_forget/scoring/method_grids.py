"""The grid of fusion methods, from the predictions of each study."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fuse_to_forget.parquet import read_tables
from fuse_to_forget.scoring.biases import measure_biases
from fuse_to_forget.scoring.bootstrap import Bootstrap
from fuse_to_forget.scoring.memorization import Evaluation, measure_files
from fuse_to_forget.scoring.methods import (
    Grid,
    bias_pieces,
    memorization_pieces,
    shortcut_pieces,
)
from fuse_to_forget.scoring.shortcuts import measure_shortcuts

BIAS_SPLIT = "test"  # the study of shortcuts has dev alone


def grids_of(
    sets: Mapping[str, Mapping[str, Sequence[str]]],
    files: Mapping[str, Sequence[str | Path]],
    *,
    full: Mapping[str, Mapping[str, str]],
    mixtures: Mapping[str, Sequence[str]],
    evaluations: Mapping[str, Evaluation],
    bootstrap: Bootstrap,
) -> list[Grid]:
    """Return the grid of each set of models; `sets` and `files` of predictions by study.

    The predictions are those of the sets by every method, and of the single models; of language models also those of
    the base. `full` names the models that were trained on all data of a set, by study and set, of which there are
    predictions too; `mixtures` tells the shortcuts of each shortcut model, `evaluations` how language models are
    evaluated.
    """
    grids = []
    for study, own in sets.items():
        if study in evaluations:
            measured = measure_files(files[study], bootstrap, evaluations[study])
            pieces = {name: memorization_pieces(models) for name, models in own.items()}
        else:
            predictions, _ = read_tables(files[study])
            if study == "biases":
                predictions = predictions[predictions["split"] == BIAS_SPLIT].reset_index(drop=True)
                measured = measure_biases(predictions, next(iter(own.values())), bootstrap)
                pieces = {name: bias_pieces(models) for name, models in own.items()}
            else:
                measured = measure_shortcuts(predictions, bootstrap)
                pieces = {name: shortcut_pieces(models, mixtures) for name, models in own.items()}
        grids += [
            Grid(study, models, measured, pieces[name], full[study].get(name)) for name, models in own.items()
        ]
    return grids
