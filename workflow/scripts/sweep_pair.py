"""Evaluate every weighted average of the two biased models."""

from pathlib import Path

from fuse_to_forget.coefficients import pair_grid
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table, write_table
from fuse_to_forget.prediction.sweep import sweep

if __name__ == "__main__":
    with job(snakemake.log[0]):
        folders = [Path(weights).parent for weights in snakemake.input.weights]
        dev, metadata = read_table(snakemake.input.dev)
        test, _ = read_table(snakemake.input.test)
        rows = sweep(
            dict(zip(snakemake.params.models, folders, strict=True)),
            pair_grid(snakemake.params.steps),
            {"dev": dev, "test": test},
            batch_size=snakemake.params.batch_size,
            max_length=snakemake.params.max_length,
            seed=snakemake.params.seed,
        )
        write_table(rows, snakemake.output.predictions, metadata)
