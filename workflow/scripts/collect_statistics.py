"""Collect Gram matrices and Fisher information of one classifier."""

from pathlib import Path

from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.statistics.collect import classifier_statistics
from fuse_to_forget.statistics.store import write_statistics

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        params = snakemake.params
        train, _ = read_table(snakemake.input.train)
        for kind in ("gram", "fisher"):
            found = classifier_statistics(
                Path(snakemake.input.weights).parent,
                train,
                kind,
                **params.settings,
                max_length=params.max_length,
                seed=params.seed,
            )
            write_statistics(found, snakemake.output[kind])
