"""Evaluate every weighted average of some models."""

from pathlib import Path

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables, write_table
from fuse_to_forget.prediction.sweep import sweep

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        folders = [Path(weights).parent for weights in snakemake.input.weights]
        read = {split: read_tables(snakemake.input[split]) for split in snakemake.params.splits}
        rows = sweep(
            dict(zip(snakemake.params.models, folders, strict=True)),
            snakemake.params.coefficients,
            {split: frame for split, (frame, _) in read.items()},
            batch_size=snakemake.params.batch_size,
            max_length=snakemake.params.max_length,
            seed=snakemake.params.seed,
        )
        write_table(rows, snakemake.output.predictions, read["dev"][1])
