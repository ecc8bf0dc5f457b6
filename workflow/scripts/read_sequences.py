"""Read all sequences of a run with each of its models."""

from pathlib import Path

from fuse_to_forget.files import folder_of
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables, write_table
from fuse_to_forget.prediction.memorization import Reading, read_with_all

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        params = snakemake.params
        sequences, metadata = read_tables(snakemake.input.sequences)
        rows = read_with_all(
            sequences,
            folder_of(snakemake.input.base),
            dict(zip(params.models, (Path(file).parent for file in snakemake.input.weights), strict=True)),
            params.fused,
            Reading(params.objective, **params.reading),
            seed=params.seed,
        )
        write_table(rows, snakemake.output.predictions, metadata)
