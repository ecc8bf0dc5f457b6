"""Collect statistics of one kind of one of the user's models."""

from fuse_to_forget.audit.plan import DataSet
from fuse_to_forget.audit.statistics import audit_statistics
from fuse_to_forget.jobs import job
from fuse_to_forget.parquet import read_table
from fuse_to_forget.statistics.store import write_statistics

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu):
        params = snakemake.params
        _, metadata = read_table(snakemake.input.prepared)
        found = audit_statistics(
            params.checkpoints[params.model],
            params.kind,
            [DataSet(**own) for own in params.sampled],
            params.settings,
            task=params.task,
            classes=metadata["classes"],
            length=params.length,
            seed=params.seed,
        )
        write_statistics(found, snakemake.output.statistics)
