"""Write down versions, machine and configuration."""

from fuse_to_forget.environment import describe_run
from fuse_to_forget.files import atomic_path
from fuse_to_forget.jobs import job

if __name__ == "__main__":
    with job(snakemake.log[0]), atomic_path(snakemake.output.run) as scratch:
        describe_run(snakemake.params.config).to_csv(scratch, index=False, lineterminator="\n")
