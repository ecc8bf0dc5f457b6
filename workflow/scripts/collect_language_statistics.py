"""Collect Gram matrices and Fisher information of one language model."""

from pathlib import Path

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_tables
from fuse_to_forget.statistics.collect import language_model_statistics
from fuse_to_forget.statistics.store import write_statistics

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        params = snakemake.params
        sequences, _ = read_tables(snakemake.input.train)
        for kind in ("gram", "fisher"):
            found = language_model_statistics(
                Path(snakemake.input.weights).parent,
                sequences,
                kind,
                params.objective,
                examples=params.settings["examples"],
                batch_size=params.settings["batch_size"],
                masking=params.masking,
                seed=params.seed,
            )
            write_statistics(found, snakemake.output[kind])
