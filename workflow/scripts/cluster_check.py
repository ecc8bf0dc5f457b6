"""Write down what a job is given."""

from fuse_to_forget.allocation import describe_allocation
from fuse_to_forget.files import atomic_path
from fuse_to_forget.jobs import job

if __name__ == "__main__":
    with job(snakemake.log[0], snakemake.resources.gpu), atomic_path(snakemake.output.found) as scratch:
        found = describe_allocation(threads=snakemake.threads, gpus=snakemake.resources.gpu)
        print(found)
        scratch.write_text(found)
