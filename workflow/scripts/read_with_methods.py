"""Read all sequences with a set of language models fused by every method."""

from pathlib import Path

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables, write_table
from fuse_to_forget.prediction.memorization import Reading
from fuse_to_forget.prediction.methods import Constituents, Use, read_with_methods
from fuse_to_forget.statistics.collect import sequence_examples

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        params, files = snakemake.params, snakemake.input
        sequences, metadata = read_tables(snakemake.input.sequences)
        texts = [
            sequence_examples(
                Path(files.weights[0]).parent,
                read_tables(files[name])[0],
                params.objective,
                examples=params.examples,
                masking=params.reading["masking"],
                seed=seed,
            )[0]
            for name, seed in params.text_seeds.items()
        ]
        rows = read_with_methods(
            Constituents.of_files(
                params.models, files.weights, files.get("base"), texts, gram=files.gram, fisher=files.fisher
            ),
            {label: Use(**use) for label, use in params.uses.items()},
            sequences,
            Reading(params.objective, **params.reading),
            seed=params.seed,
        )
        write_table(rows, snakemake.output.predictions, metadata)
